//! Bytes that are hashed on their way, of which the last are held back until the hash is known to be right.

use std::ops::Range;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::archive::Archive;
use crate::buffers::Buffers;
use crate::hashing::Stretch;
use crate::read_error::ReadError;
use crate::reader::{ArchiveReader, CHUNK};

/// Where bytes come from.
#[derive(Clone)]
pub(super) enum Source {
    Archive(Archive, Buffers),
    Bytes(Bytes),
}

impl Source {
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Archive(archive, _) => archive.size(),
            Self::Bytes(bytes) => bytes.len() as u64,
        }
    }
}

/// A range of bytes.
pub(super) fn slice(bytes: &Bytes, range: &Range<u64>) -> Bytes {
    let end = |position| usize::try_from(position).map_or(bytes.len(), |position| position.min(bytes.len()));
    bytes.slice(end(range.start)..end(range.end))
}

/// Reads a range of a source, and ends with an error instead of the last chunk if it is not the stretch that it has to be.
pub(super) struct Verified {
    source: Source,
    stretch: Stretch,
    reader: Reader,
    left: u64,
    hasher: Sha256,
    held_back: Option<Bytes>,
    is_begun: bool,
}

enum Reader {
    Archive(ArchiveReader),
    Bytes(Bytes),
}

impl Verified {
    pub(super) fn new(source: Source, range: Range<u64>, stretch: Stretch) -> Self {
        let reader = match &source {
            Source::Archive(archive, buffers) => Reader::Archive(archive.reader_at(range.start, buffers)),
            Source::Bytes(bytes) => Reader::Bytes(slice(bytes, &range)),
        };
        Self {
            source,
            reader,
            left: range.end - range.start,
            hasher: stretch.hasher(),
            stretch,
            held_back: None,
            is_begun: false,
        }
    }

    /// The next chunk, or `None` at the end.
    pub(super) fn next_chunk(&mut self) -> Result<Option<Bytes>, ReadError> {
        if !self.is_begun {
            self.is_begun = true;
            self.held_back = self.advance()?;
            // Nothing is also something that has a digest.
            if self.held_back.is_none() {
                self.check()?;
            }
        }
        let Some(ready) = self.held_back.take() else {
            return Ok(None);
        };
        self.held_back = self.advance()?;
        if self.held_back.is_none() {
            self.check()?;
        }
        Ok(Some(ready))
    }

    fn check(&self) -> Result<(), ReadError> {
        if self.stretch.ends_with(&self.hasher) {
            return Ok(());
        }
        let paths = match &self.source {
            Source::Archive(archive, _) => archive.sources().map(ToOwned::to_owned).collect(),
            Source::Bytes(_) => Vec::new(),
        };
        Err(ReadError::ChangedUnseen { paths })
    }

    fn advance(&mut self) -> Result<Option<Bytes>, ReadError> {
        if self.left == 0 {
            return Ok(None);
        }
        let mut chunk = match &mut self.reader {
            Reader::Archive(reader) => reader.next_chunk()?,
            Reader::Bytes(bytes) => {
                let chunk = bytes.split_to(CHUNK.min(bytes.len()));
                (!chunk.is_empty()).then_some(chunk)
            }
        };
        if let Some(chunk) = &mut chunk {
            chunk.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
            self.left -= chunk.len() as u64;
            self.hasher.update(&*chunk);
        }
        Ok(chunk)
    }
}
