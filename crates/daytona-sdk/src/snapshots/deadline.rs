//! One deadline over all that a call does.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::api_client::ApiClient;
use crate::error::{Error, ErrorKind, SnapshotInfo};

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// That a snapshot becomes active.
    Active,
    /// That it is inactive.
    Inactive,
    /// That it is gone.
    Removal,
}

/// A point in time after which a call gives up, and what is to be told then.
#[derive(Debug, Clone)]
pub(crate) struct Deadline {
    client: ApiClient,
    purpose: Purpose,
    start: Duration,
    limit: Option<Duration>,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    /// The snapshot, from when the server has accepted it.
    snapshot: Option<SnapshotInfo>,
    /// Why the last look failed, if it did.
    problem: Option<String>,
}

impl Deadline {
    /// Begins now.
    pub(crate) fn start(client: &ApiClient, purpose: Purpose, limit: Option<Duration>) -> Self {
        Self {
            client: client.clone(),
            purpose,
            start: client.clock().now(),
            limit,
            known: Arc::default(),
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.client.clock().now().saturating_sub(self.start)
    }

    /// Notes what the snapshot was last seen as.
    pub(crate) fn note(&self, snapshot: SnapshotInfo) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.snapshot = Some(snapshot);
        known.problem = None;
    }

    /// Notes why it could not be seen.
    pub(crate) fn note_problem(&self, error: &Error) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.problem = Some(error.to_string());
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
        let Some(limit) = self.limit else {
            return Some(future.await);
        };
        let left = limit.saturating_sub(self.elapsed());
        tokio::select! {
            // What is ready counts, even at the last moment.
            biased;
            value = future => Some(value),
            () = self.client.clock().sleep(left) => None,
        }
    }

    fn passed(&self) -> Error {
        let elapsed = self.elapsed();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut message = match (&known.snapshot, self.purpose) {
            (Some(snapshot), Purpose::Active) => format!(
                "snapshot `{}` ({}) was still {} after {elapsed:.0?}; it goes on being made, and `wait` on its id resumes",
                snapshot.name, snapshot.id, snapshot.last_state
            ),
            (Some(snapshot), Purpose::Inactive | Purpose::Removal) => format!(
                "snapshot `{}` ({}) was still {} after {elapsed:.0?}",
                snapshot.name, snapshot.id, snapshot.last_state
            ),
            (None, Purpose::Active) => format!("the server had not accepted the snapshot after {elapsed:.0?}"),
            (None, Purpose::Inactive) => format!("the snapshot was not inactive after {elapsed:.0?}"),
            (None, Purpose::Removal) => format!("the snapshot was not gone after {elapsed:.0?}"),
        };
        if let Some(problem) = &known.problem {
            message.push_str("; the last look at it failed: ");
            message.push_str(problem);
        }
        let error = Error::new(ErrorKind::WaitTimeout, message).with_elapsed(elapsed);
        match &known.snapshot {
            Some(snapshot) => error.with_snapshot(snapshot.clone()),
            None => error,
        }
    }
}
