//! When a line counts as dead.
//!
//! What the system has accepted to send may still wait. It gets the time that it takes on the slowest line that has to
//! succeed. Where the system tells how much is not acknowledged, only that counts, and each change is a sign of life.
//! Elsewhere all counts that it may hold. All requests of a session share the line and that time, and one of them asks the
//! system for all.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

#[cfg(test)]
mod tests;

/// The slowest line that has to succeed, in bytes a second.
const SLOWEST: u64 = 1024;

/// As much as systems hold of what they have accepted to send on one connection.
const MAX_QUEUE: u64 = 4 * 1024 * 1024;

/// The system is asked at least this often while a limit passes.
const QUESTIONS_PER_LIMIT: u32 = 8;

/// The time from one question to the next is no shorter.
const MIN_BETWEEN_QUESTIONS: Duration = Duration::from_millis(100);

/// The way to the store. Clones are the same line.
#[derive(Debug, Clone)]
pub(super) struct Line(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// The system has answered.
    answered: Notify,
}

#[derive(Debug)]
struct State {
    requests: u32,
    /// When any of the requests last moved.
    last_moved: Instant,
    /// Bytes of all of them that may wait to be sent.
    queued: u64,
    /// What the system says, since the requests last moved.
    unacknowledged: Option<Unacknowledged>,
    /// Whether one of the requests is asking the system.
    is_asking: bool,
}

/// What the system says of the bytes that no peer has acknowledged. Bytes of others may be among them.
#[derive(Debug, Clone, Copy)]
struct Unacknowledged {
    bytes: u64,
    asked: Instant,
    /// When they were last found to be more or fewer: what is left above the system may fill the place of what went.
    changed: Option<Instant>,
    /// By how much they may change yet. Each byte that is queued comes and goes once: what changes more is not ours.
    changes_left: u64,
}

/// The share of one request.
#[derive(Debug)]
pub(super) struct Share {
    line: Line,
    own: Mutex<Own>,
}

#[derive(Debug)]
struct Own {
    last_moved: Instant,
    queued: u64,
    has_left: bool,
}

impl Line {
    pub(super) fn new() -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                requests: 0,
                last_moved: Instant::now(),
                queued: 0,
                unacknowledged: None,
                is_asking: false,
            }),
            answered: Notify::new(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more request on the line.
    pub(super) fn join(&self) -> Share {
        let mut state = self.state();
        state.requests += 1;
        state.moved();
        Share {
            line: self.clone(),
            own: Mutex::new(Own {
                last_moved: state.last_moved,
                queued: 0,
                has_left: false,
            }),
        }
    }

    /// Asks the system if it is time to and nobody does, on another thread: that may be long in coming, and nobody waits for
    /// it. Otherwise tells when it will be time.
    fn ask_in_time(&self, limit: Duration, end: Instant, ask: fn() -> Option<u64>) -> Option<Instant> {
        let mut state = self.state();
        if state.is_asking {
            return None;
        }
        let asked = Instant::now();
        let due = state.next_question(limit, end)?;
        if due > asked {
            return Some(due);
        }
        state.is_asking = true;
        drop(state);
        let line = self.clone();
        let question = Question { line, asked };
        tokio::task::spawn_blocking(move || question.answer(ask()));
        None
    }
}

impl State {
    /// Once the line was silent for the limit, and then now and again: more often when the end is near, so that what changed
    /// before is known.
    fn next_question(&self, limit: Duration, end: Instant) -> Option<Instant> {
        let Some(before) = self.unacknowledged else {
            return self.last_moved.checked_add(limit);
        };
        let left = end.saturating_duration_since(before.asked);
        let wait = (left / 2).min(limit / QUESTIONS_PER_LIMIT).max(MIN_BETWEEN_QUESTIONS);
        before.asked.checked_add(wait)
    }

    fn moved(&mut self) {
        self.last_moved = Instant::now();
        self.unacknowledged = None;
    }

    /// Notes what the system answered to a question of this time.
    fn note(&mut self, bytes: u64, asked: Instant) {
        if asked < self.last_moved {
            // It does not count what was sent since.
            return;
        }
        let mut now = Unacknowledged {
            bytes,
            asked,
            changed: None,
            changes_left: 2 * self.queued,
        };
        if let Some(before) = self.unacknowledged {
            let change = bytes.abs_diff(before.bytes);
            let is_sign_of_life = (1..=before.changes_left).contains(&change);
            now.changed = if is_sign_of_life { Some(asked) } else { before.changed };
            now.changes_left = before.changes_left.saturating_sub(change);
        }
        self.unacknowledged = Some(now);
    }
}

/// A question to the system that has no answer yet.
struct Question {
    line: Line,
    asked: Instant,
}

impl Question {
    /// `None` where the system does not tell: then all counts that is queued.
    fn answer(self, unacknowledged: Option<u64>) {
        self.line.state().note(unacknowledged.unwrap_or(u64::MAX), self.asked);
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.line.state().is_asking = false;
        self.line.0.answered.notify_waiters();
    }
}

impl Share {
    fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves the line when it is dropped, whoever still holds the body.
    pub(super) fn on_line(&self) -> OnLine<'_> {
        OnLine(self)
    }

    fn leave(&self) {
        let mut own = self.own();
        if std::mem::replace(&mut own.has_left, true) {
            return;
        }
        let mut state = self.line.state();
        state.queued -= own.queued;
        state.requests -= 1;
        // Its end is a sign of life for those that it kept waiting.
        state.moved();
    }

    /// The connection has accepted this many bytes.
    pub(super) fn took(&self, bytes: u64) {
        let mut own = self.own();
        if own.has_left {
            return;
        }
        let more = bytes.min(MAX_QUEUE - own.queued);
        own.queued += more;
        let mut state = self.line.state();
        state.queued += more;
        state.moved();
        own.last_moved = state.last_moved;
    }

    /// When the request counts as stalled, if nothing moves until then: nothing of all, or nothing of its own for this
    /// many times as long as there are others that may be served before it. `None` is never.
    fn end(&self, limit: Duration) -> Option<Instant> {
        let own = self.own();
        let state = self.line.state();
        let patience = |bytes: u64| limit.checked_add(Duration::from_secs(bytes / SLOWEST));
        let (last_sign, waiting) = match state.unacknowledged {
            Some(now) => (now.changed.unwrap_or(state.last_moved), now.bytes.min(state.queued)),
            None => (state.last_moved, state.queued),
        };
        let of_all = last_sign.checked_add(patience(waiting)?);
        if state.requests == 1 {
            return of_all;
        }
        let of_own =
            patience(own.queued).and_then(|patience| own.last_moved.checked_add(patience.checked_mul(state.requests)?));
        [of_all, of_own].into_iter().flatten().min()
    }

    /// Ends when the request counts as stalled. `ask` asks the system how many bytes are not acknowledged, and may block.
    pub(super) async fn stalled(&self, limit: Duration, ask: fn() -> Option<u64>) {
        loop {
            let answered = self.line.0.answered.notified();
            tokio::pin!(answered);
            answered.as_mut().enable();
            let Some(end) = self.end(limit) else {
                return std::future::pending().await;
            };
            if end <= Instant::now() {
                return;
            }
            let question = self.line.ask_in_time(limit, end, ask);
            tokio::select! {
                () = answered => {}
                () = sleep_until(question.map_or(end, |question| question.min(end))) => {}
            }
        }
    }
}

/// On the line until it is dropped.
pub(super) struct OnLine<'a>(&'a Share);

impl Drop for OnLine<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.leave();
    }
}
