//! Object storage in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;

use super::error::{StorageError, StorageErrorKind};
use super::{Head, ObjectStorage};
use crate::payload::Payload;

/// Keeps archives in memory, for tests. Clones share them.
///
/// ```
/// use daytona_context::{Context, MemoryStorage, Push};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let project = tempfile::tempdir()?;
/// # std::fs::write(project.path().join("main.py"), "print()")?;
/// let storage = MemoryStorage::new();
/// Push::new().run(&Context::scan(project.path())?, &storage, "org").await?;
/// assert_eq!(storage.keys().len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct MemoryStorage {
    objects: Arc<Mutex<BTreeMap<String, Bytes>>>,
}

impl MemoryStorage {
    /// An empty storage.
    pub fn new() -> Self {
        Self::default()
    }

    /// The bytes under a key.
    pub fn get(&self, key: &str) -> Option<Bytes> {
        self.lock().get(key).cloned()
    }

    /// The keys, sorted.
    pub fn keys(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryStorage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MemoryStorage")
            .field("keys", &self.keys())
            .finish()
    }
}

#[async_trait]
impl ObjectStorage for MemoryStorage {
    async fn head(&self, key: &str) -> Result<Head, StorageError> {
        let size = self.lock().get(key).map(|bytes| bytes.len() as u64);
        Ok(size.map_or(Head::Missing, |size| Head::Stored { size }))
    }

    async fn put(&self, key: &str, payload: Payload) -> Result<(), StorageError> {
        let failed = |error| StorageError::new(StorageErrorKind::Payload).with_source(error);
        let mut bytes = BytesMut::new();
        let mut chunks = payload.chunks();
        while let Some(chunk) = chunks.try_next().await.map_err(failed)? {
            bytes.extend_from_slice(&chunk);
        }
        self.lock().insert(key.to_owned(), bytes.freeze());
        Ok(())
    }
}
