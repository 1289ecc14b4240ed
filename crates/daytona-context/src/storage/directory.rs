//! Object storage in a directory.

use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt;
use tempfile::NamedTempFile;

use super::error::{StorageError, StorageErrorKind};
use super::{Head, ObjectStorage};
use crate::payload::Payload;

/// Keeps archives as files below a directory: a shared cache, or something to look at.
///
/// An archive is written beside its place and renamed into it when it is whole, so that nobody sees a part of one.
#[derive(Debug, Clone)]
pub struct DirectoryStorage {
    directory: PathBuf,
}

impl DirectoryStorage {
    /// In this directory, which is made when it is needed. Files get the usual modes, as the umask leaves them.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
        }
    }

    /// The file of a key, which has to stay inside the directory.
    fn path(&self, key: &str) -> Result<PathBuf, StorageError> {
        let is_plain = Path::new(key)
            .components()
            .all(|component| matches!(component, Component::Normal(_)));
        if key.is_empty() || !is_plain {
            let message = format!("`{key}` is no key: its parts have to be names");
            return Err(StorageError::new(StorageErrorKind::Refused).with_code(None, Some(message)));
        }
        Ok(self.directory.join(key))
    }
}

#[async_trait]
impl ObjectStorage for DirectoryStorage {
    async fn head(&self, key: &str) -> Result<Head, StorageError> {
        match tokio::fs::metadata(self.path(key)?).await {
            Ok(found) if found.is_file() => Ok(Head::Stored { size: found.len() }),
            Ok(_) => Ok(Head::Unknown),
            // Below a file there is nothing.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(Head::Missing)
            }
            Err(error) => Err(unavailable(error)),
        }
    }

    async fn put(&self, key: &str, payload: Payload) -> Result<(), StorageError> {
        let path = self.path(key)?;
        let parent = path.parent().unwrap_or(&self.directory).to_owned();
        let mut file = blocking(move || {
            std::fs::create_dir_all(&parent)?;
            incoming(&parent)
        })
        .await?;
        let mut chunks = payload.chunks();
        loop {
            let chunk = chunks.try_next().await;
            let chunk = chunk.map_err(|error| StorageError::new(StorageErrorKind::Payload).with_source(error))?;
            let Some(chunk) = chunk else { break };
            file = write(file, chunk).await?;
        }
        blocking(move || file.persist(path).map(drop).map_err(|error| error.error)).await
    }
}

/// A file beside the place where it belongs. Others may read it, as the umask allows: temporary files are private by default.
fn incoming(parent: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".incoming-");
    #[cfg(unix)]
    let builder = {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666))
    };
    builder.tempfile_in(parent)
}

/// The file goes where its future goes: a write that is abandoned takes it away.
async fn write(mut file: NamedTempFile, chunk: Bytes) -> Result<NamedTempFile, StorageError> {
    blocking(move || file.write_all(&chunk).map(|()| file)).await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, StorageError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| StorageError::new(StorageErrorKind::Unavailable).with_source(error))?
        .map_err(unavailable)
}

fn unavailable(error: io::Error) -> StorageError {
    StorageError::new(StorageErrorKind::Unavailable).with_source(error)
}
