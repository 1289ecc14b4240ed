//! The `Image` value and its methods.

use std::fmt;
use std::panic::Location;

mod apt;
pub(crate) mod archive_name;
mod configure;
pub(crate) mod dockerfile_source;
mod install;
pub(crate) mod instruction;
pub(crate) mod local;
pub(crate) mod pip;
mod pyproject;
mod python;
mod registry;
mod requirement;
pub(crate) mod requirements;

pub use apt::AptInstall;
pub use dockerfile_source::{DockerfileCommands, DockerfileSource};
use instruction::Instruction;
pub use instruction::{Command, Commands};
pub use local::{LocalDir, LocalFile};
pub use pip::{PipInstall, UvPipInstall};
pub use pyproject::Pyproject;
pub use python::PythonVersion;
pub use registry::{RegistryImage, RegistryImageError};
pub use requirements::Requirements;

/// An image that is described step by step.
///
/// An image is a value: you can clone, compare and extend it. No method fails or touches the disk: [`plan`](Self::plan)
/// reports what is wrong with a step. Equality and `Debug` look only at the steps, not at where in your program they
/// are.
///
/// ```
/// use daytona_image::Image;
///
/// let image = Image::base("python:3.12-slim")
///     .pip_install(["flask"])
///     .workdir("/app")
///     .entrypoint(["python", "main.py"]);
/// assert_eq!(
///     image.plan()?.dockerfile(),
///     "FROM python:3.12-slim\n\
///      RUN python -m pip install flask\n\
///      WORKDIR /app\n\
///      ENTRYPOINT [\"python\", \"main.py\"]\n"
/// );
/// # Ok::<(), daytona_image::PlanError>(())
/// ```
#[derive(Clone, PartialEq)]
#[must_use]
pub struct Image {
    steps: Vec<Step>,
}

/// One call of a method, and where it was made.
#[derive(Clone)]
pub(crate) struct Step {
    pub(crate) instruction: Instruction,
    pub(crate) method: &'static str,
    pub(crate) location: &'static Location<'static>,
}

impl PartialEq for Step {
    fn eq(&self, other: &Self) -> bool {
        self.instruction == other.instruction
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Image ")?;
        formatter
            .debug_list()
            .entries(self.steps.iter().map(|step| &step.instruction))
            .finish()
    }
}

impl Image {
    /// Starts from an image of a registry.
    ///
    /// ```
    /// # use daytona_image::Image;
    /// let image = Image::base("python:3.12");
    /// let plan = image.plan()?;
    /// let line = plan.dockerfile().lines().last();
    /// assert_eq!(line, Some("FROM python:3.12"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn base(image: impl Into<String>) -> Self {
        Self { steps: Vec::new() }.step("base", Instruction::From(image.into()))
    }

    /// Starts from Python on Debian slim, with a C and Fortran compiler and an up-to-date pip.
    ///
    /// A series such as `3.12` becomes the release that the official SDKs pin for it. A version such as `3.12.4` is used
    /// as it is. [`PythonVersion::SERIES`] lists the series; [`PythonVersion::default`] is one of them.
    ///
    /// ```
    /// # use daytona_image::Image;
    /// let plan = Image::debian_slim("3.12").plan()?;
    /// let first = plan.dockerfile().lines().next();
    /// assert_eq!(first, Some("FROM python:3.12.10-slim-bookworm"));
    /// # Ok::<(), daytona_image::PlanError>(())
    /// ```
    #[track_caller]
    pub fn debian_slim(version: impl Into<PythonVersion>) -> Self {
        Self { steps: Vec::new() }.step("debian_slim", Instruction::DebianSlim(version.into()))
    }

    /// Starts from a Dockerfile: a path, or a [`DockerfileSource`] to set the context directory, ignore patterns, build
    /// arguments or the target stage, or to give its text.
    ///
    /// [`plan`](Self::plan) reads it and finds the files that it copies. Later steps are appended to its last stage.
    ///
    /// ```
    /// # use daytona_image::{DockerfileSource, Image};
    /// let text = "FROM alpine:3.20\nRUN apk add curl\n";
    /// let image = Image::from_dockerfile(DockerfileSource::text(text)).workdir("/app");
    /// assert_eq!(image.plan()?.dockerfile(), format!("{text}WORKDIR /app\n"));
    ///
    /// // Read when it is planned, with the files beside it as the build context.
    /// let image = Image::from_dockerfile("Dockerfile");
    /// # Ok::<(), daytona_image::PlanError>(())
    /// ```
    #[track_caller]
    pub fn from_dockerfile(source: impl Into<DockerfileSource>) -> Self {
        Self { steps: Vec::new() }.step("from_dockerfile", Instruction::Dockerfile(source.into()))
    }

    /// Adds lines of a Dockerfile unchanged.
    ///
    /// Takes lines, or [`DockerfileCommands`] to set a context directory or ignore patterns.
    ///
    /// ```
    /// # use daytona_image::Image;
    /// let image = Image::base("python:3.12")
    ///     .dockerfile_commands(["HEALTHCHECK CMD curl -f localhost"]);
    /// let plan = image.plan()?;
    /// let line = plan.dockerfile().lines().last();
    /// assert_eq!(line, Some("HEALTHCHECK CMD curl -f localhost"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn dockerfile_commands(self, lines: impl Into<DockerfileCommands>) -> Self {
        self.step("dockerfile_commands", Instruction::DockerfileCommands(lines.into()))
    }

    /// Copies from another image, or from an earlier stage of a Dockerfile.
    ///
    /// ```
    /// # use daytona_image::Image;
    /// let uv = "ghcr.io/astral-sh/uv:0.5";
    /// let image = Image::base("python:3.12").copy_from(uv, "/uv", "/bin/uv");
    /// let plan = image.plan()?;
    /// let line = plan.dockerfile().lines().last();
    /// assert_eq!(line, Some(r#"COPY --from=ghcr.io/astral-sh/uv:0.5 ["/uv", "/bin/uv"]"#));
    /// # Ok::<(), daytona_image::PlanError>(())
    /// ```
    #[track_caller]
    pub fn copy_from(self, from: impl Into<String>, source: impl Into<String>, target: impl Into<String>) -> Self {
        let (from, source, target) = (from.into(), source.into(), target.into());
        self.step("copy_from", Instruction::CopyFrom { from, source, target })
    }

    /// Copies a local file to `target`. If `target` ends in `/`, the file keeps its name in that directory.
    ///
    /// Takes a path, or a [`LocalFile`] for options. A relative path is resolved in the plan's base directory, and `~` in the
    /// home directory. A link is sent as the content of its target. Docker expands variables in `target`.
    ///
    /// ```
    /// # use daytona_image::{Image, PlanOptions};
    /// # let directory = tempfile::tempdir()?;
    /// # std::fs::write(directory.path().join("main.py"), "print()")?;
    /// # let options = PlanOptions::default().base_dir(directory.path());
    /// let image = Image::base("python:3.12").add_local_file("main.py", "/app/");
    /// let plan = image.plan_with(&options)?;
    /// let line = plan.dockerfile().lines().last();
    /// assert_eq!(line, Some(r#"COPY ["main.py", "/app/main.py"]"#));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn add_local_file(self, file: impl Into<LocalFile>, target: impl Into<String>) -> Self {
        let (file, target) = (file.into(), target.into());
        self.step("add_local_file", Instruction::AddLocalFile { file, target })
    }

    /// Copies the contents of a local directory to the directory `target`, as Docker's `COPY` does.
    ///
    /// Takes a path, or a [`LocalDir`] for options. Links to targets inside the directory are sent as the content of
    /// their targets. Links that lead out of it are left out, with a warning.
    ///
    /// ```
    /// # use daytona_image::{Image, PlanOptions};
    /// # let directory = tempfile::tempdir()?;
    /// # std::fs::create_dir_all(directory.path().join("src"))?;
    /// # std::fs::write(directory.path().join("src/main.py"), "print()")?;
    /// # let options = PlanOptions::default().base_dir(directory.path());
    /// let image = Image::base("python:3.12").add_local_dir("src", "/app/src");
    /// let plan = image.plan_with(&options)?;
    /// let line = plan.dockerfile().lines().last();
    /// assert_eq!(line, Some(r#"COPY ["src", "/app/src"]"#));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn add_local_dir(self, dir: impl Into<LocalDir>, target: impl Into<String>) -> Self {
        let (dir, target) = (dir.into(), target.into());
        self.step("add_local_dir", Instruction::AddLocalDir { dir, target })
    }

    /// Runs commands while the image is built, one layer each.
    ///
    /// Takes one command or a list of commands. A string is a shell command. A list is an executable and its arguments.
    ///
    /// ```
    /// # use daytona_image::Image;
    /// let image = Image::base("python:3.12").run_commands(["make", "make install"]);
    /// assert!(image.plan()?.dockerfile().ends_with("RUN make\nRUN make install\n"));
    ///
    /// let image = Image::base("python:3.12").run_commands([["rm", "-r", "/my cache"]]);
    /// let plan = image.plan()?;
    /// let line = plan.dockerfile().lines().last();
    /// assert_eq!(line, Some(r#"RUN ["rm", "-r", "/my cache"]"#));
    /// # Ok::<(), daytona_image::PlanError>(())
    /// ```
    #[track_caller]
    pub fn run_commands(self, commands: impl Into<Commands>) -> Self {
        self.step("run_commands", Instruction::RunCommands(commands.into().0))
    }

    /// The steps, in their order.
    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether a step may need local files. Reads no file, so a Dockerfile counts as one that may.
    pub fn takes_files(&self) -> bool {
        self.steps.iter().any(|step| step.instruction.takes_files())
    }

    #[track_caller]
    fn step(mut self, method: &'static str, instruction: Instruction) -> Self {
        self.steps.push(Step {
            instruction,
            method,
            location: Location::caller(),
        });
        self
    }
}
