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
use crate::state::account::Accounts;
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
mod seeded;
mod snapshots;
mod traces;
mod writing;

use event::Event;
pub(crate) use event::{BuildJob, Due};
use jobs::Jobs;
pub use lag::ReadLag;
pub(crate) use record::{Build, BuildInfo, Record, Resources, entrypoint_of, full_reference, snapshot_ref};
pub(crate) use registry::Registry;
pub(crate) use sandbox::Sandbox;
pub use seeded::SeededSnapshot;
use traces::Traces;
pub(crate) use writing::Writing;

/// From the creation to the assignment of a runner.
const ASSIGNMENT: Duration = Duration::from_millis(30);
/// Builds without a snapshot that are kept, and for how long.
const LEFT_BUILDS: usize = 50;
const LEFT_LIFETIME: Duration = Duration::from_hours(1);
/// A build that was begun so often and did not end with the process is not begun again.
const MOST_ATTEMPTS: u32 = 2;
/// The server's periodic tasks run at every multiple of it.
const SWEEP: Duration = Duration::from_secs(10);

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

    /// Whether a build of that reference was written down.
    pub(crate) fn has_build(&self, snapshot_ref: &str) -> bool {
        self.builds.contains_key(snapshot_ref)
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

    pub(crate) fn build(&self, record: &Record) -> Option<&Build> {
        self.builds.get(&record.build.as_ref()?.snapshot_ref)
    }

    /// Keeps what was worked out again after a restart.
    pub(crate) fn keep_image(&mut self, job: &BuildJob, image: &Arc<BuiltImage>) {
        if let Some(build) = self.builds.get_mut(&job.info.snapshot_ref) {
            build.image.get_or_insert_with(|| Arc::clone(image));
        }
    }
}

/// The next multiple of the sweep after `now`.
fn next_sweep(now: Timestamp) -> Timestamp {
    let period = i64::try_from(SWEEP.as_secs()).expect("a few seconds");
    let second = now.as_second();
    Timestamp::from_second(second - second.rem_euclid(period) + period).unwrap_or(Timestamp::MAX)
}
