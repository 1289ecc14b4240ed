//! Work on the blocking pool, within bounds that hold for all pushes.
//!
//! However many pushes there are, only a limited number of threads read files at once. A permit travels into the thread
//! with the work, so that an abandoned push gives it back when its thread is free again, and not before.
//!
//! The bounds are those of a runtime, of which a process usually has one. Were they shared, one that waits for
//! another's threads would be idle, and its clock, if it is paused, would jump.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::available_parallelism;

use tokio::runtime::{Handle, Id};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::read_error::ReadError;

/// Archives that are hashed at once: two for each core, as one of them waits for its files while the other is hashed. Measured with
/// 2,000 files on two cores: an unchanged push takes 0.17 s, and with one for each core 0.18 s.
pub(crate) static HASHING: Bound = Bound::new(|| 2 * cores());

/// Chunks that are read at once on their way to a storage. They may wait for a disk or a network file system.
pub(crate) static SENDING: Bound = Bound::new(|| (4 * cores()).max(16));

fn cores() -> usize {
    available_parallelism().map_or(2, usize::from)
}

/// The most threads of a runtime at once.
pub(crate) struct Bound {
    threads: fn() -> usize,
    /// Of the runtimes that have work.
    semaphores: Mutex<Vec<(Id, Weak<Semaphore>)>>,
}

impl Bound {
    const fn new(threads: fn() -> usize) -> Self {
        Self {
            threads,
            semaphores: Mutex::new(Vec::new()),
        }
    }

    fn semaphore(&self, runtime: Id) -> Arc<Semaphore> {
        let mut semaphores = self.semaphores.lock().unwrap_or_else(PoisonError::into_inner);
        let known = semaphores.iter().find(|(id, _)| *id == runtime);
        if let Some(semaphore) = known.and_then(|(_, semaphore)| semaphore.upgrade()) {
            return semaphore;
        }
        let semaphore = Arc::new(Semaphore::new((self.threads)()));
        semaphores.retain(|(_, semaphore)| semaphore.strong_count() > 0);
        semaphores.push((runtime, Arc::downgrade(&semaphore)));
        semaphore
    }

    /// Does blocking work on another thread. If the future is dropped, work that has not begun never does.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ReadError> {
        let runtime = Handle::try_current().map_err(|_| ReadError::Interrupted)?;
        let permit = self.semaphore(runtime.id()).acquire_owned().await;
        let permit = permit.map_err(|_| ReadError::Interrupted)?;
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
