//! What can go wrong between a plan and the storage.

use std::io;
use std::path::PathBuf;

use daytona_image::walk::WalkProblem;

use crate::storage::StorageError;

/// Why a context could not be packed or pushed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// A file is not what it was when the plan was made, or changed between being hashed and being sent. Nothing was
    /// stored under the hash; plan again once the file rests.
    #[error("`{path}` changed after it was planned: plan again when nothing writes to it")]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The bytes that were read for sending are not the ones that were hashed, although no file shows it in its size,
    /// times or identity. Nothing was stored under the hash.
    #[error("the files of the context changed while they were sent: {}", list(.paths))]
    ChangedUnseen {
        /// The files of the archive.
        paths: Vec<PathBuf>,
    },
    /// A file cannot be read.
    #[error("`{path}` cannot be read: check its permissions, or leave it out")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
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

fn list(paths: &[PathBuf]) -> String {
    const SHOWN: usize = 5;
    let mut text: Vec<String> = paths
        .iter()
        .take(SHOWN)
        .map(|path| format!("`{}`", path.display()))
        .collect();
    if paths.len() > SHOWN {
        text.push(format!("and {} more", paths.len() - SHOWN));
    }
    text.join(", ")
}

/// Everything in a folder that cannot be sent.
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
