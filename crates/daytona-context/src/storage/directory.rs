//! Object storage in a directory.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use daytona_image::walk::{is_in_use, shown};
use futures_util::TryStreamExt;
use tempfile::NamedTempFile;

use super::error::{StorageError, StorageErrorKind};
use super::{Head, ObjectStorage};
use crate::payload::Payload;

/// How often a file is tried to be replaced, and how long it takes between.
const PATIENCE: u32 = 40;
const PAUSE: Duration = Duration::from_millis(50);

/// Keeps archives as files below a directory, for example as a shared cache, or to look at them.
///
/// An archive is written to a temporary file and renamed when it is complete, so nobody sees a part of one.
///
/// ```
/// use daytona_context::{Context, DirectoryStorage, Push};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (project, cache) = (tempfile::tempdir()?, tempfile::tempdir()?);
/// # let (project, cache) = (project.path(), cache.path());
/// # std::fs::write(project.join("main.py"), "print()")?;
/// let context = Context::scan(project)?;
/// let pushed = Push::new().run(&context, &DirectoryStorage::new(cache), "org").await?;
/// assert!(cache.join(format!("org/{}/context.tar", pushed.hashes[0])).is_file());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct DirectoryStorage {
    directory: PathBuf,
}

impl DirectoryStorage {
    /// Keeps archives in this directory, which is created when it is needed. The umask decides the modes of the files.
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
            let message = format!("`{key}` is not a valid key: its parts must be names");
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
        let mut tries = if cfg!(windows) { PATIENCE } else { 0 };
        loop {
            let place = path.clone();
            let held = blocking(move || put_in_place(file, &place, tries == 0)).await?;
            let Some(held) = held else { return Ok(()) };
            file = held;
            tries -= 1;
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// A file beside the place where it belongs. Others may read it, as the umask allows: temporary files are private by
/// default.
fn incoming(parent: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder
        .prefix(".incoming-")
        .make_in(parent, |path| File::create_new(path))
}

/// Makes a whole file visible. Windows replaces no file that somebody has open: a virus scanner for a moment, another
/// push for longer, but then what lies there is the same archive. Gives the file back if it is worth another try.
fn put_in_place(mut file: NamedTempFile, path: &Path, is_last_try: bool) -> io::Result<Option<NamedTempFile>> {
    // `NamedTempFile::persist` takes no long paths on Windows.
    let Err(error) = std::fs::rename(file.path(), path) else {
        file.disable_cleanup(true);
        return Ok(None);
    };
    if !cfg!(windows) || !is_held(&error) {
        return Err(error);
    }
    if is_same(file.path(), path).unwrap_or(false) {
        return Ok(None);
    }
    if is_last_try {
        let message = format!(
            "`{}` cannot be replaced: another program has it open, or it is write-protected",
            shown(path)
        );
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    Ok(Some(file))
}

/// Whether it may be for a program that has one of the files open.
fn is_held(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied || is_in_use(error)
}

/// Whether two files have the same bytes.
fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut bytes, mut others) = (vec![0; 64 * 1024], Vec::with_capacity(64 * 1024));
    loop {
        let count = one.read(&mut bytes)?;
        others.clear();
        Read::by_ref(&mut other).take(count as u64).read_to_end(&mut others)?;
        if bytes[..count] != others[..] {
            return Ok(false);
        }
        if count == 0 {
            return Ok(true);
        }
    }
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
