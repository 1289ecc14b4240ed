//! One deadline over all that a call does, and what is known when it passes.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use daytona_api::{SandboxState, Snapshot};
use jiff::Timestamp;

use super::outcome::Outcome;
use crate::api_client::ApiClient;
use crate::error::{Error, ErrorKind, SnapshotInfo};

/// What the last look before the deadline may take, at the most.
const LAST_LOOK: Duration = Duration::from_secs(2);

/// After which time a look is taken to hang, where that leaves the time for another one.
const HANGING: Duration = Duration::from_secs(5);

/// What a call is for.
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

/// A point in time after which a call gives up, and what is to be told then.
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

/// How far a call has come.
#[derive(Debug, Default)]
enum Stage {
    /// The server knows of nothing yet.
    #[default]
    Before,
    /// It was asked to create this, and has not answered.
    Asked(String, Option<Timestamp>),
    /// The snapshot as it was seen last.
    Seen(SnapshotInfo),
    /// A sandbox as it was seen last, and the snapshot that it is about.
    Sandbox {
        name: String,
        state: SandboxState,
        snapshot: Option<SnapshotInfo>,
    },
    /// What had failed was deleted, and is not made again yet.
    Deleted { name: String, reason: String },
}

impl Deadline {
    /// Begins now.
    pub(crate) fn start(client: &ApiClient, goal: Goal, limit: Option<Duration>) -> Self {
        Self {
            client: client.clone(),
            goal,
            start: client.clock().now(),
            limit,
            known: Arc::default(),
        }
    }

    /// Since the beginning.
    pub(crate) fn elapsed(&self) -> Duration {
        self.client.clock().now().saturating_sub(self.start)
    }

    /// When a last look has to begin so that its answer can be there in time.
    pub(crate) fn last_look_at(&self) -> Option<Duration> {
        let limit = self.limit?;
        Some(
            self.start
                .saturating_add(limit.saturating_sub(LAST_LOOK.min(limit / 4))),
        )
    }

    /// Notes as what a snapshot was seen.
    pub(crate) fn note(&self, snapshot: &Snapshot) {
        self.note_known(SnapshotInfo::of(snapshot));
    }

    /// [`note`](Self::note), of what an error says.
    pub(crate) fn note_known(&self, snapshot: SnapshotInfo) {
        self.enter(Stage::Seen(snapshot));
    }

    /// Notes as what a sandbox was seen.
    pub(crate) fn note_sandbox(&self, name: &str, state: &SandboxState, snapshot: Option<SnapshotInfo>) {
        self.enter(Stage::Sandbox {
            name: name.to_owned(),
            state: state.clone(),
            snapshot,
        });
    }

    /// What is left of the time; none if it has no end.
    pub(crate) fn remaining(&self) -> Option<Duration> {
        self.limit.map(|limit| limit.saturating_sub(self.elapsed()))
    }

    /// An error that ends the call, with the snapshot as it was seen last where the error names none: it may be there still.
    pub(crate) fn with_seen(&self, error: Error) -> Error {
        match &self.known().stage {
            Stage::Seen(snapshot) if error.snapshot().is_none() => error.with_snapshot(snapshot.clone()),
            _ => error,
        }
    }

    /// Notes that the server, whose time it was, is being asked to create a snapshot.
    pub(crate) fn note_asked(&self, name: &str, since: Option<Timestamp>) {
        self.enter(Stage::Asked(name.to_owned(), since));
    }

    /// Notes that nothing is there yet.
    pub(crate) fn note_nothing(&self) {
        self.enter(Stage::Before);
    }

    /// Notes that a snapshot was deleted to be made again.
    pub(crate) fn note_deleted(&self, name: &str, reason: &str) {
        self.enter(Stage::Deleted {
            name: name.to_owned(),
            reason: reason.to_owned(),
        });
    }

    /// Notes that the last look did not fail.
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

    /// What comes of `future`, if the deadline does not pass first.
    pub(crate) async fn bound<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        if self.limit == Some(Duration::ZERO) {
            return None;
        }
        let end = self.limit.map(|limit| self.start.saturating_add(limit));
        self.until(end, future).await
    }

    /// What comes of a look, unless it has hung for a while when the last look is due.
    pub(crate) async fn before_last_look<T>(&self, look: impl Future<Output = T>) -> Option<T> {
        let hangs_at = self.client.clock().now().saturating_add(HANGING);
        self.until(self.last_look_at().filter(|at| hangs_at < *at), look).await
    }

    /// Whether it has passed.
    pub(crate) fn has_passed(&self) -> bool {
        self.limit.is_some_and(|limit| self.elapsed() >= limit)
    }

    async fn until<T>(&self, end: Option<Duration>, future: impl Future<Output = T>) -> Option<T> {
        let Some(end) = end else {
            return Some(future.await);
        };
        let clock = self.client.clock();
        tokio::select! {
            // What is ready counts, even at the last moment.
            biased;
            value = future => Some(value),
            () = clock.sleep(end.saturating_sub(clock.now())) => None,
        }
    }

    /// The error of a deadline that has passed.
    pub(crate) fn passed(&self) -> Error {
        let elapsed = self.elapsed();
        let known = self.known();
        let mut message = match (&known.stage, self.goal) {
            (Stage::Seen(snapshot), goal) => {
                let SnapshotInfo { name, id, last_state } = snapshot;
                let is_made = goal == Goal::Active && Outcome::of(last_state) == Outcome::Progress;
                let way_on = if is_made {
                    "; the server goes on making it, and `wait` with its id resumes"
                } else {
                    ""
                };
                format!("snapshot `{name}` ({id}) was still {last_state} after {elapsed:.0?}{way_on}")
            }
            (Stage::Asked(name, _), _) => format!(
                "no answer within {elapsed:.0?} to the request to create snapshot `{name}`: the server may have accepted it; look \
                 for the name"
            ),
            (Stage::Sandbox { name, state, .. }, _) => {
                format!("sandbox `{name}` was still {state} after {elapsed:.0?}")
            }
            (Stage::Deleted { name, reason }, _) => {
                format!("snapshot `{name}` was deleted, and was not created again within {elapsed:.0?} ({reason})")
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

    /// The server's time before it was asked to create a snapshot, where that has not been answered.
    pub(crate) fn asked_since(&self) -> Option<Timestamp> {
        match &self.known().stage {
            Stage::Asked(_, since) => *since,
            _ => None,
        }
    }
}
