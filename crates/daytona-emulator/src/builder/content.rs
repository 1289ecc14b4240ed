//! The bytes of a file.

use std::io::{self, Read};

use bytes::Bytes;

use crate::storage::Blob;

/// Bytes that are in memory, or a piece of an object.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    blob: Blob,
    offset: u64,
    size: u64,
}

impl Content {
    pub(crate) fn inline(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            size: bytes.len() as u64,
            blob: Blob::Memory(bytes),
            offset: 0,
        }
    }

    pub(crate) fn stored(blob: Blob, offset: u64, size: u64) -> Self {
        Self { blob, offset, size }
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn parts(&self) -> (&Blob, u64, u64) {
        (&self.blob, self.offset, self.size)
    }

    pub(crate) fn reader(&self) -> io::Result<io::Take<Box<dyn Read + Send>>> {
        Ok(self.blob.reader(self.offset)?.take(self.size))
    }

    /// Its text, up to a size; what is not UTF-8 is replaced.
    pub(super) fn text(&self, largest: u64) -> io::Result<String> {
        let mut bytes = Vec::new();
        self.reader()?.take(largest).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}
