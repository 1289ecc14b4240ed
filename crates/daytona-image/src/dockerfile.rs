//! The Dockerfile reader.
//!
//! It accepts what BuildKit accepts, and refuses what BuildKit refuses before it builds. It reads parser directives,
//! continued lines with comments and blank lines between them, flags, words, JSON forms and heredocs. It knows nothing
//! about files; other modules find out what the instructions copy from the build context.
//!
//! Reference: <https://docs.docker.com/reference/dockerfile/>.

mod budget;
mod check;
mod copy;
mod directive;
mod dispatch;
pub(crate) mod followed;
pub(crate) mod glob;
mod heredoc;
mod instruction;
mod lexer;
mod model;
mod mount;
mod reader;
mod reference;
pub(crate) mod scope;
mod shell_pattern;
pub(crate) mod sources;
pub(crate) mod stages;
#[cfg(test)]
mod tests;
mod values;
pub(crate) mod word;

pub use heredoc::Heredoc;
pub use instruction::{Arguments, Instruction, Pair};
pub use model::{Dockerfile, MAX_ERRORS, SyntaxError, SyntaxErrors};
pub use reader::MAX_LINE;

use crate::bounded::Bounded;
use reader::Reading;

impl Dockerfile {
    /// Reads a Dockerfile. A byte order mark is ignored.
    ///
    /// # Errors
    ///
    /// [`SyntaxErrors`], with the line of everything that BuildKit would refuse before it builds: an unknown
    /// instruction or flag, an open heredoc, a file without a stage.
    pub fn parse(text: &str) -> Result<Self, SyntaxErrors> {
        let (dockerfile, errors) = Self::read(text);
        if errors.is_empty() {
            Ok(dockerfile)
        } else {
            Err(SyntaxErrors(errors))
        }
    }

    /// Reads as much of a Dockerfile as possible. Returns that and all errors, with their lines.
    ///
    /// A wrong instruction does not hide the next one. An instruction that could be parsed is returned even if
    /// something in it is wrong.
    pub fn read(text: &str) -> (Self, Vec<SyntaxError>) {
        let Reading { dockerfile, mut errors } = reader::read(text, None);
        check::check(&dockerfile, false, &mut errors);
        let mut errors = listed(errors);
        let last = dockerfile.line_count.max(1);
        if dockerfile.instructions.is_empty() && errors.is_empty() {
            errors.push(SyntaxError::new(
                last,
                "a Dockerfile needs an instruction, but there is none",
            ));
        } else if errors.is_empty() && !dockerfile.instructions.iter().any(Instruction::is_stage) {
            errors.push(SyntaxError::new(last, "a Dockerfile needs a FROM, but there is none"));
        }
        (dockerfile, errors)
    }

    /// Reads lines from the middle of a Dockerfile, with this escape character. There may be none.
    pub(crate) fn read_part(text: &str, escape: char) -> (Self, Vec<SyntaxError>) {
        let Reading { dockerfile, mut errors } = reader::read(text, Some(escape));
        check::check(&dockerfile, true, &mut errors);
        (dockerfile, listed(errors))
    }
}

/// The errors in the order of their lines. The last of them says how many more there are.
fn listed(errors: Bounded<SyntaxError>) -> Vec<SyntaxError> {
    let (mut errors, more) = errors.into_parts();
    if let Some(last) = errors.last().filter(|_| more > 0) {
        errors.push(SyntaxError::new(last.line, format!("and {more} more problems")));
    }
    errors
}

impl Instruction {
    /// Whether it begins a stage.
    pub(crate) fn is_stage(&self) -> bool {
        self.keyword() == "FROM"
    }

    /// The name of the stage that it begins, in lower case.
    pub(crate) fn stage_name(&self) -> Option<String> {
        check::stage_name(self.words())
    }
}
