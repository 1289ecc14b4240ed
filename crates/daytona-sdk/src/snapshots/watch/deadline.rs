//! One deadline for everything that a call does, and what is known when it passes.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use daytona_api::{SandboxState, Snapshot};
use jiff::Timestamp;

use super::outcome::Outcome;
use crate::api_client::ApiClient;
use crate::error::{Error, ErrorKind, SnapshotInfo};

/// How long the last look before the deadline may take.
const LAST_LOOK: Duration = Duration::from_secs(2);

/// After this time a look counts as hung, if there is time for another one.
const HANGING: Duration = Duration::from_secs(5);

/// The goal of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goal {
    /// That a snapshot is active.
    Active,
    /// That it is inactive.
    Inactive,
    /// That it is gone.
    Removal,
    /// An answer.
    Answer,
}

/// The time after which a call gives up, and what it reports then.
#[derive(Debug, Clone)]
pub(crate) struct Deadline {
    client: ApiClient,
    goal: Goal,
    start: Duration,
    limit: Option<Duration>,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    stage: Stage,
    /// Why the last look failed, if it did.
    problem: Option<String>,
}

/// The progress of a call.
#[derive(Debug, Default)]
enum Stage {
    /// The server knows nothing yet.
    #[default]
    Before,
    /// The server was asked to create this, and has not answered.
    Asked(String, Option<Timestamp>),
    /// The last known snapshot.
    Seen(SnapshotInfo),
    /// A snapshot of the same name with another definition, which somebody else is making.
    Foreign(SnapshotInfo),
    /// The last known sandbox, and its snapshot.
    Sandbox {
        name: String,
        state: SandboxState,
        snapshot: Option<SnapshotInfo>,
    },
    /// A failed snapshot was deleted, and is not created again yet.
    Deleted { name: String, reason: String },
}

impl Deadline {
    /// Starts the time now.
    pub(crate) fn start(client: &ApiClient, goal: Goal, limit: Option<Duration>) -> Self {
        Self {
            client: client.clone(),
            goal,
            start: client.clock().now(),
            limit,
            known: Arc::default(),
        }
    }

    /// The time since the beginning.
    pub(crate) fn elapsed(&self) -> Duration {
        self.client.clock().now().saturating_sub(self.start)
    }

    /// When the last look must begin, so that its answer can be there in time.
    pub(crate) fn last_look_at(&self) -> Option<Duration> {
        let limit = self.limit?;
        Some(
            self.start
                .saturating_add(limit.saturating_sub(LAST_LOOK.min(limit / 4))),
        )
    }

    /// Notes the snapshot that was seen.
    pub(crate) fn note(&self, snapshot: &Snapshot) {
        self.note_known(SnapshotInfo::of(snapshot));
    }

    /// Like [`note`](Self::note), with what an error says.
    pub(crate) fn note_known(&self, snapshot: SnapshotInfo) {
        self.enter(Stage::Seen(snapshot));
    }

    /// Notes that the call waits until a snapshot with another definition is made.
    pub(crate) fn note_foreign(&self, snapshot: &Snapshot) {
        self.enter(Stage::Foreign(SnapshotInfo::of(snapshot)));
    }

    /// Notes the sandbox that was seen.
    pub(crate) fn note_sandbox(&self, name: &str, state: &SandboxState, snapshot: Option<SnapshotInfo>) {
        self.enter(Stage::Sandbox {
            name: name.to_owned(),
            state: state.clone(),
            snapshot,
        });
    }

    /// The time that is left, or none if there is no limit.
    pub(crate) fn remaining(&self) -> Option<Duration> {
        self.limit.map(|limit| limit.saturating_sub(self.elapsed()))
    }

    /// Adds the last known snapshot to an error that ends the call, if the error names none. The snapshot may still be
    /// there.
    pub(crate) fn with_seen(&self, error: Error) -> Error {
        match &self.known().stage {
            Stage::Seen(snapshot) if error.snapshot().is_none() => error.with_snapshot(snapshot.clone()),
            _ => error,
        }
    }

    /// Notes that the server is now asked to create a snapshot, and its time.
    pub(crate) fn note_asked(&self, name: &str, since: Option<Timestamp>) {
        self.enter(Stage::Asked(name.to_owned(), since));
    }

    /// Notes that nothing exists yet.
    pub(crate) fn note_nothing(&self) {
        self.enter(Stage::Before);
    }

    /// Notes that a snapshot was deleted to be created again.
    pub(crate) fn note_deleted(&self, name: &str, reason: &str) {
        self.enter(Stage::Deleted {
            name: name.to_owned(),
            reason: reason.to_owned(),
        });
    }

    /// Notes that the last look succeeded.
    pub(crate) fn clear_problem(&self) {
        self.known().problem = None;
    }

    /// Notes why the last look failed.
    pub(crate) fn note_problem(&self, error: &Error) {
        self.known().problem = Some(error.to_string());
    }

    fn enter(&self, stage: Stage) {
        *self.known() = Known { stage, problem: None };
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The result of `future`, or an error if the deadline passes first.
    pub(crate) async fn enforce<T>(&self, future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        match self.bound(future).await {
            Some(result) => result,
            None => Err(self.passed()),
        }
    }

    /// The result of `future`, if the deadline does not pass first.
    pub(crate) async fn bound<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        if self.limit == Some(Duration::ZERO) {
            return None;
        }
        let end = self.limit.map(|limit| self.start.saturating_add(limit));
        self.until(end, future).await
    }

    /// The result of a look. None if it has hung for a while when the last look is due.
    pub(crate) async fn before_last_look<T>(&self, look: impl Future<Output = T>) -> Option<T> {
        let hangs_at = self.client.clock().now().saturating_add(HANGING);
        self.until(self.last_look_at().filter(|at| hangs_at < *at), look).await
    }

    /// Whether the deadline has passed.
    pub(crate) fn has_passed(&self) -> bool {
        self.limit.is_some_and(|limit| self.elapsed() >= limit)
    }

    async fn until<T>(&self, end: Option<Duration>, future: impl Future<Output = T>) -> Option<T> {
        let Some(end) = end else {
            return Some(future.await);
        };
        let clock = self.client.clock();
        tokio::select! {
            // A result that is ready counts, even at the last moment.
            biased;
            value = future => Some(value),
            () = clock.sleep(end.saturating_sub(clock.now())) => None,
        }
    }

    /// The error when the deadline has passed.
    pub(crate) fn passed(&self) -> Error {
        let elapsed = self.elapsed();
        let known = self.known();
        let mut message = match (&known.stage, self.goal) {
            (Stage::Seen(snapshot), goal) => {
                let SnapshotInfo { name, id, last_state } = snapshot;
                let is_made = goal == Goal::Active && Outcome::of(last_state) == Outcome::Progress;
                let way_on = if is_made {
                    "; the server goes on making it: call `wait` with its id, or `ensure` again"
                } else {
                    ""
                };
                format!("snapshot `{name}` ({id}) was still {last_state} after {elapsed:.0?}{way_on}")
            }
            (Stage::Foreign(SnapshotInfo { name, last_state, .. }), _) => format!(
                "snapshot `{name}` was still {last_state} with another definition after {elapsed:.0?}: call `ensure` again"
            ),
            (Stage::Asked(name, _), _) => format!(
                "no answer within {elapsed:.0?} to the request to create snapshot `{name}`: the server may have accepted it: \
                 call `ensure`, or look for the name"
            ),
            (Stage::Sandbox { name, state, .. }, _) => {
                format!("sandbox `{name}` was still {state} after {elapsed:.0?}")
            }
            (Stage::Deleted { name, reason }, _) => {
                format!("snapshot `{name}` was deleted, and was not created again within {elapsed:.0?} ({reason})")
            }
            (Stage::Before, _) if self.limit == Some(Duration::ZERO) => {
                "the timeout is zero, so nothing was tried; for no limit, use `no_timeout`".to_owned()
            }
            (Stage::Before, Goal::Active) => format!("timed out after {elapsed:.0?}, with no snapshot created"),
            (Stage::Before, Goal::Inactive) => format!("the snapshot was not inactive after {elapsed:.0?}"),
            (Stage::Before, Goal::Removal) => format!("the snapshot was still there after {elapsed:.0?}"),
            (Stage::Before, Goal::Answer) => format!("no answer within {elapsed:.0?}"),
        };
        if let Some(problem) = &known.problem {
            message.push_str("; the last request failed: ");
            message.push_str(problem);
        }
        let error = Error::new(ErrorKind::WaitTimeout, message).with_elapsed(elapsed);
        match &known.stage {
            Stage::Seen(snapshot)
            | Stage::Sandbox {
                snapshot: Some(snapshot),
                ..
            } => error.with_snapshot(snapshot.clone()),
            _ => error,
        }
    }

    /// The server's time before it was asked to create a snapshot, if it has not answered that request.
    pub(crate) fn asked_since(&self) -> Option<Timestamp> {
        match &self.known().stage {
            Stage::Asked(_, since) => *since,
            _ => None,
        }
    }
}
