//! Activation, deactivation and deletion.

use std::future::IntoFuture;
use std::time::Duration;

use daytona_api::{ActivateSnapshot, DeactivateSnapshot, Operation, RemoveSnapshot, Snapshot, SnapshotId};

use super::Boxed;
use super::deadline::{Deadline, Purpose};
use super::delivery::{self, Callbacks};
use super::reference::SnapshotRef;
use super::wait::{self, Watch};
use crate::api_client::ApiClient;
use crate::error::{Error, ErrorKind};

/// How long the service may take to remove a snapshot that is marked for it, which takes about ten seconds, or to deactivate one.
const REMOVAL_LIMIT: Duration = Duration::from_mins(5);

/// Starts to activate a snapshot, once it is awaited, and returns it as the server answers: not active yet.
///
/// # Errors
///
/// Kind `AlreadyActive`, `Cooldown`, `Rejected` in any state but inactive, `QuotaExceeded`.
#[derive(Debug)]
#[must_use = "does nothing until it is awaited"]
pub struct Activate {
    client: ApiClient,
    snapshot: SnapshotRef,
}

impl Activate {
    pub(crate) fn new(client: ApiClient, snapshot: SnapshotRef) -> Self {
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
    client: ApiClient,
    snapshot: SnapshotRef,
}

impl Deactivate {
    pub(crate) fn new(client: ApiClient, snapshot: SnapshotRef) -> Self {
        Self { client, snapshot }
    }

    /// Waits until it is inactive, for five minutes at the most.
    ///
    /// # Errors
    ///
    /// Those of the deactivation; then kind `Gone` if it is deleted meanwhile, and `WaitTimeout`.
    pub fn wait(self) -> Boxed<Snapshot> {
        Box::pin(async move {
            let deadline = Deadline::start(&self.client, Purpose::Inactive, Some(REMOVAL_LIMIT));
            let deactivating = async {
                let (id, ()) = self
                    .snapshot
                    .call(&self.client, |id| DeactivateSnapshot::new(id))
                    .await?;
                wait::until_inactive(&self.client, &deadline, &id).await
            };
            deadline.enforce(deactivating).await
        })
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
    client: ApiClient,
    snapshot: SnapshotRef,
}

impl Delete {
    pub(crate) fn new(client: ApiClient, snapshot: SnapshotRef) -> Self {
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
                match self.mark().await? {
                    Some(id) => wait::until_gone(&self.client, &deadline, &id).await,
                    None => Ok(()),
                }
            };
            deadline.enforce(removing).await
        })
    }

    /// Marks it; the id is known unless it is gone already.
    async fn mark(&self) -> Result<Option<SnapshotId>, Error> {
        match self.snapshot.call(&self.client, |id| RemoveSnapshot::new(id)).await {
            Ok((id, ())) => Ok(Some(id)),
            // The answer to a request before was lost, and it is gone by now.
            Err(error) if is_own_doing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn is_own_doing(error: &Error) -> bool {
    error.kind() == ErrorKind::NotFound && error.attempts() > 1 && error.operation() == Some(RemoveSnapshot::ID)
}

impl IntoFuture for Delete {
    type Output = Result<(), Error>;
    type IntoFuture = Boxed<()>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.mark().await.map(|_| ()) })
    }
}
