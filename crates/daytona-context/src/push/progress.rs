//! How far a push is. Events come while it runs.

use std::sync::Arc;

use super::pool::Pool;
use crate::digest::Digest;
use crate::payload::Listener;

pub(super) type Callback = Arc<dyn Fn(Progress) + Send + Sync>;

/// How far a push is. Events come while it runs.
///
/// For each archive, the bytes of [`Sent`](Self::Sent) minus those of [`Unsent`](Self::Unsent) never exceed its size,
/// and equal its size when it is stored. So a progress bar over all archives never passes its end.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use std::sync::Arc;
///
/// use daytona_context::{Progress, Push};
///
/// let done = Arc::new(AtomicU64::new(0));
/// let shown = Arc::clone(&done);
/// let push = Push::new().on_progress(move |step| {
///     match step {
///         Progress::Sent { bytes, .. } => shown.fetch_add(bytes, Ordering::Relaxed),
///         Progress::Unsent { bytes, .. } => shown.fetch_sub(bytes, Ordering::Relaxed),
///         Progress::Skipped { size, .. } => shown.fetch_add(size, Ordering::Relaxed),
///         _ => 0,
///     };
/// });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// The hash of an archive is known: it was read and hashed.
    Hashed {
        /// Its hash.
        hash: Digest,
        /// Its size in bytes.
        size: u64,
    },
    /// An archive is stored already. Archives of at most 12 KiB are always sent.
    Skipped {
        /// Its hash.
        hash: Digest,
        /// Its size in bytes.
        size: u64,
    },
    /// Some bytes of an archive were handed to the connection.
    Sent {
        /// Its hash.
        hash: Digest,
        /// The number of bytes.
        bytes: u64,
        /// Its size in bytes.
        size: u64,
    },
    /// Some bytes of an archive that were reported as sent must be sent again.
    Unsent {
        /// Its hash.
        hash: Digest,
        /// The number of bytes to subtract.
        bytes: u64,
        /// Its size in bytes.
        size: u64,
    },
    /// An archive was sent completely, and the storage has acknowledged it.
    Stored {
        /// Its hash.
        hash: Digest,
        /// Its size in bytes.
        size: u64,
    },
}

/// Tells of the bytes of one archive, and the pool of its failures.
pub(super) struct Steps {
    callback: Callback,
    pool: Arc<Pool>,
    hash: Digest,
    size: u64,
}

impl Steps {
    pub(super) fn new(callback: Callback, pool: Arc<Pool>, hash: Digest, size: u64) -> Self {
        Self {
            callback,
            pool,
            hash,
            size,
        }
    }
}

impl Listener for Steps {
    fn taken(&self, bytes: u64) {
        let Self { hash, size, .. } = *self;
        (self.callback)(Progress::Sent { hash, bytes, size });
    }

    fn taken_back(&self, bytes: u64) {
        let Self { hash, size, .. } = *self;
        (self.callback)(Progress::Unsent { hash, bytes, size });
    }

    fn failed(&self) {
        self.pool.failed();
    }
}
