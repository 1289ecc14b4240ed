//! Deletes what is no longer needed.

use std::time::Duration;

use daytona_api::{GetAllSnapshots, GetSnapshot, Snapshot, SnapshotState};
use jiff::Timestamp;

use super::call::Call;
use super::list;
use crate::api_client::ApiClient;
use crate::error::{Error, ErrorKind, SnapshotInfo};
use crate::snapshots::reference::SnapshotRef;
use crate::snapshots::watch::change;
use crate::snapshots::watch::outcome::Outcome;
use crate::snapshots::watch::scope::Scope;

/// Which snapshots may go. There is no policy by default: each begins with a rule.
///
/// All rules have to agree before a snapshot goes. Those that have failed go whatever their age and number, unless
/// [`keep_failed`](Self::keep_failed) or [`failed_like_others`](Self::failed_like_others) says otherwise. Never deleted are:
///
/// - what [`except`](Self::except) names;
/// - what this client, or a clone of it, has created, ensured or waited for, unless it has failed;
/// - general snapshots, and those of other organizations;
/// - what is being made or removed; an unknown state counts as being made.
///
/// ```no_run
/// # async fn example(daytona: daytona_sdk::Daytona, params: daytona_sdk::CreateSnapshotParams) -> Result<(), daytona_sdk::Error> {
/// use daytona_sdk::PrunePolicy;
/// use std::time::Duration;
///
/// let week = Duration::from_secs(7 * 24 * 3600);
/// let needed = daytona.snapshots().ensure(params).await?;
/// // Of the snapshots of the CI: all but the newest five that are older than a week, and all that failed.
/// let policy = PrunePolicy::keep_newest(5).older_than(week).name_prefix("ci-").except([&needed]);
/// let report = daytona.snapshots().prune(policy).await?.apply().await?;
/// println!("{} deleted", report.deleted.len());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct PrunePolicy {
    newest: usize,
    age: Option<Duration>,
    created_before: Option<Timestamp>,
    unused_for: Option<Duration>,
    states: Option<Vec<SnapshotState>>,
    name_prefix: Option<String>,
    except: Vec<SnapshotRef>,
    failed: Failed,
}

/// What becomes of snapshots that have failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failed {
    /// They go, whatever their age and number.
    Go,
    /// They stay.
    Stay,
    /// The rules for all others hold for them.
    LikeOthers,
}

impl PrunePolicy {
    const NOTHING: Self = Self {
        newest: 0,
        age: None,
        created_before: None,
        unused_for: None,
        states: None,
        name_prefix: None,
        except: Vec::new(),
        failed: Failed::Go,
    };

    /// All but this many, those that were created last.
    pub fn keep_newest(count: usize) -> Self {
        Self {
            newest: count,
            ..Self::NOTHING
        }
    }

    /// Those that were created before this time.
    pub fn created_before(time: Timestamp) -> Self {
        Self {
            created_before: Some(time),
            ..Self::NOTHING
        }
    }

    /// Those in one of these states.
    pub fn in_states<S: Into<SnapshotState>>(states: impl IntoIterator<Item = S>) -> Self {
        Self::NOTHING.states(states)
    }

    /// Only those that have failed.
    pub fn failed() -> Self {
        Self::in_states([SnapshotState::Error, SnapshotState::BuildFailed])
    }

    /// Only those that were created longer ago than this. One whose date is not known stays.
    pub fn older_than(mut self, age: Duration) -> Self {
        self.age = Some(age);
        self
    }

    /// Only those that were last used, or else created, longer ago than this. One whose dates are not known stays.
    pub fn unused_for(mut self, time: Duration) -> Self {
        self.unused_for = Some(time);
        self
    }

    /// Only those in one of these states.
    pub fn states<S: Into<SnapshotState>>(mut self, states: impl IntoIterator<Item = S>) -> Self {
        self.states = Some(states.into_iter().map(Into::into).collect());
        self
    }

    /// Only those whose name begins with this. The newest that are kept are counted among them.
    pub fn name_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.name_prefix = Some(prefix.into());
        self
    }

    /// None of these, whatever the other rules say: by name or by id. Adds to what was excepted before.
    pub fn except<S: Into<SnapshotRef>>(mut self, snapshots: impl IntoIterator<Item = S>) -> Self {
        self.except.extend(snapshots.into_iter().map(Into::into));
        self
    }

    /// Those that have failed stay.
    pub fn keep_failed(mut self) -> Self {
        self.failed = Failed::Stay;
        self
    }

    /// Those that have failed are treated as all others are: they count among the newest, and have to be old enough.
    pub fn failed_like_others(mut self) -> Self {
        self.failed = Failed::LikeOthers;
        self
    }

    /// Divides what is there into what goes and what stays. `is_ours`: whether this client made or ensured it.
    fn divide(
        &self,
        mut snapshots: Vec<Snapshot>,
        now: Timestamp,
        is_ours: impl Fn(&Snapshot) -> bool,
    ) -> (Vec<Snapshot>, Vec<Snapshot>) {
        // The newest first; those without a date count as the newest.
        snapshots.sort_by_key(|snapshot| std::cmp::Reverse(snapshot.created_at.unwrap_or(Timestamp::MAX)));
        let mut newer = 0;
        snapshots.into_iter().partition(|snapshot| {
            if !is_prunable(snapshot) || !self.has_name(snapshot) {
                return false;
            }
            let has_state = self
                .states
                .as_ref()
                .is_none_or(|states| states.contains(&snapshot.state));
            let has_failed = Outcome::of(&snapshot.state) == Outcome::Failed;
            let is_kept = self.except.iter().any(|one| one.names(snapshot)) || is_ours(snapshot) && !has_failed;
            match self.failed {
                Failed::Go if has_failed => return has_state && !is_kept,
                Failed::Stay if has_failed => return false,
                _ => {}
            }
            newer += 1;
            newer > self.newest && has_state && !is_kept && self.is_old(snapshot, now)
        })
    }

    fn has_name(&self, snapshot: &Snapshot) -> bool {
        let prefix = self.name_prefix.as_deref().unwrap_or_default();
        snapshot.name.starts_with(prefix)
    }

    fn is_old(&self, snapshot: &Snapshot, now: Timestamp) -> bool {
        let is_past = |time: Option<Timestamp>, age: Duration| {
            time.and_then(|time| time.checked_add(age).ok())
                .is_some_and(|end| end < now)
        };
        let created = snapshot.created_at;
        self.age.is_none_or(|age| is_past(created, age))
            && self
                .unused_for
                .is_none_or(|age| is_past(snapshot.last_used_at.or(created), age))
            && self
                .created_before
                .is_none_or(|limit| created.is_some_and(|created| created < limit))
    }
}

/// Whether it may be deleted at all.
fn is_prunable(snapshot: &Snapshot) -> bool {
    let is_at_rest = match Outcome::of(&snapshot.state) {
        Outcome::Ready | Outcome::Failed => true,
        Outcome::Gone => snapshot.state == SnapshotState::Inactive,
        Outcome::Progress => false,
    };
    is_at_rest && snapshot.general != Some(true)
}

/// What a policy would delete.
///
/// ```no_run
/// # async fn example(daytona: daytona_sdk::Daytona, policy: daytona_sdk::PrunePolicy) -> Result<(), daytona_sdk::Error> {
/// let plan = daytona.snapshots().prune(policy).await?;
/// for snapshot in plan.to_delete() {
///     println!("would delete {}", snapshot.name);
/// }
/// plan.apply().await?.into_result()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing is deleted before it is applied"]
pub struct PrunePlan {
    client: ApiClient,
    delete: Vec<Snapshot>,
    keep: Vec<Snapshot>,
}

/// What became of a [`PrunePlan`].
#[derive(Debug, Default)]
#[must_use = "snapshots that could not be deleted are told here"]
#[non_exhaustive]
pub struct PruneReport {
    /// What was deleted, or is about to be removed.
    pub deleted: Vec<Snapshot>,
    /// What had changed since it was planned, and was left alone.
    pub changed: Vec<Snapshot>,
    /// What could not be deleted, and why. The one that was being deleted when the timeout passed is here with kind
    /// `WaitTimeout`: it may be gone.
    pub failed: Vec<(Snapshot, Error)>,
    /// What was still to be deleted when the timeout passed. It is as it was.
    pub not_tried: Vec<Snapshot>,
}

impl PruneReport {
    /// The report if nothing failed and nothing was left undone.
    ///
    /// # Errors
    ///
    /// The kind is that of the first snapshot that could not be deleted, and the text says how many there are. Kind
    /// `WaitTimeout` if none failed but the timeout passed before all were tried.
    pub fn into_result(mut self) -> Result<Self, Error> {
        let (failed, not_tried) = (self.failed.len(), self.not_tried.len());
        let left = match not_tried {
            0 => String::new(),
            _ => format!("the timeout passed before {not_tried} of the snapshots were tried"),
        };
        if failed == 0 {
            return match not_tried {
                0 => Ok(self),
                _ => Err(Error::new(ErrorKind::WaitTimeout, left)),
            };
        }
        let (snapshot, error) = self.failed.swap_remove(0);
        let left = if left.is_empty() { left } else { format!("; {left}") };
        let message = format!(
            "{failed} of the snapshots could not be deleted, first `{}`: {error}{left}",
            snapshot.name
        );
        Err(Error::new(error.kind(), message)
            .with_answer_of(&error)
            .with_snapshot(SnapshotInfo::of(&snapshot))
            .with_source(error))
    }
}

pub(crate) async fn plan(scope: Scope, policy: PrunePolicy) -> Result<PrunePlan, Error> {
    let client = scope.client;
    let snapshots = list::all(&client, GetAllSnapshots::new()).await?;
    let is_ours = |snapshot: &Snapshot| client.has_made(&snapshot.id);
    let (delete, keep) = policy.divide(snapshots, client.clock().timestamp(), is_ours);
    Ok(PrunePlan { client, delete, keep })
}

impl PrunePlan {
    /// What would be deleted, the newest first.
    pub fn to_delete(&self) -> &[Snapshot] {
        &self.delete
    }

    /// What would stay, the newest first.
    pub fn to_keep(&self) -> &[Snapshot] {
        &self.keep
    }

    /// Deletes, one after the other. Each is looked at once more: one that was changed, used or is being made again since it
    /// was planned is left alone. A failure does not stop the rest: it is listed in the report.
    ///
    /// When the [`timeout`](Call::timeout) passes, the call still returns the report, with all that was left undone.
    pub fn apply(self) -> Call<PruneReport> {
        Call::keeping_its_deadline(self.client, move |scope| async move {
            let mut report = PruneReport::default();
            for snapshot in self.delete {
                if scope.deadline.has_passed() {
                    report.not_tried.push(snapshot);
                    continue;
                }
                match scope.deadline.enforce(delete(&scope.client, &snapshot)).await {
                    Ok(true) => report.deleted.push(snapshot),
                    Ok(false) => report.changed.push(snapshot),
                    Err(error) => report.failed.push((snapshot, error)),
                }
            }
            Ok(report)
        })
    }
}

/// Deletes a snapshot if it is still as it was.
async fn delete(client: &ApiClient, planned: &Snapshot) -> Result<bool, Error> {
    let now = match client.call(&GetSnapshot::new(planned.id.as_str())).await {
        // Somebody else has deleted it.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        now => now?,
    };
    let is_same = now.id == planned.id && now.state == planned.state && now.last_used_at == planned.last_used_at;
    if !is_same || !is_prunable(&now) {
        return Ok(false);
    }
    change::remove(client, &planned.id).await.map(|_| true)
}

#[cfg(test)]
mod tests {
    use daytona_api::SnapshotId;

    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn now() -> Timestamp {
        "2026-11-25T12:00:00Z".parse().unwrap()
    }

    fn snapshot(name: &str, state: &str, days: u64) -> Snapshot {
        let mut snapshot = Snapshot::new(name, name, state);
        snapshot.created_at = now().checked_sub(DAY * u32::try_from(days).unwrap()).ok();
        snapshot
    }

    fn all() -> Vec<Snapshot> {
        let mut general = snapshot("general", "active", 100);
        general.general = Some(true);
        let mut undated = snapshot("ci-undated", "active", 0);
        undated.created_at = None;
        let mut used = snapshot("ci-used", "active", 90);
        used.last_used_at = Some(now());
        vec![
            snapshot("ci-1", "active", 1),
            snapshot("ci-30", "inactive", 30),
            used,
            snapshot("app", "active", 50),
            snapshot("failed", "build_failed", 0),
            snapshot("ci-error", "error", 60),
            snapshot("making", "building", 80),
            snapshot("unheard", "zzz", 80),
            snapshot("going", "removing", 80),
            general,
            undated,
        ]
    }

    fn deleted(policy: &PrunePolicy) -> Vec<String> {
        let (deleted, kept) = policy.divide(all(), now(), |_| false);
        assert_eq!(deleted.len() + kept.len(), all().len());
        deleted.into_iter().map(|snapshot| snapshot.name).collect()
    }

    #[test]
    fn rules_agree_and_failed_ones_go() {
        assert_eq!(
            deleted(&PrunePolicy::keep_newest(2)),
            ["failed", "ci-30", "app", "ci-error", "ci-used"]
        );
        assert_eq!(
            deleted(&PrunePolicy::keep_newest(2).failed_like_others()),
            ["ci-1", "ci-30", "app", "ci-error", "ci-used"]
        );
        assert_eq!(
            deleted(&PrunePolicy::keep_newest(2).keep_failed()),
            ["ci-30", "app", "ci-used"]
        );
        assert_eq!(
            deleted(&PrunePolicy::keep_newest(0).older_than(DAY * 40)),
            ["failed", "app", "ci-error", "ci-used"]
        );
        assert_eq!(
            deleted(&PrunePolicy::keep_newest(0).unused_for(DAY * 40)),
            ["failed", "app", "ci-error"]
        );
        assert_eq!(
            deleted(&PrunePolicy::created_before("2026-10-27T00:00:00Z".parse().unwrap()).failed_like_others()),
            ["ci-30", "app", "ci-error", "ci-used"]
        );
        assert_eq!(deleted(&PrunePolicy::failed()), ["failed", "ci-error"]);
        assert_eq!(deleted(&PrunePolicy::in_states(["inactive"])), ["ci-30"]);
        assert_eq!(
            deleted(&PrunePolicy::keep_newest(2).name_prefix("ci-")),
            ["ci-30", "ci-error", "ci-used"]
        );
    }

    #[test]
    fn what_is_excepted_or_ours_stays() {
        let policy = PrunePolicy::keep_newest(0)
            .except(["app", "ci-error"])
            .except([SnapshotId::from("failed")]);
        assert_eq!(deleted(&policy), ["ci-undated", "ci-1", "ci-30", "ci-used"]);
        let (deleted, _) = PrunePolicy::keep_newest(0).divide(all(), now(), |_| true);
        let names: Vec<_> = deleted.iter().map(|snapshot| snapshot.name.as_str()).collect();
        assert_eq!(names, ["failed", "ci-error"], "nobody uses what has failed");
    }

    #[test]
    fn what_must_stay_stays() {
        let everything = PrunePolicy::keep_newest(0);
        let deleted = deleted(&everything);
        for name in ["general", "making", "unheard", "going"] {
            assert!(!deleted.iter().any(|deleted| deleted == name), "{name}");
        }
        // Without a date nothing is old.
        assert!(!super::tests::deleted(&everything.older_than(DAY)).contains(&"ci-undated".to_owned()));
    }
}
