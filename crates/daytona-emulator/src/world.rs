//! What the service knows: organizations, snapshots, builds, and what is going to happen to them.
//!
//! Nothing here runs by itself. What lies ahead is a list of events with their times; whoever looks at the world first
//! lets happen what is due.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use daytona_api::{SnapshotId, SnapshotState};
use jiff::Timestamp;
use uuid::Uuid;

use crate::builder::BuildReport;
use crate::clock::after;

/// Id of the one region.
pub(crate) const REGION: &str = "us";

/// Host of the registry in the references of images.
const REGISTRY: &str = "registry.daytona.emulator";

/// From the creation to the assignment of a runner.
const ASSIGNMENT: Duration = Duration::from_millis(30);
/// What a pull takes.
const PULL: Duration = Duration::from_millis(140);
/// What a build takes whose image is there already.
const REUSE: Duration = Duration::from_millis(100);
/// The server's periodic tasks run at every multiple of it.
const SWEEP: Duration = Duration::from_secs(10);
/// Activation is refused for so long after the last change.
const COOL_DOWN: Duration = Duration::from_mins(10);

pub(crate) const ALREADY_IN_PROGRESS: &str = "An operation is already in progress for this resource";

/// Who sends a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) organization: String,
}

#[derive(Debug)]
pub(crate) struct World {
    keys: HashMap<String, Caller>,
    pub(crate) snapshots: Vec<Record>,
    builds: HashMap<String, Build>,
    events: BTreeMap<(Timestamp, u64), Event>,
    /// Events are told apart by a number, and happen in its order where their times are the same.
    sequence: u64,
    pub(crate) created_at: Timestamp,
}

/// A snapshot's record.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) id: SnapshotId,
    pub(crate) organization: String,
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) state: SnapshotState,
    pub(crate) size: Option<f64>,
    pub(crate) entrypoint: Option<Vec<String>>,
    pub(crate) resources: Resources,
    pub(crate) gpu_type: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) used: Option<Timestamp>,
    pub(crate) runner: Option<String>,
    pub(crate) reference: Option<String>,
    pub(crate) class: String,
    pub(crate) build: Option<BuildInfo>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Resources {
    pub(crate) cpu: f64,
    pub(crate) gpu: f64,
    pub(crate) memory: f64,
    pub(crate) disk: f64,
}

/// What a snapshot is built from.
#[derive(Debug, Clone)]
pub(crate) struct BuildInfo {
    pub(crate) dockerfile: String,
    pub(crate) hashes: Option<Vec<String>>,
    /// Reference that snapshots with the same definition share.
    pub(crate) snapshot_ref: String,
}

/// A build, shared by all snapshots with the same definition.
#[derive(Debug)]
pub(crate) struct Build {
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    /// Opened once the runner has all contexts; another build of the same definition appends to it.
    pub(crate) log: Option<Vec<u8>>,
    is_running: bool,
    /// When the image came to be.
    pub(crate) built: Option<Timestamp>,
}

#[derive(Debug)]
enum Event {
    /// A runner takes the snapshot on.
    Assign(SnapshotId),
    Pulled(SnapshotId),
    OpenLog(String),
    LogLine(String, String),
    Built(SnapshotId, Result<(), String>),
    /// The build cannot be handed to a runner.
    Rejected(SnapshotId),
    Removed(SnapshotId),
}

/// A build that has to be worked out before anything more can happen to its snapshot.
#[derive(Debug, Clone)]
pub(crate) struct BuildJob {
    pub(crate) snapshot: SnapshotId,
    pub(crate) organization: String,
    pub(crate) info: BuildInfo,
    pub(crate) started: Timestamp,
}

/// What became of a due event.
pub(crate) enum Due {
    Happened,
    Build(BuildJob),
}

impl World {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            keys: HashMap::new(),
            snapshots: Vec::new(),
            builds: HashMap::new(),
            events: BTreeMap::new(),
            sequence: 0,
            created_at: now,
        }
    }

    pub(crate) fn add_key(&mut self, key: String, organization: String) {
        self.keys.insert(key, Caller { organization });
    }

    pub(crate) fn caller(&self, key: &str) -> Option<Caller> {
        self.keys.get(key).cloned()
    }

    /// When something is going to happen next.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.events.first_key_value().map(|((time, _), _)| *time)
    }

    /// Lets the next event happen, if one is due.
    pub(crate) fn step(&mut self, now: Timestamp) -> Option<Due> {
        let first = self.events.first_entry()?;
        let (time, _) = *first.key();
        if time > now {
            return None;
        }
        let event = first.remove();
        Some(self.happen(event, time))
    }

    fn happen(&mut self, event: Event, time: Timestamp) -> Due {
        match event {
            Event::Assign(id) => return self.assign(&id, time),
            Event::Pulled(id) => {
                if let Some(record) = self.in_state(&id, &SnapshotState::Pulling) {
                    record.size = Some(0.117_187_5);
                    record
                        .reference
                        .get_or_insert_with(|| full_reference(&snapshot_ref(&record.image, &[])));
                    record.become_active(time);
                }
            }
            Event::OpenLog(reference) => {
                if let Some(build) = self.builds.get_mut(&reference) {
                    build.log.get_or_insert_default();
                }
            }
            Event::LogLine(reference, line) => {
                if let Some(log) = self.builds.get_mut(&reference).and_then(|build| build.log.as_mut()) {
                    log.extend_from_slice(line.as_bytes());
                    log.push(b'\n');
                }
            }
            Event::Built(id, outcome) => self.built(&id, outcome, time),
            Event::Rejected(id) => {
                if let Some(record) = self.in_state(&id, &SnapshotState::Building) {
                    record.fail(SnapshotState::BuildFailed, ALREADY_IN_PROGRESS.to_owned(), time);
                }
            }
            Event::Removed(id) => self.snapshots.retain(|record| record.id != id),
        }
        Due::Happened
    }

    fn assign(&mut self, id: &SnapshotId, time: Timestamp) -> Due {
        let Some(record) = self.in_state(id, &SnapshotState::Pending) else {
            return Due::Happened;
        };
        record.runner.get_or_insert_with(new_id);
        record.updated = time;
        let Some(info) = record.build.clone() else {
            record.state = SnapshotState::Pulling;
            self.schedule(after(time, PULL), Event::Pulled(id.clone()));
            return Due::Happened;
        };
        record.state = SnapshotState::Building;
        let organization = record.organization.clone();
        let build = self
            .builds
            .entry(info.snapshot_ref.clone())
            .or_insert_with(|| Build::new(time));
        if build.is_running {
            self.schedule(after(time, ASSIGNMENT), Event::Rejected(id.clone()));
            return Due::Happened;
        }
        if build.built.is_some() {
            self.schedule(after(time, REUSE), Event::Built(id.clone(), Ok(())));
            return Due::Happened;
        }
        build.is_running = true;
        Due::Build(BuildJob {
            snapshot: id.clone(),
            organization,
            info,
            started: time,
        })
    }

    /// Takes on the course of a build that was worked out.
    pub(crate) fn run_build(&mut self, job: &BuildJob, report: BuildReport) {
        let reference = &job.info.snapshot_ref;
        if report.has_log {
            self.schedule(job.started, Event::OpenLog(reference.clone()));
        }
        for (offset, line) in report.lines {
            self.schedule(after(job.started, offset), Event::LogLine(reference.clone(), line));
        }
        let end = after(job.started, report.duration);
        self.schedule(end, Event::Built(job.snapshot.clone(), report.outcome));
    }

    fn built(&mut self, id: &SnapshotId, outcome: Result<(), String>, time: Timestamp) {
        let Some(record) = self.snapshots.iter_mut().find(|record| record.id == *id) else {
            return;
        };
        let build = record
            .build
            .as_ref()
            .and_then(|info| self.builds.get_mut(&info.snapshot_ref));
        if let Some(build) = build {
            build.is_running = false;
            if outcome.is_ok() {
                build.built.get_or_insert(time);
            }
        }
        if record.state == SnapshotState::Building {
            match outcome {
                Ok(()) => record.become_active(time),
                Err(reason) => record.fail(SnapshotState::Error, reason, time),
            }
        }
    }

    /// Adds a snapshot and hands it to a runner.
    pub(crate) fn create(&mut self, record: Record) {
        if let Some(info) = &record.build {
            self.builds
                .entry(info.snapshot_ref.clone())
                .or_insert_with(|| Build::new(record.created));
        }
        self.schedule(after(record.created, ASSIGNMENT), Event::Assign(record.id.clone()));
        self.snapshots.push(record);
    }

    /// Marks for removal at the next sweep.
    pub(crate) fn remove(&mut self, id: &SnapshotId, now: Timestamp) {
        if let Some(record) = self.snapshots.iter_mut().find(|record| record.id == *id)
            && record.state != SnapshotState::Removing
        {
            record.state = SnapshotState::Removing;
            record.updated = now;
            self.schedule(next_sweep(now), Event::Removed(id.clone()));
        }
    }

    /// Hands an inactive snapshot to a runner again; an error message if it cannot be.
    pub(crate) fn activate(&mut self, id: &SnapshotId, now: Timestamp) -> Result<(), String> {
        let record = self.snapshots.iter_mut().find(|record| record.id == *id);
        let record = record.ok_or_else(|| format!("Snapshot {id} not found"))?;
        match &record.state {
            SnapshotState::Active => return Err(format!("Snapshot {id} is already active")),
            SnapshotState::Inactive => {}
            state => return Err(format!("Snapshot {id} cannot be activated - it is in {state} state")),
        }
        if now < after(record.updated, COOL_DOWN) {
            let message = "Snapshot deactivation is still in progress. Please try again in a few minutes.";
            return Err(message.to_owned());
        }
        record.state = SnapshotState::Pending;
        record.updated = now;
        self.schedule(after(now, ASSIGNMENT), Event::Assign(id.clone()));
        Ok(())
    }

    /// Deactivates, whatever the state is.
    pub(crate) fn deactivate(&mut self, id: &SnapshotId, now: Timestamp) {
        if let Some(record) = self.snapshots.iter_mut().find(|record| record.id == *id)
            && record.state != SnapshotState::Inactive
        {
            record.state = SnapshotState::Inactive;
            record.updated = now;
        }
    }

    /// The organization's snapshot of that id, or of that name.
    pub(crate) fn find(&self, caller: &Caller, id_or_name: &str) -> Option<&Record> {
        let mut own = self
            .snapshots
            .iter()
            .filter(|record| record.organization == caller.organization);
        own.find(|record| record.id.as_str().eq_ignore_ascii_case(id_or_name) || record.name == id_or_name)
    }

    pub(crate) fn build(&self, record: &Record) -> Option<&Build> {
        self.builds.get(&record.build.as_ref()?.snapshot_ref)
    }

    fn in_state(&mut self, id: &SnapshotId, state: &SnapshotState) -> Option<&mut Record> {
        self.snapshots
            .iter_mut()
            .find(|record| record.id == *id && record.state == *state)
    }

    fn schedule(&mut self, time: Timestamp, event: Event) {
        self.sequence += 1;
        self.events.insert((time, self.sequence), event);
    }
}

impl Build {
    fn new(now: Timestamp) -> Self {
        Self {
            created: now,
            updated: now,
            log: None,
            is_running: false,
            built: None,
        }
    }
}

impl Record {
    fn become_active(&mut self, now: Timestamp) {
        self.state = SnapshotState::Active;
        self.error = None;
        (self.updated, self.used) = (now, Some(now));
    }

    fn fail(&mut self, state: SnapshotState, reason: String, now: Timestamp) {
        self.state = state;
        self.error = Some(reason);
        self.updated = now;
    }
}

pub(crate) fn new_id() -> String {
    Uuid::new_v4().to_string()
}

/// The reference that snapshots of one definition share.
pub(crate) fn snapshot_ref(dockerfile: &str, hashes: &[String]) -> String {
    use sha2::{Digest, Sha256};

    let mut sorted = hashes.to_vec();
    sorted.sort();
    let mut hasher = Sha256::new();
    hasher.update(dockerfile);
    for hash in sorted {
        hasher.update(hash);
    }
    format!("daytona-{}:daytona", hex::encode(hasher.finalize()))
}

pub(crate) fn full_reference(snapshot_ref: &str) -> String {
    format!("{REGISTRY}/daytona/{snapshot_ref}")
}

/// The next multiple of the sweep after `now`.
fn next_sweep(now: Timestamp) -> Timestamp {
    let period = i64::try_from(SWEEP.as_secs()).expect("a few seconds");
    let second = now.as_second();
    Timestamp::from_second(second - second.rem_euclid(period) + period).unwrap_or(Timestamp::MAX)
}
