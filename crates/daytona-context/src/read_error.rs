//! What can go wrong when an archive is read from its files.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use daytona_image::walk::{is_in_use, shown};

/// Why the bytes of an archive could not be read.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// A file has changed since the plan was made, or between hashing and sending. Nothing was stored under the hash.
    #[error("`{}` changed after it was planned: plan again when nothing writes to it, or leave it out", shown(.path))]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The bytes that were sent are not the bytes that were hashed, although the sizes, times and inodes of the files
    /// have not changed. Nothing was stored under the hash.
    #[error("the files of the context changed while they were sent: {}", list(.paths))]
    ChangedUnseen {
        /// The files of the archive.
        paths: Vec<PathBuf>,
    },
    /// A file cannot be read.
    #[error("`{}` cannot be read: {}, or leave it out", shown(.path), advice(.source))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Arc<io::Error>,
    },
    /// The async runtime has ended, or there is none. Files are read on its threads.
    #[error("reading was interrupted: there is no tokio runtime, or it is shutting down")]
    Interrupted,
}

impl ReadError {
    /// Finds a read error in an error and its sources, however often it was wrapped.
    ///
    /// ```
    /// use daytona_context::{BodyError, ReadError};
    ///
    /// let wrapped = std::io::Error::other(BodyError::new(ReadError::Interrupted));
    /// assert!(matches!(ReadError::find(&wrapped), Some(ReadError::Interrupted)));
    /// ```
    pub fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            // An I/O error skips the error that it wraps when it is asked for its source.
            let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            next = match wrapped {
                Some(wrapped) => Some(wrapped),
                None => error.source(),
            };
        }
        None
    }
}

fn advice(source: &io::Error) -> &'static str {
    if is_in_use(source) {
        "another program has it open: close it there"
    } else {
        "check its permissions"
    }
}

fn list(paths: &[PathBuf]) -> String {
    const SHOWN: usize = 5;
    let mut text: Vec<String> = paths
        .iter()
        .take(SHOWN)
        .map(|path| format!("`{}`", shown(path)))
        .collect();
    if paths.len() > SHOWN {
        text.push(format!("and {} more", paths.len() - SHOWN));
    }
    text.join(", ")
}
