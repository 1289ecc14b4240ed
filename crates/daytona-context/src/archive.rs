//! One canonical archive.

use std::io::{self, Read, Write};
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::buffers::Buffers;
use crate::digest::Digest;
use crate::layout::{Entry, Layout};
use crate::read_error::ReadError;
use crate::reader::ArchiveReader;

/// A canonical tar archive of some files: ustar, sorted by the bytes of the names, without anything that differs
/// between machines.
///
/// Cheap to clone. Reading the archive reads its files. If a file is no longer the one that was planned, that is an
/// error.
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// # std::fs::write(directory.path().join("main.py"), "print()")?;
/// let context = daytona_context::Context::scan(directory.path())?;
/// let archive = &context.archives()[0];
/// println!("{}  {} bytes, {} files", archive.digest()?, archive.size(), archive.len());
///
/// let mut tar = Vec::new();
/// archive.write_to(&mut tar)?;
/// assert_eq!(tar.len() as u64, archive.size());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Archive {
    layout: Arc<Layout>,
}

impl Archive {
    /// The archive of these entries, which are sorted by their names.
    pub(crate) fn new(entries: Vec<Entry>) -> Self {
        Self {
            layout: Arc::new(Layout::new(entries)),
        }
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        self.layout.entries()
    }

    /// Its exact size in bytes.
    pub fn size(&self) -> u64 {
        self.layout.size()
    }

    /// The number of files.
    pub fn len(&self) -> usize {
        self.entries().len()
    }

    /// Whether it has no files.
    pub fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    /// The SHA-256 of its bytes. Reads all files, and blocks.
    ///
    /// # Errors
    ///
    /// [`ReadError`], which names the file.
    pub fn digest(&self) -> Result<Digest, ReadError> {
        let mut hasher = Sha256::new();
        let mut reader = self.reader_at(0, &Buffers::default());
        loop {
            let bytes = reader.fill()?;
            if bytes.is_empty() {
                return Ok(Digest::finish(hasher));
            }
            hasher.update(bytes);
        }
    }

    /// Writes its bytes. Reads all files, and blocks.
    ///
    /// # Errors
    ///
    /// An I/O error of the writer, or one that wraps a [`ReadError`], which names the file.
    pub fn write_to(&self, writer: &mut impl Write) -> io::Result<()> {
        let mut reader = self.reader_at(0, &Buffers::default());
        loop {
            let bytes = reader.fill().map_err(io::Error::other)?;
            if bytes.is_empty() {
                return Ok(());
            }
            writer.write_all(bytes)?;
        }
    }

    /// The local files in it.
    pub fn sources(&self) -> impl Iterator<Item = &std::path::Path> {
        self.entries().iter().map(|entry| entry.source.as_path())
    }

    /// The names of its members, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries().iter().map(Entry::name)
    }

    /// Reads it from a position, without reading what comes before. The reader blocks.
    ///
    /// The reader fails with an error that wraps a [`ReadError`], which names the file.
    pub fn read_from(&self, position: u64) -> impl Read + use<> {
        ChunkReader {
            reader: self.reader_at(position, &Buffers::default()),
            chunk: Bytes::new(),
        }
    }

    pub(crate) fn reader_at(&self, position: u64, buffers: &Buffers) -> ArchiveReader {
        ArchiveReader::new(Arc::clone(&self.layout), position, buffers)
    }
}

/// Chunks as [`Read`].
struct ChunkReader {
    reader: ArchiveReader,
    chunk: Bytes,
}

impl Read for ChunkReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.chunk.is_empty() {
            self.chunk = self.reader.next_chunk().map_err(io::Error::other)?.unwrap_or_default();
        }
        let count = buffer.len().min(self.chunk.len());
        buffer[..count].copy_from_slice(&self.chunk.split_to(count));
        Ok(count)
    }
}
