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
/// A value: it can be cloned, compared and extended; no method fails or touches the disk. What is wrong with a step is
/// told by [`plan`](Self::plan). Equality and `Debug` look at the steps only, not at where they were written.
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
    /// Starts from an image of a registry: `FROM {image}`.
    #[track_caller]
    pub fn base(image: impl Into<String>) -> Self {
        Self { steps: Vec::new() }.step("base", Instruction::From(image.into()))
    }

    /// Starts from Python on Debian slim, with a C and Fortran compiler and an up-to-date pip.
    ///
    /// A series such as `3.12` becomes the release that the official SDKs pin for it; a version such as `3.12.4` is used
    /// as it is. [`PythonVersion::default`] is a fixed series. Which series there are is told by
    /// [`PythonVersion::SERIES`].
    #[track_caller]
    pub fn debian_slim(version: impl Into<PythonVersion>) -> Self {
        Self { steps: Vec::new() }.step("debian_slim", Instruction::DebianSlim(version.into()))
    }

    /// Starts from a Dockerfile: a path, or a [`DockerfileSource`] for another context folder, ignore patterns, or a text.
    ///
    /// The files that it copies are found when the image is planned. Steps that follow are appended to its last stage.
    #[track_caller]
    pub fn from_dockerfile(source: impl Into<DockerfileSource>) -> Self {
        Self { steps: Vec::new() }.step("from_dockerfile", Instruction::Dockerfile(source.into()))
    }

    /// Adds lines of a Dockerfile as they are.
    ///
    /// Takes lines, or [`DockerfileCommands`] where a context folder or ignore patterns are needed.
    #[track_caller]
    pub fn dockerfile_commands(self, lines: impl Into<DockerfileCommands>) -> Self {
        self.step("dockerfile_commands", Instruction::DockerfileCommands(lines.into()))
    }

    /// Installs the packages of a local requirements file with pip.
    ///
    /// Takes a path, or [`Requirements`] where options are needed. The file is copied to `/.requirements.txt`; if it names others,
    /// it goes to `/.requirements/` together with them.
    #[track_caller]
    pub fn pip_install_from_requirements(self, file: impl Into<Requirements>) -> Self {
        self.step("pip_install_from_requirements", Instruction::Requirements(file.into()))
    }

    /// Installs the dependencies of a local `pyproject.toml` with pip: those of the project, and of the groups of optional
    /// ones that are chosen with [`Pyproject::optional`]. The file itself is not sent.
    #[track_caller]
    pub fn pip_install_from_pyproject(self, file: impl Into<Pyproject>) -> Self {
        self.step("pip_install_from_pyproject", Instruction::Pyproject(file.into()))
    }

    /// Installs Python packages with uv into the image's own Python, sorted by name, in one layer. No package, no layer.
    #[track_caller]
    pub fn uv_pip_install(self, packages: impl Into<UvPipInstall>) -> Self {
        self.step("uv_pip_install", Instruction::UvPipInstall(packages.into()))
    }

    /// Installs Debian packages in one layer: updates the lists, takes no recommended packages, and removes the lists again.
    /// No package, no layer.
    #[track_caller]
    pub fn apt_install(self, packages: impl Into<AptInstall>) -> Self {
        self.step("apt_install", Instruction::AptInstall(packages.into()))
    }

    /// Sets the user of the following steps and of the sandbox: a name or an id, with a group after a colon if need be.
    #[track_caller]
    pub fn user(self, user: impl Into<String>) -> Self {
        self.step("user", Instruction::User(user.into()))
    }

    /// Sets labels of the image. The values are taken literally.
    #[track_caller]
    pub fn label<K: Into<String>, V: Into<String>>(self, labels: impl IntoIterator<Item = (K, V)>) -> Self {
        let labels = labels
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()))
            .collect();
        self.step("label", Instruction::Label(labels))
    }

    /// Says that something listens on a port: `8080`, `53/udp`, `9000-9010`.
    #[track_caller]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a number or a text, as all methods take their values"
    )]
    pub fn expose(self, port: impl ToString) -> Self {
        self.step("expose", Instruction::Expose(port.to_string()))
    }

    /// Declares a variable of the build with its value: the service has no build arguments that could set another.
    #[track_caller]
    pub fn arg(self, name: impl Into<String>, default: impl Into<String>) -> Self {
        let (name, default) = (name.into(), default.into());
        self.step("arg", Instruction::Arg { name, default })
    }

    /// Sets the shell of the following shell commands.
    #[track_caller]
    pub fn shell<S: Into<String>>(self, words: impl IntoIterator<Item = S>) -> Self {
        let words = words.into_iter().map(Into::into).collect();
        self.step("shell", Instruction::Shell(words))
    }

    /// Copies from another image, or from an earlier stage of a Dockerfile.
    #[track_caller]
    pub fn copy_from(self, from: impl Into<String>, source: impl Into<String>, target: impl Into<String>) -> Self {
        let (from, source, target) = (from.into(), source.into(), target.into());
        self.step("copy_from", Instruction::CopyFrom { from, source, target })
    }

    /// Installs Python packages with pip, sorted by name, in one layer. No package, no layer.
    ///
    /// Takes packages, or a [`PipInstall`] where options are needed.
    #[track_caller]
    pub fn pip_install(self, packages: impl Into<PipInstall>) -> Self {
        self.step("pip_install", Instruction::PipInstall(packages.into()))
    }

    /// Copies a local file to `target`; if that ends in `/`, the file keeps its name below it.
    ///
    /// Takes a path, or a [`LocalFile`] where options are needed.
    ///
    /// A relative path is resolved in the plan's base folder, `~` in the home folder. Links are followed: what is sent
    /// is the content. Docker expands variables in the target.
    #[track_caller]
    pub fn add_local_file(self, file: impl Into<LocalFile>, target: impl Into<String>) -> Self {
        let (file, target) = (file.into(), target.into());
        self.step("add_local_file", Instruction::AddLocalFile { file, target })
    }

    /// Copies the contents of a local folder to the folder `target`, as Docker's `COPY` does.
    ///
    /// Takes a path, or a [`LocalDir`] where options are needed. The folder is a boundary: links inside it are sent as
    /// their content, links that leave it are left out with a warning.
    #[track_caller]
    pub fn add_local_dir(self, dir: impl Into<LocalDir>, target: impl Into<String>) -> Self {
        let (dir, target) = (dir.into(), target.into());
        self.step("add_local_dir", Instruction::AddLocalDir { dir, target })
    }

    /// Runs commands while the image is built, one layer each.
    ///
    /// Takes one command or a list of them. A text is a shell command (`RUN {text}`), a list in the list is an executable and
    /// its arguments (`RUN ["…", "…"]`).
    #[track_caller]
    pub fn run_commands(self, commands: impl Into<Commands>) -> Self {
        self.step("run_commands", Instruction::RunCommands(commands.into().0))
    }

    /// Sets environment variables, in the given order. The values are taken literally.
    #[track_caller]
    pub fn env<K: Into<String>, V: Into<String>>(self, variables: impl IntoIterator<Item = (K, V)>) -> Self {
        let variables = variables
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()))
            .collect();
        self.step("env", Instruction::Env(variables))
    }

    /// Sets the working folder of the following steps and of the sandbox. The path is taken literally.
    #[track_caller]
    pub fn workdir(self, path: impl Into<String>) -> Self {
        self.step("workdir", Instruction::Workdir(path.into()))
    }

    /// Sets what is started in a sandbox.
    #[track_caller]
    pub fn entrypoint<S: Into<String>>(self, words: impl IntoIterator<Item = S>) -> Self {
        let words = words.into_iter().map(Into::into).collect();
        self.step("entrypoint", Instruction::Entrypoint(words))
    }

    /// Sets the default arguments of the entrypoint. The service itself only looks at the entrypoint.
    #[track_caller]
    pub fn cmd<S: Into<String>>(self, words: impl IntoIterator<Item = S>) -> Self {
        let words = words.into_iter().map(Into::into).collect();
        self.step("cmd", Instruction::Cmd(words))
    }

    /// The steps, in their order.
    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether a step may need local files, as far as that can be told without a look at any file.
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
