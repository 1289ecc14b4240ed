//! When a line counts as dead.
//!
//! What the system has accepted to send may still wait. It gets the time that it takes on the slowest line that has to
//! succeed. Where the system tells how much waits, only that counts, and each change is a sign of life. Elsewhere all
//! counts that it may hold. All requests of a session share the line, and that time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The slowest line that has to succeed, in bytes a second.
const SLOWEST: u64 = 1024;

/// As much as systems hold of what they have accepted to send on one connection.
const MAX_QUEUE: u64 = 4 * 1024 * 1024;

/// The system is asked eight times while a limit passes, and once in a tenth of a second at most.
const LOOKS: u32 = 8;
const LEAST: Duration = Duration::from_millis(100);

/// The way to the store. Clones are the same line.
#[derive(Debug, Clone)]
pub(super) struct Line(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    requests: u32,
    /// When any of the requests last moved.
    last: Instant,
    /// Bytes of all of them that may wait to be sent.
    queued: u64,
    /// What the system says, since the requests last moved.
    told: Option<Told>,
}

/// What the system says of the bytes that wait.
#[derive(Debug, Clone, Copy)]
struct Told {
    waiting: u64,
    when: Instant,
    /// When they were last found to be more or fewer: what is left above the system may fill the place of what went.
    changed: Option<Instant>,
}

/// The share of one request.
#[derive(Debug)]
pub(super) struct Share {
    line: Line,
    own: Mutex<Own>,
}

#[derive(Debug)]
struct Own {
    last: Instant,
    queued: u64,
    has_left: bool,
}

impl Line {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            requests: 0,
            last: Instant::now(),
            queued: 0,
            told: None,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more request on the line.
    pub(super) fn join(&self) -> Share {
        let last = Instant::now();
        let mut state = self.state();
        state.requests += 1;
        state.last = last;
        Share {
            line: self.clone(),
            own: Mutex::new(Own {
                last,
                queued: 0,
                has_left: false,
            }),
        }
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
        state.last = Instant::now();
        state.told = None;
    }

    /// The connection has accepted this many bytes.
    pub(super) fn took(&self, bytes: u64) {
        let last = Instant::now();
        let mut own = self.own();
        if own.has_left {
            return;
        }
        let more = bytes.min(MAX_QUEUE - own.queued);
        own.queued += more;
        own.last = last;
        let mut state = self.line.state();
        state.queued += more;
        state.last = last;
        state.told = None;
    }

    /// The system says how many bytes of all requests wait to be acknowledged. Bytes of others may be among them.
    pub(super) fn told(&self, waiting: u64) {
        let when = Instant::now();
        let mut state = self.line.state();
        let changed = match state.told {
            Some(before) if waiting != before.waiting => Some(when),
            Some(before) => before.changed,
            None => None,
        };
        state.told = Some(Told { waiting, when, changed });
    }

    /// When the request counts as stalled, if nothing moves until then: nothing of all, or nothing of its own for this
    /// many times as long as there are others that may be served before it. `None` is never.
    pub(super) fn end(&self, limit: Duration) -> Option<Instant> {
        let own = self.own();
        let state = self.line.state();
        let patience = |queued: u64| limit.checked_add(Duration::from_secs(queued / SLOWEST));
        let of_all = patience(state.queued).and_then(|patience| state.last.checked_add(patience));
        let of_own =
            patience(own.queued).and_then(|patience| own.last.checked_add(patience.checked_mul(state.requests)?));
        let of_told = state.told.and_then(|told| {
            let last = told.changed.unwrap_or(state.last);
            last.checked_add(patience(told.waiting)?)
        });
        [of_all, of_own, of_told].into_iter().flatten().min()
    }

    /// When to ask the system how much waits: once the line was silent for the limit, and then now and again.
    pub(super) fn look(&self, limit: Duration) -> Option<Instant> {
        let state = self.line.state();
        match state.told {
            None => state.last.checked_add(limit),
            Some(told) => told.when.checked_add((limit / LOOKS).max(LEAST)),
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

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_mins(1);

    fn seconds(share: &Share) -> u64 {
        share.end(LIMIT).unwrap().duration_since(Instant::now()).as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_queued_has_its_time() {
        let line = Line::new();
        let share = line.join();
        assert_eq!(seconds(&share), 60);
        share.took(10 * 1024);
        assert_eq!(seconds(&share), 70);
        share.took(1024 * MAX_QUEUE);
        assert_eq!(seconds(&share), 60 + 4096, "no system keeps more");
        assert_eq!(share.end(Duration::MAX), None);
    }

    /// What waits is known: nothing of a store that acknowledged all and hangs, and less and less of a slow line.
    #[tokio::test(start_paused = true)]
    async fn what_the_system_says_counts() {
        let line = Line::new();
        let share = line.join();
        share.took(1024 * 1024);
        assert_eq!(share.look(LIMIT).unwrap(), Instant::now() + LIMIT);
        tokio::time::advance(LIMIT).await;
        share.told(10 * 1024);
        assert_eq!(seconds(&share), 10, "as long as that takes");
        share.told(0);
        assert_eq!(seconds(&share), 60, "it went on");
        share.told(0);
        tokio::time::advance(LIMIT).await;
        assert_eq!(seconds(&share), 0, "all is acknowledged, and no answer came");
        share.took(1);
        assert_eq!(seconds(&share), 60 + 1024, "what was told is of before");
        // Bytes of others do not make it wait for longer than its own may take.
        tokio::time::advance(LIMIT).await;
        share.told(u64::MAX);
        assert_eq!(seconds(&share), 1024);
    }

    /// At 1 KiB/s for all, each of eight has an eighth of it.
    #[tokio::test(start_paused = true)]
    async fn those_that_share_a_line_wait_for_each_other() {
        let line = Line::new();
        let shares: Vec<Share> = (0..8).map(|_| line.join()).collect();
        for share in &shares {
            share.took(32 * 1024);
        }
        // Nothing moves on any of them.
        assert_eq!(seconds(&shares[0]), 60 + 8 * 32);
        // The others move all the time, and this one is never served.
        let mut waited = 0;
        while shares[0].end(LIMIT).unwrap() > Instant::now() {
            tokio::time::advance(Duration::from_secs(10)).await;
            waited += 10;
            shares[1..].iter().for_each(|share| share.took(1));
        }
        assert!((8 * (60 + 32)..=8 * (60 + 32) + 10).contains(&waited), "{waited}");
        // They are done: now it has the line for itself.
        let mut shares = shares;
        let bodies = shares.split_off(1);
        for share in &bodies {
            drop(share.on_line());
            share.took(1024 * 1024);
        }
        shares[0].took(1);
        assert_eq!(seconds(&shares[0]), 60 + 32);
    }
}
