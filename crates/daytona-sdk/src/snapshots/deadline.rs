//! One deadline over all that a call does.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::client::Daytona;
use crate::error::{Error, ErrorKind, SnapshotInfo};

/// The server ends a build after 120 minutes; this leaves room for what comes before and after.
pub(crate) const DEFAULT: Option<Duration> = Some(Duration::from_mins(130));

/// A point in time after which a call gives up, and what is to be told then.
#[derive(Debug, Clone)]
pub(crate) struct Deadline {
    client: Daytona,
    start: Duration,
    limit: Option<Duration>,
    /// The snapshot, from when the server has accepted it.
    snapshot: Arc<Mutex<Option<SnapshotInfo>>>,
}

impl Deadline {
    /// Begins now.
    pub(crate) fn start(client: &Daytona, limit: Option<Duration>) -> Self {
        Self {
            client: client.clone(),
            start: client.clock().now(),
            limit,
            snapshot: Arc::default(),
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.client.clock().now().saturating_sub(self.start)
    }

    /// Notes what the snapshot was last seen as.
    pub(crate) fn note(&self, snapshot: SnapshotInfo) {
        *self.snapshot.lock().unwrap_or_else(PoisonError::into_inner) = Some(snapshot);
    }

    pub(crate) fn noted(&self) -> Option<SnapshotInfo> {
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The result of `future`, or an error if the deadline passes first.
    pub(crate) async fn enforce<T>(&self, future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let Some(limit) = self.limit else { return future.await };
        let left = limit.saturating_sub(self.elapsed());
        tokio::select! {
            // What is ready counts, even at the last moment.
            biased;
            result = future => result,
            () = self.client.clock().sleep(left) => Err(self.passed()),
        }
    }

    fn passed(&self) -> Error {
        let elapsed = self.elapsed();
        match self.noted() {
            Some(snapshot) => {
                let message = format!(
                    "snapshot `{}` ({}) was still {} after {elapsed:.0?}; it goes on being made, and `wait` on its id resumes",
                    snapshot.name, snapshot.id, snapshot.last_state
                );
                Error::new(ErrorKind::WaitTimeout, message).with_snapshot(snapshot)
            }
            None => {
                let message = format!("the server had not accepted the snapshot after {elapsed:.0?}");
                Error::new(ErrorKind::WaitTimeout, message)
            }
        }
    }
}
