//! The seam for time: the current time, sleep and random numbers.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;

/// The time that all waits, deadlines and retries use.
///
/// Implement it to control time in a test. The default follows tokio's clock, even while that is paused.
///
/// ```
/// use std::future::Future;
/// use std::pin::Pin;
/// use std::sync::Mutex;
/// use std::time::Duration;
///
/// /// A clock that jumps ahead whenever somebody waits, so that no wait takes any time.
/// #[derive(Debug, Default)]
/// struct Hasty(Mutex<Duration>);
///
/// impl daytona_sdk::Clock for Hasty {
///     fn now(&self) -> Duration {
///         *self.0.lock().unwrap()
///     }
///
///     fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
///         *self.0.lock().unwrap() += duration;
///         Box::pin(tokio::task::yield_now())
///     }
///
///     fn jitter(&self) -> f64 {
///         0.5
///     }
/// }
///
/// let daytona = daytona_sdk::Daytona::builder()
///     .api_key("key")
///     .clock(Hasty::default())
///     .build()?;
/// # Ok::<(), daytona_sdk::Error>(())
/// ```
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time since a fixed moment. It never goes back.
    fn now(&self) -> Duration;

    /// The date and time, which decides the age of a snapshot. Default: the system's.
    fn timestamp(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }

    /// Returns a future that completes after this duration.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;

    /// A random number from 0 up to, but not including, 1. It spreads the waits of several clients.
    fn jitter(&self) -> f64;
}

/// tokio's clock.
#[derive(Debug)]
pub(crate) struct TokioClock {
    start: Instant,
    date: jiff::Timestamp,
}

impl TokioClock {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            date: jiff::Timestamp::now(),
        }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn timestamp(&self) -> jiff::Timestamp {
        self.date.saturating_add(self.now()).unwrap_or(self.date)
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn jitter(&self) -> f64 {
        // Without a source of randomness, waits are only not spread.
        let random = getrandom::u32().unwrap_or(u32::MAX / 2);
        f64::from(random) / (f64::from(u32::MAX) + 1.0)
    }
}
