//! The record of a sandbox.

use std::time::Duration;

use daytona_api::SandboxState;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::record::{Record, Resources};
use crate::base::clock::after;
use crate::base::random::new_id;
use crate::state::sandbox_script::SandboxScript;

/// The desired state of a sandbox that was deleted.
pub(super) const DESTROYED: &str = "destroyed";
/// How long a failed removal is listed, for requests that ask for it.
const LISTED: Duration = Duration::from_hours(24);

/// A sandbox's record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Sandbox {
    pub(crate) id: String,
    pub(crate) organization: String,
    pub(crate) name: String,
    pub(crate) target: String,
    /// Name of the snapshot that it came from.
    pub(crate) snapshot: String,
    pub(crate) user: String,
    pub(crate) env: Map<String, Value>,
    pub(crate) labels: Map<String, Value>,
    pub(crate) resources: Resources,
    pub(crate) gpu_type: Option<String>,
    pub(crate) is_public: bool,
    pub(crate) class: String,
    pub(crate) state: SandboxState,
    pub(crate) wanted: String,
    pub(crate) error: Option<String>,
    pub(crate) is_recoverable: bool,
    /// Minutes; 0 is never.
    pub(crate) stop_after: i64,
    pub(crate) archive_after: i64,
    /// Minutes after the stop; negative is never.
    pub(crate) delete_after: i64,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) active: Timestamp,
    pub(crate) runner: String,
    pub(crate) script: SandboxScript,
    /// Its removal failed on the runner.
    pub(crate) is_lost: bool,
}

/// What happens to a sandbox by itself.
#[derive(Debug)]
pub(super) enum Step {
    /// The runner has tried to start it.
    Begun,
    /// Nothing has happened in it since this time, and the limit for that has passed.
    Idle(Timestamp),
    Stopped,
    Removed,
    /// The snapshot of it exists.
    Captured(String),
    /// It returns to its state from before the capture.
    Returned(SandboxState),
}

impl Sandbox {
    /// A sandbox of a snapshot that is being created. Only its name is given.
    pub(crate) fn of(snapshot: &Record, organization: &str, name: &str, now: Timestamp) -> Self {
        let id = new_id();
        Self {
            organization: organization.to_owned(),
            name: if name.is_empty() { id.clone() } else { name.to_owned() },
            id,
            target: snapshot.region.clone(),
            snapshot: snapshot.name.clone(),
            user: "daytona".to_owned(),
            env: Map::new(),
            labels: Map::new(),
            resources: snapshot.resources,
            gpu_type: snapshot.gpu_type.clone(),
            is_public: false,
            class: snapshot.class.clone(),
            state: SandboxState::Creating,
            wanted: "started".to_owned(),
            error: None,
            is_recoverable: false,
            stop_after: 0,
            archive_after: 0,
            delete_after: -1,
            created: now,
            updated: now,
            active: now,
            runner: snapshot.runner.clone().unwrap_or_else(new_id),
            script: SandboxScript::default(),
            is_lost: false,
        }
    }

    /// Whether it was deleted.
    pub(crate) fn is_deleted(&self) -> bool {
        self.wanted == DESTROYED
    }

    /// Whether something is being done with it, so that nothing else can be.
    pub(crate) fn is_changing(&self) -> bool {
        use SandboxState::{Creating, Snapshotting, Starting, Stopping};
        matches!(self.state, Creating | Starting | Stopping | Snapshotting)
    }

    /// Whether a list shows it. `with_lost` also shows sandboxes whose removal failed.
    pub(crate) fn is_listed(&self, with_lost: bool, now: Timestamp) -> bool {
        !self.is_lost || with_lost && now < after(self.updated, LISTED)
    }

    pub(super) fn change(&mut self, state: SandboxState, now: Timestamp) {
        self.state = state;
        self.updated = now;
    }
}
