//! What happens to snapshots and builds with the time.
//!
//! Nothing here runs by itself. What lies ahead is a list of events with their times; whoever looks at the world first
//! lets happen what is due.

use std::sync::Arc;
use std::time::Duration;

use daytona_api::{SnapshotId, SnapshotState};
use jiff::Timestamp;

use super::event::{BuildJob, Due, Event};
use super::jobs::{Job, full_name};
use super::record::{Build, BuildInfo, Record, USUAL_SIZE, full_reference, snapshot_ref};
use super::registries::Asked;
use super::{ASSIGNMENT, World, next_sweep};
use crate::base::clock::after;
use crate::base::random::new_id;
use crate::builder::{BuildReport, BuiltImage};
use crate::state::script::Script;

/// From the assignment to the answer of the registry.
const INSPECTION: Duration = Duration::from_millis(110);
/// What a pull takes.
const PULL: Duration = Duration::from_millis(140);
/// What a build takes whose image is there already.
const REUSE: Duration = Duration::from_millis(100);
/// What the last look at a built image in the registry takes.
const CHECK: Duration = Duration::from_millis(50);
/// What the registry says of an image for which the credentials are missing.
const UNAUTHORIZED: &str = "unauthorized: authentication required";
const ALREADY_IN_PROGRESS: &str = "An operation is already in progress for this resource";

impl World {
    pub(super) fn schedule(&mut self, time: Timestamp, event: Event) {
        self.sequence += 1;
        self.events.insert((time, self.sequence), event);
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
            Event::Inspected(id) => self.inspected(&id, time),
            Event::Pulled(id) => {
                let lacks_credentials = self.is_refused(&id, Asked::Pulled);
                if let Some(record) = self.in_state(&id, &SnapshotState::Pulling) {
                    let failure = record.script.as_ref().and_then(|script| script.fails.clone());
                    let failure = failure.or(lacks_credentials.then(|| UNAUTHORIZED.to_owned()));
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
            Event::Built(id, reference, outcome, image) => self.built(&id, &reference, outcome, image, time),
            Event::Rejected(id, from) => {
                if let Some(record) = self.in_state(&id, &from) {
                    let state = match from {
                        SnapshotState::Building => SnapshotState::BuildFailed,
                        _ => SnapshotState::Error,
                    };
                    record.fail(state, ALREADY_IN_PROGRESS.to_owned(), time);
                }
            }
            Event::Noticed(id, outcome) => self.noticed(&id, outcome, time),
            Event::Checked(id) => self.checked(&id, time),
            Event::Removed(id) => {
                let is_it = |record: &Record| record.id == id && record.state == SnapshotState::Removing;
                if let Some(index) = self.snapshots.iter().position(is_it) {
                    self.let_go(index, time);
                }
            }
            Event::Restored(id, state) => {
                if let Some(record) = self.find_id(&id)
                    && std::mem::take(&mut record.is_undone)
                {
                    record.replace_state(state, time);
                }
            }
            Event::Sandbox(id, step) => self.sandbox_step(&id, step, time),
            Event::Scripted(id, number) => self.scripted(&id, number, time),
        }
        Due::Happened
    }

    fn assign(&mut self, id: &SnapshotId, time: Timestamp) -> Due {
        if !self.has_runner {
            return Due::Happened;
        }
        let Some(record) = self.in_state(id, &SnapshotState::Pending) else {
            return Due::Happened;
        };
        record.runner.get_or_insert_with(new_id);
        record.updated = time;
        match record.build.clone() {
            Some(info) => self.hand_out_build(id, info, time),
            None => {
                self.hand_out_image(id, time);
                Due::Happened
            }
        }
    }

    /// Lets the runner look an image up, or pull one that it has looked up before.
    fn hand_out_image(&mut self, id: &SnapshotId, time: Timestamp) {
        let Some(record) = self.find_id(id) else { return };
        if record.size.is_some() {
            record.state = SnapshotState::Pulling;
            return self.pull(id, time);
        }
        let takes = record.script.as_ref().and_then(|script| script.inspection_takes);
        let end = after(time, takes.unwrap_or(INSPECTION));
        let job = Job::Inspect(full_name(&record.image), record.region.clone());
        if self.jobs.begin(job, time, end) {
            self.schedule(end, Event::Inspected(id.clone()));
        } else if let Some(record) = self.find_id(id) {
            record.fail(SnapshotState::Error, ALREADY_IN_PROGRESS.to_owned(), time);
        }
    }

    fn hand_out_build(&mut self, id: &SnapshotId, info: BuildInfo, time: Timestamp) -> Due {
        let Some(record) = self.find_id(id) else {
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
            self.schedule(
                after(time, ASSIGNMENT),
                Event::Rejected(id.clone(), SnapshotState::Building),
            );
            return Due::Happened;
        }
        let is_own = script.as_ref().is_some_and(Script::is_particular);
        if build.built.is_some() && !is_own {
            let takes = script.and_then(|script| script.takes).unwrap_or(REUSE);
            let built = Event::Built(id.clone(), info.snapshot_ref, Ok(()), None);
            self.schedule(after(time, takes), built);
            return Due::Happened;
        }
        build.is_running = true;
        build.attempts += 1;
        Due::Build(Box::new(BuildJob {
            snapshot: id.clone(),
            organization,
            info,
            script,
            started: time,
        }))
    }

    /// The registry has answered: with the image's size, or that it knows none of that name. The server's task writes the next
    /// state without another look, so that a deletion or a deactivation meanwhile is undone.
    fn inspected(&mut self, id: &SnapshotId, time: Timestamp) {
        use SnapshotState::{Inactive, Pending, Removing};

        let lacks_credentials = self.is_refused(id, Asked::Inspected);
        let Some(record) = self.find_id(id) else { return };
        if !matches!(record.state, Pending | Removing | Inactive) {
            return;
        }
        record.is_undone = false;
        let script = record.script.clone().unwrap_or_default();
        let organization = record.organization.clone();
        if script.not_in_registry || lacks_credentials {
            let reason = format!(
                "Snapshot {} failed to inspect in registry on runner {}. Error: {}",
                record.named_image(),
                record.runner.as_deref().unwrap_or_default(),
                if lacks_credentials {
                    format!("failed to inspect image: {UNAUTHORIZED}")
                } else {
                    "manifest unknown".to_owned()
                }
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
        let reference = full_reference(&snapshot_ref(&full_name(&record.image), &[]));
        record.reference.get_or_insert(reference);
        self.pull(id, time);
    }

    /// Whether the registry refuses the image of a snapshot for want of credentials.
    fn is_refused(&self, id: &SnapshotId, asked: Asked) -> bool {
        let mut snapshots = self.snapshots.iter();
        let record = snapshots.find(|record| record.id == *id && record.build.is_none());
        record.is_some_and(|record| self.lacks_credentials(&record.organization, &record.image, asked))
    }

    /// Lets the runner pull. Where it has the image already, the snapshot is ready at once, though the job goes on.
    fn pull(&mut self, id: &SnapshotId, time: Timestamp) {
        let Some(record) = self.find_id(id) else { return };
        let script = record.script.clone().unwrap_or_default();
        let reference = record.reference.clone().unwrap_or_default();
        let region = record.region.clone();
        let is_there = script.fails.is_none() && self.is_ready(&reference, &region);
        let end = after(time, script.takes.unwrap_or(PULL));
        if !self.jobs.begin(Job::Pull(reference, region), time, end) {
            let rejected = Event::Rejected(id.clone(), SnapshotState::Pulling);
            return self.schedule(after(time, ASSIGNMENT), rejected);
        }
        let ready = if is_there { end.min(after(time, REUSE)) } else { end };
        self.schedule(ready, Event::Pulled(id.clone()));
    }

    /// Whether a runner of the region has what the reference names: another snapshot of it is active.
    fn is_ready(&self, reference: &str, region: &str) -> bool {
        let is_it = |record: &Record| record.reference.as_deref() == Some(reference) && record.region == region;
        let mut snapshots = self.snapshots.iter();
        snapshots.any(|record| record.state == SnapshotState::Active && is_it(record))
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
    pub(crate) fn run_build(&mut self, job: &BuildJob, mut report: BuildReport) {
        let reference = &job.info.snapshot_ref;
        let fails_anyway = job.script.as_ref().is_some_and(|script| script.fails.is_some());
        let refused = self.refused_image(&job.organization, &report.images);
        if let Some(image) = refused.filter(|_| !fails_anyway) {
            report = report.refused(&image);
        }
        if report.has_log {
            self.schedule(job.started, Event::OpenLog(reference.clone()));
        }
        for (offset, line) in report.lines {
            self.schedule(after(job.started, offset), Event::LogLine(reference.clone(), line));
        }
        let end = after(job.started, report.duration);
        let built = Event::Built(job.snapshot.clone(), reference.clone(), report.outcome, report.image);
        self.schedule(end, built);
    }

    pub(crate) fn open_log(&mut self, reference: &str) {
        if let Some(build) = self.builds.get_mut(reference) {
            build.log.get_or_insert_default();
        }
    }

    pub(crate) fn log_line(&mut self, reference: &str, line: &str) {
        if let Some(log) = self.builds.get_mut(reference).and_then(|build| build.log.as_mut()) {
            log.extend_from_slice(line.as_bytes());
            log.push(b'\n');
        }
    }

    pub(crate) fn built(
        &mut self,
        id: &SnapshotId,
        reference: &str,
        outcome: Result<(), String>,
        image: Option<Arc<BuiltImage>>,
        time: Timestamp,
    ) {
        // A build goes on when its snapshot is deleted.
        if let Some(build) = self.builds.get_mut(reference) {
            build.is_running = false;
            build.attempts = 0;
            build.has_failed = outcome.is_err();
            if outcome.is_ok() {
                build.built.get_or_insert(time);
            }
            if image.is_some() {
                build.image = image;
            }
        }
        // The server hears of an end as that of the oldest snapshot with the reference; of another one only its periodic task
        // gets to know.
        if self.has_older(id, reference) {
            self.schedule(next_sweep(time), Event::Noticed(id.clone(), outcome));
            return;
        }
        if let Some(record) = self.in_state(id, &SnapshotState::Building) {
            match outcome {
                Ok(()) => {
                    record.size = record.script.as_ref().and_then(|script| script.size).or(record.size);
                    record.become_active(time);
                }
                Err(reason) => record.fail(SnapshotState::Error, reason, time),
            }
        }
    }

    /// Whether there is another snapshot of the same build that was created before.
    fn has_older(&self, id: &SnapshotId, reference: &str) -> bool {
        let is_it = |record: &&Record| record.build.as_ref().is_some_and(|info| info.snapshot_ref == reference);
        let mut sharing = self.snapshots.iter().filter(is_it);
        sharing.next().is_some_and(|oldest| oldest.id != *id)
    }

    /// What the periodic task notices, it looks up in the registry, which knows the size.
    fn noticed(&mut self, id: &SnapshotId, outcome: Result<(), String>, time: Timestamp) {
        let Some(record) = self.in_state(id, &SnapshotState::Building) else {
            return;
        };
        if let Err(reason) = outcome {
            return record.fail(SnapshotState::Error, reason, time);
        }
        let script = record.script.clone().unwrap_or_default();
        record.size = record.size.or(script.size).or(Some(USUAL_SIZE));
        record.updated = time;
        let takes = script.inspection_takes.unwrap_or(CHECK);
        self.schedule(after(time, takes), Event::Checked(id.clone()));
    }

    /// Becomes active without another look, so that a deletion or a deactivation meanwhile is undone.
    fn checked(&mut self, id: &SnapshotId, time: Timestamp) {
        use SnapshotState::{Building, Inactive, Removing};

        if let Some(record) = self.find_id(id)
            && matches!(record.state, Building | Removing | Inactive)
        {
            record.is_undone = false;
            record.become_active(time);
        }
    }
}
