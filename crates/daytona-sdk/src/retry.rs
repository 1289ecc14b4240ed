//! When a request is sent again, and after how long.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use http::{HeaderMap, Method};

use crate::clock::Clock;
use crate::error::{Error, ErrorKind};

/// Requests that are sent for one call, at the most.
pub(crate) const ATTEMPTS: usize = 4;

const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The waits between the attempts of a call, before jitter.
pub(crate) fn waits() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::new()
        .with_min_delay(FIRST_WAIT)
        .with_max_delay(LONGEST_WAIT)
        .with_max_times(ATTEMPTS - 1)
        .build()
}

/// The wait before the next attempt: what the server asks for, else a random part of `wait`.
pub(crate) fn wait_before(error: &Error, wait: Duration, clock: &dyn Clock) -> Duration {
    error.retry_after().unwrap_or_else(|| wait.mul_f64(clock.jitter()))
}

/// Whether the request may be sent again: it provably never left or was refused before anything was done, or doing it
/// twice is doing it once.
pub(crate) fn may_repeat(method: &Method, error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Connection => error.is_unsent() || method.is_idempotent(),
        ErrorKind::Timeout | ErrorKind::Unavailable => method.is_idempotent(),
        ErrorKind::RateLimited => true,
        _ => false,
    }
}

/// The longest time that any of the server's `Retry-After` headers asks for; their names may have a suffix.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let named = headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("retry-after"));
    let seconds = named.filter_map(|(_, value)| value.to_str().ok()?.trim().parse::<u64>().ok());
    seconds.max().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_wish_of_the_server_counts() {
        let mut headers = HeaderMap::new();
        assert_eq!(retry_after(&headers), None);
        headers.insert("retry-after-authenticated", "7".parse().unwrap());
        headers.insert("retry-after", "3".parse().unwrap());
        assert_eq!(retry_after(&headers), Some(Duration::from_secs(7)));
    }

    #[test]
    fn waits_grow_to_a_limit() {
        let waits: Vec<_> = waits().collect();
        assert_eq!(waits.len(), ATTEMPTS - 1);
        assert!(waits.is_sorted() && waits.iter().all(|wait| *wait <= LONGEST_WAIT));
    }
}
