//! Pushes what is not stored yet.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::sync::{Semaphore, SetOnce};

use crate::archive::Archive;
use crate::buffers::Buffers;
use crate::context::Context;
use crate::digest::Digest;
use crate::error::ContextError;
use crate::hashing::{Hashed, each, hash};
use crate::index::Index;
use crate::payload::{Part, Payload};
use crate::storage::{Head, MultipartUpload, ObjectStorage, StorageError};

mod concurrency;
#[cfg(all(test, unix))]
mod index_tests;
mod multipart;
mod pool;
mod progress;

use multipart::Multipart;
use pool::Pool;
use progress::{Callback, Steps};

pub use progress::Progress;

/// How many archives are looked for at once: such a request is nothing but a round trip.
const HEADS: usize = 16;

/// An archive of at most so many bytes is sent without looking for it first, since a look takes as long: it mostly arrives within
/// one round trip, on a new connection too. Ten segments may be sent before the first is acknowledged (RFC 6928): 14,600
/// bytes on most lines, of which the head of the request takes a part.
const SENT_WITHOUT_A_LOOK: u64 = 12 * 1024;

/// How many requests may carry archives at once, if the caller does not say.
const CONCURRENCY: usize = 16;

/// The most that a caller may ask for.
const MAX_CONCURRENCY: usize = 64;

/// What a push did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Pushed {
    /// The hashes of the archives, in the order of the plan.
    pub hashes: Vec<Digest>,
    /// Bytes that were sent.
    pub sent: u64,
    /// Bytes that did not have to be sent, because they were stored already. Archives of at most 12 KiB are always sent.
    pub skipped: u64,
}

/// Where a push goes.
#[derive(Debug, Clone)]
pub struct Target {
    storage: Arc<dyn ObjectStorage>,
    prefix: String,
}

impl Target {
    /// Keys are `<prefix>/<hash>/context.tar`.
    pub fn new(storage: Arc<dyn ObjectStorage>, prefix: impl Into<String>) -> Self {
        Self {
            storage,
            prefix: prefix.into(),
        }
    }
}

/// Sends the archives of a context to `<prefix>/<hash>/context.tar`, except those that are already stored.
///
/// Each archive is hashed first. If it is stored under its hash with its exact size, it is skipped; otherwise it is sent, and
/// hashed again on its way. An archive of at most 12 KiB is always sent: to look for it first would take as long.
///
/// Several requests run at once, as many as raise the throughput ([`concurrency`](Self::concurrency)). The archive of one
/// large file goes in parts, where the storage takes parts; a part that fails is sent again by itself.
///
/// Dropping the future ends the push; nothing incomplete becomes visible. If it was sending a large file in parts, the parts
/// stay in the storage, unseen, until the bucket's own rules remove them. A push that fails asks the storage to remove them,
/// which the bucket's policy may refuse.
///
/// ```
/// use daytona_context::{Context, MemoryStorage, Push};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # std::fs::write(directory.path().join("main.py"), "print()")?;
/// let storage = MemoryStorage::new();
/// let context = Context::scan(directory.path())?;
/// let pushed = Push::new().run(&context, &storage, "my-organization").await?;
/// assert_eq!(storage.keys(), [format!("my-organization/{}/context.tar", pushed.hashes[0])]);
/// # Ok(())
/// # }
/// ```
#[must_use = "does nothing until it is run"]
pub struct Push {
    concurrency: usize,
    multipart: Multipart,
    is_resent: bool,
    index: Option<PathBuf>,
    on_progress: Callback,
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
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}

impl Push {
    /// A push that reports to nobody.
    pub fn new() -> Self {
        Self {
            concurrency: CONCURRENCY,
            multipart: Multipart::default(),
            is_resent: false,
            index: None,
            on_progress: Arc::new(|_| {}),
        }
    }

    /// The most requests that carry archives or parts at once, from 1 to 64. Default: 16.
    ///
    /// A push begins with 8. It doubles the number while that raises the throughput, and halves it while that costs none, down
    /// to one. It also halves it when the storage asks to slow down or the line breaks.
    pub fn concurrency(mut self, requests: usize) -> Self {
        self.concurrency = requests.clamp(1, MAX_CONCURRENCY);
        self
    }

    /// An archive of one file goes in parts if it has more bytes than this. Default: 16 MiB.
    pub fn multipart_threshold(mut self, bytes: u64) -> Self {
        self.multipart.threshold = bytes;
        self
    }

    /// Bytes of a part. Default: from 8 MiB to 64 MiB, more for larger files. Parts are larger where there would be more than
    /// 10,000. S3 takes no parts under 5 MiB, except the last.
    pub fn part_size(mut self, bytes: u64) -> Self {
        self.multipart.part_size = Some(bytes.max(1));
        self
    }

    /// Sends every archive, without looking whether it is stored: for a store that said so of one that it does not have.
    pub fn resend(mut self) -> Self {
        self.is_resent = true;
        self
    }

    /// Keeps an index of what was hashed in this file, so that archives whose files have not changed are not hashed again. Off by
    /// default.
    ///
    /// The index is a list of what the file system says of the files of each archive: names, modes, sizes, times of
    /// modification and of the status, inodes and devices. It only ever spares hashing: an archive that has to be sent is
    /// hashed whatever the index says. Files that changed within two seconds of the index are hashed. An index that is broken,
    /// or that was made for other files, by another user or by another version, is ignored and replaced. Several processes may
    /// use one index at once; the last one's is kept.
    ///
    /// Whoever can write the index chooses what is built: it is a file that only its owner can read and write, and should not be
    /// shared between machines or users. Keep it out of the context, for it would change the context with every push. Its
    /// directory is created if it does not exist.
    ///
    /// # Errors
    ///
    /// [`run`](Self::run) then fails with [`ContextError::Index`] before anything is sent: if no file can be created beside the
    /// index, if the index is not a regular file or is one of the files to push, or if the platform does not tell when the
    /// status of a file changed, as Windows does not. An index that cannot be saved after the push is a warning in the log.
    pub fn index(mut self, path: impl Into<PathBuf>) -> Self {
        self.index = Some(path.into());
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
        let destination = Destination {
            storage: Storage::Borrowed(storage),
            prefix: prefix.to_owned(),
        };
        self.push(context, async { Ok(destination) }).await
    }

    /// Pushes to a target that becomes known while the files are hashed, so that no round trip waits for the hashing.
    ///
    /// The future is polled from the beginning. A context without files needs no target: the future is then dropped.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use daytona_context::{Context, ContextError, MemoryStorage, Push, Target};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # std::fs::write(directory.path().join("main.py"), "print()")?;
    /// let context = Context::scan(directory.path())?;
    /// let access = async {
    ///     // Asks some server where to push to.
    ///     Ok::<_, ContextError>(Target::new(Arc::new(MemoryStorage::new()), "my-organization"))
    /// };
    /// let pushed = Push::new().run_when(&context, access).await?;
    /// # assert_eq!(pushed.hashes.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The error of the future, or a [`ContextError`] in its type.
    pub async fn run_when<E: From<ContextError>>(
        &self,
        context: &Context,
        target: impl Future<Output = Result<Target, E>>,
    ) -> Result<Pushed, E> {
        let destination = async {
            let Target { storage, prefix } = target.await?;
            Ok(Destination {
                storage: Storage::Shared(storage),
                prefix,
            })
        };
        self.push(context, destination).await
    }

    async fn push<'a, E: From<ContextError>>(
        &self,
        context: &Context,
        destination: impl Future<Output = Result<Destination<'a>, E>>,
    ) -> Result<Pushed, E> {
        if context.archives().is_empty() {
            return Ok(Pushed::default());
        }
        let index = match &self.index {
            Some(path) => Some(Index::open(path, context.archives()).await?),
            None => None,
        };
        self.push_with(index, context, destination).await
    }

    async fn push_with<'a, E: From<ContextError>>(
        &self,
        index: Option<Index>,
        context: &Context,
        destination: impl Future<Output = Result<Destination<'a>, E>>,
    ) -> Result<Pushed, E> {
        let run = Run {
            index,
            push: self,
            destination: SetOnce::new(),
            buffers: Buffers::default(),
            head_slots: Semaphore::new(HEADS),
            pool: Arc::new(Pool::new(self.concurrency)),
            hashed: Mutex::default(),
        };
        let known = async {
            // Nobody else sets it.
            drop(run.destination.set(destination.await?));
            Ok(())
        };
        // More than are sent at once, so that sending holds up neither hashing nor looking.
        let at_once = 2 * self.concurrency + HEADS;
        let pushing = async {
            let done = each(context.archives(), at_once, |archive| run.archive(archive)).await;
            done.map_err(E::from)
        };
        let ((), done) = futures_util::future::try_join(known, pushing).await?;
        if let Some(index) = run.index {
            index.save().await;
        }
        let mut pushed = Pushed::default();
        for Done { digest, was_sent, size } in done {
            pushed.hashes.push(digest);
            *(if was_sent {
                &mut pushed.sent
            } else {
                &mut pushed.skipped
            }) += size;
        }
        Ok(pushed)
    }
}

struct Destination<'a> {
    storage: Storage<'a>,
    prefix: String,
}

impl Destination<'_> {
    fn key(&self, digest: Digest) -> String {
        format!("{}/{digest}/context.tar", self.prefix)
    }
}

enum Storage<'a> {
    Borrowed(&'a dyn ObjectStorage),
    Shared(Arc<dyn ObjectStorage>),
}

impl Storage<'_> {
    fn get(&self) -> &dyn ObjectStorage {
        match self {
            Self::Borrowed(storage) => *storage,
            Self::Shared(storage) => storage.as_ref(),
        }
    }
}

/// One push of one context.
struct Run<'a> {
    push: &'a Push,
    index: Option<Index>,
    destination: SetOnce<Destination<'a>>,
    buffers: Buffers,
    head_slots: Semaphore,
    pool: Arc<Pool>,
    /// Digests of archives that were hashed. What an index says is not among them: it may be wrong, and then another archive would
    /// not be sent.
    hashed: Mutex<HashSet<Digest>>,
}

/// What became of an archive.
struct Done {
    digest: Digest,
    was_sent: bool,
    size: u64,
}

impl Run<'_> {
    /// Hashes an archive, looks for it and sends it if it is not there.
    async fn archive(&self, archive: Archive) -> Result<Done, ContextError> {
        let size = archive.size();
        let is_looked_for = size > SENT_WITHOUT_A_LOOK && !self.push.is_resent;
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
        let part_size = self.push.multipart.part_size(&archive);
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
        let storage = destination.storage.get();
        let key = destination.key(digest);
        let steps = Steps::new(Arc::clone(&self.push.on_progress), Arc::clone(&self.pool), digest, size);
        let payload = Payload::heard(archive, digest, self.buffers.clone(), Arc::new(steps));
        let parts = payload.split(part_size.unwrap_or(0), stretches);
        let put = self.put(storage, &key, payload, parts).await;
        put.map_err(|error| failed("put", &key, error))?;
        tracing::debug!(%key, size, "stored the context archive");
        self.report(Progress::Stored { hash: digest, size });
        let was_sent = true;
        Ok(Done { digest, was_sent, size })
    }

    fn skipped(&self, digest: Digest, size: u64) -> Done {
        self.report(Progress::Skipped { hash: digest, size });
        let was_sent = false;
        Done { digest, was_sent, size }
    }

    fn hashed(&self) -> MutexGuard<'_, HashSet<Digest>> {
        self.hashed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn is_stored(&self, digest: Digest, size: u64) -> Result<bool, ContextError> {
        let destination = self.destination.wait().await;
        let (storage, key) = (destination.storage.get(), destination.key(digest));
        let _permit = self.head_slots.acquire().await;
        let head = storage.head(&key).await.map_err(|error| failed("head", &key, error))?;
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
        let sends = stream::iter(sends).buffer_unordered(self.push.concurrency);
        sends.try_collect::<()>().await?;
        upload.complete().await
    }

    fn report(&self, step: Progress) {
        (self.push.on_progress)(step);
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
