//! What the server says beside its answers: its time, and how many requests it will still take.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use http::header::DATE;
use jiff::Timestamp;

/// The last that was heard.
#[derive(Debug, Default)]
pub(crate) struct Heard(Mutex<Last>);

#[derive(Debug, Default, Clone, Copy)]
struct Last {
    date: Option<Timestamp>,
    allowance: Option<Allowance>,
}

/// What is left of a limit of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// Requests in a window of time.
    pub(crate) limit: u64,
    /// Those that are left of it.
    pub(crate) remaining: u64,
    /// Until a new window begins.
    pub(crate) reset: Duration,
}

impl Heard {
    /// Notes what stands in the headers of an answer.
    pub(crate) fn note(&self, headers: &HeaderMap) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.date = date(headers);
        last.allowance = allowance(headers);
    }

    /// The server's time at its last answer, in whole seconds.
    pub(crate) fn date(&self) -> Option<Timestamp> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).date
    }

    /// What is left of the requests, as of the last answer.
    pub(crate) fn allowance(&self) -> Option<Allowance> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).allowance
    }
}

fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get(DATE)?.to_str().ok()?;
    Timestamp::try_from(httpdate::parse_http_date(text).ok()?).ok()
}

/// The scarcest of the limits that the headers tell of; each has a name of its own as a suffix.
fn allowance(headers: &HeaderMap) -> Option<Allowance> {
    const REMAINING: &str = "x-ratelimit-remaining";
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let suffixes = headers.keys().filter_map(|name| name.as_str().strip_prefix(REMAINING));
    suffixes
        .filter_map(|suffix| {
            Some(Allowance {
                limit: number(&format!("x-ratelimit-limit{suffix}"))?,
                remaining: number(&format!("{REMAINING}{suffix}"))?,
                reset: Duration::from_secs(number(&format!("x-ratelimit-reset{suffix}"))?),
            })
        })
        .min_by(|one, other| {
            let (one_share, other_share) = (one.remaining * other.limit.max(1), other.remaining * one.limit.max(1));
            one_share.cmp(&other_share)
        })
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
