//! What can be wrong with an image, said once for all of its steps.

use std::fmt;
use std::io;
use std::panic::Location;
use std::path::PathBuf;

use crate::escape;
use crate::ignore::Rule;
use crate::walk::{self, WalkProblem};

/// Why an image cannot be planned: all problems of all steps, in their order.
///
/// Its `Debug` is the same report as its `Display`, so that a `main` that returns it prints something to read.
pub struct PlanError {
    problems: Vec<Problem>,
}

impl PlanError {
    pub(crate) fn new(problems: Vec<Problem>) -> Self {
        Self { problems }
    }

    /// Whether planning was [cancelled](crate::Cancellation).
    pub fn is_cancelled(&self) -> bool {
        let cancelled = |problem: &Problem| matches!(problem.kind, ProblemKind::Walk(WalkProblem::Cancelled));
        self.problems.iter().any(cancelled)
    }

    /// The problems; there is at least one.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Debug for PlanError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [problem] => problem.fmt(formatter),
            problems => {
                write!(formatter, "{} problems in the image", problems.len())?;
                problems
                    .iter()
                    .try_for_each(|problem| write!(formatter, "\n  {problem}"))
            }
        }
    }
}

impl std::error::Error for PlanError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self.problems.as_slice() {
            [problem] => problem.source(),
            _ => None,
        }
    }
}

/// One problem, and the step that has it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Problem {
    /// Number of the step, counted from 1.
    pub step: usize,
    /// The method of [`Image`](crate::Image) that made the step.
    pub method: &'static str,
    /// Where it was called.
    pub location: &'static Location<'static>,
    /// The line of the caller's own Dockerfile that it is about.
    pub line: Option<DockerfileLine>,
    /// What is wrong.
    pub kind: ProblemKind,
}

/// A line of a Dockerfile, or of lines of one, that the caller wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DockerfileLine {
    /// The file, as the caller named it; `None` for a text.
    pub path: Option<PathBuf>,
    /// The line, counted from 1.
    pub line: usize,
}

impl DockerfileLine {
    /// A message with where it belongs: as a compiler writes it if there is a file.
    pub(crate) fn show(
        formatter: &mut fmt::Formatter<'_>,
        line: Option<&Self>,
        (step, method, location): (usize, &'static str, &'static Location<'static>),
        message: &dyn fmt::Display,
    ) -> fmt::Result {
        match line {
            Some(Self { path: Some(path), line }) => write!(
                formatter,
                "{}:{line}: {message} (step {step}, {method} at {location})",
                escape::path(path)
            ),
            Some(Self { path: None, line }) => {
                write!(
                    formatter,
                    "step {step} ({method} at {location}): line {line}: {message}"
                )
            }
            None => write!(formatter, "step {step} ({method} at {location}): {message}"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = (self.step, self.method, self.location);
        DockerfileLine::show(formatter, self.line.as_ref(), at, &self.kind)
    }
}

impl std::error::Error for Problem {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            ProblemKind::Unreadable { source, .. } => Some(source),
            ProblemKind::Walk(problem) => Some(problem),
            _ => None,
        }
    }
}

/// What is wrong with a step.
#[derive(Debug)]
#[non_exhaustive]
pub enum ProblemKind {
    /// Something that may not be empty is.
    Empty {
        /// What is empty.
        what: &'static str,
    },
    /// A line feed, carriage return or NUL where it would end the instruction.
    ControlCharacter {
        /// What it stands in.
        what: &'static str,
        /// The value, with the character escaped.
        value: String,
    },
    /// The name of an environment variable that is none.
    InvalidVariableName {
        /// The name.
        name: String,
    },
    /// A text that is not a Python version.
    InvalidPythonVersion {
        /// The text.
        version: String,
    },
    /// A Python version outside of the supported series.
    UnsupportedPythonVersion {
        /// The version.
        version: String,
        /// The series that are supported.
        series: &'static [&'static str],
    },
    /// A local path that does not exist.
    #[non_exhaustive]
    NotFound {
        /// The path as it was given.
        path: PathBuf,
        /// The folder that a relative path started from, where it was not the one of the Dockerfile's context.
        base: Option<PathBuf>,
    },
    /// A local path that is a folder where a file is needed.
    NotAFile {
        /// The path as it was given.
        path: PathBuf,
    },
    /// A local path that is a file where a folder is needed.
    NotAFolder {
        /// The path as it was given.
        path: PathBuf,
    },
    /// A local file or folder that cannot be read.
    Unreadable {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A folder in which there is no file: the server drops empty folders, and the build would find nothing to copy.
    NothingToCopy {
        /// The path as it was given.
        path: PathBuf,
    },
    /// A folder of which the ignore rules leave out every file.
    EverythingIgnored {
        /// The path as it was given.
        path: PathBuf,
        /// The first of the rules that did it.
        rule: Rule,
    },
    /// Something is wrong with a line of a Dockerfile.
    Dockerfile {
        /// What is wrong, and the way out.
        problem: String,
    },
    /// A `pyproject.toml` without what is needed.
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
        /// What is wrong with it, and the way out.
        problem: String,
    },
    /// An owner of files that is none.
    InvalidOwner {
        /// The text.
        owner: String,
    },
    /// A mode of files that is none.
    InvalidMode {
        /// The number.
        mode: u32,
    },
    /// A label that Docker could not read.
    InvalidLabel {
        /// Its name.
        label: String,
    },
    /// A port that is none.
    InvalidPort {
        /// The text.
        port: String,
    },
    /// A Dockerfile that is a folder.
    NotADockerfile {
        /// The path as it was given.
        path: PathBuf,
    },
    /// A source whose name the image builder cannot ask for.
    UnaskableName {
        /// Its path in the context.
        path: PathBuf,
    },
    /// A Dockerfile that is not UTF-8.
    NotText {
        /// The path as it was given.
        path: PathBuf,
    },
    /// What one step copies from its context would take in a file of another step, and its lines cannot be rewritten.
    ContextsOverlap {
        /// The other step, counted from 1.
        other: usize,
        /// A file that both would have.
        name: String,
    },
    /// Something in a folder cannot be sent, or keeps its walk from its end.
    Walk(WalkProblem),
    /// A path that begins with `~`, without a known home folder.
    NoHome {
        /// The path as it was given.
        path: PathBuf,
    },
    /// The current folder of the process cannot be told.
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
                "{what} holds a line feed, carriage return or NUL, which would start another instruction: {value}"
            ),
            Self::InvalidVariableName { name } => write!(
                formatter,
                "`{}` is no name of an environment variable: use letters, digits and `_`, and no digit first",
                name.escape_debug()
            ),
            Self::InvalidPythonVersion { version } => write!(
                formatter,
                "`{}` is no Python version: write a series such as `3.12` or a release such as `3.12.4`",
                version.escape_debug()
            ),
            Self::UnsupportedPythonVersion { version, series } => write!(
                formatter,
                "Python {version} is not supported: choose one of {}, or start from `Image::base`",
                series.join(", ")
            ),
            Self::NotFound { path, base: Some(base) } => write!(
                formatter,
                "`{}` does not exist in `{}`: check the spelling, or say with `PlanOptions::base_dir` where paths start from",
                escape::path(path),
                escape::path(base)
            ),
            Self::NotFound { path, base: None } => {
                write!(formatter, "`{}` does not exist: check the spelling", escape::path(path))
            }
            Self::NotAFile { path } => {
                write!(
                    formatter,
                    "`{}` is a folder, not a file: use `add_local_dir` for it",
                    escape::path(path)
                )
            }
            Self::NotAFolder { path } => {
                write!(
                    formatter,
                    "`{}` is a file, not a folder: use `add_local_file` for it",
                    escape::path(path)
                )
            }
            Self::Unreadable { path, source } => {
                walk::unreadable(formatter, &format!("`{}`", escape::path(path)), source)
            }
            Self::NothingToCopy { path } => write!(
                formatter,
                "`{}` has no file in it: empty folders do not reach the build, so there would be nothing to copy; \
                 create the folder with `run_commands([\"mkdir -p …\"])`",
                escape::path(path)
            ),
            Self::EverythingIgnored { path, rule } => write!(
                formatter,
                "every file in `{}` is ignored, by the rule {rule} first of all: take back what is needed with `!`",
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
                "invalid owner `{}`: write a name or an id, with a group after a colon if need be, such as `app:app`",
                escape::text(owner)
            ),
            Self::InvalidMode { mode } => write!(
                formatter,
                "invalid mode `{mode:o}`: write it in octal, such as `0o755`, up to `0o7777`"
            ),
            Self::InvalidLabel { label } => write!(
                formatter,
                "invalid label `{}`: its name holds `=` or a quote, which Docker has no way to write",
                escape::text(label)
            ),
            Self::InvalidPort { port } => write!(
                formatter,
                "`{}` is no port: write a number up to 65535, or a range, with `/tcp` or `/udp` if need be",
                port.escape_debug()
            ),
            Self::NotADockerfile { path } => {
                write!(
                    formatter,
                    "`{}` is a folder: name the Dockerfile in it",
                    escape::path(path)
                )
            }
            Self::UnaskableName { path } => write!(
                formatter,
                "the source `{}` has a control character in its name, which the image builder cannot ask for: add the folder \
                 around it, or rename it",
                escape::path(path)
            ),
            Self::NotText { path } => write!(
                formatter,
                "`{}` is not UTF-8 text, and so no Dockerfile",
                escape::path(path)
            ),
            Self::ContextsOverlap { other, name } => write!(
                formatter,
                "it copies a part of its context that would take in `{name}` of step {other}, as the server merges all that is \
                 sent: narrow what is copied, or copy the files of both steps in one"
            ),
            Self::Walk(problem) => problem.fmt(formatter),
            Self::NoHome { path } => write!(
                formatter,
                "`{}` needs a home folder, and none is known: write the path in full, or set `PlanOptions::home`",
                escape::path(path)
            ),
            Self::NoBaseDir { reason } => {
                write!(
                    formatter,
                    "the current folder cannot be told ({reason}): set `PlanOptions::base_dir`"
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
    /// A problem if `text` cannot stand on one line of a Dockerfile.
    pub(crate) fn one_line(what: &'static str, text: &str) -> Option<Self> {
        text.contains(['\n', '\r', '\0']).then(|| Self::ControlCharacter {
            what,
            value: format!("`{}`", text.escape_debug()),
        })
    }
}
