//! Rate limits, as the measured server applies them if an installation configures them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use jiff::Timestamp;

use crate::base::clock::after;

/// Limits the requests of each organization over all its routes, and the failed logins from each address.
///
/// Once a limit is passed, everything is refused for a whole window. All times are those of the emulator's clock.
///
/// ```
/// use std::time::Duration;
///
/// use daytona_emulator::{Emulator, RateLimits};
///
/// # fn main() -> std::io::Result<()> {
/// let emulator = Emulator::builder().in_process()?;
/// // 100 requests and 5 failed logins in a minute.
/// emulator.set_rate_limits(RateLimits::new(100, 5, Duration::from_mins(1)));
/// emulator.set_rate_limits(None);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct RateLimits {
    requests: u32,
    /// No limit where there is none.
    failed_logins: Option<u32>,
    window: Duration,
}

impl RateLimits {
    /// Sets how many requests and failed logins a window allows. The last failed login is already refused.
    pub fn new(requests: u32, failed_logins: u32, window: Duration) -> Self {
        Self {
            requests,
            failed_logins: Some(failed_logins),
            window,
        }
    }

    /// Limits only the requests.
    pub(crate) fn of_requests(requests: u32, window: Duration) -> Self {
        Self {
            requests,
            failed_logins: None,
            window,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Window {
    ends: Timestamp,
    count: u32,
    /// Since the first refusal, until then.
    blocked: Option<Timestamp>,
}

/// The counters of the limits.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    limits: Option<RateLimits>,
    windows: HashMap<(&'static str, String), Window>,
}

/// Headers that a limit adds to an answer.
pub(crate) type LimitHeaders = Vec<(HeaderName, HeaderValue)>;

/// The decision of a limit about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass(LimitHeaders),
    Refuse(LimitHeaders),
}

impl Limiter {
    pub(crate) fn set(&self, limits: Option<RateLimits>) {
        let mut state = self.lock();
        state.limits = limits;
        state.windows.clear();
    }

    /// Counts a request of an organization.
    pub(crate) fn request(&self, organization: &str, now: Timestamp) -> Verdict {
        let mut state = self.lock();
        let Some(limits) = state.limits else {
            return Verdict::Pass(Vec::new());
        };
        let name = "authenticated";
        let window = state.window(name, organization, limits.window, now);
        if window.blocked.is_none() && window.count < limits.requests {
            window.count += 1;
            return Verdict::Pass(counters(name, limits.requests, window, now));
        }
        let until = *window.blocked.get_or_insert(after(now, limits.window));
        window.ends = until;
        Verdict::Refuse(vec![number(&format!("retry-after-{name}"), seconds(now, until))])
    }

    /// Whether requests from an address are looked at at all.
    pub(crate) fn address(&self, address: &str, now: Timestamp) -> Verdict {
        let mut state = self.lock();
        let Some((limit, length)) = state.failed_logins() else {
            return Verdict::Pass(Vec::new());
        };
        let window = state.window(FAILED, address, length, now);
        if window.blocked.is_some() {
            return Verdict::Refuse(blocked(limit, window, now));
        }
        Verdict::Pass(Vec::new())
    }

    /// Counts a failed login from an address.
    pub(crate) fn failed_login(&self, address: &str, now: Timestamp) -> Verdict {
        let mut state = self.lock();
        let Some((limit, length)) = state.failed_logins() else {
            return Verdict::Pass(Vec::new());
        };
        let window = state.window(FAILED, address, length, now);
        window.count += 1;
        if window.count < limit {
            return Verdict::Pass(counters(FAILED, limit, window, now));
        }
        let until = *window.blocked.get_or_insert(after(now, length));
        window.ends = until;
        Verdict::Refuse(blocked(limit, window, now))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const FAILED: &str = "failed-auth";

impl State {
    /// How many failed logins a window allows, and its length.
    fn failed_logins(&self) -> Option<(u32, Duration)> {
        let limits = self.limits?;
        Some((limits.failed_logins?, limits.window))
    }

    /// The window in which a request falls: a new one, if the last has ended.
    fn window(&mut self, name: &'static str, whose: &str, length: Duration, now: Timestamp) -> &mut Window {
        // Windows of the past are forgotten, so that their number follows that of the callers.
        self.windows.retain(|_, window| window.ends > now);
        self.windows.entry((name, whose.to_owned())).or_insert(Window {
            ends: after(now, length),
            count: 0,
            blocked: None,
        })
    }
}

fn counters(name: &str, limit: u32, window: &Window, now: Timestamp) -> LimitHeaders {
    vec![
        number(&format!("x-ratelimit-limit-{name}"), limit.into()),
        number(
            &format!("x-ratelimit-remaining-{name}"),
            limit.saturating_sub(window.count).into(),
        ),
        number(&format!("x-ratelimit-reset-{name}"), seconds(now, window.ends)),
    ]
}

fn blocked(limit: u32, window: &Window, now: Timestamp) -> LimitHeaders {
    let mut headers = counters(FAILED, limit, window, now);
    headers.push(number("retry-after", seconds(now, window.ends)));
    headers
}

fn number(name: &str, value: u64) -> (HeaderName, HeaderValue) {
    let name = HeaderName::try_from(name).expect("made of letters and dashes");
    (name, HeaderValue::from(value))
}

/// Whole seconds until then, rounded up.
fn seconds(now: Timestamp, then: Timestamp) -> u64 {
    let left = Duration::try_from(then.duration_since(now)).unwrap_or_default();
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
}
