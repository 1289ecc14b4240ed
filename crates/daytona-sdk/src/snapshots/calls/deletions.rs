//! What became of several deletions.

use crate::error::{Error, ErrorKind};

/// Fails if a deletion failed, with the kind of the first one, or if some were not tried before the timeout.
///
/// `things` is the plural of what was deleted. Each failure comes with the name of its thing.
pub(super) fn check(things: &str, failed: Vec<(String, Error)>, not_tried: usize) -> Result<(), Error> {
    let not_tried =
        (not_tried > 0).then(|| format!("the timeout passed before {not_tried} of the {things} were tried"));
    let count = failed.len();
    let Some((name, error)) = failed.into_iter().next() else {
        return not_tried.map_or(Ok(()), |text| Err(Error::new(ErrorKind::WaitTimeout, text)));
    };
    let rest = not_tried.map(|text| format!("; {text}")).unwrap_or_default();
    let message = format!("{count} of the {things} could not be deleted, first `{name}`: {error}{rest}");
    Err(Error::new(error.kind(), message)
        .with_answer_of(&error)
        .with_source(error))
}
