//! Sandboxes and private images, as seen by users of the emulator.

use super::Emulator;
use crate::server::shown_sandbox;
use crate::state::sandbox_script::SandboxScript;

impl Emulator {
    /// Adds a script for sandboxes that are created from now on. If several scripts match, the first one applies.
    pub fn script_sandboxes(&self, script: SandboxScript) {
        self.keep(|core| core.script_sandboxes(script));
    }

    /// Makes images private whose full name begins with this, such as `registry.example/team` or `docker.io/acme`.
    /// Looking them up, pulling them, and building on them then needs a registry with credentials.
    pub fn require_credentials(&self, beginning: impl Into<String>) {
        self.keep(|core| core.require_credentials(beginning.into()));
    }

    /// Adds a sandbox of a snapshot, by the snapshot's name, without a creation over the API. It is already running,
    /// and does not stop by itself. Returns its id, or `None` if there is no such snapshot.
    pub fn add_sandbox(&self, snapshot: &str, name: &str) -> Option<String> {
        self.keep(|core| core.add_sandbox(snapshot, name))
    }

    /// The sandboxes of all organizations that are not deleted, the oldest first.
    pub async fn sandboxes(&self) -> Vec<daytona_api::Sandbox> {
        self.core.settle().await;
        let world = self.core.world();
        let there = world.sandboxes.iter().filter(|sandbox| !sandbox.is_deleted());
        let shown = there.filter_map(|sandbox| serde_json::to_value(shown_sandbox(sandbox, &self.api_url())).ok());
        shown.filter_map(|shown| serde_json::from_value(shown).ok()).collect()
    }
}
