//! What an archive holds and where: known from names and sizes, before a byte is read. No I/O.

use std::path::PathBuf;

use daytona_image::walk::Found;
use daytona_image::{Fingerprint, Member};

mod header;

pub(crate) use header::{END, blocks, padding};

/// The entries of an archive, and where each begins.
#[derive(Debug)]
pub(crate) struct Layout {
    entries: Vec<Entry>,
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

impl Layout {
    /// The layout of these entries, which are sorted by their names.
    pub(crate) fn new(entries: Vec<Entry>) -> Self {
        let mut size = 0;
        let starts = entries.iter().map(|entry| {
            let start = size;
            size += entry.size_in_archive();
            start
        });
        Self {
            starts: starts.collect(),
            size: size + END,
            entries,
        }
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

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

impl Entry {
    pub(crate) fn from_member(member: &Member) -> Self {
        Self {
            name: member.name().to_owned(),
            mode: member.mode(),
            source: member.source().to_owned(),
            fingerprint: member.fingerprint().clone(),
        }
    }

    pub(crate) fn from_found(found: Found) -> Self {
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

    pub(crate) fn mode(&self) -> u32 {
        self.mode
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
