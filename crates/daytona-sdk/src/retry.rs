//! When a request is sent again, and after how long.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use daytona_api::{DeactivateSnapshot, Operation};

use crate::clock::Clock;
use crate::error::{Error, ErrorKind};

/// Requests that are sent for one call, at the most.
pub(crate) const ATTEMPTS: u32 = 4;

const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What all waits of a call may take together: a server that asks for more is told on.
const WAITS: Duration = Duration::from_mins(2);

/// What is left of the attempts of a call, and of the time between them.
#[derive(Debug)]
pub(crate) struct Budget {
    waits: ExponentialBackoff,
    left: Duration,
    spent: u32,
}

impl Budget {
    pub(crate) fn new() -> Self {
        let waits = ExponentialBuilder::new()
            .with_min_delay(FIRST_WAIT)
            .with_max_delay(LONGEST_WAIT)
            .with_max_times(ATTEMPTS as usize - 1);
        Self {
            waits: waits.build(),
            left: WAITS,
            spent: 0,
        }
    }

    /// The wait before the next attempt: what the server asks for, else a random part of a growing time. None if the attempts
    /// are used up, or the server asks for more than there is time for.
    pub(crate) fn next(&mut self, error: &Error, clock: &dyn Clock) -> Option<Duration> {
        let wait = self.waits.next()?;
        let wait = error.retry_after().unwrap_or_else(|| wait.mul_f64(clock.jitter()));
        self.left = self.left.checked_sub(wait)?;
        self.spent += 1;
        Some(wait)
    }

    /// How many waits there were.
    pub(crate) fn spent(&self) -> u32 {
        self.spent
    }
}

/// Whether the request may be sent again: it provably never left or was refused before anything was done, or doing it
/// twice is doing it once.
pub(crate) fn may_repeat<O: Operation>(error: &Error) -> bool {
    // Deactivation answers the same in every state.
    let is_idempotent = O::METHOD.is_idempotent() || O::ID == DeactivateSnapshot::ID;
    match error.kind() {
        ErrorKind::Connection => error.is_unsent() || is_idempotent,
        ErrorKind::Timeout | ErrorKind::Unavailable => is_idempotent,
        ErrorKind::RateLimited => true,
        _ => false,
    }
}
