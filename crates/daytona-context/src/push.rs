//! Pushes what is not there yet.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::TryFutureExt;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use crate::archive::Archive;
use crate::buffers::Buffers;
use crate::context::Context;
use crate::cut::MOST_ARCHIVES;
use crate::digest::Digest;
use crate::error::ContextError;
use crate::payload::{Parts, Payload};
use crate::reader::ArchiveReader;
use crate::storage::{Head, ObjectStorage, StorageError};

/// How many archives are sent at once.
const PARALLEL: usize = 2;

/// How many archives are hashed at once.
const HASHING: usize = 2;

/// What a push did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Pushed {
    /// The hashes of the archives, in the order of the plan.
    pub hashes: Vec<Digest>,
    /// Bytes that were sent.
    pub sent: u64,
    /// Bytes that did not have to be sent, because they were stored already.
    pub skipped: u64,
}

/// How far a push is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// An archive has been read and hashed.
    Hashed {
        /// Its hash.
        hash: Digest,
        /// Its size in bytes.
        size: u64,
    },
    /// An archive is stored already.
    Skipped {
        /// Its hash.
        hash: Digest,
        /// Its size in bytes.
        size: u64,
    },
    /// Some bytes of an archive were handed to the connection. Counted anew if the request has to be repeated.
    Sent {
        /// Its hash.
        hash: Digest,
        /// Bytes in this step.
        bytes: u64,
        /// Its size in bytes.
        size: u64,
    },
    /// An archive was sent whole and the storage has acknowledged it.
    Stored {
        /// Its hash.
        hash: Digest,
        /// Its size in bytes.
        size: u64,
    },
}

/// Sends the archives of a context to `<prefix>/<hash>/context.tar`, but for those that are there.
///
/// Each archive is hashed first. Is it stored under its hash with its exact size, it is skipped; else it is sent, hashed
/// again on its way. Dropping the future ends the push; nothing incomplete becomes visible.
///
/// ```
/// use daytona_context::{Context, MemoryStorage, Push};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # std::fs::write(folder.path().join("main.py"), "print()")?;
/// let storage = MemoryStorage::new();
/// let context = Context::scan(folder.path())?;
/// let pushed = Push::new().run(&context, &storage, "my-organization").await?;
/// assert_eq!(storage.keys(), [format!("my-organization/{}/context.tar", pushed.hashes[0])]);
/// # Ok(())
/// # }
/// ```
#[must_use = "does nothing until it is run"]
pub struct Push {
    parallel: usize,
    multipart: Multipart,
    is_resent: bool,
    on_progress: Arc<dyn Fn(Progress) + Send + Sync>,
}

/// When an archive comes in parts, and how large they are.
#[derive(Debug, Clone, Copy)]
struct Multipart {
    from: u64,
    part: u64,
}

/// One request is faster than several, and S3 takes up to 5 GiB in one; but what is lost with a request that breaks off has to
/// have an end. With larger parts a part that is sent again costs more, with smaller ones a large file has too many.
const MULTIPART: Multipart = Multipart {
    from: 2 * 1024 * 1024 * 1024,
    part: 64 * 1024 * 1024,
};

/// Parts of an object that S3 takes.
const MOST_PARTS: u64 = 10_000;

impl Multipart {
    /// The bytes of each part of an archive of this size but the last, if it comes in parts.
    fn part_of(self, size: u64) -> Option<u64> {
        let fitting = size.div_ceil(MOST_PARTS).next_multiple_of(1024 * 1024);
        (size > self.from).then_some(fitting.max(self.part))
    }
}

impl Default for Push {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Push {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Push")
            .field("parallel", &self.parallel)
            .finish_non_exhaustive()
    }
}

impl Push {
    /// A push that tells nobody how far it is.
    pub fn new() -> Self {
        Self {
            parallel: PARALLEL,
            multipart: MULTIPART,
            is_resent: false,
            on_progress: Arc::new(|_| {}),
        }
    }

    /// How many archives are sent at once, at most 512. Default: 2.
    pub fn parallel(mut self, archives: usize) -> Self {
        self.parallel = archives.clamp(1, MOST_ARCHIVES);
        self
    }

    /// An archive over `from` bytes, which is of one large file, is sent in parts of `part` bytes, or larger ones where there
    /// would be more than 10,000. Default: from 2 GiB, in parts of 64 MiB. S3 takes no parts under 5 MiB.
    pub fn multipart(mut self, from: u64, part: u64) -> Self {
        self.multipart = Multipart {
            from,
            part: part.max(1),
        };
        self
    }

    /// Sends every archive, without looking whether it is stored: for a store that said so of one that it does not have.
    pub fn resend(mut self) -> Self {
        self.is_resent = true;
        self
    }

    /// Called for every step, from whatever thread takes it.
    pub fn on_progress(mut self, callback: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.on_progress = Arc::new(callback);
        self
    }

    /// Pushes.
    ///
    /// # Errors
    ///
    /// [`ContextError`]: a file that cannot be read or has changed, or the storage's refusal.
    pub async fn run(
        &self,
        context: &Context,
        storage: &dyn ObjectStorage,
        prefix: &str,
    ) -> Result<Pushed, ContextError> {
        let seen = Mutex::new(HashSet::new());
        let buffers = Buffers::default();
        let (hashing, sending) = (Semaphore::new(HASHING), Semaphore::new(self.parallel));
        // One more than are sent, so that their sending holds up no hashing.
        let done = each(context, self.parallel + 1, |archive| async {
            let hashed = {
                let _permit = hashing.acquire().await;
                hash(archive, self.multipart, &buffers).await?
            };
            let (hash, size) = (hashed.hash, hashed.archive.size());
            (self.on_progress)(Progress::Hashed { hash, size });
            let _permit = sending.acquire().await;
            self.send(hashed, storage, prefix, &seen, buffers.clone()).await
        });
        let mut pushed = Pushed::default();
        for (hash, was_sent, size) in done.await? {
            pushed.hashes.push(hash);
            *(if was_sent {
                &mut pushed.sent
            } else {
                &mut pushed.skipped
            }) += size;
        }
        Ok(pushed)
    }

    /// The archive's hash, whether it was sent, and its size.
    async fn send(
        &self,
        hashed: Hashed,
        storage: &dyn ObjectStorage,
        prefix: &str,
        seen: &Mutex<HashSet<Digest>>,
        buffers: Buffers,
    ) -> Result<(Digest, bool, u64), ContextError> {
        let Hashed { archive, hash, parts } = hashed;
        let size = archive.size();
        let is_first = seen.lock().unwrap_or_else(PoisonError::into_inner).insert(hash);
        if !is_first {
            return Ok((hash, false, size));
        }
        let key = format!("{prefix}/{hash}/context.tar");
        let failed = |operation| {
            let key = key.clone();
            move |source: StorageError| ContextError::Storage { operation, key, source }
        };
        if !self.is_resent {
            let head = storage.head(&key).await.map_err(failed("head"))?;
            tracing::debug!(%key, size, ?head, "looked for the context archive");
            if head == (Head::Stored { size }) {
                (self.on_progress)(Progress::Skipped { hash, size });
                return Ok((hash, false, size));
            }
        }
        let on_bytes = {
            let on_progress = Arc::clone(&self.on_progress);
            move |bytes| on_progress(Progress::Sent { hash, bytes, size })
        };
        let payload = Payload::new(archive, hash, parts, buffers, Arc::new(on_bytes));
        let outcome = storage.put(&key, payload.clone()).await;
        outcome.map_err(|error| payload.take_failure().unwrap_or_else(|| failed("put")(error)))?;
        tracing::debug!(%key, size, "stored the context archive");
        (self.on_progress)(Progress::Stored { hash, size });
        Ok((hash, true, size))
    }
}

/// The hashes of the archives of a context, in its order, without sending anything.
pub(crate) async fn digests(context: &Context) -> Result<Vec<Digest>, ContextError> {
    let buffers = Buffers::default();
    each(context, HASHING, |archive| async {
        Ok(hash(archive, MULTIPART, &buffers).await?.hash)
    })
    .await
}

/// Works on the archives of a context, some at once, and the largest first, so that none of them is left over at the end. None
/// holds up another; the results are in the order of the archives.
async fn each<T, F>(context: &Context, at_once: usize, work: impl Fn(Archive) -> F) -> Result<Vec<T>, ContextError>
where
    F: Future<Output = Result<T, ContextError>>,
{
    let mut archives: Vec<(usize, Archive)> = context.archives().iter().cloned().enumerate().collect();
    archives.sort_by_key(|(_, archive)| Reverse(archive.size()));
    let working = stream::iter(archives).map(|(index, archive)| work(archive).map_ok(move |done| (index, done)));
    let mut done: Vec<(usize, T)> = working.buffer_unordered(at_once).try_collect().await?;
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, done)| done).collect())
}

/// An archive that was read once.
struct Hashed {
    archive: Archive,
    hash: Digest,
    /// Of its parts, if it is so large that it comes in parts.
    parts: Parts,
}

/// Hashes on another thread, some chunks at a time: a push that is dropped does not go on reading.
async fn hash(archive: Archive, multipart: Multipart, buffers: &Buffers) -> Result<Hashed, ContextError> {
    const CHUNKS_AT_A_TIME: usize = 32;
    let mut state = Hashing::new(&archive, multipart.part_of(archive.size()), buffers);
    loop {
        let step = tokio::task::spawn_blocking(move || {
            for _ in 0..CHUNKS_AT_A_TIME {
                if !state.step()? {
                    return Ok((state, true));
                }
            }
            Ok((state, false))
        });
        let (next, is_done) = step.await.expect("hashing does not panic, and is not aborted")?;
        state = next;
        if is_done {
            let (hash, parts) = state.finish();
            return Ok(Hashed { archive, hash, parts });
        }
    }
}

/// The whole and its parts, hashed in one pass.
struct Hashing {
    reader: ArchiveReader,
    whole: Sha256,
    part_size: Option<u64>,
    part: Sha256,
    in_part: u64,
    parts: Vec<Digest>,
}

impl Hashing {
    fn new(archive: &Archive, part_size: Option<u64>, buffers: &Buffers) -> Self {
        Self {
            reader: archive.reader_at(0, buffers),
            whole: Sha256::new(),
            part_size,
            part: Sha256::new(),
            in_part: 0,
            parts: Vec::new(),
        }
    }

    /// Takes a chunk in; false at the end.
    fn step(&mut self) -> Result<bool, ContextError> {
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

    fn finish(mut self) -> (Digest, Parts) {
        if self.in_part > 0 {
            self.parts.push(Digest::finish(self.part));
        }
        let parts = Parts {
            size: self.part_size.unwrap_or(0),
            digests: self.parts.into(),
        };
        (Digest::finish(self.whole), parts)
    }
}
