//! Changes that tests make without the API. The handle that Rust programs hold and the admin routes both call it; the
//! caller saves the state.

use std::io;

use jiff::Timestamp;

use super::account::{ApiKey, Organization, UserToken};
use super::core::Core;
use super::fault::Fault;
use super::limit::RateLimits;
use super::region::Region;
use super::sandbox_script::SandboxScript;
use super::script::Script;
use super::world::{ReadLag, SeededSnapshot};

impl Core {
    /// Adds a fault.
    pub(crate) fn inject(&self, fault: Fault) {
        self.faults.add(fault);
    }

    pub(crate) fn clear_faults(&self) {
        self.faults.clear();
    }

    /// Adds a script for snapshots.
    pub(crate) fn script(&self, script: Script) {
        self.change(|world, _| world.scripts.0.push(script));
    }

    /// Adds a script for sandboxes.
    pub(crate) fn script_sandboxes(&self, script: SandboxScript) {
        self.change(|world, _| world.sandbox_scripts.0.push(script));
    }

    /// Removes all scripts, for snapshots and for sandboxes.
    pub(crate) fn clear_scripts(&self) {
        self.change(|world, _| {
            world.scripts.0.clear();
            world.sandbox_scripts.0.clear();
        });
    }

    pub(crate) fn clear_sandbox_scripts(&self) {
        self.change(|world, _| world.sandbox_scripts.0.clear());
    }

    /// Makes images private whose full name begins with this.
    pub(crate) fn require_credentials(&self, beginning: String) {
        self.change(|world, _| world.private_images.push(beginning));
    }

    /// Adds a sandbox of a snapshot, by the snapshot's name. Returns its id; none if there is no such snapshot.
    pub(crate) fn add_sandbox(&self, snapshot: &str, name: &str) -> Option<String> {
        self.change(|world, now| world.seed_sandbox(snapshot, &self.organization_id, name, now))
    }

    /// The emulator's own organization.
    pub(crate) fn organization(&self) -> Organization {
        let own = self.world().accounts.organization(&self.organization_id).cloned();
        own.unwrap_or_else(|| Organization::new("emulator").id(&self.organization_id))
    }

    /// Adds an organization, or changes the one with the same id. Returns the id.
    pub(crate) fn put_organization(&self, organization: Organization) -> String {
        let id = organization.id.clone();
        self.change(|world, _| world.accounts.put_organization(organization));
        id
    }

    /// Adds a region, or changes the one with the same id.
    pub(crate) fn put_region(&self, region: Region) {
        self.change(|world, _| world.put_region(region));
    }

    /// Adds an API key, or changes the one with the same value. Returns the value.
    pub(crate) fn add_api_key(&self, mut key: ApiKey) -> String {
        let value = key.value.clone();
        self.change(|world, now| {
            key.created.get_or_insert(now);
            world.accounts.add_key(key);
        });
        value
    }

    /// Adds the token of a user, and returns its value.
    pub(crate) fn add_user_token(&self, token: UserToken) -> String {
        let value = token.value.clone();
        self.change(|world, _| world.accounts.add_token(token));
        value
    }

    /// Adds the key of a runner or a proxy.
    pub(crate) fn add_service_key(&self, value: String) {
        self.change(|world, _| world.accounts.add_service(value));
    }

    /// Adds a snapshot, and returns its id; an error names the snapshot that has its name or id already.
    pub(crate) fn add_other_snapshot(&self, snapshot: SeededSnapshot) -> Result<String, String> {
        self.request(|world, now| {
            let (record, log) = snapshot.into_record(&self.organization_id, now);
            let same = world.snapshots.iter().find(|other| {
                other.id == record.id || other.organization == record.organization && other.name == record.name
            });
            if let Some(other) = same {
                let id = other.id.as_str();
                return Err(format!(
                    "the snapshot {:?} exists already, with the id {id}",
                    other.name
                ));
            }
            let id = record.id.as_str().to_owned();
            world.seed(record, log);
            Ok(id)
        })
    }

    /// Adds a snapshot, and returns its id.
    pub(crate) fn add_snapshot(&self, snapshot: SeededSnapshot) -> String {
        self.change(|world, now| {
            let (record, log) = snapshot.into_record(&self.organization_id, now);
            let id = record.id.as_str().to_owned();
            world.seed(record, log);
            id
        })
    }

    /// Removes a snapshot at once.
    pub(crate) fn remove_snapshot(&self, id: &str) {
        self.change(|world, now| world.take_out(id, now));
    }

    /// Moves the time of the last change of a snapshot.
    pub(crate) fn set_updated(&self, id: &str, to: Timestamp) {
        self.change(|world, _| world.set_updated(id, to));
    }

    /// Lets reads lag behind writes.
    pub(crate) fn set_read_lag(&self, lag: ReadLag) {
        self.change(|world, _| world.lag = lag);
    }

    /// Refuses every request to the API, or stops doing so.
    pub(crate) fn set_maintenance(&self, is_on: bool) {
        self.change(|world, _| world.is_under_maintenance = is_on);
    }

    /// Removes the only runner, or brings it back.
    pub(crate) fn set_runner(&self, is_there: bool) {
        self.change(|world, now| world.set_runner(is_there, now));
    }

    /// Limits requests, or removes the limits.
    pub(crate) fn set_rate_limits(&self, limits: Option<RateLimits>) {
        self.limiter.set(limits);
    }

    /// Resets everything to what it was when the emulator started. The clock goes first, so that nothing new is scheduled
    /// by the time before.
    ///
    /// # Errors
    ///
    /// If the index of stored objects cannot be changed.
    pub(crate) fn reset(&self) -> io::Result<()> {
        self.faults.clear();
        self.limiter.set(None);
        self.clock.restart();
        self.change(|world, _| world.reset(&self.beginning));
        self.forget_requests();
        self.storage.clear()
    }
}
