//! Which sandboxes use a snapshot.

use std::collections::HashMap;

use daytona_api::{GetSnapshot, ListSandboxes, Sandbox, Snapshot};

use crate::api_client::ApiClient;
use crate::error::Error;
use crate::snapshots::boot::sandboxes;
use crate::snapshots::reference::SnapshotRef;
use crate::snapshots::watch::scope::Scope;

/// The sandboxes of a snapshot. The server remembers only the *name* of each sandbox's snapshot.
///
/// So if a snapshot was deleted and another one created under its name, the sandboxes of the old one seem to use the
/// new one. Sandboxes that are older than the snapshot are therefore listed separately. Sandboxes keep running when
/// their snapshot is deleted.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct InUse {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// The sandboxes that were created from the snapshot, the oldest first. They include sandboxes that were deleted
    /// during the last day but could not be removed: their state is `error`, and their desired state is `destroyed`.
    pub sandboxes: Vec<Sandbox>,
    /// The sandboxes that are older than the snapshot. They came from an earlier snapshot of the same name.
    pub of_earlier: Vec<Sandbox>,
}

impl InUse {
    /// Whether no sandbox came from the snapshot.
    pub fn is_empty(&self) -> bool {
        self.sandboxes.is_empty()
    }
}

pub(crate) async fn in_use(scope: Scope, snapshot: SnapshotRef) -> Result<InUse, Error> {
    let request = GetSnapshot::new(snapshot.as_str());
    let found = scope.request(&request).await?;
    let snapshot = snapshot.check(found)?;
    let own = of_name(&scope.client, &snapshot.name).await?;
    let is_older =
        |sandbox: &Sandbox| matches!((sandbox.created_at, snapshot.created_at), (Some(of), Some(at)) if of < at);
    let (of_earlier, sandboxes) = own.into_iter().partition(is_older);
    Ok(InUse {
        snapshot,
        sandboxes,
        of_earlier,
    })
}

/// The sandboxes of all snapshots that ever had this name.
pub(crate) async fn of_name(client: &ApiClient, name: &str) -> Result<Vec<Sandbox>, Error> {
    let mut request = ListSandboxes::new();
    request.snapshots = Some(vec![name.to_owned()]);
    request.include_errored_deleted = Some(true);
    let mut all = sandboxes::all(client, request).await?;
    // A server that does not know the filter returns all sandboxes.
    all.retain(|sandbox| sandbox.snapshot.as_deref() == Some(name));
    Ok(all)
}

/// How many sandboxes the snapshots of each name have.
pub(crate) async fn counted_by_name(client: &ApiClient) -> Result<HashMap<String, usize>, Error> {
    let mut request = ListSandboxes::new();
    request.include_errored_deleted = Some(true);
    let mut counts = HashMap::new();
    for sandbox in sandboxes::all(client, request).await? {
        if let Some(name) = sandbox.snapshot {
            *counts.entry(name).or_default() += 1;
        }
    }
    Ok(counts)
}
