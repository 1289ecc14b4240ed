//! The content of a step, before it is checked.

use super::apt::AptInstall;
use super::dockerfile_source::{DockerfileCommands, DockerfileSource};
use super::local::{LocalDir, LocalFile};
use super::pip::{PipInstall, UvPipInstall};
use super::pyproject::Pyproject;
use super::python::PythonVersion;
use super::requirements::Requirements;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Instruction {
    From(String),
    DebianSlim(PythonVersion),
    PipInstall(PipInstall),
    AddLocalFile {
        file: LocalFile,
        target: String,
    },
    AddLocalDir {
        dir: LocalDir,
        target: String,
    },
    RunCommands(Vec<Command>),
    Env(Vec<(String, String)>),
    Workdir(String),
    Entrypoint(Vec<String>),
    Cmd(Vec<String>),
    Dockerfile(DockerfileSource),
    DockerfileCommands(DockerfileCommands),
    Requirements(Requirements),
    Pyproject(Pyproject),
    AptInstall(AptInstall),
    UvPipInstall(UvPipInstall),
    User(String),
    Label(Vec<(String, String)>),
    Expose(String),
    Arg {
        name: String,
        default: String,
    },
    Shell(Vec<String>),
    CopyFrom {
        from: String,
        source: String,
        target: String,
    },
}

impl Instruction {
    /// Whether it may need local files.
    pub(crate) fn takes_files(&self) -> bool {
        match self {
            Self::AddLocalFile { .. }
            | Self::AddLocalDir { .. }
            | Self::Dockerfile(_)
            | Self::DockerfileCommands(_)
            | Self::Requirements(_)
            | Self::Pyproject(_) => true,
            // It may mount a part of the context.
            Self::RunCommands(commands) => {
                let may_mount = |command: &Command| matches!(command, Command::Shell(text) if text.contains("--mount"));
                commands.iter().any(may_mount)
            }
            Self::From(_)
            | Self::DebianSlim(_)
            | Self::PipInstall(_)
            | Self::Env(_)
            | Self::Workdir(_)
            | Self::Entrypoint(_)
            | Self::Cmd(_)
            | Self::AptInstall(_)
            | Self::UvPipInstall(_)
            | Self::User(_)
            | Self::Label(_)
            | Self::Expose(_)
            | Self::Arg { .. }
            | Self::Shell(_)
            | Self::CopyFrom { .. } => false,
        }
    }
}

/// A command of [`Image::run_commands`](crate::Image::run_commands).
///
/// ```
/// use daytona_image::{Command, Image};
///
/// let shell = Command::from("echo $HOME");
/// let exec = Command::exec(["echo", "$HOME"]); // prints the word as it is
/// let image = Image::base("alpine:3.20").run_commands([shell, exec]);
/// let text = image.plan()?.dockerfile().to_owned();
/// assert!(text.ends_with("RUN echo $HOME\nRUN [\"echo\", \"$HOME\"]\n"));
/// # Ok::<(), daytona_image::PlanError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// A text for the image's shell. It may have several lines if each line except the last ends in a backslash.
    Shell(String),
    /// An executable and its arguments.
    Exec(Vec<String>),
}

impl Command {
    /// An executable and its arguments.
    pub fn exec<S: Into<String>>(words: impl IntoIterator<Item = S>) -> Self {
        Self::Exec(words.into_iter().map(Into::into).collect())
    }
}

impl From<&str> for Command {
    fn from(text: &str) -> Self {
        Self::Shell(text.to_owned())
    }
}

impl From<String> for Command {
    fn from(text: String) -> Self {
        Self::Shell(text)
    }
}

impl<S: Into<String>> From<Vec<S>> for Command {
    fn from(words: Vec<S>) -> Self {
        Self::exec(words)
    }
}

impl<S: Into<String>, const N: usize> From<[S; N]> for Command {
    fn from(words: [S; N]) -> Self {
        Self::exec(words)
    }
}

/// The argument of [`Image::run_commands`](crate::Image::run_commands): one text, one [`Command`], or a list of either.
///
/// ```
/// use daytona_image::{Command, Commands, Image};
///
/// let image = Image::base("alpine:3.20")
///     .run_commands("apk add git")
///     .run_commands(["mkdir /a", "mkdir /b"]);
/// let commands: Commands = (0..3)
///     .map(|number| Command::exec(["mkdir", &format!("/{number}")]))
///     .collect();
/// let image = image.run_commands(commands);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Commands(pub(crate) Vec<Command>);

impl From<&str> for Commands {
    fn from(text: &str) -> Self {
        Self(vec![text.into()])
    }
}

impl From<String> for Commands {
    fn from(text: String) -> Self {
        Self(vec![text.into()])
    }
}

impl From<Command> for Commands {
    fn from(command: Command) -> Self {
        Self(vec![command])
    }
}

impl<C: Into<Command>> From<Vec<C>> for Commands {
    fn from(commands: Vec<C>) -> Self {
        commands.into_iter().collect()
    }
}

impl<C: Into<Command>, const N: usize> From<[C; N]> for Commands {
    fn from(commands: [C; N]) -> Self {
        commands.into_iter().collect()
    }
}

impl<C: Into<Command> + Clone> From<&[C]> for Commands {
    fn from(commands: &[C]) -> Self {
        commands.iter().cloned().collect()
    }
}

impl<C: Into<Command>> FromIterator<C> for Commands {
    fn from_iter<I: IntoIterator<Item = C>>(commands: I) -> Self {
        Self(commands.into_iter().map(Into::into).collect())
    }
}
