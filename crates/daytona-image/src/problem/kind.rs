//! What can be wrong with a step, and how to mend it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::escape;
use crate::ignore::Rule;
use crate::walk::{self, WalkProblem};

/// What is wrong with a step.
#[derive(Debug)]
#[non_exhaustive]
pub enum ProblemKind {
    /// A value that must not be empty is empty.
    Empty {
        /// Which value.
        what: &'static str,
    },
    /// A line feed, carriage return or NUL that would end the instruction.
    ControlCharacter {
        /// Which value contains it.
        what: &'static str,
        /// The value, with the character escaped.
        value: String,
    },
    /// An invalid name of an environment variable.
    InvalidVariableName {
        /// The name.
        name: String,
    },
    /// A text that is not a Python version.
    InvalidPythonVersion {
        /// The text.
        version: String,
    },
    /// A Python version outside the supported series.
    UnsupportedPythonVersion {
        /// The version.
        version: String,
        /// The supported series.
        series: &'static [&'static str],
    },
    /// A local path that does not exist.
    #[non_exhaustive]
    NotFound {
        /// The path as it was given.
        path: PathBuf,
        /// The directory where a relative path started, if it was not the Dockerfile's context.
        base: Option<PathBuf>,
    },
    /// A local path that is a directory instead of a file.
    NotAFile {
        /// The path as it was given.
        path: PathBuf,
    },
    /// A local path that is a file instead of a directory.
    NotAFolder {
        /// The path as it was given.
        path: PathBuf,
    },
    /// A local file or directory that cannot be read.
    Unreadable {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A directory without files. The server drops empty directories, so the build would find nothing to copy.
    NothingToCopy {
        /// The path as it was given.
        path: PathBuf,
    },
    /// A directory in which the ignore rules exclude every file.
    EverythingIgnored {
        /// The path as it was given.
        path: PathBuf,
        /// The first of these rules.
        rule: Rule,
    },
    /// Something is wrong with a line of a Dockerfile.
    Dockerfile {
        /// What is wrong, and how to fix it.
        problem: String,
    },
    /// A `pyproject.toml` that lacks something.
    InvalidPyproject {
        /// The path as it was given.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A line of a requirements file that cannot work in the image.
    Requirements {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it, and how to fix it.
        problem: String,
    },
    /// An invalid owner of files.
    InvalidOwner {
        /// The text.
        owner: String,
    },
    /// An invalid mode of files.
    InvalidMode {
        /// The number.
        mode: u32,
    },
    /// A label that a Dockerfile cannot express.
    InvalidLabel {
        /// Its name.
        label: String,
    },
    /// An invalid port.
    InvalidPort {
        /// The text.
        port: String,
    },
    /// A Dockerfile that is a directory.
    NotADockerfile {
        /// The path as it was given.
        path: PathBuf,
    },
    /// A source whose name the image builder cannot request.
    UnaskableName {
        /// Its path in the context.
        path: PathBuf,
    },
    /// A Dockerfile that is not UTF-8.
    NotText {
        /// The path as it was given.
        path: PathBuf,
    },
    /// One step would also copy a file of another step, and its lines cannot be rewritten.
    ContextsOverlap {
        /// The other step, counted from 1.
        other: usize,
        /// A file that both would copy.
        name: String,
    },
    /// A file in a directory cannot be sent, or the walk of the directory cannot be finished.
    Walk(WalkProblem),
    /// A path that begins with `~`, although the home directory is unknown.
    NoHome {
        /// The path as it was given.
        path: PathBuf,
    },
    /// The process's current directory is unknown.
    NoBaseDir {
        /// Why.
        reason: String,
    },
}

impl fmt::Display for ProblemKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty { what } => write!(formatter, "{what} is empty"),
            Self::ControlCharacter { what, value } => write!(
                formatter,
                "{what} contains a line feed, carriage return or NUL, which would start another instruction: {value}"
            ),
            Self::InvalidVariableName { name } => write!(
                formatter,
                "`{}` is not a name for an environment variable: use letters, digits and `_`, but no digit first",
                name.escape_debug()
            ),
            Self::InvalidPythonVersion { version } => write!(
                formatter,
                "`{}` is not a Python version: write a series such as `3.12` or a release such as `3.12.4`",
                version.escape_debug()
            ),
            Self::UnsupportedPythonVersion { version, series } => write!(
                formatter,
                "Python {version} is not supported: choose one of {}, or start from `Image::base`",
                series.join(", ")
            ),
            Self::NotFound { path, base: Some(base) } => write!(
                formatter,
                "`{}` does not exist in `{}`: check the spelling, or set the directory of relative paths with `PlanOptions::base_dir`",
                escape::path(path),
                escape::path(base)
            ),
            Self::NotFound { path, base: None } => {
                write!(formatter, "`{}` does not exist: check the spelling", escape::path(path))
            }
            Self::NotAFile { path } => {
                write!(
                    formatter,
                    "`{}` is a directory, not a file: use `add_local_dir`",
                    escape::path(path)
                )
            }
            Self::NotAFolder { path } => {
                write!(
                    formatter,
                    "`{}` is a file, not a directory: use `add_local_file`",
                    escape::path(path)
                )
            }
            Self::Unreadable { path, source } => {
                walk::unreadable(formatter, &format!("`{}`", escape::path(path)), source)
            }
            Self::NothingToCopy { path } => write!(
                formatter,
                "`{}` contains no file: empty directories do not reach the build, so there would be nothing to copy; create it with `run_commands([\"mkdir -p …\"])`",
                escape::path(path)
            ),
            Self::EverythingIgnored { path, rule } => write!(
                formatter,
                "every file in `{}` is ignored, first by the rule {rule}: include what you need with `!`",
                escape::path(path)
            ),
            Self::Dockerfile { problem } => formatter.write_str(problem),
            Self::InvalidPyproject { path, problem } => {
                write!(formatter, "`{}`: {}", escape::path(path), escape::text(problem))
            }
            Self::Requirements { path, line, problem } => {
                write!(formatter, "`{}:{line}`: {}", escape::path(path), escape::text(problem))
            }
            Self::InvalidOwner { owner } => write!(
                formatter,
                "invalid owner `{}`: write a name or an id, optionally with a group after a colon, such as `app:app`",
                escape::text(owner)
            ),
            Self::InvalidMode { mode } => write!(
                formatter,
                "invalid mode `{mode:o}`: write it in octal, such as `0o755`, up to `0o7777`"
            ),
            Self::InvalidLabel { label } => write!(
                formatter,
                "invalid label `{}`: its name contains `=` or a quote, which a Dockerfile cannot express",
                escape::text(label)
            ),
            Self::InvalidPort { port } => write!(
                formatter,
                "`{}` is not a port: write a number up to 65535, or a range, optionally with `/tcp` or `/udp`",
                port.escape_debug()
            ),
            Self::NotADockerfile { path } => {
                write!(
                    formatter,
                    "`{}` is a directory: name the Dockerfile in it",
                    escape::path(path)
                )
            }
            Self::UnaskableName { path } => write!(
                formatter,
                "the source `{}` has a control character in its name, which the image builder cannot request: add its directory, or rename it",
                escape::path(path)
            ),
            Self::NotText { path } => write!(
                formatter,
                "`{}` is not UTF-8 text, so it is not a Dockerfile",
                escape::path(path)
            ),
            Self::ContextsOverlap { other, name } => write!(
                formatter,
                "it would also copy `{name}` of step {other}, because the server merges the contexts of all steps: copy less, or copy the files of both steps in one"
            ),
            Self::Walk(problem) => problem.fmt(formatter),
            Self::NoHome { path } => write!(
                formatter,
                "`{}` needs a home directory, but none is known: write the path in full, or set `PlanOptions::home`",
                escape::path(path)
            ),
            Self::NoBaseDir { reason } => {
                write!(
                    formatter,
                    "the current directory is unknown ({reason}): set `PlanOptions::base_dir`"
                )
            }
        }
    }
}

impl From<WalkProblem> for ProblemKind {
    fn from(problem: WalkProblem) -> Self {
        Self::Walk(problem)
    }
}

impl ProblemKind {
    /// A problem if `text` does not fit on one line of a Dockerfile.
    pub(crate) fn one_line(what: &'static str, text: &str) -> Option<Self> {
        text.contains(['\n', '\r', '\0']).then(|| Self::ControlCharacter {
            what,
            value: format!("`{}`", text.escape_debug()),
        })
    }
}
