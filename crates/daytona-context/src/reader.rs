//! Reads an archive from its files, chunk by chunk.

use std::fs::File;
#[cfg(not(unix))]
use std::io::Read as _;
use std::io::{self, Seek, SeekFrom};
use std::sync::Arc;

use bytes::Bytes;
use daytona_image::Fingerprint;

use crate::buffers::{Buffer, Buffers};
use crate::layout::{END, Entry, Layout, padding};
use crate::open::Opener;
use crate::read_error::ReadError;

/// Bytes in a chunk, except in the last one: large enough that the cost of a hand-over between threads does not count,
/// small enough that some of them in flight do not either.
pub(crate) const CHUNK: usize = 128 * 1024;

/// Room for the headers and the padding that a chunk may end with.
const MARGIN: usize = 8 * 1024;

/// A position in an archive. Owned, so that it can move between threads from chunk to chunk.
#[derive(Debug)]
pub(crate) struct ArchiveReader {
    layout: Arc<Layout>,
    /// The next entry to open.
    next: usize,
    /// Bytes of that entry to pass over.
    skip: u64,
    state: State,
    opener: Opener,
    buffer: Buffer,
}

#[derive(Debug)]
enum State {
    /// Between two entries.
    Between,
    /// In the content of the entry before `next`.
    Content { file: File, left: u64 },
    /// In the zeros at the end; this many are left.
    Zeros(usize),
    /// After the last block.
    End,
}

impl ArchiveReader {
    /// Begins at a position of the archive.
    pub(crate) fn new(layout: Arc<Layout>, position: u64, buffers: &Buffers) -> Self {
        let (next, skip, state) = match layout.entry_at(position) {
            Some((index, start)) => (index, position - start, State::Between),
            // In the blocks at the end, or after them.
            None => {
                let left = layout.size().saturating_sub(position).min(END);
                let zeros = usize::try_from(left).expect("two blocks are small");
                (layout.entries().len(), 0, State::Zeros(zeros))
            }
        };
        Self {
            layout,
            next,
            skip,
            state,
            opener: Opener::default(),
            buffer: buffers.take(),
        }
    }

    /// The next chunk, or `None` at the end.
    pub(crate) fn next_chunk(&mut self) -> Result<Option<Bytes>, ReadError> {
        if self.fill()?.is_empty() {
            return Ok(None);
        }
        let next = self.buffer.another();
        let chunk = std::mem::replace(&mut self.buffer, next);
        Ok(Some(Bytes::from_owner(chunk)))
    }

    /// The next bytes, in a buffer that is used again; none at the end.
    pub(crate) fn fill(&mut self) -> Result<&[u8], ReadError> {
        self.buffer.clear();
        self.buffer.reserve(CHUNK + MARGIN);
        while self.buffer.len() < CHUNK && self.step()? {}
        Ok(&self.buffer)
    }

    /// Adds some bytes to the buffer; false at the end.
    fn step(&mut self) -> Result<bool, ReadError> {
        match &mut self.state {
            State::Between => match self.layout.entries().get(self.next) {
                Some(entry) => {
                    let mut file = open(&mut self.opener, entry)?;
                    let header = entry.header();
                    let skipped = self.skip.min(header.len() as u64);
                    self.buffer
                        .extend_from_slice(&header[usize::try_from(skipped).unwrap_or(0)..]);
                    self.skip -= skipped;
                    self.next += 1;
                    let begin = self.skip.min(entry.fingerprint.size());
                    if begin > 0 {
                        // A pipe cannot be sought in, and is not the file that was planned.
                        check_unchanged(entry, &file)?;
                        file.seek(SeekFrom::Start(begin))
                            .map_err(|source| unreadable(entry, source))?;
                        self.skip -= begin;
                    }
                    let left = entry.fingerprint.size() - begin;
                    // What is read in one go is looked at once, after it: had it been another file before, or changed, its
                    // times would show it, and nothing of it has gone anywhere.
                    if self.buffer.len() as u64 + left > CHUNK as u64 {
                        check_unchanged(entry, &file)?;
                    }
                    self.state = State::Content { file, left };
                }
                None => self.state = State::Zeros(usize::try_from(END).expect("two blocks are small")),
            },
            State::Zeros(count) => {
                let count = *count;
                self.zeros(count);
                self.state = State::End;
            }
            State::Content { file, left } => {
                let entry = &self.layout.entries()[self.next - 1];
                *left -= read(entry, file, &mut self.buffer, *left)?;
                if *left == 0 {
                    check_unchanged(entry, file)?;
                    let skipped = usize::try_from(std::mem::take(&mut self.skip)).unwrap_or(0);
                    self.zeros(padding(entry.fingerprint.size()) - skipped);
                    self.state = State::Between;
                }
            }
            State::End => return Ok(false),
        }
        Ok(true)
    }

    fn zeros(&mut self, count: usize) {
        let length = self.buffer.len() + count;
        self.buffer.resize(length, 0);
    }
}

fn open(opener: &mut Opener, entry: &Entry) -> Result<File, ReadError> {
    opener.open(&entry.source).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => changed(entry),
        _ => unreadable(entry, source),
    })
}

/// Appends some of the bytes that are left, in one call of the system: as many as there is room for.
fn read(entry: &Entry, file: &mut File, buffer: &mut Vec<u8>, left: u64) -> Result<u64, ReadError> {
    if left == 0 {
        return Ok(0);
    }
    #[cfg(unix)]
    let count = rustix::io::retry_on_intr(|| rustix::io::read(&*file, rustix::buffer::spare_capacity(buffer)));
    #[cfg(not(unix))]
    let count = {
        let room = (buffer.capacity() - buffer.len()) as u64;
        file.take(left.min(room)).read_to_end(buffer)
    };
    let count = count.map_err(|source| unreadable(entry, source.into()))? as u64;
    // Fewer bytes than there were, or more.
    if count == 0 || count > left {
        return Err(changed(entry));
    }
    Ok(count)
}

/// The open file has to be the one that was planned: compared after its last byte, and before its first where it is not
/// read in one go.
fn check_unchanged(entry: &Entry, file: &File) -> Result<(), ReadError> {
    let there = Fingerprint::of(file).map_err(|source| unreadable(entry, source))?;
    if there == entry.fingerprint {
        Ok(())
    } else {
        Err(changed(entry))
    }
}

fn changed(entry: &Entry) -> ReadError {
    ReadError::Changed {
        path: entry.source.clone(),
    }
}

fn unreadable(entry: &Entry, source: io::Error) -> ReadError {
    ReadError::Unreadable {
        path: entry.source.clone(),
        source: Arc::new(source),
    }
}
