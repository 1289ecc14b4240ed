//! Waiting for a snapshot that is being made.

use std::future::IntoFuture;

use daytona_api::{GetSnapshot, Snapshot, SnapshotId};

use super::call::Boxed;
use crate::api_client::ApiClient;
use crate::error::{Error, ErrorKind};
use crate::snapshots::events::event::Event;
use crate::snapshots::events::options::{Options, build_option_methods};
use crate::snapshots::reference::SnapshotRef;
use crate::snapshots::watch::active;
use crate::snapshots::watch::deadline::Goal;
use crate::snapshots::watch::poll::Looks;
use crate::snapshots::watch::scope::{self, Scope};

/// When awaited, waits until a snapshot is active.
///
/// ```no_run
/// # async fn example(daytona: daytona_sdk::Daytona) -> Result<(), daytona_sdk::Error> {
/// let snapshot = daytona
///     .snapshots()
///     .wait("my-app")
///     .on_logs(|line| println!("{line}"))
///     .await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Kinds `BuildFailed`, `Gone`, `WaitTimeout`. After `WaitTimeout` you can wait again. Kind `NotFound` if there is no
/// such snapshot.
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
            options: Options::within(client.settings().operation_timeout),
            client,
            snapshot,
        }
    }

    build_option_methods!();
}

impl IntoFuture for Wait {
    type Output = Result<Snapshot, Error>;
    type IntoFuture = Boxed<Snapshot>;

    fn into_future(self) -> Self::IntoFuture {
        let Self {
            client,
            snapshot,
            options,
        } = self;
        Box::pin(async move {
            scope::run(&client, Goal::Active, options, |scope| async move {
                let first = first(&scope, &snapshot);
                let found = scope.deadline.enforce(first).await?;
                done(&scope, active::until_active(&scope, found).await)
            })
            .await
        })
    }
}

/// The current snapshot. If the server cannot be asked, tries until the deadline.
async fn first(scope: &Scope, snapshot: &SnapshotRef) -> Result<Snapshot, Error> {
    let request = GetSnapshot::new(snapshot.as_str());
    let mut looks = Looks::new(scope);
    loop {
        match looks.next(|| scope.client.call_once(&request, 0)).await {
            // This client has created it a moment ago.
            Err(error) if error.kind() == ErrorKind::NotFound && has_just_made(scope, snapshot) => {}
            found => return snapshot.check(found?),
        }
    }
}

fn has_just_made(scope: &Scope, snapshot: &SnapshotRef) -> bool {
    scope.client.has_just_made(&SnapshotId::from(snapshot.as_str()))
}

/// Reports that a snapshot is active, if that is the outcome.
pub(crate) fn done(scope: &Scope, outcome: Result<Snapshot, Error>) -> Result<Snapshot, Error> {
    if let Ok(snapshot) = &outcome {
        scope.client.remember_made(&snapshot.id);
        let snapshot = Box::new(snapshot.clone());
        scope.sink.put(Event::Done { snapshot });
    }
    outcome.map_err(|error| error.without_secrets(scope.client.secrets()))
}
