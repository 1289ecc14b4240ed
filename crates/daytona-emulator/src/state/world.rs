//! What the service knows: organizations, snapshots, builds; and what requests change of it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use daytona_api::{SnapshotId, SnapshotState};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::base::clock::after;
use crate::base::random::new_id;
use crate::builder::BuiltImage;
use crate::state::account::{Accounts, Caller};
use crate::state::region::{self, Region};
use crate::state::sandbox_script::SandboxScripts;
use crate::state::script::Scripts;

mod course;
mod event;
mod jobs;
mod lag;
mod reads;
mod record;
mod registries;
mod registry;
mod sandbox;
mod sandboxes;
mod traces;
mod writing;

use event::Event;
pub(crate) use event::{BuildJob, Due};
use jobs::Jobs;
pub use lag::ReadLag;
pub use record::SeededSnapshot;
pub(crate) use record::{Build, BuildInfo, Record, Resources, entrypoint_of, full_reference, snapshot_ref};
pub(crate) use registry::Registry;
pub(crate) use sandbox::Sandbox;
use traces::Traces;
pub(crate) use writing::Writing;

/// From the creation to the assignment of a runner.
const ASSIGNMENT: Duration = Duration::from_millis(30);
/// Builds without a snapshot that are kept, and for how long.
const LEFT_BUILDS: usize = 50;
const LEFT_LIFETIME: Duration = Duration::from_hours(1);
/// A build that was begun so often and did not end with the process is not begun again.
const MOST_ATTEMPTS: u32 = 2;
/// A build is written down so long before its snapshot.
const BUILD_FIRST: Duration = Duration::from_millis(5);
/// The server's periodic tasks run at every multiple of it.
const SWEEP: Duration = Duration::from_secs(10);
/// What an undone deletion or deactivation lasts, if nothing happens to the snapshot meanwhile.
const UNDOING: Duration = Duration::from_secs(1);
/// Activation is refused for so long after the last change.
const COOL_DOWN: Duration = Duration::from_mins(10);

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) accounts: Accounts,
    pub(crate) snapshots: Vec<Record>,
    builds: HashMap<String, Build>,
    regions: Vec<Region>,
    pub(crate) sandboxes: Vec<Sandbox>,
    pub(crate) registries: Vec<Registry>,
    /// Id of the registry that push access is given to.
    pub(crate) push_registry: String,
    /// What the full names of images begin with that need credentials.
    pub(crate) private_images: Vec<String>,
    pub(crate) scripts: Scripts,
    pub(crate) sandbox_scripts: SandboxScripts,
    events: BTreeMap<(Timestamp, u64), Event>,
    /// Events are told apart by a number, and happen in its order where their times are the same.
    sequence: u64,
    has_runner: bool,
    pub(crate) is_under_maintenance: bool,
    pub(crate) lag: ReadLag,
    traces: Traces,
    jobs: Jobs,
    pub(crate) created_at: Timestamp,
}

/// What an emulator had when it started: who may use it, and where.
#[derive(Debug)]
pub(crate) struct Beginning {
    accounts: Accounts,
    regions: Vec<Region>,
}

/// What survives a restart.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Saved {
    accounts: Accounts,
    snapshots: Vec<Record>,
    builds: HashMap<String, Build>,
    #[serde(default = "first_region")]
    regions: Vec<Region>,
    #[serde(default)]
    sandboxes: Vec<Sandbox>,
    #[serde(default)]
    registries: Vec<Registry>,
    created_at: Timestamp,
}

fn first_region() -> Vec<Region> {
    vec![Region::shared(region::DEFAULT)]
}

impl World {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self::restore(
            Saved {
                accounts: Accounts::default(),
                snapshots: Vec::new(),
                builds: HashMap::new(),
                regions: first_region(),
                sandboxes: Vec::new(),
                registries: Vec::new(),
                created_at: now,
            },
            now,
        )
    }

    /// Goes on with what was saved: work that was under way begins again.
    pub(crate) fn restore(saved: Saved, now: Timestamp) -> Self {
        let mut world = Self {
            accounts: saved.accounts,
            snapshots: saved.snapshots,
            builds: saved.builds,
            regions: saved.regions,
            sandboxes: saved.sandboxes,
            registries: saved.registries,
            push_registry: new_id(),
            private_images: Vec::new(),
            scripts: Scripts::default(),
            sandbox_scripts: SandboxScripts::default(),
            events: BTreeMap::new(),
            sequence: 0,
            has_runner: true,
            is_under_maintenance: false,
            lag: ReadLag::default(),
            traces: Traces::default(),
            jobs: Jobs::default(),
            created_at: saved.created_at,
        };
        let mut events = Vec::new();
        for record in world.snapshots.iter_mut().filter(|record| !record.is_seeded) {
            let id = record.id.clone();
            let build = record.build.as_ref().map(|info| info.snapshot_ref.as_str());
            let build = build.and_then(|reference| world.builds.get_mut(reference));
            match (record.state.clone(), build) {
                (SnapshotState::Removing, _) => events.push((next_sweep(now), Event::Removed(id))),
                (SnapshotState::Building, Some(build)) if build.attempts >= MOST_ATTEMPTS => {
                    let reason = format!("the emulator ended {MOST_ATTEMPTS} times while it was building this");
                    record.fail(SnapshotState::Error, reason, now);
                }
                (SnapshotState::Pending | SnapshotState::Pulling | SnapshotState::Building, build) => {
                    // What was written of a log was of a build that did not end.
                    if let Some(build) = build.filter(|build| build.attempts > 0) {
                        build.log = None;
                    }
                    record.state = SnapshotState::Pending;
                    events.push((after(now, ASSIGNMENT), Event::Assign(id)));
                }
                _ => {}
            }
        }
        for (time, event) in events {
            world.schedule(time, event);
        }
        world.resume_sandboxes(now);
        world
    }

    /// What [`reset`](Self::reset) goes back to.
    pub(crate) fn beginning(&self) -> Beginning {
        Beginning {
            accounts: self.accounts.clone(),
            regions: self.regions.clone(),
        }
    }

    /// Forgets everything that happened, and everything that a test set up.
    pub(crate) fn reset(&mut self, beginning: &Beginning) {
        self.accounts.clone_from(&beginning.accounts);
        self.regions.clone_from(&beginning.regions);
        self.snapshots.clear();
        self.builds.clear();
        self.sandboxes.clear();
        self.registries.clear();
        self.private_images.clear();
        self.events.clear();
        self.scripts = Scripts::default();
        self.sandbox_scripts = SandboxScripts::default();
        self.traces = Traces::default();
        self.jobs = Jobs::default();
        self.lag = ReadLag::default();
        self.has_runner = true;
        self.is_under_maintenance = false;
    }

    /// Lets go of builds that no snapshot has any more: of their images at once, of their logs after a while, as a further build
    /// of the same definition appends to the log.
    fn forget_builds(&mut self, now: Timestamp) {
        let shared: HashSet<&str> = self
            .snapshots
            .iter()
            .filter_map(|record| Some(record.build.as_ref()?.snapshot_ref.as_str()))
            .collect();
        let mut left = Vec::new();
        for (reference, build) in &mut self.builds {
            if shared.contains(reference.as_str()) || build.is_running {
                build.left = None;
            } else {
                build.image = None;
                left.push((*build.left.get_or_insert(now), reference.clone()));
            }
        }
        left.sort_unstable_by(|one, other| other.cmp(one));
        for (index, (since, reference)) in left.into_iter().enumerate() {
            if index >= LEFT_BUILDS || after(since, LEFT_LIFETIME) <= now {
                self.builds.remove(&reference);
            }
        }
    }

    /// What is to be saved, as JSON.
    pub(crate) fn save(&self) -> serde_json::Result<Vec<u8>> {
        #[derive(Serialize)]
        struct Saving<'a> {
            accounts: &'a Accounts,
            snapshots: &'a [Record],
            builds: &'a HashMap<String, Build>,
            regions: &'a [Region],
            sandboxes: &'a [Sandbox],
            registries: &'a [Registry],
            created_at: Timestamp,
        }
        serde_json::to_vec(&Saving {
            accounts: &self.accounts,
            snapshots: &self.snapshots,
            builds: &self.builds,
            regions: &self.regions,
            sandboxes: &self.sandboxes,
            registries: &self.registries,
            created_at: self.created_at,
        })
    }

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

    /// Adds a region, or changes the one with the same id.
    pub(crate) fn put_region(&mut self, region: Region) {
        match self.regions.iter_mut().find(|known| known.id == region.id) {
            Some(known) => *known = region,
            None => self.regions.push(region),
        }
    }

    pub(crate) fn region(&self, id: &str) -> Option<&Region> {
        self.regions.iter().find(|region| region.id == id)
    }

    /// The regions of an organization: its own first.
    pub(crate) fn regions_of(&self, organization: &str) -> impl Iterator<Item = &Region> {
        let own = self
            .regions
            .iter()
            .filter(move |region| region.organization_id.as_deref() == Some(organization));
        own.chain(self.shared_regions())
    }

    pub(crate) fn shared_regions(&self) -> impl Iterator<Item = &Region> {
        self.regions.iter().filter(|region| region.organization_id.is_none())
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

    /// Whether a build of that reference was written down.
    pub(crate) fn has_build(&self, snapshot_ref: &str) -> bool {
        self.builds.contains_key(snapshot_ref)
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

    pub(crate) fn has_runner(&self) -> bool {
        self.has_runner
    }

    /// Takes the runner away, or brings it back: then the next sweep hands out what is pending.
    pub(crate) fn set_runner(&mut self, has_runner: bool, now: Timestamp) {
        let is_back = has_runner && !self.has_runner;
        self.has_runner = has_runner;
        if !is_back {
            return;
        }
        let pending = self
            .snapshots
            .iter()
            .filter(|record| record.state == SnapshotState::Pending);
        let pending: Vec<SnapshotId> = pending.map(|record| record.id.clone()).collect();
        for id in pending {
            self.schedule(next_sweep(now), Event::Assign(id));
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

    pub(crate) fn build(&self, record: &Record) -> Option<&Build> {
        self.builds.get(&record.build.as_ref()?.snapshot_ref)
    }

    /// Keeps what was worked out again after a restart.
    pub(crate) fn keep_image(&mut self, job: &BuildJob, image: &Arc<BuiltImage>) {
        if let Some(build) = self.builds.get_mut(&job.info.snapshot_ref) {
            build.image.get_or_insert_with(|| Arc::clone(image));
        }
    }

    /// Whether a snapshot of that id or name is pending, pulling or building.
    pub(crate) fn is_under_way(&self, id_or_name: &str) -> bool {
        let mut snapshots = self.snapshots.iter();
        snapshots.any(|record| record.is(id_or_name) && record.is_under_way())
    }

    /// The snapshot, if it is in that state, or was before what is undone now.
    fn in_state(&mut self, id: &SnapshotId, state: &SnapshotState) -> Option<&mut Record> {
        let record = self.find_id(id)?;
        (std::mem::take(&mut record.is_undone) || record.state == *state).then_some(record)
    }

    fn find_id(&mut self, id: &SnapshotId) -> Option<&mut Record> {
        self.snapshots.iter_mut().find(|record| record.id == *id)
    }
}

/// The next multiple of the sweep after `now`.
fn next_sweep(now: Timestamp) -> Timestamp {
    let period = i64::try_from(SWEEP.as_secs()).expect("a few seconds");
    let second = now.as_second();
    Timestamp::from_second(second - second.rem_euclid(period) + period).unwrap_or(Timestamp::MAX)
}
