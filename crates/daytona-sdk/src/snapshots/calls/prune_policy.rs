//! Decides which snapshots go, and why the others stay.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use daytona_api::{Snapshot, SnapshotState};
use jiff::Timestamp;

use crate::snapshots::reference::SnapshotRef;
use crate::snapshots::watch::outcome::Outcome;

#[cfg(test)]
mod tests;

/// Selects the snapshots that may be deleted. There is no default policy: each policy starts with a rule.
///
/// A snapshot is deleted only if all rules agree. Failed snapshots are deleted whatever their age and number, unless
/// [`keep_failed`](Self::keep_failed) or [`failed_like_others`](Self::failed_like_others) is set. The following are
/// never deleted:
///
/// - snapshots that [`except`](Self::except) names;
/// - snapshots that this client, or a clone of it, has created, ensured or waited for, unless they have failed;
/// - general snapshots, which every organization can use;
/// - snapshots that are being made or removed; an unknown state counts as being made.
///
/// ```no_run
/// # async fn example(daytona: daytona_sdk::Daytona, params: daytona_sdk::CreateSnapshotParams) -> Result<(), daytona_sdk::Error> {
/// use daytona_sdk::PrunePolicy;
/// use std::time::Duration;
///
/// let week = Duration::from_secs(7 * 24 * 3600);
/// let needed = daytona.snapshots().ensure(params).await?;
/// // Of the snapshots named `ci-…`, deletes those that are older than a week, except the
/// // newest five, and all that have failed.
/// let policy = PrunePolicy::keep_newest(5)
///     .older_than(week)
///     .name_prefix("ci-")
///     .except([&needed]);
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
    pub(crate) not_in_use: bool,
}

/// What happens to failed snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failed {
    /// They go, whatever their age and number.
    Go,
    /// They stay.
    Stay,
    /// The rules for other snapshots apply to them.
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
        not_in_use: false,
    };

    /// Deletes all except this many of the newest, by creation.
    pub fn keep_newest(count: usize) -> Self {
        Self {
            newest: count,
            ..Self::NOTHING
        }
    }

    /// Deletes those that were created before this time.
    pub fn created_before(time: Timestamp) -> Self {
        Self {
            created_before: Some(time),
            ..Self::NOTHING
        }
    }

    /// Deletes those in one of these states.
    pub fn in_states<S: Into<SnapshotState>>(states: impl IntoIterator<Item = S>) -> Self {
        Self::NOTHING.states(states)
    }

    /// Deletes only those that have failed.
    pub fn failed() -> Self {
        Self::in_states([SnapshotState::Error, SnapshotState::BuildFailed])
    }

    /// Only those that were created longer ago than this. A snapshot without a known date stays.
    pub fn older_than(mut self, age: Duration) -> Self {
        self.age = Some(age);
        self
    }

    /// Only those that were last used longer ago than this; without a use, the creation counts. A snapshot without
    /// known dates stays.
    pub fn unused_for(mut self, time: Duration) -> Self {
        self.unused_for = Some(time);
        self
    }

    /// Only those in one of these states.
    pub fn states<S: Into<SnapshotState>>(mut self, states: impl IntoIterator<Item = S>) -> Self {
        self.states = Some(states.into_iter().map(Into::into).collect());
        self
    }

    /// Only those whose name begins with this. Only they count among the newest.
    pub fn name_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.name_prefix = Some(prefix.into());
        self
    }

    /// Never these, by name or by id, whatever the other rules say. You can call it more than once.
    pub fn except<S: Into<SnapshotRef>>(mut self, snapshots: impl IntoIterator<Item = S>) -> Self {
        self.except.extend(snapshots.into_iter().map(Into::into));
        self
    }

    /// Failed snapshots stay.
    pub fn keep_failed(mut self) -> Self {
        self.failed = Failed::Stay;
        self
    }

    /// Failed snapshots are treated like all others: they count among the newest, and must be old enough.
    pub fn failed_like_others(mut self) -> Self {
        self.failed = Failed::LikeOthers;
        self
    }

    /// Only those without sandboxes. The server knows only the name of a sandbox's snapshot, so sandboxes of an earlier
    /// snapshot of that name count too, and so do sandboxes that were deleted during the last day and are still on
    /// their runner. Each snapshot is checked once more before it is deleted. Without this rule, a snapshot is deleted
    /// even if sandboxes came from it; they keep running.
    pub fn not_in_use(mut self) -> Self {
        self.not_in_use = true;
        self
    }

    /// Divides the snapshots into those that go and those that stay. `is_ours` says whether this client has created or
    /// ensured a snapshot. `users` says how many sandboxes each name has.
    pub(crate) fn divide(
        &self,
        mut snapshots: Vec<Snapshot>,
        now: Timestamp,
        is_ours: impl Fn(&Snapshot) -> bool,
        users: &HashMap<String, usize>,
    ) -> (Vec<Decided>, Vec<Decided>) {
        // The newest first; those without a date count as the newest.
        snapshots.sort_by_key(|snapshot| std::cmp::Reverse(snapshot.created_at.unwrap_or(Timestamp::MAX)));
        let mut newer = 0;
        let decided = snapshots.into_iter().map(|snapshot| {
            let reason = self.reason(&snapshot, now, &is_ours, users, &mut newer);
            (snapshot, reason)
        });
        decided.partition(|(_, reason)| reason.goes())
    }

    /// Why a snapshot goes or stays. `newer` is how many snapshots before it count among the newest.
    fn reason(
        &self,
        snapshot: &Snapshot,
        now: Timestamp,
        is_ours: impl Fn(&Snapshot) -> bool,
        users: &HashMap<String, usize>,
        newer: &mut usize,
    ) -> PruneReason {
        if snapshot.general == Some(true) {
            return PruneReason::General;
        }
        if !is_prunable(snapshot) {
            return PruneReason::UnderWay;
        }
        if !self.has_name(snapshot) {
            return PruneReason::OtherName;
        }
        let has_failed = Outcome::of(&snapshot.state) == Outcome::Failed;
        let goes_for_failure = has_failed && self.failed == Failed::Go;
        if has_failed && self.failed == Failed::Stay {
            return PruneReason::KeptFailed;
        }
        if !goes_for_failure {
            *newer += 1;
        }
        let has_state = |states: &Vec<SnapshotState>| states.contains(&snapshot.state);
        let sandboxes = users.get(&snapshot.name).copied().unwrap_or_default();
        if self.except.iter().any(|one| one.names(snapshot)) {
            PruneReason::Excepted
        } else if is_ours(snapshot) && !has_failed {
            PruneReason::Ours
        } else if !self.states.as_ref().is_none_or(has_state) {
            PruneReason::OtherState
        } else if !goes_for_failure && *newer <= self.newest {
            PruneReason::AmongNewest
        } else if !goes_for_failure && !self.is_old(snapshot, now) {
            PruneReason::Young
        } else if self.not_in_use && sandboxes > 0 {
            PruneReason::InUse { sandboxes }
        } else if has_failed {
            PruneReason::Failed
        } else {
            PruneReason::Rules
        }
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
pub(crate) fn is_prunable(snapshot: &Snapshot) -> bool {
    let is_at_rest = match Outcome::of(&snapshot.state) {
        Outcome::Ready | Outcome::Failed => true,
        Outcome::Gone => snapshot.state == SnapshotState::Inactive,
        Outcome::Progress => false,
    };
    is_at_rest && snapshot.general != Some(true)
}

/// A snapshot, and why it goes or stays.
pub(crate) type Decided = (Snapshot, PruneReason);

/// Why a snapshot goes or stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PruneReason {
    /// It goes: it has failed.
    Failed,
    /// It goes: all rules agree.
    Rules,
    /// It stays: it is a general snapshot.
    General,
    /// It stays: it is being made or removed, or its state is unknown.
    UnderWay,
    /// It stays: the rules are for other names.
    OtherName,
    /// It stays: the rules are for other states.
    OtherState,
    /// It stays: it has failed, and failed snapshots are kept.
    KeptFailed,
    /// It stays: the policy names it.
    Excepted,
    /// It stays: this client has created, ensured or waited for it.
    Ours,
    /// It stays: it is one of the newest.
    AmongNewest,
    /// It stays: it was created or used too recently, or its dates are unknown.
    Young,
    /// It stays: sandboxes came from it.
    InUse {
        /// How many.
        sandboxes: usize,
    },
}

impl PruneReason {
    /// Whether the snapshot goes.
    pub fn goes(self) -> bool {
        matches!(self, Self::Failed | Self::Rules)
    }
}

impl fmt::Display for PruneReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Failed => "it has failed",
            Self::Rules => "all rules agree",
            Self::General => "it is a general snapshot",
            Self::UnderWay => "it is being made or removed",
            Self::OtherName => "the rules are for other names",
            Self::OtherState => "the rules are for other states",
            Self::KeptFailed => "it has failed, and failed snapshots are kept",
            Self::Excepted => "the policy names it",
            Self::Ours => "this client has created, ensured or awaited it",
            Self::AmongNewest => "it is one of the newest",
            Self::Young => "it was created or used too recently",
            Self::InUse { sandboxes } => return write!(formatter, "sandboxes that came from it: {sandboxes}"),
        })
    }
}
