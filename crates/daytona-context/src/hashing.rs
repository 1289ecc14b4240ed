//! Hashes archives, in one pass over their files, and what is sent of them.

use std::cmp::Reverse;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::TryFutureExt;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use sha2::{Digest as _, Sha256};

use crate::archive::Archive;
use crate::buffers::Buffers;
use crate::digest::Digest;
use crate::index::Index;
use crate::read_error::ReadError;
use crate::reading::HASHING;

/// Bytes that were read once.
#[derive(Debug, Clone)]
pub(crate) struct Hashed {
    pub(crate) digest: Digest,
    /// Its parts, if it was hashed for being sent in parts.
    pub(crate) stretches: Vec<Stretch>,
}

/// What proves that bytes are a stretch of a whole: the state of the whole's hash before them, and its digest up to their end.
///
/// Who hashes on from the one to the other knows of these bytes what a digest of their own would tell, and the whole was hashed
/// only once for all of them.
#[derive(Debug, Clone)]
pub(crate) struct Stretch {
    before: Sha256,
    until: Digest,
}

impl Stretch {
    /// All of it.
    pub(crate) fn whole(digest: Digest) -> Self {
        Self {
            before: Sha256::new(),
            until: digest,
        }
    }

    /// The hash that goes on with the bytes of the stretch.
    pub(crate) fn hasher(&self) -> Sha256 {
        self.before.clone()
    }

    /// Whether the hash has come to where it has to be after them.
    pub(crate) fn ends_with(&self, hasher: &Sha256) -> bool {
        Digest::finish(hasher.clone()) == self.until
    }
}

/// Hashes an archive, or a range of it, on another thread. If the future is dropped, that thread stops after the chunk that it is
/// at.
pub(crate) async fn hash(
    archive: &Archive,
    range: Range<u64>,
    part_size: Option<u64>,
    buffers: &Buffers,
) -> Result<Hashed, ReadError> {
    let is_dropped = Arc::new(AtomicBool::new(false));
    let _guard = SetOnDrop(Arc::clone(&is_dropped));
    let mut reader = archive.reader_at(range.start, buffers);
    let mut left = range.end - range.start;
    let mut hashing = Hashing::new(part_size);
    HASHING
        .run(move || {
            while left > 0 {
                if is_dropped.load(Ordering::Relaxed) {
                    return Err(ReadError::Interrupted);
                }
                let chunk = reader.fill()?;
                let fitting = usize::try_from(left).map_or(chunk.len(), |left| left.min(chunk.len()));
                if fitting == 0 {
                    break;
                }
                hashing.update(&chunk[..fitting]);
                left -= fitting as u64;
            }
            Ok(hashing.finish())
        })
        .await?
}

/// Hashes bytes in memory.
#[cfg(feature = "s3")]
pub(crate) fn hash_bytes(bytes: &[u8], part_size: u64) -> Hashed {
    let mut hashing = Hashing::new(Some(part_size));
    hashing.update(bytes);
    hashing.finish()
}

struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The digests of archives, in their order. What an index knows is not read.
pub(crate) async fn digests(archives: &[Archive], index: Option<&Index>) -> Result<Vec<Digest>, ReadError> {
    /// As many as are ever hashed at once.
    const AT_ONCE: usize = 64;
    let buffers = Buffers::default();
    each(archives, AT_ONCE, |archive| {
        let buffers = &buffers;
        async move {
            let (known, stat) = index.map(|index| index.look_up(&archive)).unwrap_or_default();
            if let Some(digest) = known {
                return Ok(digest);
            }
            let digest = hash(&archive, 0..archive.size(), None, buffers).await?.digest;
            if let Some(index) = index {
                index.note(stat, digest);
            }
            Ok(digest)
        }
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

/// A hash, and where it was between parts.
struct Hashing {
    hasher: Sha256,
    part_size: Option<u64>,
    /// The state at the beginning of the current part.
    before: Sha256,
    in_part: u64,
    stretches: Vec<Stretch>,
}

impl Hashing {
    fn new(part_size: Option<u64>) -> Self {
        Self {
            hasher: Sha256::new(),
            part_size,
            before: Sha256::new(),
            in_part: 0,
            stretches: Vec::new(),
        }
    }

    fn update(&mut self, mut bytes: &[u8]) {
        let Some(part_size) = self.part_size else {
            self.hasher.update(bytes);
            return;
        };
        while !bytes.is_empty() {
            let left = usize::try_from(part_size - self.in_part).unwrap_or(usize::MAX);
            let (fitting, rest) = bytes.split_at(left.min(bytes.len()));
            self.hasher.update(fitting);
            self.in_part += fitting.len() as u64;
            if self.in_part == part_size {
                self.end_part();
            }
            bytes = rest;
        }
    }

    fn end_part(&mut self) {
        self.stretches.push(Stretch {
            before: std::mem::replace(&mut self.before, self.hasher.clone()),
            until: Digest::finish(self.hasher.clone()),
        });
        self.in_part = 0;
    }

    fn finish(mut self) -> Hashed {
        if self.in_part > 0 {
            self.end_part();
        }
        Hashed {
            digest: Digest::finish(self.hasher),
            stretches: self.stretches,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_proves_its_bytes_and_no_others() {
        let bytes: Vec<u8> = (0..100).collect();
        for part_size in [1, 7, 64, 99, 100, 101] {
            let mut hashing = Hashing::new(Some(part_size));
            bytes.chunks(13).for_each(|chunk| hashing.update(chunk));
            let Hashed { digest, stretches } = hashing.finish();
            assert_eq!(digest, Digest::of(&bytes));
            let parts: Vec<&[u8]> = bytes.chunks(usize::try_from(part_size).unwrap()).collect();
            assert_eq!(stretches.len(), parts.len());
            for (number, stretch) in stretches.iter().enumerate() {
                for (other, part) in parts.iter().enumerate() {
                    let mut hasher = stretch.hasher();
                    hasher.update(part);
                    assert_eq!(
                        stretch.ends_with(&hasher),
                        other == number,
                        "{part_size}: {number}, {other}"
                    );
                }
            }
        }
    }
}
