//! Work on the blocking pool, within bounds that hold for the whole process.
//!
//! However many pushes there are, only so many threads read files at once. A permit travels into the thread with the work, so
//! that an abandoned push gives it back when its thread is free again, and not before.

use std::sync::{Arc, LazyLock};
use std::thread::available_parallelism;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::read_error::ReadError;

/// Archives that are hashed at once: one for each core, as hashing keeps a core busy.
pub(crate) static HASHING: LazyLock<Bound> = LazyLock::new(|| Bound::new(cores().max(2)));

/// Chunks that are read at once on their way to a storage. They may wait for a disk or a network file system.
pub(crate) static SENDING: LazyLock<Bound> = LazyLock::new(|| Bound::new((4 * cores()).max(16)));

fn cores() -> usize {
    available_parallelism().map_or(2, usize::from)
}

/// So many threads at once.
pub(crate) struct Bound(Arc<Semaphore>);

impl Bound {
    fn new(threads: usize) -> Self {
        Self(Arc::new(Semaphore::new(threads)))
    }

    /// Does blocking work on another thread. If the future is dropped, work that has not begun never does.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ReadError> {
        let permit = Arc::clone(&self.0).acquire_owned().await;
        let permit = permit.map_err(|_| ReadError::Interrupted)?;
        let runtime = Handle::try_current().map_err(|_| ReadError::Interrupted)?;
        let mut task = AbortOnDrop(runtime.spawn_blocking(move || {
            let done = work();
            drop(permit);
            done
        }));
        match (&mut task.0).await {
            Ok(done) => Ok(done),
            Err(ended) => match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(ReadError::Interrupted),
            },
        }
    }
}

struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
