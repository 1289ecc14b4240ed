//! Activation, deactivation and deletion.

use std::future::IntoFuture;
use std::time::Duration;

use daytona_api::{ActivateSnapshot, DeactivateSnapshot, Snapshot, SnapshotId};

use super::call::{Boxed, Call};
use super::wait::done;
use crate::api_client::ApiClient;
use crate::error::{Error, ErrorKind, SnapshotInfo};
use crate::snapshots::events::delivery::Delivery;
use crate::snapshots::reference::SnapshotRef;
use crate::snapshots::watch::active;
use crate::snapshots::watch::change::{self, Removal, may_have_been_done};
use crate::snapshots::watch::deadline::Goal;
use crate::snapshots::watch::outcome::Outcome;
use crate::snapshots::watch::poll::Looks;
use crate::snapshots::watch::scope::Scope;

/// How long the service may take to remove a marked snapshot (usually about ten seconds), or to deactivate one.
pub(super) const CHANGE_LIMIT: Duration = Duration::from_mins(5);

/// When awaited, starts to activate a snapshot, and returns the server's answer. The snapshot is not active yet.
///
/// ```no_run
/// # async fn example(daytona: daytona_sdk::Daytona) -> Result<(), daytona_sdk::Error> {
/// let snapshot = daytona.snapshots().activate("my-app").wait().await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Kinds `AlreadyActive`, `Cooldown`, `QuotaExceeded`. Kind `Rejected` if the snapshot is not inactive.
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

    /// Also waits until the snapshot is active. Default timeout: the client's operation timeout, 130 minutes.
    ///
    /// # Errors
    ///
    /// The errors of the activation, and kinds `BuildFailed`, `Gone`, `WaitTimeout`.
    pub fn wait(self) -> Call<Snapshot> {
        let limit = self.client.settings().operation_timeout;
        Call::waiting(self.client, Goal::Active, limit, move |scope| async move {
            let mut looks = Looks::new(&scope);
            let (_, accepted) = looks.next(|| self.snapshot.resolve(&scope.client, activate)).await?;
            done(&scope, active::until_active(&scope, accepted).await)
        })
    }
}

impl IntoFuture for Activate {
    type Output = Result<Snapshot, Error>;
    type IntoFuture = Boxed<Snapshot>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { client, snapshot } = self;
        let call = Call::new(client, move |scope| async move {
            let (_, accepted) = snapshot.resolve(&scope.client, activate).await?;
            Ok(accepted)
        });
        call.into_future()
    }
}

/// Starts an activation. If the answer is lost, a look settles it.
pub(crate) async fn activate(client: ApiClient, id: SnapshotId) -> Result<Snapshot, Error> {
    let error = match client.call(&ActivateSnapshot::new(id.as_str())).await {
        Ok(accepted) => return Ok(accepted),
        Err(error) => error,
    };
    if !may_have_been_done(&error) {
        return Err(error);
    }
    match change::current(&client, &id).await {
        Ok(Some(found)) if matches!(Outcome::of(&found.state), Outcome::Progress | Outcome::Ready) => Ok(found),
        Ok(Some(found)) => Err(error.with_snapshot(SnapshotInfo::of(&found))),
        Ok(None) | Err(_) => Err(error),
    }
}

/// When awaited, deactivates a snapshot.
///
/// The server acknowledges this in any state. If the snapshot is being built or pulled, the server may undo the
/// deactivation; [`wait`](Self::wait) repeats the request until the snapshot stays inactive. Deactivating a snapshot
/// that is being removed cancels the removal.
///
/// ```no_run
/// # async fn example(daytona: daytona_sdk::Daytona) -> Result<(), daytona_sdk::Error> {
/// daytona.snapshots().deactivate("my-app").await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Kind `NotFound` if there is no such snapshot.
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

    /// Also waits until the snapshot is inactive, and repeats the request if the server has undone it. If the snapshot
    /// was still being made, `wait` also checks that it stays inactive for 12 seconds. Default timeout: five minutes.
    ///
    /// # Errors
    ///
    /// The errors of the deactivation. Kind `Gone` if somebody deletes the snapshot in the meantime. Kind
    /// `WaitTimeout`.
    pub fn wait(self) -> Call<Snapshot> {
        Call::waiting(self.client, Goal::Inactive, CHANGE_LIMIT, move |scope| async move {
            let mut looks = Looks::new(&scope);
            let deactivated = looks.next(|| self.snapshot.resolve(&scope.client, deactivate_known));
            let (id, was_under_way) = deactivated.await?;
            change::until_inactive(&scope, &id, was_under_way).await
        })
    }
}

impl IntoFuture for Deactivate {
    type Output = Result<(), Error>;
    type IntoFuture = Boxed<()>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { client, snapshot } = self;
        let call = Call::new(client, move |scope| async move {
            let (_, ()) = snapshot.resolve(&scope.client, deactivate).await?;
            Ok(())
        });
        call.into_future()
    }
}

async fn deactivate(client: ApiClient, id: SnapshotId) -> Result<(), Error> {
    client.call(&DeactivateSnapshot::new(id.as_str())).await
}

/// Deactivates a snapshot. Returns whether it was being made just before.
async fn deactivate_known(client: ApiClient, id: SnapshotId) -> Result<bool, Error> {
    let found = change::current(&client, &id).await?;
    let was_under_way = found.is_some_and(|found| Outcome::of(&found.state) == Outcome::Progress);
    deactivate(client, id).await?;
    Ok(was_under_way)
}

/// When awaited, marks a snapshot for removal. About ten seconds later it is gone and its name is free.
///
/// The server acknowledges this in any state. If the snapshot is being built or pulled, the server may undo the
/// deletion; [`wait`](Self::wait) repeats the request until the snapshot is gone.
///
/// ```no_run
/// # async fn example(daytona: daytona_sdk::Daytona) -> Result<(), daytona_sdk::Error> {
/// daytona.snapshots().delete("my-app").wait().await?; // its name is free now
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Kind `NotFound` if there is no such snapshot. Kind `PermissionDenied` for a general snapshot.
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

    /// Also waits until the snapshot is gone and its name is free, and repeats the request if the server has undone it.
    /// Default timeout: five minutes.
    ///
    /// # Errors
    ///
    /// The errors of the deletion, and kind `WaitTimeout`.
    pub fn wait(self) -> Call<()> {
        Call::waiting(self.client, Goal::Removal, CHANGE_LIMIT, move |scope| async move {
            let mut looks = Looks::new(&scope);
            match looks.next(|| self.snapshot.resolve(&scope.client, delete)).await? {
                (id, Removal::Marked) => change::until_gone(&scope, &id).await,
                (_, Removal::Gone) => Ok(()),
            }
        })
    }
}

impl IntoFuture for Delete {
    type Output = Result<(), Error>;
    type IntoFuture = Boxed<()>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { client, snapshot } = self;
        let call = Call::new(client, move |scope| async move {
            let (_, _) = snapshot.resolve(&scope.client, delete).await?;
            Ok(())
        });
        call.into_future()
    }
}

async fn delete(client: ApiClient, id: SnapshotId) -> Result<Removal, Error> {
    change::delete(&client, &id).await
}

/// Deletes a snapshot that is being made. Returns when it is being removed or is gone.
pub(crate) fn cancel(client: ApiClient, snapshot: Snapshot, is_own: bool, mut delivery: Delivery) -> Call<()> {
    Call::waiting(client, Goal::Removal, CHANGE_LIMIT, move |scope: Scope| async move {
        if !is_own {
            let message = format!(
                "snapshot {} was adopted, not created by this call: delete it by its id if it is yours",
                snapshot.id
            );
            return Err(Error::new(ErrorKind::Rejected, message).with_snapshot(SnapshotInfo::of(&snapshot)));
        }
        let cancelling = async {
            match change::remove(&scope.client, &snapshot.id).await? {
                Removal::Marked => change::until_going(&scope, &snapshot.id).await,
                Removal::Gone => Ok(()),
            }
        };
        delivery.watch(cancelling).await
    })
}
