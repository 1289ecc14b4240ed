//! The time that the emulator lives in.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

/// The emulator's time: it runs, or a test holds it and moves it.
///
/// A running clock follows tokio's, so that it stands still and jumps with a paused one. Clones share their time.
#[derive(Debug, Clone)]
pub struct Clock {
    state: Arc<Mutex<State>>,
    moved: watch::Sender<()>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Running { base: Timestamp, since: Instant },
    Held { now: Timestamp },
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            state: Arc::new(Mutex::new(State::Running {
                base: Timestamp::now(),
                since: Instant::now(),
            })),
            moved: watch::Sender::new(()),
        }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        now(&self.lock())
    }

    /// Stops the time where it is.
    pub fn hold(&self) {
        let mut state = self.lock();
        *state = State::Held { now: now(&state) };
    }

    /// Lets the time run on from where it is.
    pub fn release(&self) {
        let mut state = self.lock();
        *state = State::Running {
            base: now(&state),
            since: Instant::now(),
        };
        drop(state);
        self.moved.send_replace(());
    }

    /// Moves the time forward, whether it is held or runs.
    pub fn advance(&self, by: Duration) {
        match &mut *self.lock() {
            State::Running { base, .. } => *base = after(*base, by),
            State::Held { now } => *now = after(*now, by),
        }
        self.moved.send_replace(());
    }

    /// Waits until it is that time.
    pub(crate) async fn sleep_until(&self, time: Timestamp) {
        let mut moved = self.moved.subscribe();
        loop {
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
                State::Running { .. } => tokio::select! {
                    () = tokio::time::sleep(left) => {}
                    _ = moved.changed() => {}
                },
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn now(state: &State) -> Timestamp {
    match state {
        State::Running { base, since } => after(*base, since.elapsed()),
        State::Held { now } => *now,
    }
}

/// A time some while later; the end of time if that is too far.
pub(crate) fn after(time: Timestamp, by: Duration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}
