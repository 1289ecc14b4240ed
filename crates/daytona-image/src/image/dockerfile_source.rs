//! A Dockerfile's source, and the directory of its build context.

use std::path::{Path, PathBuf};

use crate::walk::Links;

/// A Dockerfile for [`Image::from_dockerfile`](crate::Image::from_dockerfile): a file, or its text.
///
/// ```
/// use daytona_image::{DockerfileSource, Image};
///
/// let image = Image::from_dockerfile(
///     DockerfileSource::path("docker/prod.Dockerfile")
///         .context_dir(".")
///         .ignore(["docs"]),
/// );
/// let image = Image::from_dockerfile(DockerfileSource::text(
///     "FROM alpine:3.20\nCOPY app /app\n",
/// ));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct DockerfileSource {
    pub(crate) origin: Origin,
    pub(crate) context: ContextDir,
    pub(crate) build_args: Vec<(String, String)>,
    pub(crate) target: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Path(PathBuf),
    Text(String),
}

/// Lines of a Dockerfile for [`Image::dockerfile_commands`](crate::Image::dockerfile_commands), with options.
///
/// ```
/// use daytona_image::{DockerfileCommands, Image};
///
/// let lines = DockerfileCommands::new(["COPY . /app"]).context_dir("app").ignore(["docs"]);
/// let image = Image::base("alpine:3.20").dockerfile_commands(lines);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct DockerfileCommands {
    pub(crate) lines: Vec<String>,
    pub(crate) context: ContextDir,
}

/// The root of a build context, and its ignore patterns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ContextDir {
    pub(crate) path: Option<PathBuf>,
    pub(crate) ignore: Vec<String>,
    pub(crate) links: Links,
}

impl ContextDir {
    fn set(&mut self, path: PathBuf) {
        self.path = Some(path).filter(|path| !path.as_os_str().is_empty());
    }
}

impl DockerfileSource {
    /// The Dockerfile at `path`. Its directory is the root of the build context, unless you set another.
    pub fn path(path: impl Into<PathBuf>) -> Self {
        Self {
            origin: Origin::Path(path.into()),
            context: ContextDir::default(),
            build_args: Vec::new(),
            target: None,
        }
    }

    /// The text of a Dockerfile. The plan's base directory is the root of the build context, unless you set another.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            origin: Origin::Text(text.into()),
            context: ContextDir::default(),
            build_args: Vec::new(),
            target: None,
        }
    }

    /// Gives an `ARG` of the Dockerfile a value, as `docker build --build-arg` does. The last value for a name counts.
    ///
    /// The service has no build arguments. So the value becomes the default of every `ARG` of this name in the text
    /// that is sent. A predefined argument such as `HTTP_PROXY` needs no `ARG`, so it gets one in each stage that runs
    /// something. If no `ARG` declares the name, the plan has a warning.
    ///
    /// Values are not secret: the snapshot's record and the image's history show them. Never pass a secret.
    ///
    /// ```
    /// use daytona_image::{DockerfileSource, Image};
    ///
    /// let source = DockerfileSource::text("ARG TAG=3.19\nFROM alpine:$TAG\n")
    ///     .build_arg("TAG", "3.20");
    /// let plan = Image::from_dockerfile(source).plan()?;
    /// assert_eq!(plan.dockerfile(), "ARG TAG=3.20\nFROM alpine:$TAG\n");
    /// # Ok::<(), daytona_image::PlanError>(())
    /// ```
    pub fn build_arg(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.build_args.push((name.into(), value.into()));
        self
    }

    /// Builds the stage of this name instead of the last one, as `docker build --target` does. Case does not matter.
    ///
    /// Stages that this stage does not need are not sent, and a sandbox starts the `ENTRYPOINT` of this stage. An empty
    /// name means the last stage, as in Docker.
    pub fn target(mut self, stage: impl Into<String>) -> Self {
        self.target = Some(stage.into()).filter(|stage| !stage.is_empty());
        self
    }

    /// Sets the root of the build context, where the sources of `COPY` and `ADD` are looked up.
    pub fn context_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.context.set(path.into());
        self
    }

    /// Leaves out the files that these patterns match, by [Docker's rules](crate::ignore). They come after those of the
    /// Dockerfile's own `<Dockerfile>.dockerignore`, or else of the context's `.dockerignore`.
    pub fn ignore<S: Into<String>>(mut self, patterns: impl IntoIterator<Item = S>) -> Self {
        self.context.ignore.extend(patterns.into_iter().map(Into::into));
        self
    }

    /// What to do with links in the context that cannot be followed, and with special files. Default: [`Links::Skip`].
    pub fn links(mut self, links: Links) -> Self {
        self.context.links = links;
        self
    }
}

impl DockerfileCommands {
    /// These lines.
    pub fn new<S: Into<String>>(lines: impl IntoIterator<Item = S>) -> Self {
        Self {
            lines: lines.into_iter().map(Into::into).collect(),
            context: ContextDir::default(),
        }
    }

    /// Sets the root of the build context, where the sources of `COPY` and `ADD` are looked up. Default: the plan's
    /// base directory.
    pub fn context_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.context.set(path.into());
        self
    }

    /// Leaves out the files that these patterns match. They come after the rules of the context's `.dockerignore`.
    pub fn ignore<S: Into<String>>(mut self, patterns: impl IntoIterator<Item = S>) -> Self {
        self.context.ignore.extend(patterns.into_iter().map(Into::into));
        self
    }

    /// What to do with links in the context that cannot be followed, and with special files. Default: [`Links::Skip`].
    pub fn links(mut self, links: Links) -> Self {
        self.context.links = links;
        self
    }
}

impl From<&str> for DockerfileSource {
    fn from(path: &str) -> Self {
        Self::path(path)
    }
}

impl From<String> for DockerfileSource {
    fn from(path: String) -> Self {
        Self::path(path)
    }
}

impl From<&Path> for DockerfileSource {
    fn from(path: &Path) -> Self {
        Self::path(path)
    }
}

impl From<PathBuf> for DockerfileSource {
    fn from(path: PathBuf) -> Self {
        Self::path(path)
    }
}

impl From<&PathBuf> for DockerfileSource {
    fn from(path: &PathBuf) -> Self {
        Self::path(path)
    }
}

impl<S: Into<String>> From<Vec<S>> for DockerfileCommands {
    fn from(lines: Vec<S>) -> Self {
        Self::new(lines)
    }
}

impl<S: Into<String>, const N: usize> From<[S; N]> for DockerfileCommands {
    fn from(lines: [S; N]) -> Self {
        Self::new(lines)
    }
}
