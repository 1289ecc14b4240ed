//! Hashes archives, and the parts of those that are sent in parts, in one pass over their files.

use std::cmp::Reverse;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::TryFutureExt;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use sha2::{Digest as _, Sha256};

use crate::archive::Archive;
use crate::buffers::Buffers;
use crate::digest::Digest;
use crate::read_error::ReadError;
use crate::reader::ArchiveReader;
use crate::reading::HASHING;

/// An archive that was read once.
#[derive(Debug, Clone)]
pub(crate) struct Hashed {
    pub(crate) digest: Digest,
    /// The digests of its parts, if it was hashed for being sent in parts.
    pub(crate) parts: Vec<Digest>,
}

/// Hashes an archive on another thread. If the future is dropped, that thread stops after the chunk that it is at.
pub(crate) async fn hash(archive: &Archive, part_size: Option<u64>, buffers: &Buffers) -> Result<Hashed, ReadError> {
    let is_dropped = Arc::new(AtomicBool::new(false));
    let _guard = SetOnDrop(Arc::clone(&is_dropped));
    let mut state = Hashing::new(archive.reader_at(0, buffers), part_size);
    HASHING
        .run(move || {
            while !is_dropped.load(Ordering::Relaxed) {
                if !state.step()? {
                    return Ok(state.finish());
                }
            }
            Err(ReadError::Interrupted)
        })
        .await?
}

struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The digests of archives, in their order.
pub(crate) async fn digests(archives: &[Archive]) -> Result<Vec<Digest>, ReadError> {
    /// As many as are ever hashed at once.
    const AT_ONCE: usize = 64;
    let buffers = Buffers::default();
    each(archives, AT_ONCE, |archive| {
        let buffers = &buffers;
        async move { Ok(hash(&archive, None, buffers).await?.digest) }
    })
    .await
}

/// Works on archives, some at once, and the largest first, so that none of them is left over at the end. None holds up
/// another; the results are in the order of the archives.
pub(crate) async fn each<T, E, F>(
    archives: &[Archive],
    at_once: usize,
    work: impl Fn(Archive) -> F,
) -> Result<Vec<T>, E>
where
    F: Future<Output = Result<T, E>>,
{
    let mut archives: Vec<(usize, Archive)> = archives.iter().cloned().enumerate().collect();
    archives.sort_by_key(|(_, archive)| Reverse(archive.size()));
    let working = stream::iter(archives).map(|(index, archive)| work(archive).map_ok(move |done| (index, done)));
    let mut done: Vec<(usize, T)> = working.buffer_unordered(at_once).try_collect().await?;
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, done)| done).collect())
}

/// The whole and its parts.
struct Hashing {
    reader: ArchiveReader,
    whole: Sha256,
    part_size: Option<u64>,
    part: Sha256,
    in_part: u64,
    parts: Vec<Digest>,
}

impl Hashing {
    fn new(reader: ArchiveReader, part_size: Option<u64>) -> Self {
        Self {
            reader,
            whole: Sha256::new(),
            part_size,
            part: Sha256::new(),
            in_part: 0,
            parts: Vec::new(),
        }
    }

    /// Takes a chunk in; false at the end.
    fn step(&mut self) -> Result<bool, ReadError> {
        let mut chunk = self.reader.fill()?;
        if chunk.is_empty() {
            return Ok(false);
        }
        self.whole.update(chunk);
        let Some(part_size) = self.part_size else {
            return Ok(true);
        };
        while !chunk.is_empty() {
            let left = usize::try_from(part_size - self.in_part).unwrap_or(usize::MAX);
            let (fitting, rest) = chunk.split_at(left.min(chunk.len()));
            self.part.update(fitting);
            self.in_part += fitting.len() as u64;
            if self.in_part == part_size {
                self.parts.push(Digest::finish(std::mem::take(&mut self.part)));
                self.in_part = 0;
            }
            chunk = rest;
        }
        Ok(true)
    }

    fn finish(mut self) -> Hashed {
        if self.in_part > 0 {
            self.parts.push(Digest::finish(self.part));
        }
        Hashed {
            digest: Digest::finish(self.whole),
            parts: self.parts,
        }
    }
}
