#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod archive;
mod buffers;
pub mod conformance;
mod context;
mod cut;
mod digest;
mod error;
mod export;
mod header;
mod open;
mod payload;
mod push;
mod reader;
#[cfg(feature = "s3")]
pub mod s3;
mod storage;

pub use archive::Archive;
pub use context::Context;
pub use cut::{CUT_VERSION, LARGEST_ARCHIVE, MOST_ARCHIVES};
pub use daytona_image::{ignore, walk};
pub use digest::Digest;
pub use error::{ContextError, ScanError};
pub use export::{ExportFormat, export};
pub use payload::{Chunks, Payload};
pub use push::{Progress, Push, Pushed};
pub use storage::{FolderStorage, Head, MemoryStorage, ObjectStorage, StorageError, StorageErrorKind};

/// An error of any kind, as it passes through seams.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What ends a body before its end.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct BodyError(BoxError);

impl BodyError {
    /// Wraps an error of any kind.
    pub fn new(error: impl Into<BoxError>) -> Self {
        Self(error.into())
    }
}
