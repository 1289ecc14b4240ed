//! Pushes what is not there yet.

use std::sync::Arc;

use daytona_image::ImagePlan;
use futures_util::stream::{self, StreamExt, TryStreamExt};

use crate::archive::Archive;
use crate::context::Context;
use crate::digest::Digest;
use crate::error::ContextError;
use crate::payload::Payload;
use crate::storage::{Head, ObjectStorage, StorageError};

/// How many archives are under way at once.
const PARALLEL: usize = 4;

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

/// Sends the context of a plan to `<prefix>/<hash>/context.tar`, but for what is there.
///
/// Each archive is hashed first. Is it stored under its hash with its exact size, it is skipped; else it is sent, hashed
/// again on its way. Dropping the future ends the push; nothing incomplete becomes visible.
///
/// # Errors
///
/// [`ContextError`]: a file that cannot be read or has changed, or the storage's refusal.
pub async fn push(
    plan: &ImagePlan,
    storage: &dyn ObjectStorage,
    prefix: &str,
    on_progress: impl Fn(Progress) + Send + Sync + 'static,
) -> Result<Pushed, ContextError> {
    let on_progress: Arc<dyn Fn(Progress) + Send + Sync> = Arc::new(on_progress);
    let context = Context::of_plan(plan);
    let mut pushes = Vec::new();
    for archive in context.archives() {
        pushes.push(push_one(archive.clone(), storage, prefix, Arc::clone(&on_progress)));
    }
    let archives: Vec<(Digest, bool, u64)> = stream::iter(pushes).buffered(PARALLEL).try_collect().await?;
    let mut pushed = Pushed::default();
    for (hash, was_sent, size) in archives {
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
async fn push_one(
    archive: Archive,
    storage: &dyn ObjectStorage,
    prefix: &str,
    on_progress: Arc<dyn Fn(Progress) + Send + Sync>,
) -> Result<(Digest, bool, u64), ContextError> {
    let size = archive.size();
    let hash = hash(&archive).await?;
    on_progress(Progress::Hashed { hash, size });
    let key = format!("{prefix}/{hash}/context.tar");
    let failed = |operation| {
        let key = key.clone();
        move |source: StorageError| ContextError::Storage { operation, key, source }
    };
    let head = storage.head(&key).await.map_err(failed("head"))?;
    tracing::debug!(%key, size, ?head, "looked for the context archive");
    if head == (Head::Stored { size }) {
        on_progress(Progress::Skipped { hash, size });
        return Ok((hash, false, size));
    }
    let on_bytes = {
        let on_progress = Arc::clone(&on_progress);
        move |bytes| on_progress(Progress::Sent { hash, bytes, size })
    };
    let payload = Payload::new(archive, hash, Arc::new(on_bytes));
    let outcome = storage.put(&key, payload.clone()).await;
    outcome.map_err(|error| payload.take_failure().unwrap_or_else(|| failed("put")(error)))?;
    tracing::debug!(%key, size, "stored the context archive");
    on_progress(Progress::Stored { hash, size });
    Ok((hash, true, size))
}

/// Hashes on another thread, some chunks at a time: a push that is dropped does not go on reading.
async fn hash(archive: &Archive) -> Result<Digest, ContextError> {
    use sha2::Digest as _;

    const CHUNKS_AT_A_TIME: usize = 32;
    let mut state = (archive.reader(), sha2::Sha256::new());
    loop {
        let step = tokio::task::spawn_blocking(move || {
            let (mut reader, mut hasher) = state;
            for _ in 0..CHUNKS_AT_A_TIME {
                match reader.next_chunk()? {
                    Some(chunk) => hasher.update(&chunk),
                    None => return Ok((reader, hasher, true)),
                }
            }
            Ok((reader, hasher, false))
        });
        let (reader, hasher, is_done) = step.await.expect("hashing does not panic, and is not aborted")?;
        if is_done {
            return Ok(Digest::finish(hasher));
        }
        state = (reader, hasher);
    }
}
