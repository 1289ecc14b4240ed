//! One canonical archive: its layout, known before a byte is read.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use daytona_image::{Fingerprint, Member};
use sha2::{Digest as _, Sha256};

use crate::digest::Digest;
use crate::error::ContextError;
use crate::header::{self, BLOCK, padding};
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
    size: u64,
}

/// A member of the archive, and what it has to be like.
#[derive(Debug)]
pub(crate) struct Entry {
    name: String,
    mode: u32,
    pub(crate) source: PathBuf,
    pub(crate) fingerprint: Fingerprint,
}

impl Entry {
    pub(crate) fn header(&self) -> Vec<u8> {
        header::blocks(&self.name, self.fingerprint.size(), self.mode)
    }
}

impl Archive {
    /// The archive of these members, which are sorted by their names.
    pub(crate) fn new(members: &[Member]) -> Self {
        let entries: Vec<Entry> = members
            .iter()
            .map(|member| Entry {
                name: member.name().to_owned(),
                mode: member.mode(),
                source: member.source().to_owned(),
                fingerprint: member.fingerprint().clone(),
            })
            .collect();
        let contents = entries.iter().map(|entry| {
            let size = entry.fingerprint.size();
            entry.header().len() as u64 + size + padding(size) as u64
        });
        let size = contents.sum::<u64>() + 2 * BLOCK;
        Self {
            layout: Arc::new(Layout { entries, size }),
        }
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
        let mut reader = self.reader();
        while let Some(chunk) = reader.next_chunk()? {
            hasher.update(&chunk);
        }
        Ok(Digest::finish(hasher))
    }

    /// Writes its bytes. Reads all files; blocks.
    ///
    /// # Errors
    ///
    /// An I/O error of the writer, or one that wraps a [`ContextError`] naming the file.
    pub fn write_to(&self, writer: &mut impl Write) -> io::Result<()> {
        let mut reader = self.reader();
        while let Some(chunk) = reader.next_chunk().map_err(io::Error::other)? {
            writer.write_all(&chunk)?;
        }
        Ok(())
    }

    /// The local files that it is made of.
    pub fn sources(&self) -> impl Iterator<Item = &std::path::Path> {
        self.layout.entries.iter().map(|entry| entry.source.as_path())
    }

    pub(crate) fn reader(&self) -> ArchiveReader {
        ArchiveReader::new(Arc::clone(&self.layout))
    }
}
