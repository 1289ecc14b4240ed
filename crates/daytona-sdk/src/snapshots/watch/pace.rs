//! Decides when the next look at the server is due.

use std::future::pending;
use std::time::Duration;

use tokio::sync::Notify;

use super::deadline::Deadline;
use crate::api_client::ApiClient;

/// The time between two looks in the first minutes. Looks are never closer, whatever the reason.
const INTERVAL: Duration = Duration::from_secs(1);

/// The time between two looks after that.
const LATER_INTERVAL: Duration = Duration::from_secs(2);

/// How long the shorter interval applies, from the beginning of a wait.
const EAGER: Duration = Duration::from_mins(10);

/// By which fraction an interval may be longer, so that many waiting clients do not ask at once.
const SPREAD: f64 = 0.1;

/// The longest pause that the server gets when it asks for one.
const LONGEST_QUIET: Duration = Duration::from_mins(5);

/// If less than this fraction of the allowed requests is left, they are spread over the rest of the window.
const SCARCE: f64 = 0.2;

/// The pace of the looks.
#[derive(Debug)]
pub(crate) struct Pace {
    client: ApiClient,
    begun: Duration,
    has_looked: bool,
    /// The end of the pause that the server asks for.
    quiet_until: Duration,
}

impl Pace {
    /// The first look is due at once, or a second after the last look of the same call.
    pub(crate) fn new(client: &ApiClient) -> Self {
        Self {
            client: client.clone(),
            begun: client.clock().now(),
            has_looked: false,
            quiet_until: Duration::ZERO,
        }
    }

    /// As if there had been a look at this time: the first look is due an interval later.
    pub(crate) fn after_a_look(client: &ApiClient, at: Duration) -> Self {
        client.heard().note_look(at);
        Self::new(client)
    }

    /// The server asks for a pause of this length.
    pub(crate) fn heed(&mut self, wished: Option<Duration>) {
        if let Some(wished) = wished {
            let until = self.client.clock().now() + wished.min(LONGEST_QUIET);
            self.quiet_until = self.quiet_until.max(until);
        }
    }

    /// Waits until a look is due: an interval after the previous one, sooner if there is a reason to look, and always
    /// once before the deadline.
    pub(crate) async fn due(&mut self, reason: Option<&Notify>, deadline: &Deadline) {
        let clock = self.client.clock();
        if let Some(last) = self.client.heard().last_look() {
            let earliest = (last + INTERVAL).max(self.quiet_until).max(last + self.ration());
            let interval = if self.has_looked { self.interval() } else { INTERVAL };
            let due = earliest.max(last + interval);
            let last_chance = deadline
                .last_look_at()
                .filter(|at| clock.now() < *at)
                .map(|at| at.max(last + INTERVAL));
            let until = |due: Duration| {
                let due = last_chance.map_or(due, |chance| due.min(chance));
                clock.sleep(due.saturating_sub(clock.now()))
            };
            tokio::select! {
                () = until(due) => {}
                () = async {
                    match reason {
                        Some(reason) => reason.notified().await,
                        None => pending().await,
                    }
                    until(earliest).await;
                } => {}
            }
        }
        self.client.heard().note_look(clock.now());
        self.has_looked = true;
    }

    fn interval(&self) -> Duration {
        let clock = self.client.clock();
        let age = clock.now().saturating_sub(self.begun);
        let interval = if age < EAGER { INTERVAL } else { LATER_INTERVAL };
        interval.mul_f64(1.0 + SPREAD * clock.jitter())
    }

    /// The interval that makes the allowed requests last until the window ends.
    fn ration(&self) -> Duration {
        match self.client.heard().allowance() {
            Some(left) if left.is_below(SCARCE) => left.ration().min(LONGEST_QUIET),
            _ => Duration::ZERO,
        }
    }
}
