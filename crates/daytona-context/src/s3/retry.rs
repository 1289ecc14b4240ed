//! Requests that are sent again: one budget, in one place.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::storage::{StorageError, StorageErrorKind};

/// How often a request is sent, and how long nothing may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct RetryPolicy {
    pub(super) attempts: usize,
    pub(super) stall: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 4,
            stall: Duration::from_mins(5),
        }
    }
}

impl RetryPolicy {
    /// How often a request is sent at the most, the first time included. Default: 4.
    pub fn attempts(mut self, attempts: usize) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// A request is given up on, and sent again, when the connection has taken no byte of it for so long while some were there,
    /// or when so long after its last byte there is no answer. A slow line is no stall. Default: 5 minutes.
    pub fn stall(mut self, limit: Duration) -> Self {
        self.stall = limit;
        self
    }

    /// The wait before the next attempt: a random part of a time that doubles, up to five seconds.
    pub(super) fn wait(attempt: usize) -> Duration {
        let doubled = Duration::from_millis(200).saturating_mul(1 << attempt.min(8));
        // Without a source of randomness the waits are merely not spread.
        let random = getrandom::u32().unwrap_or(u32::MAX / 2);
        doubled
            .min(Duration::from_secs(5))
            .mul_f64(f64::from(random) / f64::from(u32::MAX))
    }
}

/// When a connection last took something.
#[derive(Debug, Clone)]
pub(super) struct Activity(Arc<Mutex<Instant>>);

impl Activity {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    pub(super) fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The outcome of a request, unless nothing happens for too long.
    pub(super) async fn watch<T>(&self, limit: Duration, request: impl Future<Output = T>) -> Result<T, Stalled> {
        tokio::pin!(request);
        loop {
            let end = self.last() + limit;
            tokio::select! {
                outcome = &mut request => return Ok(outcome),
                () = tokio::time::sleep_until(end) => {
                    if self.last() + limit <= Instant::now() {
                        return Err(Stalled { limit });
                    }
                }
            }
        }
    }
}

/// A request that did not move.
#[derive(Debug, thiserror::Error)]
#[error("nothing moved for {limit:?}")]
pub(super) struct Stalled {
    limit: Duration,
}

impl From<Stalled> for StorageError {
    fn from(stalled: Stalled) -> Self {
        Self::new(StorageErrorKind::Connection).with_source(stalled)
    }
}
