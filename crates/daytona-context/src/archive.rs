//! One canonical archive: its layout, known before a byte is read.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use daytona_image::walk::Found;
use daytona_image::{Fingerprint, Member};
use sha2::{Digest as _, Sha256};

use crate::buffers::Buffers;
use crate::digest::Digest;
use crate::error::ContextError;
use crate::header::{self, END, padding};
use crate::reader::ArchiveReader;

/// A canonical tar archive of some files: ustar, sorted by the bytes of the names, without anything that differs
/// between machines.
///
/// Cheap to clone. Reading it reads the files; a file that is no longer the one that was planned is an error.
#[derive(Debug, Clone)]
pub struct Archive {
    layout: Arc<Layout>,
}

#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) entries: Vec<Entry>,
    /// Where each entry's headers begin.
    starts: Vec<u64>,
    size: u64,
}

/// A member of the archive, and what it has to be like.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    name: String,
    mode: u32,
    pub(crate) source: PathBuf,
    pub(crate) fingerprint: Fingerprint,
}

impl Entry {
    pub(crate) fn of_member(member: &Member) -> Self {
        Self {
            name: member.name().to_owned(),
            mode: member.mode(),
            source: member.source().to_owned(),
            fingerprint: member.fingerprint().clone(),
        }
    }

    pub(crate) fn of_found(found: Found) -> Self {
        Self {
            name: found.name,
            mode: if found.is_executable { 0o755 } else { 0o644 },
            source: found.source,
            fingerprint: found.fingerprint,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn header(&self) -> Vec<u8> {
        header::blocks(&self.name, self.fingerprint.size(), self.mode)
    }

    /// Headers, content and padding.
    pub(crate) fn size_in_archive(&self) -> u64 {
        let size = self.fingerprint.size();
        header::length(&self.name, size) + size + padding(size) as u64
    }
}

impl Layout {
    /// The entry in which a position lies, and where it begins; `None` at the end.
    pub(crate) fn entry_at(&self, position: u64) -> Option<(usize, u64)> {
        let index = self.starts.partition_point(|start| *start <= position).checked_sub(1)?;
        let start = self.starts[index];
        (position < start + self.entries[index].size_in_archive()).then_some((index, start))
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }
}

impl Archive {
    /// The archive of these entries, which are sorted by their names.
    pub(crate) fn new(entries: Vec<Entry>) -> Self {
        let mut size = 0;
        let starts = entries.iter().map(|entry| {
            let start = size;
            size += entry.size_in_archive();
            start
        });
        let starts = starts.collect();
        Self {
            layout: Arc::new(Layout {
                entries,
                starts,
                size: size + END,
            }),
        }
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.layout.entries.iter()
    }

    /// Its exact size in bytes.
    pub fn size(&self) -> u64 {
        self.layout.size
    }

    /// How many files it holds.
    pub fn len(&self) -> usize {
        self.layout.entries.len()
    }

    /// Whether it holds no file.
    pub fn is_empty(&self) -> bool {
        self.layout.entries.is_empty()
    }

    /// The SHA-256 of its bytes. Reads all files; blocks.
    ///
    /// # Errors
    ///
    /// [`ContextError::Changed`] and [`ContextError::Unreadable`], naming the file.
    pub fn digest(&self) -> Result<Digest, ContextError> {
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

    /// Writes its bytes. Reads all files; blocks.
    ///
    /// # Errors
    ///
    /// An I/O error of the writer, or one that wraps a [`ContextError`] naming the file.
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

    /// The local files that it is made of.
    pub fn sources(&self) -> impl Iterator<Item = &std::path::Path> {
        self.layout.entries.iter().map(|entry| entry.source.as_path())
    }

    /// The names of its members, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries().map(Entry::name)
    }

    /// Reads it from a position on, without reading what is before. Blocks.
    ///
    /// The reader fails with an error that wraps a [`ContextError`], which names the file.
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
