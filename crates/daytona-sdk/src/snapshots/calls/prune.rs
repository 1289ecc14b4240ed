//! Deletes snapshots that are no longer needed.

use std::collections::HashMap;
use std::time::Duration;

use daytona_api::{GetAllSnapshots, GetSnapshot, Snapshot, SnapshotId, SnapshotState};

use super::call::Call;
use super::lifecycle::CHANGE_LIMIT;
use super::prune_policy::{Decided, PrunePolicy, PruneReason, is_prunable};
use super::{deletions, in_use, list};
use crate::api_client::ApiClient;
use crate::error::{Error, ErrorKind, SnapshotInfo};
use crate::snapshots::watch::change;
use crate::snapshots::watch::scope::Scope;

/// The pause between two looks whether the deleted snapshots are gone. It doubles up to the longest one.
const FIRST_LOOK: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// The snapshots that a policy would delete. It deletes nothing before [`apply`](Self::apply).
///
/// ```no_run
/// # async fn example(daytona: daytona_sdk::Daytona, policy: daytona_sdk::PrunePolicy) -> Result<(), daytona_sdk::Error> {
/// let plan = daytona.snapshots().prune(policy).await?;
/// for snapshot in plan.to_delete() {
///     println!("would delete {}", snapshot.name);
/// }
/// let report = plan.apply().await?.into_result()?;
/// println!("deleted {}", report.deleted.len());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing is deleted before it is applied"]
pub struct PrunePlan {
    client: ApiClient,
    delete: Vec<Snapshot>,
    keep: Vec<Snapshot>,
    /// First the snapshots to delete, then those to keep.
    reasons: Vec<PruneReason>,
    not_in_use: bool,
}

/// The result of a [`PrunePlan`].
///
/// ```no_run
/// # async fn example(plan: daytona_sdk::PrunePlan) -> Result<(), daytona_sdk::Error> {
/// let report = plan.apply().await?;
/// for (snapshot, error) in &report.failed {
///     eprintln!("{} was not deleted: {error}", snapshot.name);
/// }
/// report.into_result()?; // an error if anything failed or was not tried
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
#[must_use = "snapshots that could not be deleted are listed here"]
#[non_exhaustive]
pub struct PruneReport {
    /// The snapshots that were deleted. If the timeout or five minutes passed, some may still be in removal.
    pub deleted: Vec<Snapshot>,
    /// The snapshots that were left alone, because they had changed since the plan.
    pub changed: Vec<Snapshot>,
    /// The snapshots that could not be deleted, and why. If the timeout passed during a deletion, that snapshot is here
    /// with kind `WaitTimeout`, and may be gone.
    pub failed: Vec<(Snapshot, Error)>,
    /// The snapshots that were not tried before the timeout passed. They are unchanged.
    pub not_tried: Vec<Snapshot>,
}

impl PruneReport {
    /// Returns the report if every snapshot was deleted or left alone on purpose.
    ///
    /// # Errors
    ///
    /// The kind is that of the first snapshot that could not be deleted, and the message says how many there are. Kind
    /// `WaitTimeout` if no deletion failed, but the timeout passed before all were tried.
    pub fn into_result(mut self) -> Result<Self, Error> {
        let first = self.failed.first().map(|(snapshot, _)| SnapshotInfo::of(snapshot));
        let failed = std::mem::take(&mut self.failed).into_iter();
        let failed = failed.map(|(snapshot, error)| (snapshot.name, error)).collect();
        match (deletions::check("snapshots", failed, self.not_tried.len()), first) {
            (Ok(()), _) => Ok(self),
            (Err(error), Some(first)) => Err(error.with_snapshot(first)),
            (Err(error), None) => Err(error),
        }
    }
}

pub(crate) async fn plan(scope: Scope, policy: PrunePolicy) -> Result<PrunePlan, Error> {
    let client = scope.client;
    let snapshots = list::all(&client, GetAllSnapshots::new()).await?;
    // After the snapshots, so that sandboxes which start meanwhile count.
    let users = if policy.not_in_use {
        in_use::counted_by_name(&client).await?
    } else {
        HashMap::new()
    };
    let is_ours = |snapshot: &Snapshot| client.has_made(&snapshot.id);
    let (delete, keep) = policy.divide(snapshots, client.clock().timestamp(), is_ours, &users);
    let reasons = delete.iter().chain(&keep).map(|(_, reason)| *reason).collect();
    let snapshots = |decided: Vec<Decided>| decided.into_iter().map(|(snapshot, _)| snapshot).collect();
    Ok(PrunePlan {
        client,
        delete: snapshots(delete),
        keep: snapshots(keep),
        reasons,
        not_in_use: policy.not_in_use,
    })
}

impl PrunePlan {
    /// The snapshots that would be deleted, the newest first.
    pub fn to_delete(&self) -> &[Snapshot] {
        &self.delete
    }

    /// The snapshots that would stay, the newest first.
    pub fn to_keep(&self) -> &[Snapshot] {
        &self.keep
    }

    /// Every snapshot with the reason why it would be deleted or stay. Those to delete come first.
    ///
    /// ```no_run
    /// # async fn example(daytona: daytona_sdk::Daytona, policy: daytona_sdk::PrunePolicy) -> Result<(), daytona_sdk::Error> {
    /// for (snapshot, reason) in daytona.snapshots().prune(policy).await?.reasons() {
    ///     let verdict = if reason.goes() { "goes" } else { "stays" };
    ///     println!("{} {verdict}: {reason}", snapshot.name);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn reasons(&self) -> impl Iterator<Item = (&Snapshot, PruneReason)> {
        self.delete.iter().chain(&self.keep).zip(self.reasons.iter().copied())
    }

    /// Deletes the snapshots one by one, and waits until they are gone, at most five minutes: then their names and their
    /// places in the quota are free. The SDK looks at each once more, and leaves it alone if it was changed or used
    /// since the plan, or is being made again. The service records a use at most once a minute;
    /// [`not_in_use`](PrunePolicy::not_in_use) checks the sandboxes themselves. If a deletion fails, the others
    /// continue, and the report lists the failure.
    ///
    /// If the [`timeout`](Call::timeout) passes, the call still returns the report, with everything that was not done.
    pub fn apply(self) -> Call<PruneReport> {
        Call::keeping_its_deadline(self.client, move |scope| async move {
            let mut report = PruneReport::default();
            for snapshot in self.delete {
                if scope.deadline.has_passed() {
                    report.not_tried.push(snapshot);
                    continue;
                }
                match scope
                    .deadline
                    .enforce(delete(&scope.client, &snapshot, self.not_in_use))
                    .await
                {
                    Ok(true) => report.deleted.push(snapshot),
                    Ok(false) => report.changed.push(snapshot),
                    Err(error) => report.failed.push((snapshot, error)),
                }
            }
            let gone = scope
                .deadline
                .bound(Box::pin(until_gone(&scope, &mut report, self.not_in_use)));
            tokio::select! {
                // They are deleted, whatever comes of a look.
                _ = gone => {}
                () = scope.client.clock().sleep(CHANGE_LIMIT) => {}
            }
            Ok(report)
        })
    }
}

/// Waits until the deleted snapshots are gone. The server may undo or ignore an acknowledged deletion: then it is
/// repeated, by the same rules. The server removes all that are due at once, so a list tells of all.
async fn until_gone(scope: &Scope, report: &mut PruneReport, not_in_use: bool) -> Result<(), Error> {
    let Scope { client, sink, .. } = scope;
    let mut pause = FIRST_LOOK;
    while !report.deleted.is_empty() {
        let listed = match list::all(client, GetAllSnapshots::new()).await {
            Ok(listed) => listed,
            Err(error) if error.is_passing() => {
                sink.put_retry(error);
                client.clock().sleep(pause).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        let listed: HashMap<&SnapshotId, &Snapshot> = listed.iter().map(|found| (&found.id, found)).collect();
        let is_left = |planned: &Snapshot| listed.contains_key(&planned.id);
        if !report.deleted.iter().any(is_left) {
            break;
        }
        let is_back = |planned: &&Snapshot| {
            let found = listed.get(&planned.id);
            found.is_some_and(|found| found.state != SnapshotState::Removing)
        };
        let back: Vec<Snapshot> = report.deleted.iter().filter(is_back).cloned().collect();
        for planned in back {
            // It stays in the report while it is deleted: the call may end meanwhile.
            let outcome = delete(client, &planned, not_in_use).await;
            let mut take = || report.deleted.retain(|other| other.id != planned.id);
            match outcome {
                Ok(true) => {}
                Ok(false) => {
                    take();
                    report.changed.push(planned);
                }
                Err(error) if error.is_passing() => sink.put_retry(error),
                Err(error) => {
                    take();
                    report.failed.push((planned, error));
                }
            }
        }
        client.clock().sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    Ok(())
}

/// Deletes a snapshot if it has not changed and, if the policy asks for that, still has no sandboxes.
async fn delete(client: &ApiClient, planned: &Snapshot, not_in_use: bool) -> Result<bool, Error> {
    let now = match client.call(&GetSnapshot::new(planned.id.as_str())).await {
        // Somebody else has deleted it.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        // It is being removed already: by this call if a list was late, or by somebody else.
        Ok(now) if now.state == SnapshotState::Removing && now.id == planned.id => return Ok(true),
        now => now?,
    };
    let is_same = now.id == planned.id && now.state == planned.state && now.last_used_at == planned.last_used_at;
    if !is_same || !is_prunable(&now) {
        return Ok(false);
    }
    if not_in_use && !in_use::of_name(client, &now.name).await?.is_empty() {
        return Ok(false);
    }
    change::remove(client, &planned.id).await.map(|_| true)
}
