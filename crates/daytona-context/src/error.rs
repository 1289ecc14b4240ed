//! What can go wrong between a plan and the storage.

use std::io;
use std::path::PathBuf;

use daytona_image::walk::{WalkProblem, shown};

use crate::read_error::ReadError;
use crate::storage::StorageError;

/// Why a context could not be pushed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// The files could not be read, or changed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The index of a push cannot be used.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The object storage refused or failed.
    #[error("{operation} of the context archive `{key}` failed")]
    Storage {
        /// The request: `head` or `put`.
        operation: &'static str,
        /// Key of the object.
        key: String,
        /// Why.
        #[source]
        source: StorageError,
    },
}

/// Why a directory cannot become a context: all problems at once.
#[derive(Debug, thiserror::Error)]
#[error("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct ScanError {
    problems: Vec<WalkProblem>,
}

impl ScanError {
    pub(crate) fn new(problems: Vec<WalkProblem>) -> Self {
        Self { problems }
    }

    /// The problems, each with its path.
    pub fn problems(&self) -> &[WalkProblem] {
        &self.problems
    }
}

/// Why an index cannot be used. One that is broken, or of another context, is not an error: it is ignored and replaced.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// The index is one of the files that are pushed.
    #[error(
        "the index `{}` is among the files of the context: keep it elsewhere, or leave it out of the context",
        shown(.path)
    )]
    InContext {
        /// The index.
        path: PathBuf,
    },
    /// There is something other than a regular file.
    #[error("the index `{}` is not a regular file: choose another path", shown(.path))]
    NotAFile {
        /// The index.
        path: PathBuf,
    },
    /// The file system does not record when the status of a file changed, so changes could go unnoticed.
    #[error("an index cannot be used on this platform: its file system does not record when a file's status changed")]
    Unsupported,
    /// The index cannot be written.
    #[error("the index `{}` cannot be written", shown(.path))]
    Io {
        /// The index.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}
