//! The requests of a push: as many at once as the line is worth.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::concurrency::Concurrency;

/// Gives out slots for requests, and learns from how long they take.
#[derive(Debug)]
pub(super) struct Pool {
    slots: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    concurrency: Concurrency,
    /// Slots that exist. More than the limit for a while after it has shrunk: those in use are taken away when they are
    /// free.
    existing: usize,
    in_use: usize,
    began: Instant,
}

/// Room for one request.
#[derive(Debug)]
pub(super) struct Slot<'a> {
    pool: &'a Pool,
    permit: Option<SemaphorePermit<'a>>,
    began: Instant,
    /// Under which limit it began, if about all slots were in use: only then does it tell what that limit is worth.
    measures: Option<u64>,
}

impl Pool {
    pub(super) fn new(max: usize) -> Self {
        let concurrency = Concurrency::new(max);
        let existing = concurrency.limit();
        Self {
            slots: Semaphore::new(existing),
            state: Mutex::new(State {
                concurrency,
                existing,
                in_use: 0,
                began: Instant::now(),
            }),
        }
    }

    /// Waits for room for one request.
    pub(super) async fn slot(&self) -> Slot<'_> {
        // It is never closed.
        let permit = self.slots.acquire().await.ok();
        let mut state = self.state();
        state.in_use += 1;
        let is_full = state.in_use + state.concurrency.limit() / 4 >= state.concurrency.limit();
        let measures = is_full.then(|| state.concurrency.generation());
        Slot {
            pool: self,
            permit,
            began: Instant::now(),
            measures,
        }
    }

    /// The line or the storage has failed a request.
    pub(super) fn failed(&self) {
        let mut state = self.state();
        let now = state.began.elapsed();
        state.concurrency.failed(now);
        self.follow(&mut state);
    }

    /// Makes as many slots as the limit says.
    fn follow(&self, state: &mut State) {
        let limit = state.concurrency.limit();
        if limit > state.existing {
            self.slots.add_permits(limit - state.existing);
            state.existing = limit;
        } else if limit < state.existing {
            state.existing -= self.slots.forget_permits(state.existing - limit);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot<'_> {
    /// The request has stored this many bytes.
    pub(super) fn completed(self, bytes: u64) {
        let mut state = self.pool.state();
        if let Some(generation) = self.measures {
            state.concurrency.completed(bytes, self.began.elapsed(), generation);
        }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.state();
        state.in_use -= 1;
        if state.existing > state.concurrency.limit()
            && let Some(permit) = self.permit.take()
        {
            permit.forget();
            state.existing -= 1;
        }
        // The permit has to be back before slots are counted.
        drop(self.permit.take());
        self.pool.follow(&mut state);
    }
}
