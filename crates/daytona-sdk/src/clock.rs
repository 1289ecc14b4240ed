//! The seam to time: now, sleep, and chance.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;

/// The time that waits, deadlines and retries go by.
///
/// Implement it to drive them in a test; the default follows tokio's clock, and so a paused one too.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Time since some fixed moment. Never goes back.
    fn now(&self) -> Duration;

    /// The date and time, by which the age of snapshots is told. Default: the system's.
    fn timestamp(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }

    /// Waits.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;

    /// A random number from 0 up to, but not including, 1, by which waits are spread.
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
        // Without a source of randomness the waits are merely not spread.
        let random = getrandom::u32().unwrap_or(u32::MAX / 2);
        f64::from(random) / (f64::from(u32::MAX) + 1.0)
    }
}
