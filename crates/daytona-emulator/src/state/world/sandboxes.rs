//! What becomes of sandboxes: by requests, and by what the runner makes of them.

use std::time::Duration;

use daytona_api::{SandboxState, SnapshotId, SnapshotState};
use jiff::Timestamp;

use super::World;
use super::event::Event;
use super::jobs::full_name;
use super::record::{Record, USUAL_SIZE, full_reference, snapshot_ref};
use super::sandbox::{DESTROYED, Sandbox, Step};
use crate::base::clock::after;
use crate::base::random::new_id;
use crate::state::account::Caller;

/// What a start takes.
const START: Duration = Duration::from_millis(400);
/// What a stop takes.
const STOP: Duration = Duration::from_millis(100);
/// What the runner takes for a removal.
const REMOVAL: Duration = Duration::from_millis(250);
/// What a snapshot of a sandbox takes.
const CAPTURE: Duration = Duration::from_millis(700);
/// From the snapshot's record to the sandbox's own state.
const RETURN: Duration = Duration::from_millis(100);
/// A snapshot counts as used at most once in this time.
const USE: Duration = Duration::from_mins(1);

impl World {
    /// Adds a sandbox and hands it to a runner.
    pub(crate) fn create_sandbox(&mut self, mut sandbox: Sandbox) -> Sandbox {
        sandbox.script = self.sandbox_scripts.take(&sandbox.name, &sandbox.snapshot);
        self.note_use(&sandbox);
        if !sandbox.script.hangs {
            let takes = sandbox.script.takes.unwrap_or(START);
            self.schedule_sandbox(after(sandbox.created, takes), &sandbox.id, Step::Begun);
        }
        self.sandboxes.push(sandbox.clone());
        sandbox
    }

    /// Adds a sandbox that has started already, past the API, and returns its id.
    pub(crate) fn seed_sandbox(
        &mut self,
        snapshot: &str,
        organization: &str,
        name: &str,
        now: Timestamp,
    ) -> Option<String> {
        let is_it =
            |record: &&Record| record.name == snapshot && (record.general || record.organization == organization);
        let record = self.snapshots.iter().find(is_it)?;
        let mut sandbox = Sandbox::of(record, organization, name, now);
        sandbox.state = SandboxState::Started;
        let sandbox = self.create_sandbox(sandbox);
        Some(sandbox.id)
    }

    fn note_use(&mut self, sandbox: &Sandbox) {
        let now = sandbox.created;
        let is_it = |record: &&mut Record| {
            record.name == sandbox.snapshot && (record.general || record.organization == sandbox.organization)
        };
        if let Some(record) = self.snapshots.iter_mut().find(is_it)
            && record.used.is_none_or(|used| after(used, USE) <= now)
        {
            (record.used, record.updated) = (Some(now), now);
        }
    }

    /// The snapshot that the caller means by an id, in any case, or a name; an active one before others.
    pub(crate) fn snapshot_for_sandbox(&self, caller: &Caller, id_or_name: &str) -> Option<&Record> {
        let is_it =
            |record: &&Record| record.is(id_or_name) && (record.general || record.organization == caller.organization);
        let found = || self.snapshots.iter().filter(is_it);
        let active = found().find(|record| record.state == SnapshotState::Active);
        active.or_else(|| found().next())
    }

    /// The caller's sandbox with that id or name, if it can be seen.
    pub(crate) fn sandbox(&self, caller: &Caller, id_or_name: &str) -> Option<&Sandbox> {
        let own = |sandbox: &&Sandbox| sandbox.organization == caller.organization && !sandbox.is_lost;
        let mut own = self.sandboxes.iter().filter(own);
        own.find(|sandbox| sandbox.id == id_or_name || sandbox.name == id_or_name)
    }

    /// The caller's sandbox with that id or name, to do something with.
    pub(crate) fn sandbox_mut(&mut self, caller: &Caller, id_or_name: &str) -> Option<&mut Sandbox> {
        let id = self.sandbox(caller, id_or_name)?.id.clone();
        self.find_sandbox(&id).filter(|sandbox| !sandbox.is_deleted())
    }

    fn find_sandbox(&mut self, id: &str) -> Option<&mut Sandbox> {
        self.sandboxes.iter_mut().find(|sandbox| sandbox.id == id)
    }

    /// Marks a sandbox as deleted, and frees its name.
    pub(crate) fn destroy_sandbox(&mut self, id: &str, now: Timestamp) {
        let Some(sandbox) = self.find_sandbox(id) else { return };
        sandbox.name = format!("DESTROYED_{}_{}", sandbox.name, now.as_millisecond());
        DESTROYED.clone_into(&mut sandbox.wanted);
        let state = match sandbox.state {
            SandboxState::Error => SandboxState::Error,
            _ => SandboxState::Destroying,
        };
        sandbox.change(state, now);
        self.schedule_sandbox(after(now, REMOVAL), id, Step::Removed);
    }

    /// Stops a sandbox that runs; one that is not to outlive its stop is deleted.
    pub(crate) fn stop_sandbox(&mut self, id: &str, now: Timestamp) {
        let Some(sandbox) = self.find_sandbox(id) else { return };
        if sandbox.delete_after == 0 {
            return self.destroy_sandbox(id, now);
        }
        "stopped".clone_into(&mut sandbox.wanted);
        sandbox.change(SandboxState::Stopping, now);
        self.schedule_sandbox(after(now, STOP), id, Step::Stopped);
    }

    /// Starts a sandbox that was stopped.
    pub(crate) fn start_sandbox(&mut self, id: &str, now: Timestamp) {
        let Some(sandbox) = self.find_sandbox(id) else { return };
        "started".clone_into(&mut sandbox.wanted);
        sandbox.change(SandboxState::Starting, now);
        let takes = sandbox.script.takes.unwrap_or(START);
        self.schedule_sandbox(after(now, takes), id, Step::Begun);
    }

    /// Makes a snapshot of a sandbox.
    pub(crate) fn capture_sandbox(&mut self, id: &str, name: &str, now: Timestamp) {
        let Some(sandbox) = self.find_sandbox(id) else { return };
        let before = sandbox.state.clone();
        sandbox.change(SandboxState::Snapshotting, now);
        let script = sandbox.script.clone();
        let end = after(now, script.capture_takes.unwrap_or(CAPTURE));
        let back = after(end, RETURN);
        if !script.capture_fails {
            let seen = script.record_lags.map_or(end, |lag| after(back, lag));
            self.schedule_sandbox(seen, id, Step::Captured(name.to_owned()));
        }
        self.schedule_sandbox(back, id, Step::Returned(before));
    }

    fn schedule_sandbox(&mut self, time: Timestamp, id: &str, step: Step) {
        self.schedule(time, Event::Sandbox(id.to_owned(), step));
    }

    pub(super) fn sandbox_step(&mut self, id: &str, step: Step, time: Timestamp) {
        let Some(sandbox) = self.find_sandbox(id) else { return };
        match (step, &sandbox.state) {
            (Step::Begun, SandboxState::Creating | SandboxState::Starting) => self.begun(id, time),
            (Step::Idle(since), SandboxState::Started) if sandbox.active == since => self.stop_sandbox(id, time),
            (Step::Stopped, SandboxState::Stopping) => sandbox.change(SandboxState::Stopped, time),
            (Step::Removed, _) => match sandbox.script.removal_fails.clone() {
                Some(reason) => {
                    sandbox.error = Some(reason);
                    sandbox.is_lost = true;
                    sandbox.change(SandboxState::Error, time);
                }
                None => self.sandboxes.retain(|sandbox| sandbox.id != id),
            },
            (Step::Captured(name), _) => self.captured(id, &name, time),
            (Step::Returned(before), SandboxState::Snapshotting) => sandbox.change(before, time),
            _ => {}
        }
    }

    fn begun(&mut self, id: &str, time: Timestamp) {
        let Some(sandbox) = self.find_sandbox(id) else { return };
        if let Some(reason) = sandbox.script.fails.clone() {
            sandbox.error = Some(reason);
            sandbox.is_recoverable = sandbox.script.recoverable;
            return sandbox.change(SandboxState::Error, time);
        }
        sandbox.active = time;
        sandbox.change(SandboxState::Started, time);
        if let Ok(minutes @ 1..) = u64::try_from(sandbox.stop_after) {
            let end = after(time, Duration::from_secs(minutes.saturating_mul(60)));
            self.schedule_sandbox(end, id, Step::Idle(time));
        }
    }

    /// Adds the snapshot of a sandbox; where its name is taken by then, there is none.
    fn captured(&mut self, id: &str, name: &str, time: Timestamp) {
        let Some(sandbox) = self.find_sandbox(id).map(|sandbox| sandbox.clone()) else {
            return;
        };
        if self.is_taken(&sandbox.organization, name, time) {
            return;
        }
        let reference = full_reference(&snapshot_ref(&full_name(&format!("{id}/{name}")), &[]));
        self.snapshots.push(Record {
            id: SnapshotId::from(new_id()),
            organization: sandbox.organization,
            general: false,
            name: name.to_owned(),
            image: String::new(),
            state: SnapshotState::Active,
            size: Some(USUAL_SIZE),
            entrypoint: None,
            resources: sandbox.resources,
            gpu_type: sandbox.gpu_type,
            error: None,
            created: time,
            updated: time,
            used: Some(time),
            runner: Some(sandbox.runner),
            reference: Some(reference),
            class: sandbox.class,
            region: sandbox.target,
            build: None,
            script: None,
            is_undone: false,
            is_seeded: false,
            stale: None,
        });
    }

    /// Goes on after a restart with what was under way.
    pub(super) fn resume_sandboxes(&mut self, now: Timestamp) {
        let under_way: Vec<(String, Step)> = (self.sandboxes.iter())
            .filter_map(|sandbox| {
                let step = match sandbox.state {
                    _ if sandbox.is_lost || sandbox.script.hangs => return None,
                    _ if sandbox.is_deleted() => Step::Removed,
                    SandboxState::Creating | SandboxState::Starting => Step::Begun,
                    SandboxState::Started if sandbox.stop_after > 0 => Step::Idle(sandbox.active),
                    SandboxState::Stopping => Step::Stopped,
                    // What the runner was making is lost.
                    SandboxState::Snapshotting => Step::Returned(SandboxState::from(sandbox.wanted.as_str())),
                    _ => return None,
                };
                Some((sandbox.id.clone(), step))
            })
            .collect();
        for (id, step) in under_way {
            let idle = match (&step, self.find_sandbox(&id)) {
                (Step::Idle(since), Some(sandbox)) => {
                    let minutes = u64::try_from(sandbox.stop_after).unwrap_or_default();
                    after(*since, Duration::from_secs(minutes.saturating_mul(60))).max(now)
                }
                _ => after(now, START),
            };
            self.schedule_sandbox(idle, &id, step);
        }
    }
}
