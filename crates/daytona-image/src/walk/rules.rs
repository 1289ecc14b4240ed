//! The ignore rules of a directory.

use std::path::Path;

use super::problem::WalkProblem;
use super::read::{ReadError, read_lines};
use crate::ignore::IgnoreRules;

/// The file with a directory's ignore rules.
pub const DOCKERIGNORE: &str = ".dockerignore";

/// The rules in the file `name` of a directory, if it is there. `shown` names the file in messages.
///
/// As in BuildKit, a directory of that name is passed over.
///
/// # Errors
///
/// [`WalkProblem::Unread`] for what is there and is no text, and [`WalkProblem::InvalidPattern`].
pub fn read_rules(folder: &Path, name: &Path, shown: &Path) -> Result<Option<IgnoreRules>, WalkProblem> {
    let text = match read_lines(folder, name) {
        Ok(text) => text,
        Err(ReadError::NotFound | ReadError::Folder) => return Ok(None),
        Err(error) => {
            let path = shown.to_owned();
            return Err(WalkProblem::Unread { path, error });
        }
    };
    IgnoreRules::parse(&text, &shown.to_string_lossy())
        .map(Some)
        .map_err(|error| WalkProblem::InvalidPattern { error })
}
