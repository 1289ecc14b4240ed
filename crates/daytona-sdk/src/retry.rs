//! When a request is sent again, and after how long.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use daytona_api::{DeactivateSnapshot, Operation};
use http::HeaderMap;

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

/// The longest time that any of the server's `Retry-After` headers asks for; their names may have a suffix. In seconds, or as a
/// date, of which the `Date` of the answer is the beginning.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let named = headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("retry-after"));
    let waits = named.filter_map(|(_, value)| {
        let text = value.to_str().ok()?.trim();
        text.parse()
            .map(Duration::from_secs)
            .ok()
            .or_else(|| until(text, headers))
    });
    waits.max()
}

/// From the answer's date to this one.
fn until(date: &str, headers: &HeaderMap) -> Option<Duration> {
    let now = headers.get(http::header::DATE)?.to_str().ok()?;
    let (now, then) = (
        httpdate::parse_http_date(now).ok()?,
        httpdate::parse_http_date(date).ok()?,
    );
    Some(then.duration_since(now).unwrap_or_default())
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
        headers.insert("retry-after-x", "soon".parse().unwrap());
        assert_eq!(retry_after(&headers), Some(Duration::from_secs(7)));
    }

    #[test]
    fn a_date_is_a_wish_too() {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "Wed, 25 Nov 2026 10:00:30 GMT".parse().unwrap());
        assert_eq!(retry_after(&headers), None, "nobody knows what time it is there");
        headers.insert("date", "Wed, 25 Nov 2026 10:00:00 GMT".parse().unwrap());
        assert_eq!(retry_after(&headers), Some(Duration::from_secs(30)));
    }
}
