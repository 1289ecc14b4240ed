//! Activation, deactivation and deletion.

use std::future::IntoFuture;
use std::time::Duration;

use daytona_api::{ActivateSnapshot, DeactivateSnapshot, RemoveSnapshot, Snapshot, SnapshotId};

use super::Boxed;
use super::deadline::{Deadline, Purpose};
use super::delivery::{self, Callbacks};
use super::reference::SnapshotRef;
use super::wait::{self, Watch};
use crate::client::Daytona;
use crate::error::Error;

/// How long the service may take to remove a snapshot that is marked for it; it takes about ten seconds.
const REMOVAL_LIMIT: Duration = Duration::from_mins(5);

/// Starts to activate a snapshot, once it is awaited, and returns it as the server answers: not active yet.
///
/// # Errors
///
/// Kind `AlreadyActive`, `CoolingDown`, `Refused` in any state but inactive, `QuotaExceeded`.
#[derive(Debug)]
#[must_use = "does nothing until it is awaited"]
pub struct Activate {
    client: Daytona,
    snapshot: SnapshotRef,
}

impl Activate {
    pub(crate) fn new(client: Daytona, snapshot: SnapshotRef) -> Self {
        Self { client, snapshot }
    }

    /// Waits until it is active, for the client's operation timeout at the most.
    ///
    /// # Errors
    ///
    /// Those of the activation; then kind `BuildFailed`, `Gone` or `WaitTimeout`.
    pub fn wait(self) -> Boxed<Snapshot> {
        Box::pin(async move {
            let limit = Some(self.client.settings().operation_timeout);
            let deadline = Deadline::start(&self.client, Purpose::Active, limit);
            let (sink, delivery) = delivery::start(Callbacks::default());
            let seen = deadline.enforce(self.accept()).await?;
            let watch = Watch::new(self.client, deadline, sink);
            let outcome = watch.until_active(seen).await;
            watch.conclude(outcome, delivery).await
        })
    }

    async fn accept(&self) -> Result<Snapshot, Error> {
        let (_, snapshot) = self.snapshot.call(&self.client, |id| ActivateSnapshot::new(id)).await?;
        Ok(snapshot)
    }
}

impl IntoFuture for Activate {
    type Output = Result<Snapshot, Error>;
    type IntoFuture = Boxed<Snapshot>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.accept().await })
    }
}

/// Deactivates a snapshot, once it is awaited.
///
/// # Errors
///
/// Kind `NotFound`.
#[derive(Debug)]
#[must_use = "does nothing until it is awaited"]
pub struct Deactivate {
    client: Daytona,
    snapshot: SnapshotRef,
}

impl Deactivate {
    pub(crate) fn new(client: Daytona, snapshot: SnapshotRef) -> Self {
        Self { client, snapshot }
    }
}

impl IntoFuture for Deactivate {
    type Output = Result<(), Error>;
    type IntoFuture = Boxed<()>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            self.snapshot
                .call(&self.client, |id| DeactivateSnapshot::new(id))
                .await?;
            Ok(())
        })
    }
}

/// Marks a snapshot for removal, once it is awaited. It is gone, and its name free, about ten seconds later.
///
/// # Errors
///
/// Kind `NotFound`, and `PermissionDenied` for a general snapshot.
#[derive(Debug)]
#[must_use = "does nothing until it is awaited"]
pub struct Delete {
    client: Daytona,
    snapshot: SnapshotRef,
}

impl Delete {
    pub(crate) fn new(client: Daytona, snapshot: SnapshotRef) -> Self {
        Self { client, snapshot }
    }

    /// Waits until it is gone and its name is free, for five minutes at the most.
    ///
    /// # Errors
    ///
    /// Those of the deletion; then kind `WaitTimeout`.
    pub fn wait(self) -> Boxed<()> {
        Box::pin(async move {
            let deadline = Deadline::start(&self.client, Purpose::Removal, Some(REMOVAL_LIMIT));
            let removing = async {
                let id = self.mark().await?;
                wait::until_gone(&self.client, &deadline, &id).await
            };
            deadline.enforce(removing).await
        })
    }

    async fn mark(&self) -> Result<SnapshotId, Error> {
        let (id, ()) = self.snapshot.call(&self.client, |id| RemoveSnapshot::new(id)).await?;
        Ok(id)
    }
}

impl IntoFuture for Delete {
    type Output = Result<(), Error>;
    type IntoFuture = Boxed<()>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.mark().await.map(|_| ()) })
    }
}
