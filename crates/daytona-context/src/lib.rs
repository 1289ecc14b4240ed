#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod archive;
mod body_error;
mod buffers;
mod context;
mod digest;
mod error;
mod export;
mod hashing;
mod index;
mod layout;
mod open;
mod payload;
mod push;
mod read_error;
mod reader;
mod reading;
#[cfg(feature = "s3")]
pub mod s3;
mod scan;
mod split;
mod storage;

pub use archive::Archive;
pub use body_error::{BodyError, BoxError};
pub use context::Context;
pub use daytona_image::{Links, ignore, walk};
pub use digest::{Digest, InvalidDigest};
pub use error::{ContextError, IndexError, ScanError};
pub use export::{ExportFormat, export};
pub use payload::{Chunks, Payload};
pub use push::{Progress, Push, Pushed, Target};
pub use read_error::ReadError;
pub use scan::Scan;
pub use split::{MAX_ARCHIVE_SIZE, MAX_ARCHIVES, SPLIT_VERSION};
pub use storage::{
    DirectoryStorage, Head, MemoryStorage, MultipartUpload, ObjectStorage, StorageError, StorageErrorKind, conformance,
};
