//! What requests make of snapshots, and how they are found.

use std::time::Duration;

use daytona_api::{SnapshotId, SnapshotState};
use jiff::Timestamp;

use super::event::Event;
use super::record::{Build, Record};
use super::{ASSIGNMENT, World, next_sweep};
use crate::base::clock::after;
use crate::state::account::Caller;

/// A build is written down so long before its snapshot.
const BUILD_FIRST: Duration = Duration::from_millis(5);
/// What an undone deletion or deactivation lasts, if nothing happens to the snapshot meanwhile.
const UNDOING: Duration = Duration::from_secs(1);
/// Activation is refused for so long after the last change.
const COOL_DOWN: Duration = Duration::from_mins(10);

impl World {
    /// Adds a snapshot and hands it to a runner. Where a ready image with a size is in the region, the snapshot is active
    /// at once.
    pub(crate) fn create(&mut self, mut record: Record) -> Record {
        let dockerfile = record.build.as_ref().map(|info| info.dockerfile.as_str());
        record.script = self.scripts.take(&record.name, &record.image, dockerfile);
        if let Some(info) = &record.build {
            // Written before the snapshot, for a new build and for a known one.
            let before = record.created.checked_sub(BUILD_FIRST).unwrap_or(record.created);
            let build = self.builds.entry(info.snapshot_ref.clone());
            build.or_insert_with(|| Build::new(before)).updated = before;
        }
        let script = record.script.clone().unwrap_or_default();
        let size = self.ready_size(&record).filter(|_| !script.is_particular());
        if script.active_at_once || size.is_some() {
            // No runner is ever chosen for it.
            record.size = size.or(script.size);
            record.become_active(record.created);
        } else if let Some(first) = script.states.first() {
            let time = after(record.created, first.after);
            self.schedule(time, Event::Scripted(record.id.clone(), 0));
        } else {
            self.schedule(after(record.created, ASSIGNMENT), Event::Assign(record.id.clone()));
        }
        self.snapshots.push(record.clone());
        record
    }

    /// The size that some snapshot of the same definition has, if a runner has it ready.
    fn ready_size(&self, record: &Record) -> Option<f64> {
        let reference = record.reference.as_ref()?;
        let mut is_ready = false;
        let mut size = None;
        for other in self
            .snapshots
            .iter()
            .filter(|other| other.reference.as_ref() == Some(reference))
        {
            is_ready |= other.state == SnapshotState::Active;
            size = size.or(other.size);
        }
        size.filter(|_| is_ready)
    }

    /// Adds a snapshot to which nothing more happens.
    pub(crate) fn seed(&mut self, record: Record, log: Option<Vec<u8>>) {
        if let Some(info) = &record.build {
            let build = self
                .builds
                .entry(info.snapshot_ref.clone())
                .or_insert_with(|| Build::new(record.created));
            build.log = log;
            build.is_running = record.state == SnapshotState::Building;
            build.has_failed = matches!(record.state, SnapshotState::Error);
            if record.state == SnapshotState::Active {
                build.built.get_or_insert(record.created);
            }
        }
        self.snapshots.push(record);
    }

    /// Marks for removal at the next sweep, or, if that is to be undone, for a while.
    pub(crate) fn remove(&mut self, id: &SnapshotId, now: Timestamp, is_undone: bool) {
        let lag = self.lag;
        if let Some(record) = self.find_id(id)
            && record.state != SnapshotState::Removing
        {
            record.remember_for_reads(lag, now);
            let before = record.replace_state(SnapshotState::Removing, now);
            record.is_undone = is_undone;
            if is_undone {
                self.schedule(after(now, UNDOING), Event::Restored(id.clone(), before));
            } else {
                self.schedule(next_sweep(now), Event::Removed(id.clone()));
            }
        }
    }

    /// Takes a snapshot out at once.
    pub(crate) fn take_out(&mut self, id: &str, now: Timestamp) {
        self.snapshots.retain(|record| record.id.as_str() != id);
        self.forget_builds(now);
    }

    /// An error message if a snapshot cannot be activated.
    pub(crate) fn check_activation(&self, id: &SnapshotId, now: Timestamp) -> Result<(), String> {
        let mut snapshots = self.snapshots.iter();
        let record = snapshots
            .find(|record| record.id == *id)
            .ok_or_else(|| format!("Snapshot {id} not found"))?;
        match &record.state {
            SnapshotState::Active => return Err(format!("Snapshot {id} is already active")),
            SnapshotState::Inactive => {}
            state => return Err(format!("Snapshot {id} cannot be activated - it is in {state} state")),
        }
        if now < after(record.updated, COOL_DOWN) {
            let message = "Snapshot deactivation is still in progress. Please try again in a few minutes.";
            return Err(message.to_owned());
        }
        Ok(())
    }

    /// Hands an inactive snapshot to a runner again.
    pub(crate) fn activate(&mut self, id: &SnapshotId, now: Timestamp) {
        let Some(record) = self.find_id(id) else { return };
        record.replace_state(SnapshotState::Pending, now);
        self.schedule(after(now, ASSIGNMENT), Event::Assign(id.clone()));
    }

    /// Deactivates, whatever the state is; for a while, if that is to be undone.
    pub(crate) fn deactivate(&mut self, id: &SnapshotId, now: Timestamp, is_undone: bool) {
        if let Some(record) = self.find_id(id)
            && record.state != SnapshotState::Inactive
        {
            let before = record.replace_state(SnapshotState::Inactive, now);
            record.is_undone = is_undone;
            if is_undone {
                self.schedule(after(now, UNDOING), Event::Restored(id.clone(), before));
            }
        }
    }

    /// Moves the last change of a snapshot, as one would in a database.
    pub(crate) fn set_updated(&mut self, id: &str, to: Timestamp) {
        if let Some(record) = self.find_id(&SnapshotId::from(id)) {
            record.updated = to;
        }
    }

    /// The snapshot that the caller sees by that id or name: its own before a general one.
    pub(crate) fn find(&self, caller: &Caller, id_or_name: &str) -> Option<&Record> {
        let is_it = |record: &&Record| record.is(id_or_name);
        let own = |record: &&Record| record.organization == caller.organization;
        let mut snapshots = self.snapshots.iter();
        let mut general = self.snapshots.iter().filter(|record| record.general);
        snapshots
            .find(|record| own(record) && is_it(record))
            .or_else(|| general.find(is_it))
    }

    /// Whether a snapshot of that id or name is pending, pulling or building.
    pub(crate) fn is_under_way(&self, id_or_name: &str) -> bool {
        let mut snapshots = self.snapshots.iter();
        snapshots.any(|record| record.is(id_or_name) && record.is_under_way())
    }

    /// The snapshot, if it is in that state, or was before what is undone now.
    pub(super) fn in_state(&mut self, id: &SnapshotId, state: &SnapshotState) -> Option<&mut Record> {
        let record = self.find_id(id)?;
        (std::mem::take(&mut record.is_undone) || record.state == *state).then_some(record)
    }

    pub(super) fn find_id(&mut self, id: &SnapshotId) -> Option<&mut Record> {
        self.snapshots.iter_mut().find(|record| record.id == *id)
    }
}
