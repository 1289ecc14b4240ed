//! Where the bytes of an object are, for as long as somebody may want them.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tempfile::TempDir;

/// Something to read in any order.
pub(crate) trait ReadSeek: Read + Seek {}

impl<T: Read + Seek> ReadSeek for T {}

/// The bytes of an object. Clones share them.
#[derive(Debug, Clone)]
pub(crate) enum Blob {
    Memory(Bytes),
    File(Arc<ObjectFile>),
}

/// A file with the bytes of an object, which goes when nobody needs it any more.
#[derive(Debug)]
pub(crate) struct ObjectFile {
    path: PathBuf,
    is_obsolete: AtomicBool,
    /// The directory, if it goes with its last file.
    _scratch: Option<Arc<TempDir>>,
}

impl ObjectFile {
    pub(crate) fn new(path: PathBuf, scratch: Option<Arc<TempDir>>) -> Arc<Self> {
        Arc::new(Self {
            path,
            is_obsolete: AtomicBool::new(false),
            _scratch: scratch,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ObjectFile {
    fn drop(&mut self) {
        if *self.is_obsolete.get_mut() {
            drop(std::fs::remove_file(&self.path));
        }
    }
}

impl Blob {
    /// Lets the bytes go once the last one who reads them is done.
    pub(crate) fn make_obsolete(&self) {
        if let Self::File(file) = self {
            file.is_obsolete.store(true, Ordering::Relaxed);
        }
    }

    /// The bytes, to move about in.
    pub(crate) fn seekable(&self) -> io::Result<Box<dyn ReadSeek>> {
        match self {
            Self::Memory(bytes) => Ok(Box::new(io::Cursor::new(bytes.clone()))),
            Self::File(file) => Ok(Box::new(BufReader::with_capacity(512, File::open(&file.path)?))),
        }
    }

    /// The bytes from a place on.
    pub(crate) fn reader(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        match self {
            Self::Memory(bytes) => {
                let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                Ok(Box::new(io::Cursor::new(bytes.slice(offset..))))
            }
            Self::File(file) => {
                let mut opened = File::open(&file.path)?;
                opened.seek(SeekFrom::Start(offset))?;
                Ok(Box::new(opened))
            }
        }
    }
}
