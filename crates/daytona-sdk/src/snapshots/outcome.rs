//! What a state means for somebody who waits.

use daytona_api::{Snapshot, SnapshotState};

use crate::error::{Error, ErrorKind, SnapshotInfo};

/// What a state means for somebody who waits for a snapshot to be active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Go on waiting. So for every state that is not known.
    Progress,
    /// It can be used.
    Ready,
    /// It will not become active by itself.
    Failed,
    /// Somebody else has deactivated it or is deleting it.
    Gone,
}

impl Outcome {
    pub(crate) fn of(state: &SnapshotState) -> Self {
        match state {
            SnapshotState::Active => Self::Ready,
            SnapshotState::Error | SnapshotState::BuildFailed => Self::Failed,
            SnapshotState::Inactive | SnapshotState::Removing => Self::Gone,
            _ => Self::Progress,
        }
    }
}

pub(crate) fn failed(snapshot: &Snapshot) -> Error {
    let reason = snapshot.error_reason.as_deref().unwrap_or("the server gives no reason");
    let message = format!("snapshot `{}` failed ({}): {reason}", snapshot.name, snapshot.state);
    Error::new(ErrorKind::BuildFailed, message).with_snapshot(SnapshotInfo::of(snapshot))
}

pub(crate) fn gone(snapshot: &Snapshot) -> Error {
    let message = format!(
        "snapshot `{}` became {} while it was waited for",
        snapshot.name, snapshot.state
    );
    Error::new(ErrorKind::Gone, message).with_snapshot(SnapshotInfo::of(snapshot))
}

pub(crate) fn deleted(last: &SnapshotInfo) -> Error {
    let message = format!("snapshot `{}` was deleted while it was waited for", last.name);
    Error::new(ErrorKind::Gone, message).with_snapshot(last.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_means_something() {
        let of = |state: &str| Outcome::of(&SnapshotState::from(state));
        for state in ["building", "pending", "pulling", "snapshotting", "zzz", ""] {
            assert_eq!(of(state), Outcome::Progress, "{state}");
        }
        assert_eq!(of("active"), Outcome::Ready);
        assert_eq!([of("error"), of("build_failed")], [Outcome::Failed; 2]);
        assert_eq!([of("inactive"), of("removing")], [Outcome::Gone; 2]);
    }
}
