//! Reads an archive from its files, chunk by chunk.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use daytona_image::Fingerprint;

use crate::archive::{Entry, Layout};
use crate::error::ContextError;
use crate::header::{BLOCK, padding};

/// Bytes in a chunk, but for the last one: large enough that the cost of a hand-over between threads does not count,
/// small enough that some of them in flight do not either.
pub(crate) const CHUNK: usize = 256 * 1024;

/// A position in an archive. Owned, so that it can move between threads from chunk to chunk.
#[derive(Debug)]
pub(crate) struct ArchiveReader {
    layout: Arc<Layout>,
    /// The next entry to open.
    next: usize,
    state: State,
    buffer: BytesMut,
}

#[derive(Debug)]
enum State {
    /// Between two entries.
    Between,
    /// In the content of the entry before `next`.
    Content { file: File, left: u64 },
    /// After the last block.
    End,
}

impl ArchiveReader {
    pub(crate) fn new(layout: Arc<Layout>) -> Self {
        Self {
            layout,
            next: 0,
            state: State::Between,
            buffer: BytesMut::new(),
        }
    }

    /// The next chunk, or `None` at the end.
    pub(crate) fn next_chunk(&mut self) -> Result<Option<Bytes>, ContextError> {
        self.buffer.reserve(CHUNK);
        while self.buffer.len() < CHUNK && self.step()? {}
        Ok((!self.buffer.is_empty()).then(|| {
            let length = self.buffer.len().min(CHUNK);
            self.buffer.split_to(length).freeze()
        }))
    }

    /// Adds some bytes to the buffer; false at the end.
    fn step(&mut self) -> Result<bool, ContextError> {
        match &mut self.state {
            State::Between => match self.layout.entries.get(self.next) {
                Some(entry) => {
                    let file = open(entry)?;
                    self.buffer.extend_from_slice(&entry.header());
                    self.next += 1;
                    let left = entry.fingerprint.size();
                    self.state = State::Content { file, left };
                }
                None => {
                    self.zeros(2 * usize::try_from(BLOCK).expect("a block is small"));
                    self.state = State::End;
                }
            },
            State::Content { file, left } => {
                let entry = &self.layout.entries[self.next - 1];
                let wanted = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(CHUNK - self.buffer.len());
                let read = read(entry, file, &mut self.buffer, wanted)?;
                *left -= read as u64;
                if *left == 0 {
                    check_unchanged(entry, file)?;
                    self.zeros(padding(entry.fingerprint.size()));
                    self.state = State::Between;
                }
            }
            State::End => return Ok(false),
        }
        Ok(true)
    }

    fn zeros(&mut self, count: usize) {
        self.buffer.resize(self.buffer.len() + count, 0);
    }
}

fn open(entry: &Entry) -> Result<File, ContextError> {
    let file = File::open(&entry.source).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => changed(entry),
        _ => unreadable(entry, source),
    })?;
    check_unchanged(entry, &file)?;
    Ok(file)
}

/// Appends up to `wanted` bytes, and at least one unless none are wanted.
fn read(entry: &Entry, file: &mut File, buffer: &mut BytesMut, wanted: usize) -> Result<usize, ContextError> {
    let start = buffer.len();
    buffer.resize(start + wanted, 0);
    let mut filled = 0;
    while filled < wanted {
        match file.read(&mut buffer[start + filled..]) {
            Ok(0) => return Err(changed(entry)),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(entry, error)),
        }
    }
    Ok(filled)
}

/// The open file has to be the one that was planned: compared before its first and after its last byte.
fn check_unchanged(entry: &Entry, file: &File) -> Result<(), ContextError> {
    let metadata = file.metadata().map_err(|source| unreadable(entry, source))?;
    if Fingerprint::of(&metadata) == entry.fingerprint {
        Ok(())
    } else {
        Err(changed(entry))
    }
}

fn changed(entry: &Entry) -> ContextError {
    ContextError::Changed {
        path: entry.source.clone(),
    }
}

fn unreadable(entry: &Entry, source: io::Error) -> ContextError {
    ContextError::Unreadable {
        path: entry.source.clone(),
        source,
    }
}
