//! Decides whether and when a request is sent again.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use daytona_api::Operation;

use crate::clock::Clock;
use crate::error::{Error, ErrorKind};

/// The most requests for one call, not counting refused connections.
pub(crate) const ATTEMPTS: u32 = 4;

const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Upper bound for all waits of one call. If the server asks for a longer wait, the call ends with the server's error.
const WAITS: Duration = Duration::from_mins(2);

/// How long a refused connection is retried. A server that restarts is back by then.
const KNOCKING: Duration = Duration::from_secs(15);
const LONGEST_KNOCK: Duration = Duration::from_secs(2);

/// The attempts that a call has left, and the time for waits between them.
#[derive(Debug)]
pub(crate) struct Budget {
    waits: ExponentialBackoff,
    left: Duration,
    knocks: ExponentialBackoff,
    /// When the connection was refused for the first time.
    refused_since: Option<Duration>,
    spent: u32,
}

impl Budget {
    pub(crate) fn new() -> Self {
        let waits = ExponentialBuilder::new().with_min_delay(FIRST_WAIT);
        Self {
            waits: waits
                .with_max_delay(LONGEST_WAIT)
                .with_max_times(ATTEMPTS as usize - 1)
                .build(),
            left: WAITS,
            knocks: waits.with_max_delay(LONGEST_KNOCK).without_max_times().build(),
            refused_since: None,
            spent: 0,
        }
    }

    /// The wait before the next attempt: the server's wish, or else a random part of a growing time. None if no
    /// attempts are left, or if the server asks for more time than is left.
    pub(crate) fn next(&mut self, error: &Error, clock: &dyn Clock) -> Option<Duration> {
        let wait = if error.is_refused_connection() {
            self.next_knock(clock)?
        } else {
            let wait = self.waits.next()?;
            let wait = error.retry_after().unwrap_or_else(|| wait.mul_f64(clock.jitter()));
            self.left = self.left.checked_sub(wait)?;
            wait
        };
        self.spent += 1;
        Some(wait)
    }

    /// The wait before the next try after a refused connection.
    fn next_knock(&mut self, clock: &dyn Clock) -> Option<Duration> {
        let now = clock.now();
        let since = *self.refused_since.get_or_insert(now);
        // At least half of it: an unreachable server must not use up the attempts immediately.
        let wait = self.knocks.next()?.mul_f64(f64::midpoint(1.0, clock.jitter()));
        let end = now.saturating_sub(since).saturating_add(wait);
        (end <= KNOCKING).then_some(wait)
    }

    /// How many waits there have been.
    pub(crate) fn spent(&self) -> u32 {
        self.spent
    }
}

/// Whether the request may be repeated automatically: it provably never left, a rate limit turned it away, or doing it
/// twice has the same effect as doing it once.
pub(crate) fn may_repeat<O: Operation>(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Connection | ErrorKind::RateLimited => O::IDEMPOTENT || error.proves_nothing_was_done(),
        ErrorKind::Timeout | ErrorKind::Unavailable => O::IDEMPOTENT,
        ErrorKind::Decode => O::IDEMPOTENT && error.is_broken_answer(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::{Mutex, PoisonError};

    use http::{HeaderMap, StatusCode};

    use super::*;
    use crate::error::{Asked, from_answer, from_transport};
    use crate::secrets::Secrets;
    use crate::transport::{TransportError, TransportErrorKind};

    #[derive(Debug, Default)]
    struct Time(Mutex<Duration>);

    impl Time {
        fn pass(&self, time: Duration) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) += time;
        }
    }

    impl Clock for Time {
        fn now(&self) -> Duration {
            *self.0.lock().unwrap()
        }

        fn sleep(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
            Box::pin(std::future::ready(()))
        }

        fn jitter(&self) -> f64 {
            0.5
        }
    }

    fn asked(secrets: &Secrets) -> Asked<'_> {
        Asked {
            operation: "createSnapshot",
            permissions: &[],
            address: "http://h/api",
            body: 0,
            by_key: true,
            has_answered: true,
            secrets,
        }
    }

    fn without_answer(kind: TransportErrorKind) -> Error {
        from_transport(&asked(&Secrets::default()), TransportError::new(kind, "x"))
    }

    /// How many waits there are for this error, and how long they take.
    fn waits(error: &Error) -> (u32, Duration) {
        let (time, mut budget) = (Time::default(), Budget::new());
        while let Some(wait) = budget.next(error, &time) {
            time.pass(wait);
        }
        (budget.spent(), time.now())
    }

    #[test]
    fn a_refused_connection_is_tried_for_some_seconds_and_others_a_few_times() {
        let (count, took) = waits(&without_answer(TransportErrorKind::Connect));
        assert!((8..20).contains(&count), "{count}");
        assert!(took > Duration::from_secs(10) && took <= KNOCKING, "{took:?}");
        for kind in [TransportErrorKind::Unresolved, TransportErrorKind::Interrupted] {
            let (count, took) = waits(&without_answer(kind));
            assert!(
                count == ATTEMPTS - 1 && took < Duration::from_secs(2),
                "{count} {took:?}"
            );
        }
    }

    #[test]
    fn slow_refusals_end_too() {
        let (time, mut budget) = (Time::default(), Budget::new());
        let error = without_answer(TransportErrorKind::Connect);
        while budget.next(&error, &time).is_some() {
            time.pass(Duration::from_secs(10));
        }
        assert_eq!(budget.spent(), 2);
    }

    #[test]
    fn a_wish_that_is_longer_than_the_call_can_take_ends_it() {
        let asking = |seconds: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", seconds.parse().unwrap());
            let secrets = Secrets::default();
            from_answer(&asked(&secrets), StatusCode::TOO_MANY_REQUESTS, &headers, b"")
        };
        assert_eq!(waits(&asking("30")), (3, Duration::from_secs(90)));
        assert_eq!(waits(&asking("60")), (2, Duration::from_mins(2)));
        assert_eq!(waits(&asking("86400")), (0, Duration::ZERO));
        assert_eq!(asking("86400").retry_after(), Some(Duration::from_mins(5)));
    }

    #[test]
    fn what_may_have_been_done_is_repeated_only_if_that_does_no_harm() {
        use daytona_api::{CreateSnapshot, DeactivateSnapshot, GetSnapshot};
        let refused = without_answer(TransportErrorKind::Connect);
        let broken = without_answer(TransportErrorKind::Interrupted);
        assert!(may_repeat::<CreateSnapshot>(&refused) && !may_repeat::<CreateSnapshot>(&broken));
        assert!(may_repeat::<GetSnapshot>(&broken) && may_repeat::<DeactivateSnapshot>(&broken));
        let answer = |status, body: &str| {
            let secrets = Secrets::default();
            let status = StatusCode::from_u16(status).unwrap();
            from_answer(&asked(&secrets), status, &HeaderMap::new(), body.as_bytes())
        };
        assert!(may_repeat::<CreateSnapshot>(&answer(429, "")));
        for status in [502, 503, 504, 520, 524] {
            assert!(!may_repeat::<CreateSnapshot>(&answer(status, "")), "{status}");
            assert!(may_repeat::<GetSnapshot>(&answer(status, "")), "{status}");
        }
        assert!(!may_repeat::<GetSnapshot>(&answer(500, "")));
    }
}
