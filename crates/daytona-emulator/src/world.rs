//! What the service knows: organizations, snapshots, builds, and what is going to happen to them.
//!
//! Nothing here runs by itself. What lies ahead is a list of events with their times; whoever looks at the world first
//! lets happen what is due.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use daytona_api::{SnapshotId, SnapshotState};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::account::{Accounts, Caller, new_id};
use crate::builder::{BuildReport, BuiltImage};
use crate::clock::after;
use crate::script::{Script, Scripts};

mod record;

pub use record::SeededSnapshot;
pub(crate) use record::{Build, BuildInfo, Record, Resources, full_reference, snapshot_ref};

/// Id of the one region.
pub(crate) const REGION: &str = "us";

/// Size of an image in GiB, if a script gives no other.
const USUAL_SIZE: f64 = 0.117_187_5;

/// From the creation to the assignment of a runner.
const ASSIGNMENT: Duration = Duration::from_millis(30);
/// From the assignment to the answer of the registry.
const INSPECTION: Duration = Duration::from_millis(110);
/// What a pull takes.
const PULL: Duration = Duration::from_millis(140);
/// What a build takes whose image is there already.
const REUSE: Duration = Duration::from_millis(100);
/// The server's periodic tasks run at every multiple of it.
const SWEEP: Duration = Duration::from_secs(10);
/// Activation is refused for so long after the last change.
const COOL_DOWN: Duration = Duration::from_mins(10);

pub(crate) const ALREADY_IN_PROGRESS: &str = "An operation is already in progress for this resource";

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) accounts: Accounts,
    pub(crate) snapshots: Vec<Record>,
    builds: HashMap<String, Build>,
    pub(crate) scripts: Scripts,
    events: BTreeMap<(Timestamp, u64), Event>,
    /// Events are told apart by a number, and happen in its order where their times are the same.
    sequence: u64,
    has_runner: bool,
    pub(crate) is_under_maintenance: bool,
    pub(crate) created_at: Timestamp,
    /// Counts the changes to what survives a restart.
    pub(crate) version: u64,
}

/// What survives a restart.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Saved {
    accounts: Accounts,
    snapshots: Vec<Record>,
    builds: HashMap<String, Build>,
    created_at: Timestamp,
}

#[derive(Debug)]
enum Event {
    /// A runner takes the snapshot on.
    Assign(SnapshotId),
    /// The registry has said what it knows of the image.
    Inspected(SnapshotId),
    Pulled(SnapshotId),
    OpenLog(String),
    LogLine(String, String),
    Built(SnapshotId, Result<(), String>, Option<Arc<BuiltImage>>),
    /// The build cannot be handed to a runner.
    Rejected(SnapshotId),
    Removed(SnapshotId),
    /// The state with this number of the script.
    Scripted(SnapshotId, usize),
}

/// A build that has to be worked out before anything more can happen to its snapshot.
#[derive(Debug, Clone)]
pub(crate) struct BuildJob {
    pub(crate) snapshot: SnapshotId,
    pub(crate) organization: String,
    pub(crate) info: BuildInfo,
    pub(crate) script: Option<Script>,
    pub(crate) started: Timestamp,
    /// An earlier build of the same definition failed: only a periodic task notices how this one ends.
    is_repeated: bool,
}

impl BuildJob {
    /// What would be built for a snapshot, outside of its life.
    pub(crate) fn of(record: &Record) -> Option<Self> {
        Some(Self {
            snapshot: record.id.clone(),
            organization: record.organization.clone(),
            info: record.build.clone()?,
            script: record.script.clone(),
            started: record.created,
            is_repeated: false,
        })
    }
}

/// What became of a due event.
pub(crate) enum Due {
    Happened,
    Build(Box<BuildJob>),
}

impl World {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self::restore(
            Saved {
                accounts: Accounts::default(),
                snapshots: Vec::new(),
                builds: HashMap::new(),
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
            scripts: Scripts::default(),
            events: BTreeMap::new(),
            sequence: 0,
            has_runner: true,
            is_under_maintenance: false,
            created_at: saved.created_at,
            version: 0,
        };
        let mut events = Vec::new();
        for record in &mut world.snapshots {
            let id = record.id.clone();
            match record.state {
                SnapshotState::Removing => events.push((next_sweep(now), Event::Removed(id))),
                SnapshotState::Pending | SnapshotState::Pulling | SnapshotState::Building => {
                    record.state = SnapshotState::Pending;
                    events.push((after(now, ASSIGNMENT), Event::Assign(id)));
                }
                _ => {}
            }
        }
        for (time, event) in events {
            world.schedule(time, event);
        }
        world
    }

    /// What is to be saved, as JSON.
    pub(crate) fn save(&self) -> serde_json::Result<Vec<u8>> {
        #[derive(Serialize)]
        struct Saving<'a> {
            accounts: &'a Accounts,
            snapshots: &'a [Record],
            builds: &'a HashMap<String, Build>,
            created_at: Timestamp,
        }
        serde_json::to_vec(&Saving {
            accounts: &self.accounts,
            snapshots: &self.snapshots,
            builds: &self.builds,
            created_at: self.created_at,
        })
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
        self.version += 1;
        Some(self.happen(event, time))
    }

    fn happen(&mut self, event: Event, time: Timestamp) -> Due {
        match event {
            Event::Assign(id) => return self.assign(&id, time),
            Event::Inspected(id) => self.inspected(&id, time),
            Event::Pulled(id) => {
                if let Some(record) = self.in_state(&id, &SnapshotState::Pulling) {
                    let failure = record.script.as_ref().and_then(|script| script.fails.clone());
                    match failure {
                        Some(reason) => {
                            record.fail(SnapshotState::Error, format!("failed to pull image: {reason}"), time);
                        }
                        None => record.become_active(time),
                    }
                }
            }
            Event::OpenLog(reference) => self.open_log(&reference),
            Event::LogLine(reference, line) => self.log_line(&reference, &line),
            Event::Built(id, outcome, image) => self.built(&id, outcome, image, time),
            Event::Rejected(id) => {
                if let Some(record) = self.in_state(&id, &SnapshotState::Building) {
                    record.fail(SnapshotState::BuildFailed, ALREADY_IN_PROGRESS.to_owned(), time);
                }
            }
            Event::Removed(id) => self.snapshots.retain(|record| record.id != id),
            Event::Scripted(id, number) => self.scripted(&id, number, time),
        }
        Due::Happened
    }

    fn assign(&mut self, id: &SnapshotId, time: Timestamp) -> Due {
        if !self.has_runner {
            return Due::Happened;
        }
        let is_busy = |record: &Record, image: &str| {
            let is_pulling = record.state == SnapshotState::Pulling;
            let is_inspected = record.state == SnapshotState::Pending && record.runner.is_some();
            record.id != *id && record.build.is_none() && record.image == image && (is_pulling || is_inspected)
        };
        let Some(record) = self.in_state(id, &SnapshotState::Pending) else {
            return Due::Happened;
        };
        let is_known = record.size.is_some();
        record.runner.get_or_insert_with(new_id);
        record.updated = time;
        let Some(info) = record.build.clone() else {
            let image = record.image.clone();
            let takes = record.script.as_ref().and_then(|script| script.takes);
            if self.snapshots.iter().any(|record| is_busy(record, &image)) {
                if let Some(record) = self.find_id(id) {
                    record.fail(SnapshotState::Error, ALREADY_IN_PROGRESS.to_owned(), time);
                }
            } else if is_known {
                if let Some(record) = self.find_id(id) {
                    record.state = SnapshotState::Pulling;
                }
                self.schedule(after(time, takes.unwrap_or(PULL)), Event::Pulled(id.clone()));
            } else {
                self.schedule(after(time, INSPECTION), Event::Inspected(id.clone()));
            }
            return Due::Happened;
        };
        record.state = SnapshotState::Building;
        let organization = record.organization.clone();
        let script = record.script.clone();
        let build = self
            .builds
            .entry(info.snapshot_ref.clone())
            .or_insert_with(|| Build::new(time));
        if build.is_running || script.as_ref().is_some_and(|script| script.rejected) {
            self.schedule(after(time, ASSIGNMENT), Event::Rejected(id.clone()));
            return Due::Happened;
        }
        if build.built.is_some() {
            let takes = script.and_then(|script| script.takes).unwrap_or(REUSE);
            self.schedule(after(time, takes), Event::Built(id.clone(), Ok(()), None));
            return Due::Happened;
        }
        build.is_running = true;
        Due::Build(Box::new(BuildJob {
            snapshot: id.clone(),
            organization,
            info,
            script,
            started: time,
            is_repeated: build.has_failed,
        }))
    }

    /// The registry has answered: with the image's size, or that it knows none of that name.
    fn inspected(&mut self, id: &SnapshotId, time: Timestamp) {
        let Some(record) = self.in_state(id, &SnapshotState::Pending) else {
            return;
        };
        let script = record.script.clone().unwrap_or_default();
        let organization = record.organization.clone();
        if script.not_in_registry {
            let first = record.image.split('/').next().unwrap_or_default();
            let has_host = record.image.contains('/') && first.contains(['.', ':']);
            let host = if has_host { "" } else { "docker.io/" };
            let reason = format!(
                "Snapshot {host}{} failed to inspect in registry on runner {}. Error: manifest unknown",
                record.image,
                record.runner.as_deref().unwrap_or_default()
            );
            return record.fail(SnapshotState::Error, reason, time);
        }
        let size = script.size.unwrap_or(USUAL_SIZE);
        record.size = Some(size);
        let largest = self
            .accounts
            .organization(&organization)
            .map_or(f64::INFINITY, |one| one.snapshot_size);
        let Some(record) = self.find_id(id) else { return };
        if size > largest {
            let reason = format!("Snapshot size ({size:.2}GB) exceeds maximum allowed size of {largest}GB");
            return record.fail(SnapshotState::Error, reason, time);
        }
        record.state = SnapshotState::Pulling;
        record.updated = time;
        let reference = full_reference(&snapshot_ref(&record.image, &[]));
        record.reference.get_or_insert(reference);
        self.schedule(after(time, script.takes.unwrap_or(PULL)), Event::Pulled(id.clone()));
    }

    fn scripted(&mut self, id: &SnapshotId, number: usize, time: Timestamp) {
        let Some(record) = self.find_id(id) else { return };
        // Somebody else's deletion counts more than the script.
        if record.state == SnapshotState::Removing {
            return;
        }
        let script = record.script.clone().unwrap_or_default();
        let Some(state) = script.states.get(number) else { return };
        record.runner.get_or_insert_with(new_id);
        match &state.state {
            SnapshotState::Active => record.become_active(time),
            other => {
                record.state = other.clone();
                record.updated = time;
            }
        }
        record.error.clone_from(&state.reason);
        if let Some(next) = script.states.get(number + 1) {
            let event = Event::Scripted(id.clone(), number + 1);
            self.schedule(after(time, next.after), event);
        }
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
        let mut end = after(job.started, report.duration);
        if job.is_repeated && report.outcome.is_err() {
            end = next_sweep(end);
        }
        let built = Event::Built(job.snapshot.clone(), report.outcome, report.image);
        self.schedule(end, built);
    }

    pub(crate) fn open_log(&mut self, reference: &str) {
        if let Some(build) = self.builds.get_mut(reference) {
            build.log.get_or_insert_default();
            self.version += 1;
        }
    }

    pub(crate) fn log_line(&mut self, reference: &str, line: &str) {
        if let Some(log) = self.builds.get_mut(reference).and_then(|build| build.log.as_mut()) {
            log.extend_from_slice(line.as_bytes());
            log.push(b'\n');
            self.version += 1;
        }
    }

    pub(crate) fn built(
        &mut self,
        id: &SnapshotId,
        outcome: Result<(), String>,
        image: Option<Arc<BuiltImage>>,
        time: Timestamp,
    ) {
        self.version += 1;
        let Some(record) = self.snapshots.iter_mut().find(|record| record.id == *id) else {
            return;
        };
        let build = record
            .build
            .as_ref()
            .and_then(|info| self.builds.get_mut(&info.snapshot_ref));
        if let Some(build) = build {
            build.is_running = false;
            build.has_failed = outcome.is_err();
            if outcome.is_ok() {
                build.built.get_or_insert(time);
            }
            if image.is_some() {
                build.image = image;
            }
        }
        if record.state == SnapshotState::Building {
            match outcome {
                Ok(()) => {
                    record.size = record.script.as_ref().and_then(|script| script.size).or(record.size);
                    record.become_active(time);
                }
                Err(reason) => record.fail(SnapshotState::Error, reason, time),
            }
        }
    }

    /// Adds a snapshot and hands it to a runner. Where a ready image with a size is in the region, the snapshot is active
    /// at once.
    pub(crate) fn create(&mut self, mut record: Record) -> Record {
        self.version += 1;
        let dockerfile = record.build.as_ref().map(|info| info.dockerfile.as_str());
        record.script = self.scripts.take(&record.name, &record.image, dockerfile);
        if let Some(info) = &record.build {
            self.builds
                .entry(info.snapshot_ref.clone())
                .or_insert_with(|| Build::new(record.created));
        }
        let script = record.script.clone().unwrap_or_default();
        let size = self.ready_size(&record);
        if script.active_at_once || size.is_some() {
            record.size = size.or(script.size);
            record.become_active(record.created);
            record.runner = Some(new_id());
        } else if let Some(first) = script.states.first() {
            let time = after(record.created, first.after);
            self.schedule(time, Event::Scripted(record.id.clone(), 0));
        } else {
            self.schedule(after(record.created, ASSIGNMENT), Event::Assign(record.id.clone()));
        }
        self.snapshots.push(record.clone());
        record
    }

    /// The size of an active snapshot with the same definition.
    fn ready_size(&self, record: &Record) -> Option<f64> {
        let reference = record.reference.as_ref()?;
        let mut ready = self
            .snapshots
            .iter()
            .filter(|other| other.state == SnapshotState::Active && other.reference.as_ref() == Some(reference));
        ready.find_map(|other| other.size)
    }

    /// Adds a snapshot to which nothing more happens.
    pub(crate) fn seed(&mut self, record: Record, log: Option<Vec<u8>>) {
        self.version += 1;
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

    /// Marks for removal at the next sweep.
    pub(crate) fn remove(&mut self, id: &SnapshotId, now: Timestamp) {
        if let Some(record) = self.find_id(id)
            && record.state != SnapshotState::Removing
        {
            record.state = SnapshotState::Removing;
            record.updated = now;
            self.version += 1;
            self.schedule(next_sweep(now), Event::Removed(id.clone()));
        }
    }

    /// Hands an inactive snapshot to a runner again; an error message if it cannot be.
    pub(crate) fn activate(&mut self, id: &SnapshotId, now: Timestamp) -> Result<(), String> {
        let record = self.find_id(id).ok_or_else(|| format!("Snapshot {id} not found"))?;
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
        self.version += 1;
        self.schedule(after(now, ASSIGNMENT), Event::Assign(id.clone()));
        Ok(())
    }

    /// Deactivates, whatever the state is.
    pub(crate) fn deactivate(&mut self, id: &SnapshotId, now: Timestamp) {
        if let Some(record) = self.find_id(id)
            && record.state != SnapshotState::Inactive
        {
            record.state = SnapshotState::Inactive;
            record.updated = now;
            self.version += 1;
        }
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
            self.version += 1;
        }
    }

    /// The snapshot that the caller sees by that id or name: its own before a general one.
    pub(crate) fn find(&self, caller: &Caller, id_or_name: &str) -> Option<&Record> {
        let is_it = |record: &&Record| record.id.as_str().eq_ignore_ascii_case(id_or_name) || record.name == id_or_name;
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

    fn in_state(&mut self, id: &SnapshotId, state: &SnapshotState) -> Option<&mut Record> {
        self.find_id(id).filter(|record| record.state == *state)
    }

    fn find_id(&mut self, id: &SnapshotId) -> Option<&mut Record> {
        self.snapshots.iter_mut().find(|record| record.id == *id)
    }

    fn schedule(&mut self, time: Timestamp, event: Event) {
        self.sequence += 1;
        self.events.insert((time, self.sequence), event);
    }
}

/// The entrypoint that the service stores: the last `ENTRYPOINT` anywhere in the text, comments included.
pub(crate) fn entrypoint_of(dockerfile: &str) -> Vec<String> {
    let Some((_, rest)) = dockerfile.rsplit_once("ENTRYPOINT") else {
        return vec!["sleep".to_owned(), "infinity".to_owned()];
    };
    let line = rest.lines().next().unwrap_or_default().trim();
    serde_json::from_str(line).unwrap_or_else(|_| vec![line.replace(['"', '\''], "")])
}

/// The next multiple of the sweep after `now`.
fn next_sweep(now: Timestamp) -> Timestamp {
    let period = i64::try_from(SWEEP.as_secs()).expect("a few seconds");
    let second = now.as_second();
    Timestamp::from_second(second - second.rem_euclid(period) + period).unwrap_or(Timestamp::MAX)
}
