//! The emulator's clock.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

/// The range of speeds, relative to tokio's time.
pub(crate) const SPEEDS: RangeInclusive<f64> = 0.001..=1e6;

/// No clock is moved beyond this, so that everything that is scheduled after it is still in the future: the year 9000.
const LAST: Timestamp = Timestamp::constant(221_845_392_000, 0);

/// The emulator's clock. It runs, or a test holds and moves it.
///
/// A running clock follows tokio's clock, so it stands still and jumps with a paused one. Clones share their time.
///
/// ```
/// use std::time::Duration;
///
/// use daytona_emulator::Emulator;
///
/// # fn main() -> std::io::Result<()> {
/// let emulator = Emulator::builder().in_process()?;
/// let clock = emulator.clock();
/// clock.hold();
/// let before = clock.now();
/// clock.advance(Duration::from_mins(10));
/// assert_eq!(clock.now().duration_since(before).as_mins(), 10);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Clock {
    state: Arc<Mutex<State>>,
    /// How many times faster than tokio's time it runs.
    speed: f64,
    /// Told of every move. How many times the time was put back.
    moved: watch::Sender<u64>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Running {
        base: Timestamp,
        since: Instant,
        speed: f64,
    },
    Held {
        now: Timestamp,
    },
}

impl State {
    /// The present, from which the time runs.
    fn present(speed: f64) -> Self {
        Self::Running {
            base: Timestamp::now(),
            since: Instant::now(),
            speed,
        }
    }
}

impl Clock {
    pub(crate) fn new(speed: f64) -> Self {
        Self {
            state: Arc::new(Mutex::new(State::present(speed))),
            speed,
            moved: watch::Sender::new(0),
        }
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        now(&self.lock())
    }

    /// Stops the time where it is.
    pub fn hold(&self) {
        let mut state = self.lock();
        *state = State::Held { now: now(&state) };
    }

    /// Lets the time run again.
    pub fn release(&self) {
        let mut state = self.lock();
        *state = State::Running {
            base: now(&state),
            since: Instant::now(),
            speed: self.speed,
        };
        drop(state);
        self.moved.send_modify(|_| {});
    }

    /// Lets the time run from the present, as at the start. Every sleep ends: its time may be far away now.
    pub(crate) fn restart(&self) {
        *self.lock() = State::present(self.speed);
        self.moved.send_modify(|restarts| *restarts += 1);
    }

    /// Whether the time stands still.
    pub(crate) fn is_held(&self) -> bool {
        matches!(*self.lock(), State::Held { .. })
    }

    /// Moves the time forward, whether it is held or runs, at most to the year 9000.
    pub fn advance(&self, by: Duration) {
        match &mut *self.lock() {
            State::Running { base, .. } => *base = after(*base, by).min(LAST),
            State::Held { now } => *now = after(*now, by).min(LAST),
        }
        self.moved.send_modify(|_| {});
    }

    /// Waits until this time, or until the time is put back.
    pub(crate) async fn sleep_until(&self, time: Timestamp) {
        let mut moved = self.moved.subscribe();
        let restarts = *moved.borrow();
        while *moved.borrow_and_update() == restarts {
            let state = *self.lock();
            let Ok(left) = Duration::try_from(time.duration_since(now(&state))) else {
                return;
            };
            if left.is_zero() {
                return;
            }
            // The sender lives as long as this clock, so `changed` does not fail.
            match state {
                State::Held { .. } => drop(moved.changed().await),
                State::Running { speed, .. } => tokio::select! {
                    () = tokio::time::sleep(left.div_f64(speed)) => {}
                    _ = moved.changed() => {}
                },
            }
        }
    }

    /// Waits for a while, so that other tasks get their turn. On a held clock the wait would never end, so there it
    /// gives up its turn only once.
    pub(crate) async fn pause(&self, length: Duration) {
        let state = *self.lock();
        match state {
            State::Held { .. } => tokio::task::yield_now().await,
            State::Running { .. } => self.sleep_until(after(now(&state), length)).await,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn now(state: &State) -> Timestamp {
    match state {
        State::Running { base, since, speed } => after(*base, scaled(since.elapsed(), *speed)),
        State::Held { now } => *now,
    }
}

/// Exact at the usual speed, so that a sleep ends at the right nanosecond.
fn scaled(elapsed: Duration, speed: f64) -> Duration {
    if (speed - 1.0).abs() < f64::EPSILON {
        elapsed
    } else {
        elapsed.mul_f64(speed)
    }
}

/// The time after this duration, or the end of time if that is too far.
pub(crate) fn after(time: Timestamp, by: Duration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// A time as the API writes it: RFC 3339 with milliseconds.
pub(crate) fn time(timestamp: Timestamp) -> String {
    timestamp.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
