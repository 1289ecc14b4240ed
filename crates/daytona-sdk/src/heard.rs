//! What the headers of answers say about the server: its time, and how many more requests it accepts.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use http::header::DATE;
use jiff::Timestamp;

/// The latest values.
#[derive(Debug, Default)]
pub(crate) struct Heard(Mutex<Last>);

#[derive(Debug, Default, Clone, Copy)]
struct Last {
    look: Option<Duration>,
    date: Option<Timestamp>,
    allowance: Option<Allowance>,
}

/// What is left of a rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// How many requests the window allows.
    pub(crate) limit: u64,
    /// How many of them are left.
    pub(crate) remaining: u64,
    /// How long until a new window begins.
    pub(crate) reset: Duration,
}

impl Allowance {
    /// Whether less than this fraction is left.
    pub(crate) fn is_below(self, part: f64) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "limits are far below 2^52")]
        let (remaining, limit) = (self.remaining as f64, self.limit as f64);
        remaining < limit * part
    }

    /// The time between requests that makes the rest last until the window ends.
    pub(crate) fn ration(self) -> Duration {
        self.reset / u32::try_from(self.remaining.max(1)).unwrap_or(u32::MAX)
    }
}

impl Heard {
    /// Reads the headers of an answer of the API. The time of a gateway does not count.
    pub(crate) fn note(&self, headers: &HeaderMap) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.date = date(headers).or(last.date);
        last.allowance = allowance(headers);
    }

    /// The server's time at its last answer, in whole seconds.
    pub(crate) fn date(&self) -> Option<Timestamp> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).date
    }

    /// When something was last looked at, by the client's clock.
    pub(crate) fn last_look(&self) -> Option<Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).look
    }

    /// Notes that something is looked at now.
    pub(crate) fn note_look(&self, now: Duration) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.look = last.look.max(Some(now));
    }

    /// The requests that are left, as of the last answer.
    pub(crate) fn allowance(&self) -> Option<Allowance> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).allowance
    }
}

fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get(DATE)?.to_str().ok()?;
    Timestamp::try_from(httpdate::parse_http_date(text).ok()?).ok()
}

/// The tightest of the rate limits in the headers. Each limit has its own suffix.
fn allowance(headers: &HeaderMap) -> Option<Allowance> {
    const REMAINING: &str = "x-ratelimit-remaining";
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let suffixes = headers.keys().filter_map(|name| name.as_str().strip_prefix(REMAINING));
    let share = |of: &Allowance, other: &Allowance| u128::from(of.remaining) * u128::from(other.limit.max(1));
    suffixes
        .filter_map(|suffix| {
            Some(Allowance {
                limit: number(&format!("x-ratelimit-limit{suffix}"))?,
                remaining: number(&format!("{REMAINING}{suffix}"))?,
                reset: Duration::from_secs(number(&format!("x-ratelimit-reset{suffix}"))?),
            })
        })
        .min_by(|one, other| share(one, other).cmp(&share(other, one)))
}

/// The longest pause that a server gets when it asks for one. It can ask again.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// The longest pause that any `Retry-After` header of the server asks for, but at most [`LONGEST_PAUSE`]. The names of
/// these headers may have a suffix; in `Retry-After-Ms` the suffix is the unit. The value is in seconds, or it is a
/// date, which is compared with the answer's `Date`.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let waits = headers.iter().filter_map(|(name, value)| {
        let suffix = name.as_str().strip_prefix("retry-after")?;
        let text = value.to_str().ok()?.trim();
        let unit = if suffix == "-ms" { 1_000.0 } else { 1.0 };
        match text.parse::<f64>() {
            // A number that is too large for a duration is still only too large.
            Ok(count) => (count >= 0.0).then(|| Duration::try_from_secs_f64(count / unit).unwrap_or(Duration::MAX)),
            Err(_) => until(text, headers),
        }
    });
    waits.max().map(|wait| wait.min(LONGEST_PAUSE))
}

/// The time from the answer's date to this date.
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

    #[test]
    fn no_wish_is_longer_than_a_pause() {
        let wish = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("date", "Wed, 25 Nov 2026 10:00:00 GMT".parse().unwrap());
            headers.insert(name, value.parse().unwrap());
            retry_after(&headers)
        };
        for value in [
            "86400",
            "1e300",
            "inf",
            "18446744073709551616",
            "Wed, 25 Nov 2099 10:00:30 GMT",
        ] {
            assert_eq!(wish("retry-after", value), Some(LONGEST_PAUSE), "{value}");
        }
        assert_eq!(wish("retry-after-ms", "1500"), Some(Duration::from_millis(1_500)));
        assert_eq!(wish("retry-after", "0.5"), Some(Duration::from_millis(500)));
        assert_eq!(
            wish("retry-after", "Wed, 25 Nov 2020 10:00:30 GMT"),
            Some(Duration::ZERO)
        );
        for value in ["-1", "NaN", "soon"] {
            assert_eq!(wish("retry-after", value), None, "{value}");
        }
    }

    #[test]
    fn numbers_of_any_size_can_be_compared() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-ratelimit-limit-a", u64::MAX),
            ("x-ratelimit-remaining-a", u64::MAX),
            ("x-ratelimit-reset-a", u64::MAX),
            ("x-ratelimit-limit-b", 100),
            ("x-ratelimit-remaining-b", 10),
            ("x-ratelimit-reset-b", 60),
        ] {
            headers.insert(name, value.into());
        }
        assert_eq!(allowance(&headers).map(|allowance| allowance.remaining), Some(10));
    }
}
