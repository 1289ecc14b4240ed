//! Waits until a snapshot is active, and delivers its log.

use std::sync::Arc;
use std::time::Duration;

use daytona_api::{Snapshot, SnapshotState};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tracing::Instrument;

use super::credentials;
use super::outcome::{self, Outcome};
use super::poll::Looks;
use super::scope::Scope;
use crate::api_client::LAG;
use crate::error::{Error, ErrorKind, SnapshotInfo};
use crate::snapshots::events::event::Event;
use crate::snapshots::log::follow;

/// How long a look may take if the deadline has already passed, so that it is the only one.
const GRACE: Duration = Duration::from_secs(5);

/// How often in a row a known snapshot may be missing before it counts as deleted.
const MOST_MISSES: u32 = 1;

/// How long the end of a failed build's log is read for the error.
const TAIL_LIMIT: Duration = Duration::from_secs(10);

/// Waits until the snapshot is active. `seen` is its last known state. The deadline is enforced, but once the
/// outcome is known, it no longer matters.
pub(crate) async fn until_active(scope: &Scope, seen: Snapshot) -> Result<Snapshot, Error> {
    let now = scope.client.clock().now();
    until_active_since(scope, seen, now).await
}

/// Like [`until_active`], for a snapshot that was seen at this time.
pub(crate) async fn until_active_since(scope: &Scope, mut seen: Snapshot, at: Duration) -> Result<Snapshot, Error> {
    if scope.deadline.has_passed() {
        // The caller came late, but still learns the outcome.
        let id = seen.id.clone();
        let mut looks = Looks::new(scope);
        tokio::select! {
            found = looks.at_own(&id) => seen = found?.unwrap_or(seen),
            () = scope.client.clock().sleep(GRACE) => {}
        }
        if seen.state == SnapshotState::Active {
            return Ok(seen);
        }
    }
    let mut log = LogTask::default();
    let outcome = scope
        .deadline
        .enforce(Box::pin(poll(scope, &mut seen, at, &mut log)))
        .await;
    if matches!(&outcome, Err(error) if error.kind() == ErrorKind::WaitTimeout) {
        return outcome;
    }
    scope.deadline.bound(log.finish()).await;
    match outcome {
        Err(error) if error.kind() == ErrorKind::BuildFailed => {
            let error = credentials::explain(scope, error, &seen).await;
            Err(with_tail(scope, error, seen).await)
        }
        outcome => outcome,
    }
}

/// Looks at the snapshot until its state is final.
async fn poll(scope: &Scope, snapshot: &mut Snapshot, at: Duration, log: &mut LogTask) -> Result<Snapshot, Error> {
    let Scope { client, deadline, sink } = scope;
    let id = snapshot.id.clone();
    let reason = Arc::new(Notify::new());
    let mut looks = Looks::after_a_look(scope, at).sooner_on(Arc::clone(&reason));
    let begun = client.clock().now();
    let mut last: Option<SnapshotState> = None;
    let mut was_found = false;
    loop {
        deadline.note(snapshot);
        let was_seen = last.is_some();
        if last.as_ref() != Some(&snapshot.state) {
            tracing::debug!(%id, state = %snapshot.state, "the snapshot's state");
            if matches!(snapshot.state, SnapshotState::Unknown(_)) {
                tracing::warn!(%id, state = %snapshot.state, "an unknown state counts as progress");
            }
            let (state, elapsed) = (snapshot.state.clone(), deadline.elapsed());
            sink.put(Event::State { state, elapsed });
            last = Some(snapshot.state.clone());
        }
        if sink.is_heard() && follow::has_log(snapshot) {
            log.start(scope, snapshot, &reason);
        }
        match Outcome::of(&snapshot.state) {
            Outcome::Ready => return Ok(snapshot.clone()),
            Outcome::Failed => return Err(outcome::failed(snapshot)),
            Outcome::Gone => return Err(outcome::gone(snapshot, was_seen)),
            Outcome::Progress => {}
        }
        let mut misses = 0;
        *snapshot = loop {
            let found = looks.at_own(&id).await;
            // Reads may not show yet what was acknowledged a moment ago.
            let may_be_behind = !was_found && client.clock().now().saturating_sub(begun) <= LAG;
            match found.map_err(|error| error.with_snapshot(SnapshotInfo::of(snapshot)))? {
                Some(found) if found.state == SnapshotState::Inactive && may_be_behind => {}
                Some(found) => break found,
                None if may_be_behind => {}
                // Reads may come from several replicas, and one may be behind.
                None if misses < MOST_MISSES => misses += 1,
                None => return Err(outcome::deleted(snapshot)),
            }
        };
        was_found = true;
        let (state, elapsed) = (snapshot.state.clone(), deadline.elapsed());
        sink.put(Event::Polled { state, elapsed });
    }
}

/// The error of a failed build, with the last lines of its log. If nobody listened, the log is read now.
async fn with_tail(scope: &Scope, error: Error, failed: Snapshot) -> Error {
    if scope.sink.is_heard() {
        return error.with_log_tail(scope.sink.tail());
    }
    with_earlier_log(scope, error, failed).await
}

/// The error of a build that failed before this call, with the last lines of its log.
pub(crate) async fn with_earlier_log(scope: &Scope, error: Error, failed: Snapshot) -> Error {
    let Scope { client, deadline, sink } = scope;
    if follow::has_log(&failed) {
        let reading = follow::read_once(client.clone(), failed, sink.clone());
        // Its result does not matter.
        tokio::select! {
            _ = deadline.bound(Box::pin(reading)) => {}
            () = client.clock().sleep(TAIL_LIMIT) => {}
        }
    }
    error.with_log_tail(sink.tail())
}

/// The task that reads the log. It ends when this value is dropped.
#[derive(Debug, Default)]
struct LogTask {
    running: Option<(JoinHandle<()>, watch::Sender<bool>)>,
}

impl LogTask {
    fn start(&mut self, scope: &Scope, snapshot: &Snapshot, reason_to_look: &Arc<Notify>) {
        if self.running.is_none() {
            let (is_over, receiver) = watch::channel(false);
            let reading = follow::follow(
                scope.client.clone(),
                snapshot.clone(),
                scope.sink.clone(),
                receiver,
                Arc::clone(reason_to_look),
            );
            self.running = Some((tokio::spawn(reading.in_current_span()), is_over));
        }
    }

    /// Gives the log some time to end by itself.
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
