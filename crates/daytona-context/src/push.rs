//! Pushes what is not stored yet.

use std::path::PathBuf;
use std::sync::Arc;

use crate::context::Context;
use crate::error::ContextError;
use crate::index::Index;
use crate::storage::ObjectStorage;

mod concurrency;
mod destination;
#[cfg(test)]
#[cfg(unix)]
mod index_tests;
mod multipart;
mod pool;
mod progress;
mod run;

use destination::Destination;
use multipart::Multipart;
use run::{Options, Run};

pub use destination::Target;
pub use progress::Progress;
pub use run::Pushed;

/// How many requests may carry archives at once, if the caller does not say.
const CONCURRENCY: usize = 16;

/// The most that a caller may ask for.
const MAX_CONCURRENCY: usize = 64;

/// Sends the archives of a context to `<prefix>/<hash>/context.tar`, except those that are already stored.
///
/// Each archive is hashed first. If it is stored under its hash with its exact size, it is skipped. Otherwise it is
/// sent, and hashed again while it is sent. An archive of at most 12 KiB is always sent, because looking for it would
/// take as long.
///
/// Several requests run at once, as many as raise the throughput ([`concurrency`](Self::concurrency)). A large file is
/// sent in parts if the storage supports them and is not near ([`multipart_threshold`](Self::multipart_threshold)). A
/// part that fails is sent again by itself.
///
/// Dropping the future ends the push, and nothing incomplete becomes visible. If it was sending a large file in parts,
/// the parts stay in the storage, invisible, until the bucket's own rules remove them. A push that fails asks the
/// storage to remove them, which the bucket's policy may refuse.
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
    options: Options,
    index: Option<PathBuf>,
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
            .field("concurrency", &self.options.concurrency)
            .finish_non_exhaustive()
    }
}

impl Push {
    /// A push with the default options.
    pub fn new() -> Self {
        Self {
            options: Options {
                concurrency: CONCURRENCY,
                multipart: Multipart::default(),
                is_resent: false,
                on_progress: Arc::new(|_| {}),
            },
            index: None,
        }
    }

    /// The most requests that carry archives or parts at once, from 1 to 64. Default: 16.
    ///
    /// A push begins with 8. It doubles the number as long as that raises the throughput, and halves it, down to one,
    /// as long as that does not reduce it. It also halves the number when the storage asks to slow down or the
    /// connection breaks.
    pub fn concurrency(mut self, requests: usize) -> Self {
        self.options.concurrency = requests.clamp(1, MAX_CONCURRENCY);
        self
    }

    /// The size in bytes above which an archive of one file is sent in parts. Default: 16 MiB. If the storage answers
    /// within 5 ms and no [`part_size`](Self::part_size) is set, the default is 5 GiB, because then one connection is
    /// as fast as several.
    pub fn multipart_threshold(mut self, bytes: u64) -> Self {
        self.options.multipart.threshold = Some(bytes);
        self
    }

    /// The size of a part in bytes. Default: from 8 MiB to 64 MiB, more for larger files. Parts are larger if there
    /// would be more than 10,000 of them. S3 accepts no parts under 5 MiB, except the last.
    pub fn part_size(mut self, bytes: u64) -> Self {
        self.options.multipart.part_size = Some(bytes.max(1));
        self
    }

    /// Sends every archive, without looking whether it is stored. Use it if a storage says that it has an archive, but
    /// does not.
    pub fn resend(mut self) -> Self {
        self.options.is_resent = true;
        self
    }

    /// Keeps an index of hashes in this file, so that archives whose files have not changed are not hashed again.
    /// Default: no index.
    ///
    /// The index lists what the file system says about the files of each archive: names, modes, sizes, times of
    /// modification and of status changes, inodes and devices. It only saves hashing: an archive that must be sent is
    /// hashed anyway. Files that changed within two seconds of the index are hashed. An index that is broken, or that
    /// belongs to other files, another user or another version, is ignored and replaced. Several processes may use one
    /// index at the same time; the last one to finish writes it.
    ///
    /// Whoever can write the index decides what is built. Only its owner can read and write the file. Do not share it
    /// between machines or users. Keep it out of the context, because it would change the context with every push. Its
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
        self.options.on_progress = Arc::new(callback);
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
        self.push(context, async { Ok(Destination::borrowed(storage, prefix)) })
            .await
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
        self.push(context, async { Ok(Destination::from(target.await?)) }).await
    }

    async fn push<'a, E: From<ContextError>>(
        &'a self,
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
        Run::new(&self.options, index)
            .push(context.archives(), destination)
            .await
    }
}
