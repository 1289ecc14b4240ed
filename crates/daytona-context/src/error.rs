//! What can go wrong between a plan and the storage.

use daytona_image::walk::WalkProblem;

use crate::index::IndexError;
use crate::read_error::ReadError;
use crate::storage::StorageError;

/// Why a context could not be pushed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// The files could not be read, or changed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The index that [`Push::index`](crate::Push::index) names cannot be used.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The object storage refused or failed.
    #[error("{operation} of the context archive `{key}` failed")]
    Storage {
        /// What was tried: `head` or `put`.
        operation: &'static str,
        /// Key of the object.
        key: String,
        /// Why.
        #[source]
        source: StorageError,
    },
}

/// Everything in a directory that cannot be sent.
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
