//! A Dockerfile that is read, and what is wrong with one.

use std::borrow::Cow;
use std::fmt;

use super::instruction::Instruction;
use crate::bounded::{Place, Said};
use crate::escape;

/// A Dockerfile, read.
///
/// ```
/// use daytona_image::dockerfile::Dockerfile;
///
/// let dockerfile =
///     Dockerfile::parse("FROM alpine:3.20\nCOPY --chown=1:1 [\"a b\", \"/x/\"]\n")?;
/// let copy = &dockerfile.instructions()[1];
/// assert_eq!((copy.line(), copy.keyword()), (2, "COPY"));
/// assert_eq!(copy.flag("chown"), Some("1:1"));
/// assert_eq!(copy.words(), ["a b", "/x/"]);
/// # Ok::<(), daytona_image::dockerfile::SyntaxErrors>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dockerfile {
    pub(super) instructions: Vec<Instruction>,
    pub(super) escape: char,
    pub(super) line_count: usize,
    pub(super) open_continuation: Option<usize>,
}

impl Default for Dockerfile {
    fn default() -> Self {
        Self {
            instructions: Vec::new(),
            escape: '\\',
            line_count: 0,
            open_continuation: None,
        }
    }
}

/// Something that is wrong with a line of a Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {}", escape::cut(.problem))]
#[non_exhaustive]
pub struct SyntaxError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

/// As many errors of a text are listed. The last of the list then says how many more there are.
pub const MAX_ERRORS: usize = 100;

impl Said for SyntaxError {
    fn place(&self) -> Place {
        (0, Some(self.line))
    }

    fn text(&self) -> Cow<'_, str> {
        self.problem.as_str().into()
    }
}

impl SyntaxError {
    pub(crate) fn new(line: usize, problem: impl Into<String>) -> Self {
        Self {
            line,
            problem: problem.into(),
        }
    }
}

/// Everything that is wrong with a text that is not a Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxErrors(pub(super) Vec<SyntaxError>);

impl SyntaxErrors {
    /// The errors, in the order of their lines; there is at least one.
    pub fn errors(&self) -> &[SyntaxError] {
        &self.0
    }
}

impl fmt::Display for SyntaxErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            error.fmt(formatter)?;
        }
        Ok(())
    }
}

impl std::error::Error for SyntaxErrors {}

impl Dockerfile {
    /// The instructions, in their order.
    pub fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }

    /// The escape character: a backslash, unless the directive `# escape` says a backtick.
    pub fn escape(&self) -> char {
        self.escape
    }

    /// Where in the text the escape character stands that would glue to the last line what is appended.
    pub(crate) fn open_continuation(&self) -> Option<usize> {
        self.open_continuation
    }
}
