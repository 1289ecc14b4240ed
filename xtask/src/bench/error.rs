//! What can go wrong in a benchmark.

use std::io;
use std::process::Command;

use crate::tools;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{what}: {source}")]
    File { what: String, source: io::Error },
    #[error("{what} failed: {said}")]
    Failed { what: String, said: String },
    #[error("no row is on such a line and of such a tree")]
    NoRow,
}

/// Says what an error of the system was about.
pub(super) fn about(what: &str) -> impl FnOnce(io::Error) -> Error {
    let what = what.to_owned();
    move |source| Error::File { what, source }
}

/// What a program prints. If it fails, that is the error, with what it said.
pub(super) fn output(command: &mut Command) -> Result<String, Error> {
    let what = command.get_program().display().to_string();
    tools::quiet(command).map_err(about(&what))
}
