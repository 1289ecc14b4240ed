//! The `Image` value and its methods.

use std::fmt;
use std::panic::Location;

mod apt;
pub(crate) mod archive_name;
pub(crate) mod dockerfile_source;
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

/// An image, described step by step.
///
/// An image is a value: you can clone, compare and extend it. No method fails or touches the disk:
/// [`plan`](Self::plan) reports what is wrong with a step. Equality and `Debug` look at the steps only, not at where they
/// were written.
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

/// One call of the chain: what it says, and where it was written.
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

    /// Adds lines of a Dockerfile as they are.
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

    /// Installs the packages of a local requirements file with pip.
    ///
    /// Takes a path, or [`Requirements`] for options. The file is copied to `/.requirements.txt`. If it names other files, they
    /// are all copied to `/.requirements/`.
    ///
    /// ```
    /// # use daytona_image::{Image, PlanOptions};
    /// # let directory = tempfile::tempdir()?;
    /// # std::fs::write(directory.path().join("requirements.txt"), "flask==3.0.3")?;
    /// # let options = PlanOptions::default().base_dir(directory.path());
    /// let image = Image::base("python:3.12")
    ///     .pip_install_from_requirements("requirements.txt");
    /// let plan = image.plan_with(&options)?;
    /// let line = plan.dockerfile().lines().last();
    /// assert_eq!(line, Some("RUN python -m pip install -r /.requirements.txt"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn pip_install_from_requirements(self, file: impl Into<Requirements>) -> Self {
        self.step("pip_install_from_requirements", Instruction::Requirements(file.into()))
    }

    /// Installs the dependencies of a local `pyproject.toml` with pip: those of the project, and those of the optional groups
    /// that [`Pyproject::optional`] chooses. The file itself is not sent.
    ///
    /// ```
    /// # use daytona_image::{Image, PlanOptions};
    /// # let directory = tempfile::tempdir()?;
    /// # std::fs::write(directory.path().join("pyproject.toml"), "[project]\nname = \"app\"\ndependencies = [\"flask\"]")?;
    /// # let options = PlanOptions::default().base_dir(directory.path());
    /// let image = Image::base("python:3.12").pip_install_from_pyproject("pyproject.toml");
    /// let plan = image.plan_with(&options)?;
    /// let line = plan.dockerfile().lines().last();
    /// assert_eq!(line, Some("RUN python -m pip install flask"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn pip_install_from_pyproject(self, file: impl Into<Pyproject>) -> Self {
        self.step("pip_install_from_pyproject", Instruction::Pyproject(file.into()))
    }

    /// Installs Python packages with uv into the image's own Python, sorted by name, in one layer. Without packages there is no layer.
    ///
    /// ```
    /// # use daytona_image::Image;
    /// let image = Image::base("python:3.12").uv_pip_install(["ruff"]);
    /// let plan = image.plan()?;
    /// let line = plan.dockerfile().lines().last();
    /// assert_eq!(line, Some("RUN python -m pip install uv && python -m uv pip install --system ruff"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn uv_pip_install(self, packages: impl Into<UvPipInstall>) -> Self {
        self.step("uv_pip_install", Instruction::UvPipInstall(packages.into()))
    }

    /// Installs Debian packages in one layer: updates the package lists, installs no recommended packages, and removes the lists.
    /// Without packages there is no layer.
    ///
    /// ```
    /// # use daytona_image::Image;
    /// let plan = Image::base("python:3.12").apt_install(["git", "curl"]).plan()?;
    /// assert_eq!(
    ///     plan.dockerfile().lines().last(),
    ///     Some(
    ///         "RUN apt-get update && apt-get install -y --no-install-recommends curl git \
    ///          && rm -rf /var/lib/apt/lists/*"
    ///     )
    /// );
    /// # Ok::<(), daytona_image::PlanError>(())
    /// ```
    #[track_caller]
    pub fn apt_install(self, packages: impl Into<AptInstall>) -> Self {
        self.step("apt_install", Instruction::AptInstall(packages.into()))
    }

    /// Sets the user of the following steps and of the sandbox: a name or an id, with an optional group after a colon.
    ///
    /// ```
    /// # use daytona_image::Image;
    /// let image = Image::base("python:3.12").user("app:app");
    /// let plan = image.plan()?;
    /// let line = plan.dockerfile().lines().last();
    /// assert_eq!(line, Some("USER app:app"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn user(self, user: impl Into<String>) -> Self {
        self.step("user", Instruction::User(user.into()))
    }

    /// Sets labels of the image. Docker expands nothing in the values.
    ///
    /// ```
    /// # use daytona_image::Image;
    /// let image = Image::base("python:3.12").label([("team", "data")]);
    /// let plan = image.plan()?;
    /// let line = plan.dockerfile().lines().last();
    /// assert_eq!(line, Some("LABEL team=data"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn label<K: Into<String>, V: Into<String>>(self, labels: impl IntoIterator<Item = (K, V)>) -> Self {
        let labels = labels
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()))
            .collect();
        self.step("label", Instruction::Label(labels))
    }

    /// Documents a port that the image listens on: `8080`, `53/udp`, `9000-9010`.
    ///
    /// ```
    /// # use daytona_image::Image;
    /// let image = Image::base("python:3.12").expose(8080);
    /// let plan = image.plan()?;
    /// let line = plan.dockerfile().lines().last();
    /// assert_eq!(line, Some("EXPOSE 8080"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a number or a text, as all methods take their values"
    )]
    pub fn expose(self, port: impl ToString) -> Self {
        self.step("expose", Instruction::Expose(port.to_string()))
    }

    /// Declares a build variable and its value. The service takes no build arguments, so this is the value that the build uses.
    ///
    /// ```
    /// # use daytona_image::Image;
    /// let image = Image::base("python:3.12").arg("VERSION", "1.2");
    /// let plan = image.plan()?;
    /// let line = plan.dockerfile().lines().last();
    /// assert_eq!(line, Some("ARG VERSION=1.2"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn arg(self, name: impl Into<String>, default: impl Into<String>) -> Self {
        let (name, default) = (name.into(), default.into());
        self.step("arg", Instruction::Arg { name, default })
    }

    /// Sets the shell of the following shell commands.
    ///
    /// ```
    /// # use daytona_image::Image;
    /// let image = Image::base("python:3.12").shell(["/bin/bash", "-c"]);
    /// let plan = image.plan()?;
    /// let line = plan.dockerfile().lines().last();
    /// assert_eq!(line, Some(r#"SHELL ["/bin/bash", "-c"]"#));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn shell<S: Into<String>>(self, words: impl IntoIterator<Item = S>) -> Self {
        let words = words.into_iter().map(Into::into).collect();
        self.step("shell", Instruction::Shell(words))
    }

    /// Copies from another image, or from an earlier stage of a Dockerfile.
    ///
    /// ```
    /// # use daytona_image::Image;
    /// let image = Image::base("python:3.12").copy_from("ghcr.io/astral-sh/uv:0.5", "/uv", "/bin/uv");
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

    /// Installs Python packages with pip, sorted by name, in one layer. Without packages there is no layer.
    ///
    /// Takes packages, or a [`PipInstall`] for options.
    ///
    /// ```
    /// # use daytona_image::Image;
    /// let image = Image::base("python:3.12").pip_install(["requests", "numpy>=2"]);
    /// let plan = image.plan()?;
    /// let line = plan.dockerfile().lines().last();
    /// assert_eq!(line, Some("RUN python -m pip install 'numpy>=2' requests"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn pip_install(self, packages: impl Into<PipInstall>) -> Self {
        self.step("pip_install", Instruction::PipInstall(packages.into()))
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

    /// Sets environment variables, in the given order. Docker expands nothing in the values.
    ///
    /// ```
    /// # use daytona_image::Image;
    /// let image = Image::base("python:3.12").env([("PRICE", "5 $")]);
    /// let plan = image.plan()?;
    /// let line = plan.dockerfile().lines().last();
    /// assert_eq!(line, Some("ENV PRICE='5 $'"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn env<K: Into<String>, V: Into<String>>(self, variables: impl IntoIterator<Item = (K, V)>) -> Self {
        let variables = variables
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()))
            .collect();
        self.step("env", Instruction::Env(variables))
    }

    /// Sets the working directory of the following steps and of the sandbox. Docker expands nothing in the path.
    ///
    /// ```
    /// # use daytona_image::Image;
    /// let image = Image::base("python:3.12").workdir("/app");
    /// let plan = image.plan()?;
    /// let line = plan.dockerfile().lines().last();
    /// assert_eq!(line, Some("WORKDIR /app"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn workdir(self, path: impl Into<String>) -> Self {
        self.step("workdir", Instruction::Workdir(path.into()))
    }

    /// Sets the program that a sandbox starts, and its arguments.
    ///
    /// ```
    /// # use daytona_image::Image;
    /// let image = Image::base("python:3.12").entrypoint(["python", "main.py"]);
    /// let plan = image.plan()?;
    /// let line = plan.dockerfile().lines().last();
    /// assert_eq!(line, Some(r#"ENTRYPOINT ["python", "main.py"]"#));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn entrypoint<S: Into<String>>(self, words: impl IntoIterator<Item = S>) -> Self {
        let words = words.into_iter().map(Into::into).collect();
        self.step("entrypoint", Instruction::Entrypoint(words))
    }

    /// Sets the default arguments of the entrypoint. The service reads only the entrypoint.
    ///
    /// ```
    /// # use daytona_image::Image;
    /// let image = Image::base("python:3.12").cmd(["--port", "80"]);
    /// let plan = image.plan()?;
    /// let line = plan.dockerfile().lines().last();
    /// assert_eq!(line, Some(r#"CMD ["--port", "80"]"#));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn cmd<S: Into<String>>(self, words: impl IntoIterator<Item = S>) -> Self {
        let words = words.into_iter().map(Into::into).collect();
        self.step("cmd", Instruction::Cmd(words))
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
