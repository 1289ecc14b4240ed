//! Waiting until a snapshot is active.

use std::future::IntoFuture;
use std::time::Duration;

use daytona_api::{GetSnapshot, Snapshot, SnapshotId, SnapshotState};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::Instrument;

use super::Boxed;
use super::deadline::{Deadline, Purpose};
use super::delivery::{self, Delivery, Sink};
use super::event::Event;
use super::log;
use super::options::{Options, option_methods};
use super::outcome::{self, Outcome};
use super::reference::SnapshotRef;
use crate::api_client::ApiClient;
use crate::error::{Error, ErrorKind, SnapshotInfo};

const FIRST_INTERVAL: Duration = Duration::from_secs(1);
const LONGEST_INTERVAL: Duration = Duration::from_secs(10);
/// By how much an interval grows.
const GROWTH: f64 = 1.3;

/// How long a snapshot that was just accepted may be unknown to where it is read from.
const LAG: Duration = Duration::from_secs(30);

/// Answers in a row that are none of the API's before a wait gives up.
const MOST_ODD_ANSWERS: u32 = 10;

/// How long the end of the log of a failed build is read for its error.
const TAIL_LIMIT: Duration = Duration::from_secs(10);

/// Waits until a snapshot is active, once it is awaited.
///
/// # Errors
///
/// Kind `BuildFailed`, `Gone`, or `WaitTimeout`; after the last, waiting again resumes. `NotFound` if it is not there.
#[derive(Debug)]
#[must_use = "does nothing until it is awaited"]
pub struct Wait {
    client: ApiClient,
    snapshot: SnapshotRef,
    options: Options,
}

impl Wait {
    pub(crate) fn new(client: ApiClient, snapshot: SnapshotRef) -> Self {
        Self {
            options: Options::new(&client),
            client,
            snapshot,
        }
    }

    option_methods!();
}

impl IntoFuture for Wait {
    type Output = Result<Snapshot, Error>;
    type IntoFuture = Boxed<Snapshot>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let deadline = Deadline::start(&self.client, Purpose::Active, self.options.limit);
            let (sink, delivery) = delivery::start(self.options.callbacks);
            let watch = Watch::new(self.client, deadline, sink);
            let outcome = match watch.deadline.enforce(watch.first(&self.snapshot)).await {
                Ok(found) => watch.until_active(found).await,
                Err(error) => Err(error),
            };
            watch.conclude(outcome, delivery).await
        })
    }
}

/// A snapshot that is waited for, with all that goes on meanwhile.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) client: ApiClient,
    pub(crate) deadline: Deadline,
    pub(crate) sink: Sink,
}

impl Watch {
    pub(crate) fn new(client: ApiClient, deadline: Deadline, sink: Sink) -> Self {
        Self { client, deadline, sink }
    }

    /// The snapshot as it is now, looked for until the deadline if the server cannot be asked.
    async fn first(&self, snapshot: &SnapshotRef) -> Result<Snapshot, Error> {
        let mut interval = Interval::new();
        loop {
            match self.client.call(&GetSnapshot::new(snapshot.as_str())).await {
                Err(error) if error.is_passing() => {
                    self.deadline.note_problem(&error);
                    self.sink.put_retry(&error);
                    interval.sleep(&self.client, error.retry_after()).await;
                }
                found => return snapshot.check(found?),
            }
        }
    }

    /// Waits for the snapshot, of which this was the last that was seen. The deadline is enforced; once the outcome is known,
    /// it no longer decides.
    pub(crate) async fn until_active(&self, seen: Snapshot) -> Result<Snapshot, Error> {
        let mut log = LogTask::default();
        let outcome = self.deadline.enforce(Box::pin(self.poll(seen, &mut log))).await;
        if matches!(&outcome, Err(error) if error.kind() == ErrorKind::WaitTimeout) {
            return outcome;
        }
        self.deadline.bound(log.finish()).await;
        match outcome {
            Err(error) if error.kind() == ErrorKind::BuildFailed => Err(self.with_tail(error).await),
            outcome => outcome,
        }
    }

    /// The error of a failed build with the last lines of its log; where nobody listened it is read now.
    async fn with_tail(&self, error: Error) -> Error {
        let has_log = error.snapshot().is_some_and(|_| !self.sink.is_heard());
        if let (true, Some(snapshot)) = (has_log, error.snapshot()) {
            let reading = async {
                let found = self.client.call(&GetSnapshot::new(snapshot.id.as_str())).await?;
                if found.build_info.is_some() {
                    log::read_once(self.client.clone(), found, self.sink.clone()).await?;
                }
                Ok::<(), Error>(())
            };
            let clock = self.client.clock();
            // Whatever comes of it.
            tokio::select! {
                _ = self.deadline.bound(Box::pin(reading)) => {}
                () = clock.sleep(TAIL_LIMIT) => {}
            }
        }
        error.with_log_tail(self.sink.tail())
    }

    /// Tells the outcome, and waits until all is delivered.
    pub(crate) async fn conclude(
        self,
        outcome: Result<Snapshot, Error>,
        delivery: Delivery,
    ) -> Result<Snapshot, Error> {
        if let Ok(snapshot) = &outcome {
            self.sink.put(Event::Done {
                snapshot: Box::new(snapshot.clone()),
            });
        }
        let Self { deadline, sink, .. } = self;
        drop(sink);
        deadline.bound(delivery.finish()).await;
        outcome
    }

    /// Asks for the state, ever less often, until it is final.
    async fn poll(&self, mut snapshot: Snapshot, log: &mut LogTask) -> Result<Snapshot, Error> {
        let id = snapshot.id.clone();
        let mut last: Option<SnapshotState> = None;
        let mut interval = Interval::new();
        let begun = self.client.clock().now();
        let mut was_found = false;
        let mut odd_answers = 0;
        loop {
            let info = SnapshotInfo::of(&snapshot);
            self.deadline.note(info.clone());
            let elapsed = self.deadline.elapsed();
            if last.as_ref() != Some(&snapshot.state) {
                tracing::debug!(%id, state = %snapshot.state, "the snapshot's state");
                if matches!(snapshot.state, SnapshotState::Unknown(_)) {
                    tracing::warn!(%id, state = %snapshot.state, "a state that is not known counts as progress");
                }
                let state = snapshot.state.clone();
                self.sink.put(Event::State { state, elapsed });
                last = Some(snapshot.state.clone());
            }
            // Before that no runner has the build, and asking for its log would hang.
            if self.sink.is_heard() && snapshot.build_info.is_some() && snapshot.state != SnapshotState::Pending {
                log.start(&self.client, &snapshot, &self.sink);
            }
            match Outcome::of(&snapshot.state) {
                Outcome::Ready => return Ok(snapshot),
                Outcome::Failed => return Err(outcome::failed(&snapshot)),
                Outcome::Gone => return Err(outcome::gone(&snapshot)),
                Outcome::Progress => {}
            }
            let mut wished = None;
            snapshot = loop {
                interval.sleep(&self.client, wished).await;
                let error = match self.client.call(&GetSnapshot::new(id.as_str())).await {
                    Ok(found) if found.id == id => break found,
                    Ok(found) => {
                        let message = format!("asked for snapshot {id}, the server answered with {}", found.id);
                        Error::new(ErrorKind::Decode, message)
                    }
                    Err(error) => error,
                };
                let age = self.client.clock().now().saturating_sub(begun);
                match error.kind() {
                    ErrorKind::NotFound if was_found || age > LAG => return Err(outcome::deleted(&info)),
                    ErrorKind::NotFound => {}
                    // A bad poll says nothing about the snapshot.
                    _ if error.is_passing() => {}
                    ErrorKind::Decode | ErrorKind::NotAnApi if odd_answers < MOST_ODD_ANSWERS => odd_answers += 1,
                    _ => return Err(error.with_snapshot(info)),
                }
                wished = error.retry_after();
                self.deadline.note_problem(&error);
                self.sink.put_retry(&error);
            };
            was_found = true;
            odd_answers = 0;
            let (state, elapsed) = (snapshot.state.clone(), self.deadline.elapsed());
            self.sink.put(Event::Polled { state, elapsed });
        }
    }
}

/// The time between two looks: it grows, and is spread so that many waiters do not ask all at once.
pub(crate) struct Interval(Duration);

impl Interval {
    pub(crate) fn new() -> Self {
        Self(FIRST_INTERVAL)
    }

    /// Waits, as long as the server wishes if that is longer.
    pub(crate) async fn sleep(&mut self, client: &ApiClient, wished: Option<Duration>) {
        let spread = self.0.mul_f64(0.9 + 0.2 * client.clock().jitter());
        self.0 = self.0.mul_f64(GROWTH).min(LONGEST_INTERVAL);
        client.clock().sleep(spread.max(wished.unwrap_or_default())).await;
    }
}

/// Waits until no snapshot has this id any more.
pub(crate) async fn until_gone(client: &ApiClient, deadline: &Deadline, id: &SnapshotId) -> Result<(), Error> {
    until(client, deadline, id, |found| found.is_none()).await.map(drop)
}

/// Waits until the snapshot is inactive.
pub(crate) async fn until_inactive(
    client: &ApiClient,
    deadline: &Deadline,
    id: &SnapshotId,
) -> Result<Snapshot, Error> {
    let is_there = |found: Option<&Snapshot>| found.is_none_or(|found| found.state == SnapshotState::Inactive);
    let found = until(client, deadline, id, is_there).await?;
    found.ok_or_else(|| {
        Error::new(
            ErrorKind::Gone,
            format!("snapshot {id} was deleted while it was deactivated"),
        )
    })
}

/// Looks at the snapshot of this id, or that there is none, until it is as it should be.
async fn until(
    client: &ApiClient,
    deadline: &Deadline,
    id: &SnapshotId,
    is_reached: impl Fn(Option<&Snapshot>) -> bool,
) -> Result<Option<Snapshot>, Error> {
    let mut interval = Interval::new();
    loop {
        let wished = match client.call(&GetSnapshot::new(id.as_str())).await {
            Err(error) if error.is_passing() => {
                deadline.note_problem(&error);
                error.retry_after()
            }
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            answer => {
                // A name can look like an id.
                let found = answer.ok().filter(|found| found.id == *id);
                if let Some(found) = &found {
                    deadline.note(SnapshotInfo::of(found));
                }
                if is_reached(found.as_ref()) {
                    return Ok(found);
                }
                None
            }
        };
        interval.sleep(client, wished).await;
    }
}

/// The task that reads the log. Ends with the value.
#[derive(Debug, Default)]
struct LogTask {
    running: Option<(JoinHandle<()>, watch::Sender<bool>)>,
}

impl LogTask {
    fn start(&mut self, client: &ApiClient, snapshot: &Snapshot, sink: &Sink) {
        if self.running.is_none() {
            let (is_over, receiver) = watch::channel(false);
            let reading = log::follow(client.clone(), snapshot.clone(), sink.clone(), receiver);
            self.running = Some((tokio::spawn(reading.in_current_span()), is_over));
        }
    }

    /// Gives the log a while to end by itself.
    async fn finish(mut self) {
        if let Some((task, is_over)) = &mut self.running {
            is_over.send_replace(true);
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
