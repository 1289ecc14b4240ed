//! Requests that are sent again: one budget, in one place.

use std::time::Duration;

use tokio::time::Instant;

use super::failure::Failure;
use crate::storage::{StorageError, StorageErrorKind};

/// Longer than anybody waits: limits are cut to it, so that no time overflows.
const ENDLESS: Duration = Duration::from_hours(24 * 365);

/// How long a request that never leaves is tried: as long as a store takes that is started anew.
const UNREACHABLE: Duration = Duration::from_secs(20);

/// How long a store may ask to slow down while it takes no request of the session at all.
const THROTTLED: Duration = Duration::from_mins(1);

/// How often a request is sent, and how long it may make no progress.
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
    /// The most attempts for a request, including the first. Default: 4.
    ///
    /// Unless this is 1, two kinds of failures do not count. If the connection is refused, the request is retried for
    /// 20 seconds. If the store asks to slow down, the request is sent again until the store has accepted no request of
    /// the push for a minute.
    pub fn attempts(mut self, attempts: usize) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// How long a request may make no progress before it is given up and sent again. Default: 5 minutes.
    ///
    /// Bytes that the system has accepted may still wait to be sent. The limit is extended by the time that they need
    /// at 1 KiB/s, so a line that carries 1 KiB/s for all requests together succeeds. On Linux the system tells how
    /// many bytes the other side has not acknowledged. If there are none, nothing is added; if their number changes,
    /// that is progress. A proxy acknowledges bytes before it passes them on, so the time that the proxy needs is not
    /// added. On other systems all accepted bytes count, up to 4 MiB for each request.
    ///
    /// If other requests make progress, the limit is multiplied by the number of requests in flight.
    pub fn stall(mut self, limit: Duration) -> Self {
        self.stall = limit.min(ENDLESS);
        self
    }
}

/// A request that is sent again.
#[derive(Debug)]
#[non_exhaustive]
pub struct Retry<'a> {
    /// The key of the object. [`Digest::from_key`](crate::Digest::from_key) tells which archive it is.
    pub key: &'a str,
    /// Why.
    pub error: &'a StorageError,
    /// The wait before it is sent again.
    pub wait: Duration,
}

/// What is left of a request's budget.
#[derive(Debug)]
pub(super) struct Budget {
    attempts: usize,
    failed: usize,
    unsent_since: Option<Instant>,
    throttled_since: Option<Instant>,
    tries: usize,
}

impl Budget {
    pub(super) fn new(policy: RetryPolicy) -> Self {
        Self {
            attempts: policy.attempts,
            failed: 0,
            unsent_since: None,
            throttled_since: None,
            tries: 0,
        }
    }

    /// How often it was tried.
    pub(super) fn tries(&self) -> usize {
        self.tries
    }

    /// The wait before the next attempt, if there is one. `last_accepted` is when the store last took a request of any
    /// kind.
    pub(super) fn next(&mut self, failure: &Failure, last_accepted: Option<Instant>) -> Option<Duration> {
        self.tries += 1;
        if !failure.error.is_retryable() || self.attempts == 1 {
            return None;
        }
        if failure.is_unsent {
            let wait = wait(self.tries, Duration::from_millis(250), Duration::from_secs(2));
            let since = *self.unsent_since.get_or_insert_with(Instant::now);
            return (since.elapsed() + wait <= UNREACHABLE).then_some(wait);
        }
        self.unsent_since = None;
        if failure.error.kind() == StorageErrorKind::RateLimited {
            let wait = wait(self.tries, Duration::from_millis(500), Duration::from_secs(8));
            let since = *self.throttled_since.get_or_insert_with(Instant::now);
            let since = last_accepted.map_or(since, |accepted| accepted.max(since));
            self.failed += 1;
            let is_over = self.failed >= self.attempts && since.elapsed() + wait > THROTTLED;
            return (!is_over).then_some(wait);
        }
        self.throttled_since = None;
        self.failed += 1;
        (self.failed < self.attempts).then(|| wait(self.failed, Duration::from_millis(500), Duration::from_secs(8)))
    }
}

/// A random part, at least half, of a time that doubles.
fn wait(number: usize, first: Duration, longest: Duration) -> Duration {
    let doubled = first.saturating_mul(1 << number.saturating_sub(1).min(16)).min(longest);
    // Without a source of randomness the waits are merely not spread.
    let random = f64::from(getrandom::u32().unwrap_or(u32::MAX / 2)) / f64::from(u32::MAX);
    doubled.mul_f64(0.5 + 0.5 * random)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(is_unsent: bool) -> Failure {
        Failure {
            is_unsent,
            ..StorageError::new(StorageErrorKind::Connection).into()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_costs_nothing_is_tried_for_long() {
        let mut budget = Budget::new(RetryPolicy::default());
        let begin = Instant::now();
        while let Some(wait) = budget.next(&failure(true), None) {
            tokio::time::sleep(wait).await;
        }
        let elapsed = begin.elapsed();
        assert!((10..=30).contains(&elapsed.as_secs()), "{elapsed:?}");
        assert!(budget.tries() > 8, "{}", budget.tries());
        // What was sent has its own count.
        let mut budget = Budget::new(RetryPolicy::default());
        let waits: Vec<Duration> = std::iter::from_fn(|| budget.next(&failure(false), None)).collect();
        assert_eq!(waits.len(), 3);
        assert!(
            waits.iter().sum::<Duration>() >= Duration::from_millis(1750),
            "{waits:?}"
        );
        assert_eq!(
            Budget::new(RetryPolicy::default().attempts(1)).next(&failure(true), None),
            None
        );
    }
}
