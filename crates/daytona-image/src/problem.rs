//! The problems that an image can have.

use std::borrow::Cow;
use std::fmt;
use std::panic::Location;
use std::path::PathBuf;

use crate::bounded::{Place, Said};
use crate::escape;
use crate::walk::WalkProblem;

mod kind;

pub use kind::ProblemKind;

/// Why an image cannot be planned: all problems of all steps, in order.
///
/// Its `Debug` is the same report as its `Display`, so a `main` that returns it prints readable text.
///
/// ```
/// use daytona_image::Image;
///
/// let error = Image::base("").workdir("").plan().unwrap_err();
/// assert_eq!(error.problems().len(), 2);
/// for problem in error.problems() {
///     println!("{problem}"); // with its step, its method and your file and line
/// }
/// ```
pub struct PlanError {
    problems: Vec<Problem>,
    /// How many more there are.
    more: usize,
}

/// The most problems of an image that are listed.
pub(crate) const MOST_PROBLEMS: usize = 200;

impl PlanError {
    pub(crate) fn new(problems: Vec<Problem>, more: usize) -> Self {
        Self { problems, more }
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
            [problem] if self.more == 0 => problem.fmt(formatter),
            problems => {
                write!(formatter, "{} problems in the image", problems.len() + self.more)?;
                problems
                    .iter()
                    .try_for_each(|problem| write!(formatter, "\n  {problem}"))?;
                if self.more > 0 {
                    write!(formatter, "\n  and {} more", self.more)?;
                }
                Ok(())
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

/// One problem, with its step.
#[derive(Debug)]
#[non_exhaustive]
pub struct Problem {
    /// Number of the step, counted from 1.
    pub step: usize,
    /// The method of [`Image`](crate::Image) that made the step.
    pub method: &'static str,
    /// Where it was called.
    pub location: &'static Location<'static>,
    /// The line of the caller's own Dockerfile.
    pub line: Option<DockerfileLine>,
    /// What is wrong.
    pub kind: ProblemKind,
}

/// A line of a Dockerfile that the caller wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DockerfileLine {
    /// The file as the caller named it, or `None` for a text.
    pub path: Option<PathBuf>,
    /// The line, counted from 1.
    pub line: usize,
}

impl DockerfileLine {
    /// The message with its place. For a file it has the form that compilers use.
    pub(crate) fn show(
        formatter: &mut fmt::Formatter<'_>,
        line: Option<&Self>,
        (step, method, location): (usize, &'static str, &'static Location<'static>),
        message: &dyn fmt::Display,
    ) -> fmt::Result {
        let message = message.to_string();
        let message = escape::cut(&message);
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

impl Said for Problem {
    fn place(&self) -> Place {
        (self.step, self.line.as_ref().map(|at| at.line))
    }

    fn text(&self) -> Cow<'_, str> {
        self.to_string().into()
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
