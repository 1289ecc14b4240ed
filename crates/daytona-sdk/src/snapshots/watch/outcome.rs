//! Maps a state to its meaning for a waiting caller.

use daytona_api::{Snapshot, SnapshotState};

use crate::error::{Error, ErrorKind, SnapshotInfo};

/// What a state means if the caller waits for a snapshot to become active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Go on waiting. Unknown states belong here too.
    Progress,
    /// It is ready.
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
    let reason = snapshot
        .error_reason
        .as_deref()
        .map(str::trim)
        .filter(|reason| !reason.is_empty());
    let said = reason.unwrap_or("the server gives no reason");
    let message = format!("snapshot `{}` failed ({}): {said}", snapshot.name, snapshot.state);
    let error = Error::new(ErrorKind::BuildFailed, message).with_snapshot(SnapshotInfo::of(snapshot));
    match reason {
        Some(reason) => error.with_reason(reason),
        None => error,
    }
}

/// The error if a snapshot will not become active because of somebody else. `was_seen` says whether it was on its way
/// before.
pub(crate) fn gone(snapshot: &Snapshot, was_seen: bool) -> Error {
    let Snapshot { name, state, .. } = snapshot;
    let message = match (state, was_seen) {
        (_, true) => format!("snapshot `{name}` became {state} while it was waited for"),
        (SnapshotState::Inactive, false) => {
            format!("snapshot `{name}` is inactive and does not become active by itself: activate it")
        }
        (_, false) => format!("snapshot `{name}` is {state}: it does not become active"),
    };
    Error::new(ErrorKind::Gone, message).with_snapshot(SnapshotInfo::of(snapshot))
}

/// The error if a snapshot has disappeared.
pub(crate) fn deleted(last: &Snapshot) -> Error {
    let message = format!("snapshot `{}` was deleted while it was waited for", last.name);
    Error::new(ErrorKind::Gone, message).with_snapshot(SnapshotInfo::of(last))
}

/// What helps against a failure that says nothing about the definition. The snapshot is deleted and created again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Upload everything: the object storage said that it holds an archive, but it does not.
    UploadAgain,
    /// Wait: another snapshot of the same definition was being made, and the server makes one at a time.
    AfterTwin,
}

impl Remedy {
    /// What helps, by the server's message as measured.
    pub(crate) fn of(error: &Error) -> Option<Self> {
        // The whole message or its beginning, because a build's own output may quote anything.
        let reason = error.reason()?;
        if reason.starts_with("failed to get tar from storage") && reason.contains("specified key does not exist") {
            Some(Self::UploadAgain)
        } else if reason == "An operation is already in progress for this resource" {
            Some(Self::AfterTwin)
        } else {
            None
        }
    }
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

    #[test]
    fn measured_reasons_have_remedies() {
        let of = |reason: &str| {
            let mut snapshot = Snapshot::new("id", "x", SnapshotState::Error);
            snapshot.error_reason = Some(reason.to_owned());
            Remedy::of(&failed(&snapshot))
        };
        let missing =
            "failed to get tar from storage with hash 1: failed to read object data: The specified key does not exist.";
        assert_eq!(of(missing), Some(Remedy::UploadAgain));
        assert_eq!(
            of("An operation is already in progress for this resource"),
            Some(Remedy::AfterTwin)
        );
        let quoted = "process \"/bin/sh -c echo an operation is already in progress\" did not complete: exit code: 1";
        assert_eq!(of(quoted), None);
        assert_eq!(of("process \"/bin/sh -c exit 7\" did not complete successfully"), None);
        assert_eq!(of(""), None);
    }
}
