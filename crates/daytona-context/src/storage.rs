//! The seam to object storage.

use std::fmt;

use async_trait::async_trait;

use crate::payload::Payload;

pub mod conformance;
mod directory;
mod error;
mod memory;

pub use directory::DirectoryStorage;
pub use error::{StorageError, StorageErrorKind};
pub use memory::MemoryStorage;

/// A storage that keeps archives under their keys.
///
/// [`conformance::check`] tests an implementation.
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::Mutex;
///
/// use bytes::Bytes;
/// use daytona_context::{Head, ObjectStorage, Payload, StorageError, StorageErrorKind};
/// use futures_util::TryStreamExt;
///
/// /// Keeps objects in a map.
/// #[derive(Debug, Default)]
/// struct Map(Mutex<HashMap<String, Vec<Bytes>>>);
///
/// #[async_trait::async_trait]
/// impl ObjectStorage for Map {
///     async fn head(&self, key: &str) -> Result<Head, StorageError> {
///         let objects = self.0.lock().unwrap();
///         Ok(objects.get(key).map_or(Head::Missing, |chunks| Head::Stored {
///             size: chunks.iter().map(|chunk| chunk.len() as u64).sum(),
///         }))
///     }
///
///     async fn put(&self, key: &str, payload: Payload) -> Result<(), StorageError> {
///         // An error of a chunk ends the upload: then nothing is stored.
///         let chunks = payload.chunks().try_collect().await.map_err(|error| {
///             StorageError::new(StorageErrorKind::Payload).with_source(error)
///         })?;
///         self.0.lock().unwrap().insert(key.to_owned(), chunks);
///         Ok(())
///     }
/// }
/// ```
#[async_trait]
pub trait ObjectStorage: fmt::Debug + Send + Sync {
    /// Looks for an object. This only saves uploads: if you cannot tell, return [`Head::Unknown`], and the archive is
    /// sent.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the credentials are refused or the storage cannot be reached.
    async fn head(&self, key: &str) -> Result<Head, StorageError>;

    /// Stores the payload under the key, completely or not at all.
    ///
    /// # Errors
    ///
    /// [`StorageError`]; then nothing of the payload is visible. If the payload's chunks fail, keep their error in the
    /// chain of sources, as [`StorageError::with_source`] does. [`Push`](crate::Push) finds the file in it.
    async fn put(&self, key: &str, payload: Payload) -> Result<(), StorageError>;

    /// Begins to store one large object in parts, which are sent at the same time and become visible together.
    ///
    /// Returns `None`, the default, if the storage does not support parts. The object is then stored with one
    /// [`put`](Self::put).
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the upload cannot begin.
    async fn start_multipart(&self, key: &str, size: u64) -> Result<Option<Box<dyn MultipartUpload>>, StorageError> {
        let _ = (key, size);
        Ok(None)
    }
}

/// An object that is being stored in parts.
#[async_trait]
pub trait MultipartUpload: fmt::Debug + Send + Sync {
    /// Stores a part. Parts are numbered from 0 and come in any order. All parts except the last have the same size.
    ///
    /// # Errors
    ///
    /// [`StorageError`]; the other parts do not change.
    async fn put_part(&self, number: usize, part: Payload) -> Result<(), StorageError>;

    /// Makes the object visible after all parts are stored.
    ///
    /// # Errors
    ///
    /// [`StorageError`]; then the object is not visible.
    async fn complete(&self) -> Result<(), StorageError>;

    /// Discards the parts. This is best effort: a storage may keep them until its own rules remove them.
    async fn abort(&self);
}

/// What is known about an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Head {
    /// The object is stored.
    Stored {
        /// Its size in bytes.
        size: u64,
    },
    /// The object is not stored.
    Missing,
    /// The storage does not say.
    Unknown,
}
