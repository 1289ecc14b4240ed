//! Threads that help with a walk: most of its time the file system looks things up, which it does for several at once.

use std::num::NonZero;
use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread;

/// More would wait for each other in the system.
const MOST: usize = 7;

/// How many pieces of work are worth a thread.
const WORTH: usize = 8;

/// How many more threads may help.
#[derive(Debug)]
pub(super) struct Helpers(AtomicUsize);

impl Helpers {
    /// One for each core but this thread's.
    pub(super) fn of_this_machine() -> Self {
        // The system is asked once: it reads several files to answer.
        static CORES: LazyLock<usize> = LazyLock::new(|| thread::available_parallelism().map_or(1, NonZero::get));
        Self::new((*CORES - 1).min(MOST))
    }

    pub(super) fn new(count: usize) -> Self {
        Self(AtomicUsize::new(count))
    }

    /// As many as are free and worth it for this many pieces of work, perhaps none.
    pub(super) fn hire(&self, pieces: usize) -> Option<Hired<'_>> {
        let count = self.take(pieces / WORTH);
        (count > 0).then_some(Hired { helpers: self, count })
    }

    fn take(&self, wanted: usize) -> usize {
        let left = |free: usize| Some(free.saturating_sub(wanted));
        let free = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left);
        free.unwrap_or_default().min(wanted)
    }

    fn give_back(&self, count: usize) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }
}

/// Threads that are not begun yet.
#[derive(Debug)]
#[must_use]
pub(super) struct Hired<'a> {
    helpers: &'a Helpers,
    count: usize,
}

impl Hired<'_> {
    /// Does `step` with each piece of work, here and on the other threads, each of which has a worker of its own.
    /// Returns these workers.
    pub(super) fn share<Piece: Send, Worker: Send>(
        self,
        work: Vec<Piece>,
        worker: &mut Worker,
        another: impl Fn() -> Worker + Sync,
        step: impl Fn(&mut Worker, Piece) + Sync,
    ) -> Vec<Worker> {
        let work = Mutex::new(work.into_iter());
        let next = || work.lock().unwrap_or_else(PoisonError::into_inner).next();
        let help = || {
            let mut worker = another();
            while let Some(piece) = next() {
                step(&mut worker, piece);
            }
            self.helpers.give_back(1);
            worker
        };
        thread::scope(|scope| {
            let begun = (0..self.count).map(|_| thread::Builder::new().spawn_scoped(scope, help));
            let helping: Vec<_> = begun.filter_map(Result::ok).collect();
            // The system may refuse a thread.
            self.helpers.give_back(self.count - helping.len());
            while let Some(piece) = next() {
                step(worker, piece);
            }
            let workers = helping.into_iter().map(thread::ScopedJoinHandle::join);
            workers
                .map(|worker| worker.unwrap_or_else(|panic| panic::resume_unwind(panic)))
                .collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_piece_is_done_once() {
        for count in [1, 3] {
            let helpers = Helpers::new(count);
            for pieces in [WORTH, 1_000] {
                let mut all = Vec::new();
                let hired = helpers.hire(pieces).unwrap();
                for other in hired.share((0..pieces).collect(), &mut all, Vec::new, Vec::push) {
                    all.extend(other);
                }
                all.sort_unstable();
                assert_eq!(all, (0..pieces).collect::<Vec<_>>());
                assert_eq!(helpers.0.load(Ordering::Relaxed), count);
            }
            assert!(helpers.hire(WORTH - 1).is_none());
        }
        assert!(Helpers::new(0).hire(1_000).is_none());
    }

    #[test]
    fn no_more_are_taken_than_are_free_and_wanted() {
        let helpers = Helpers::new(3);
        assert_eq!([helpers.take(2), helpers.take(2), helpers.take(2)], [2, 1, 0]);
        helpers.give_back(3);
        assert_eq!([helpers.take(0), helpers.take(9)], [0, 3]);
    }
}
