//! Waiting until a snapshot is active.

use std::future::IntoFuture;
use std::time::Duration;

use daytona_api::{GetSnapshot, Snapshot, SnapshotId, SnapshotState};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Boxed;
use super::deadline::{self, Deadline};
use super::delivery::{self, Callbacks, Delivery, Events};
use super::event::{Event, LogLine};
use super::follow;
use super::outcome::{self, Outcome};
use crate::client::Daytona;
use crate::error::{Error, ErrorKind, SnapshotInfo};

const FIRST_INTERVAL: Duration = Duration::from_secs(1);
const LONGEST_INTERVAL: Duration = Duration::from_secs(10);
/// By how much an interval grows.
const GROWTH: f64 = 1.3;

/// Waits until a snapshot is active, once it is awaited.
///
/// # Errors
///
/// Kind `BuildFailed`, `Gone`, or `WaitTimeout`; after the last, waiting again resumes.
#[derive(Debug)]
#[must_use = "does nothing until it is awaited"]
pub struct Wait {
    client: Daytona,
    id: SnapshotId,
    limit: Option<Duration>,
    callbacks: Callbacks,
}

impl Wait {
    pub(crate) fn new(client: Daytona, id: SnapshotId) -> Self {
        Self {
            client,
            id,
            limit: deadline::DEFAULT,
            callbacks: Callbacks::default(),
        }
    }

    /// How long to wait. Default: 130 minutes.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Waits as long as it takes.
    pub fn no_timeout(mut self) -> Self {
        self.limit = None;
        self
    }

    /// Hands over each line of the build log.
    pub fn on_logs(mut self, callback: impl FnMut(&LogLine) + Send + 'static) -> Self {
        self.callbacks.on_logs = Some(Box::new(callback));
        self
    }

    /// Hands over everything that happens.
    pub fn on_event(mut self, callback: impl FnMut(&Event) + Send + 'static) -> Self {
        self.callbacks.on_event = Some(Box::new(callback));
        self
    }
}

impl IntoFuture for Wait {
    type Output = Result<Snapshot, Error>;
    type IntoFuture = Boxed<Snapshot>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let deadline = Deadline::start(&self.client, self.limit);
            let (events, delivery) = delivery::start(self.callbacks);
            let found = deadline
                .enforce(self.client.call(&GetSnapshot::new(self.id.as_str())))
                .await?;
            let watching = Watching {
                client: self.client,
                deadline,
                events,
                delivery,
            };
            watching.until_active(found).await
        })
    }
}

/// A snapshot that is waited for, with all that goes on meanwhile.
#[derive(Debug)]
pub(crate) struct Watching {
    pub(crate) client: Daytona,
    pub(crate) deadline: Deadline,
    pub(crate) events: Events,
    pub(crate) delivery: Delivery,
}

impl Watching {
    /// Waits for the snapshot, of which this was the last that was seen.
    pub(crate) async fn until_active(self, seen: Snapshot) -> Result<Snapshot, Error> {
        let Self {
            client,
            deadline,
            events,
            delivery,
        } = self;
        // A log that nobody listens to is read only for the error of a failed build.
        let has_log = delivery.is_heard();
        let waiting = async {
            let mut log = LogTask::default();
            let outcome = poll(&client, &deadline, &events, seen, has_log, &mut log).await;
            log.finish(&client).await;
            let outcome = match outcome {
                Err(error) if error.kind() == ErrorKind::BuildFailed => {
                    if let (false, Some(snapshot)) = (has_log, error.snapshot()) {
                        follow::tail(&client, &snapshot.id, &events).await;
                    }
                    Err(error.with_log_tail(events.tail()))
                }
                outcome => outcome,
            };
            if let Ok(snapshot) = &outcome {
                events.put(Event::Done {
                    snapshot: Box::new(snapshot.clone()),
                });
            }
            drop(events);
            delivery.finish().await;
            outcome
        };
        deadline.enforce(waiting).await
    }
}

/// Asks for the state, ever less often, until it is final.
async fn poll(
    client: &Daytona,
    deadline: &Deadline,
    events: &Events,
    mut snapshot: Snapshot,
    has_log: bool,
    log: &mut LogTask,
) -> Result<Snapshot, Error> {
    let id = snapshot.id.clone();
    let mut last: Option<SnapshotState> = None;
    let mut interval = FIRST_INTERVAL;
    loop {
        let info = SnapshotInfo::of(&snapshot);
        deadline.note(info.clone());
        if last.as_ref() != Some(&snapshot.state) {
            tracing::debug!(%id, state = %snapshot.state, "the snapshot's state");
            events.put(Event::State {
                state: snapshot.state.clone(),
                elapsed: deadline.elapsed(),
            });
            last = Some(snapshot.state.clone());
        }
        // Before that no runner has the build, and asking for its log would hang.
        if has_log && snapshot.build_info.is_some() && snapshot.state != SnapshotState::Pending {
            log.start(client, &id, events);
        }
        match Outcome::of(&snapshot.state) {
            Outcome::Ready => return Ok(snapshot),
            Outcome::Failed => return Err(outcome::failed(&snapshot)),
            Outcome::Gone => return Err(outcome::gone(&snapshot)),
            Outcome::Progress => {}
        }
        loop {
            // Spread by a tenth, so that many waiters do not ask all at once.
            let spread = interval.mul_f64(0.9 + 0.2 * client.clock().jitter());
            client.clock().sleep(spread).await;
            interval = interval.mul_f64(GROWTH).min(LONGEST_INTERVAL);
            match client.call(&GetSnapshot::new(id.as_str())).await {
                Ok(found) => {
                    snapshot = found;
                    break;
                }
                Err(error) if error.kind() == ErrorKind::NotFound => return Err(outcome::deleted(&info)),
                // A bad poll says nothing about the snapshot.
                Err(error) if error.is_retryable() => events.put(Event::Retry {
                    reason: error.to_string(),
                }),
                Err(error) => return Err(error.with_snapshot(info)),
            }
        }
    }
}

/// The task that reads the log. Ends with the value.
#[derive(Debug, Default)]
struct LogTask {
    running: Option<(JoinHandle<()>, watch::Sender<bool>)>,
}

impl LogTask {
    fn start(&mut self, client: &Daytona, id: &SnapshotId, events: &Events) {
        if self.running.is_none() {
            let (is_over, receiver) = watch::channel(false);
            let task = tokio::spawn(follow::follow(client.clone(), id.clone(), events.clone(), receiver));
            self.running = Some((task, is_over));
        }
    }

    /// Gives the log a while to end by itself, and ends it.
    async fn finish(mut self, client: &Daytona) {
        if let Some((mut task, is_over)) = self.running.take() {
            is_over.send_replace(true);
            tokio::select! {
                _ = &mut task => return,
                () = client.clock().sleep(follow::GRACE) => task.abort(),
            }
            // It holds on to where its lines go until it has ended.
            drop(task.await);
        }
    }
}

impl Drop for LogTask {
    fn drop(&mut self) {
        if let Some((task, _)) = &self.running {
            task.abort();
        }
    }
}
