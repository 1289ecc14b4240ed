//! One push under way.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::sync::{Semaphore, SetOnce};
use tokio::time::Instant;

use super::destination::Destination;
use super::multipart::Multipart;
use super::pool::Pool;
use super::progress::{Callback, Progress, Steps};
use crate::archive::Archive;
use crate::buffers::Buffers;
use crate::digest::Digest;
use crate::error::ContextError;
use crate::hashing::{Hashed, each, hash};
use crate::index::Index;
use crate::payload::{Part, Payload};
use crate::storage::{Head, MultipartUpload, ObjectStorage, StorageError};

/// How many archives are looked for at once. Such a request carries nothing, so it costs the line a round trip alone: with
/// 16 of them, 264 archives over 80 ms took longer than their hashing.
const HEADS: usize = 40;

/// An archive of at most this many bytes is sent without looking for it first, because a look takes as long: it mostly
/// arrives within one round trip, on a new connection too. Ten segments may be sent before the first is acknowledged
/// (RFC 6928): 14,600 bytes on most lines, of which the head of the request takes a part.
const SENT_WITHOUT_A_LOOK: u64 = 12 * 1024;

/// The result of a push.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Pushed {
    /// The hashes of the archives, in the order of the plan.
    pub hashes: Vec<Digest>,
    /// The number of bytes that were sent.
    pub sent: u64,
    /// The number of bytes that were not sent, because they were stored already. Archives of at most 12 KiB are always
    /// sent.
    pub skipped: u64,
}

/// How a push goes about it.
#[derive(Clone)]
pub(super) struct Options {
    /// The most requests at once that carry archives or parts.
    pub(super) concurrency: usize,
    pub(super) multipart: Multipart,
    /// Whether what is stored is sent again.
    pub(super) is_resent: bool,
    pub(super) on_progress: Callback,
}

/// One push of one context.
pub(super) struct Run<'a> {
    options: &'a Options,
    index: Option<Index>,
    destination: SetOnce<Destination<'a>>,
    buffers: Buffers,
    head_slots: Semaphore,
    pool: Arc<Pool>,
    /// Of all requests that looked for an archive.
    shortest_round_trip: Mutex<Option<Duration>>,
    /// Digests of archives that were hashed. What an index says is not among them: it may be wrong, and then another
    /// archive would not be sent.
    hashed: Mutex<HashSet<Digest>>,
}

/// What became of an archive.
struct Done {
    digest: Digest,
    sent: u64,
    skipped: u64,
}

impl<'a> Run<'a> {
    pub(super) fn new(options: &'a Options, index: Option<Index>) -> Self {
        Self {
            options,
            index,
            destination: SetOnce::new(),
            buffers: Buffers::default(),
            head_slots: Semaphore::new(HEADS),
            pool: Arc::new(Pool::new(options.concurrency)),
            shortest_round_trip: Mutex::default(),
            hashed: Mutex::default(),
        }
    }

    /// Pushes the archives, to where it will be known to go.
    pub(super) async fn push<E: From<ContextError>>(
        self,
        archives: &[Archive],
        destination: impl Future<Output = Result<Destination<'a>, E>>,
    ) -> Result<Pushed, E> {
        let known = async {
            // Nobody else sets it.
            drop(self.destination.set(destination.await?));
            Ok(())
        };
        // More than are sent at once, so that sending holds up neither hashing nor looking.
        let at_once = self.options.concurrency + HEADS;
        let pushing = async {
            let done = each(archives, at_once, |archive| self.archive(archive)).await;
            done.map_err(E::from)
        };
        let ((), done) = futures_util::future::try_join(known, pushing).await?;
        if let Some(index) = self.index {
            index.save().await;
        }
        let mut pushed = Pushed::default();
        for Done { digest, sent, skipped } in done {
            pushed.hashes.push(digest);
            pushed.sent += sent;
            pushed.skipped += skipped;
        }
        Ok(pushed)
    }

    /// Hashes an archive, looks for it and sends it if it is not there.
    async fn archive(&self, archive: Archive) -> Result<Done, ContextError> {
        let size = archive.size();
        let is_looked_for = size > SENT_WITHOUT_A_LOOK && !self.options.is_resent;
        let (known, stat) = self
            .index
            .as_ref()
            .map(|index| index.look_up(&archive))
            .unwrap_or_default();
        let known = known.filter(|_| is_looked_for);
        if let Some(digest) = known
            && self.is_stored(digest, size).await?
        {
            self.report(Progress::Hashed { hash: digest, size });
            return Ok(self.skipped(digest, size));
        }
        let part_size = self.options.multipart.part_size(&archive);
        let Hashed { digest, stretches } = hash(&archive, 0..size, part_size, &self.buffers).await?;
        if let Some(index) = &self.index {
            index.note(stat, digest);
        }
        self.report(Progress::Hashed { hash: digest, size });
        // Two archives with the same bytes are one object.
        let is_another = !self.hashed().insert(digest);
        // What the index knew was looked for already.
        if is_another || is_looked_for && known != Some(digest) && self.is_stored(digest, size).await? {
            return Ok(self.skipped(digest, size));
        }
        let destination = self.destination.wait().await;
        let storage = destination.storage();
        let key = destination.key(digest);
        let steps = Steps::new(
            Arc::clone(&self.options.on_progress),
            Arc::clone(&self.pool),
            digest,
            size,
        );
        let payload = Payload::heard(archive, digest, self.buffers.clone(), Arc::new(steps));
        let parts = match part_size {
            Some(part_size) if !self.is_near(size) => payload.split(part_size, stretches),
            _ => Vec::new(),
        };
        let put = self.put(storage, &key, payload, parts).await;
        put.map_err(|error| failed("put", &key, error))?;
        tracing::debug!(%key, size, "stored the context archive");
        self.report(Progress::Stored { hash: digest, size });
        Ok(Done {
            digest,
            sent: size,
            skipped: 0,
        })
    }

    fn skipped(&self, digest: Digest, size: u64) -> Done {
        self.report(Progress::Skipped { hash: digest, size });
        Done {
            digest,
            sent: 0,
            skipped: size,
        }
    }

    fn answered_within(&self, time: Duration) {
        let mut shortest = self.shortest_round_trip();
        *shortest = Some(shortest.map_or(time, |shortest| shortest.min(time)));
    }

    fn is_near(&self, size: u64) -> bool {
        let round_trip = *self.shortest_round_trip();
        self.options.multipart.is_worth_one_request(size, round_trip)
    }

    fn shortest_round_trip(&self) -> MutexGuard<'_, Option<Duration>> {
        self.shortest_round_trip.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hashed(&self) -> MutexGuard<'_, HashSet<Digest>> {
        self.hashed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn is_stored(&self, digest: Digest, size: u64) -> Result<bool, ContextError> {
        let destination = self.destination.wait().await;
        let (storage, key) = (destination.storage(), destination.key(digest));
        let _permit = self.head_slots.acquire().await;
        let began = Instant::now();
        let head = storage.head(&key).await.map_err(|error| failed("head", &key, error))?;
        self.answered_within(began.elapsed());
        tracing::debug!(%key, size, ?head, "looked for the context archive");
        Ok(head == Head::Stored { size })
    }

    async fn put(
        &self,
        storage: &dyn ObjectStorage,
        key: &str,
        payload: Payload,
        parts: Vec<Part>,
    ) -> Result<(), StorageError> {
        if !parts.is_empty()
            && let Some(upload) = storage.start_multipart(key, payload.size()).await?
        {
            let sent = self.put_parts(upload.as_ref(), parts).await;
            if sent.is_err() {
                upload.abort().await;
            }
            return sent;
        }
        let slot = self.pool.slot().await;
        let size = payload.size();
        storage.put(key, payload).await?;
        // A small one takes one round trip whatever the line carries: it measures nothing.
        if size > SENT_WITHOUT_A_LOOK {
            slot.completed(size);
        }
        Ok(())
    }

    /// Parts wait for their turn in the same pool as whole archives.
    async fn put_parts(&self, upload: &dyn MultipartUpload, parts: Vec<Part>) -> Result<(), StorageError> {
        let sends = parts.into_iter().enumerate().map(|(number, part)| async move {
            let part = part.hashed().await.map_err(StorageError::unreadable)?;
            let slot = self.pool.slot().await;
            let size = part.size();
            upload.put_part(number, part).await?;
            slot.completed(size);
            Ok(())
        });
        let sends = stream::iter(sends).buffer_unordered(self.options.concurrency);
        sends.try_collect::<()>().await?;
        upload.complete().await
    }

    fn report(&self, step: Progress) {
        (self.options.on_progress)(step);
    }
}

/// A file that could not be read is not the storage's failure.
fn failed(operation: &'static str, key: &str, source: StorageError) -> ContextError {
    if let Some(error) = crate::read_error::ReadError::find(&source) {
        return error.clone().into();
    }
    let key = key.to_owned();
    ContextError::Storage { operation, key, source }
}
