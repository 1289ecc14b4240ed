//! Events that will happen.

use std::sync::Arc;

use daytona_api::{SnapshotId, SnapshotState};
use jiff::Timestamp;

use super::record::{BuildInfo, Record};
use super::sandbox::Step;
use crate::builder::{self, BuiltImage};
use crate::state::script::Script;

#[derive(Debug)]
pub(super) enum Event {
    /// A runner takes the snapshot on.
    Assign(SnapshotId),
    /// The registry has answered about the image.
    Inspected(SnapshotId),
    Pulled(SnapshotId),
    OpenLog(String),
    LogLine(String, String),
    /// The build of this reference, for that snapshot.
    Built(SnapshotId, String, Result<(), String>, Option<Arc<BuiltImage>>),
    /// The periodic task sees how a build has ended.
    Noticed(SnapshotId, Result<(), String>),
    /// The registry has answered about a built image.
    Checked(SnapshotId),
    /// A runner is busy with the same definition, and does not accept the snapshot, which is in this state.
    Rejected(SnapshotId, SnapshotState),
    Removed(SnapshotId),
    /// An acknowledged change is undone.
    Restored(SnapshotId, SnapshotState),
    /// What happens to the sandbox of this id.
    Sandbox(String, Step),
    /// The state with this number of the script.
    Scripted(SnapshotId, usize),
}

/// The result of a due event.
pub(crate) enum Due {
    Happened,
    Build(Box<BuildJob>),
}

/// A build whose result is needed before anything more can happen to its snapshot.
#[derive(Debug, Clone)]
pub(crate) struct BuildJob {
    pub(crate) snapshot: SnapshotId,
    pub(crate) organization: String,
    pub(crate) info: BuildInfo,
    pub(crate) script: Option<Script>,
    pub(crate) started: Timestamp,
}

impl BuildJob {
    /// What would be built for a snapshot, independent of its state.
    pub(crate) fn of(record: &Record) -> Option<Self> {
        Some(Self {
            snapshot: record.id.clone(),
            organization: record.organization.clone(),
            info: record.build.clone()?,
            script: record.script.clone(),
            started: record.created,
        })
    }

    /// The same as the builder's input.
    pub(crate) fn for_builder(&self) -> builder::Job {
        let script = self.script.clone().unwrap_or_default();
        builder::Job {
            organization: self.organization.clone(),
            dockerfile: self.info.dockerfile.clone(),
            hashes: self.info.hashes.clone().unwrap_or_default(),
            reference: self.info.snapshot_ref.clone(),
            takes: script.takes,
            fails: script.fails,
            log: script.log,
            run: script.run,
        }
    }
}
