//! The creation of a sandbox from a snapshot: every check of the server, in its order.

use std::sync::Arc;

use daytona_api::{SandboxState, SnapshotState};
use http::request::Parts;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::answer::{Answer, Handled};
use super::auth::check_suspension;
use super::create::{NOT_PLAIN, is_plain, number_problems};
use super::sandboxes;
use crate::state::account::Caller;
use crate::state::core::Core;
use crate::state::region::{self, Region};
use crate::state::world::{Resources, Sandbox, World};
use crate::wire::address::base_url;

/// What a sandbox comes from where no snapshot is named.
const DEFAULT_SNAPSHOT: &str = "daytonaio/sandbox:0.5.0-slim";

/// Minutes until a stopped sandbox is archived, and the longest time for it.
const ARCHIVE_AFTER: i64 = 10_080;
const LONGEST_ARCHIVE: i64 = 43_200;

/// Creates a sandbox, and waits for its start. The answer is the sandbox as it was inserted.
pub(super) async fn create(core: &Arc<Core>, parts: &Parts, caller: &Caller, fields: &Map<String, Value>) -> Handled {
    let inserted = core.request(|world, now| {
        let sandbox = check(world, now, caller, fields)?;
        Ok(world.create_sandbox(sandbox))
    })?;
    let now = sandboxes::wait_while(core, caller, &inserted.id, &SandboxState::Creating).await;
    if let Some(now) = now.filter(|now| now.state == SandboxState::Error) {
        let reason = now.error.unwrap_or_default();
        return Err(Answer::refused(400, format!("Sandbox failed to start: {reason}")));
    }
    Ok(Answer::json(&sandboxes::shown_at_creation(&inserted, &base_url(parts))))
}

/// Every check of the server, and the sandbox that passes.
fn check(world: &World, now: Timestamp, caller: &Caller, fields: &Map<String, Value>) -> Result<Sandbox, Answer> {
    let messages = shape(fields);
    if !messages.is_empty() {
        return Err(Answer::refused(400, messages.join(", ")));
    }
    let refuse = |message: String| Answer::refused(400, message);
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let has = |name: &str| fields.get(name).is_some_and(|value| !value.is_null());
    if has("buildInfo") {
        return Err(refuse(
            "Cannot specify a snapshot when using a build info entry".to_owned(),
        ));
    }
    let is_number = |name: &&str| {
        fields
            .get(*name)
            .and_then(Value::as_f64)
            .is_some_and(|value| value != 0.0)
    };
    if ["cpu", "memory", "disk", "gpu"].iter().any(is_number) {
        return Err(refuse(
            "Cannot specify Sandbox resources when using a snapshot".to_owned(),
        ));
    }
    if has("gpuType") {
        return Err(refuse(
            "Cannot specify GPU type when creating sandbox from snapshot. GPU type is inherited from snapshot."
                .to_owned(),
        ));
    }
    let region = region(world, caller, text("target").trim())?;
    let asked = match text("snapshot") {
        "" => DEFAULT_SNAPSHOT,
        asked => asked,
    };
    let snapshot = world.snapshot_for_sandbox(caller, asked).ok_or_else(|| {
        refuse(format!(
            "Snapshot {asked} not found. Did you add it through the Daytona Dashboard?"
        ))
    })?;
    if snapshot.region != region.id {
        let message = format!("Snapshot {asked} is not available in region {}", region.id);
        return Err(refuse(message));
    }
    if snapshot.state != SnapshotState::Active {
        return Err(refuse(format!("Snapshot {asked} is {}", snapshot.state)));
    }
    let minutes = |name: &str, default: i64| whole(fields, name).map(|value| value.unwrap_or(default));
    let delete_after = minutes("autoDeleteInterval", -1)?;
    if snapshot.resources.gpu > 0.0 && delete_after != 0 {
        return Err(refuse(
            "GPU sandboxes must be ephemeral - set autoDeleteInterval to 0".to_owned(),
        ));
    }
    check_suspension(world, &caller.organization)?;
    let stop_after = minutes("autoStopInterval", 15)?;
    if stop_after < 0 {
        return Err(refuse("Auto-stop interval must be non-negative".to_owned()));
    }
    let archive_after = match minutes("autoArchiveInterval", ARCHIVE_AFTER)? {
        0 => LONGEST_ARCHIVE,
        minutes if minutes < 0 => return Err(refuse("Auto-archive interval must be non-negative".to_owned())),
        minutes => minutes.min(LONGEST_ARCHIVE),
    };
    if let Some(linked) = fields.get("linkedSandbox").and_then(Value::as_str)
        && world.sandbox(caller, linked).is_none()
    {
        return Err(sandboxes::not_found(linked));
    }
    check_quota(world, caller, snapshot.resources)?;
    if !world.has_runner() {
        return Err(refuse("No available runners".to_owned()));
    }
    let name = text("name");
    let is_taken = |other: &Sandbox| other.organization == caller.organization && other.name == name;
    if world.sandboxes.iter().any(is_taken) {
        return Err(Answer::refused(409, format!("Sandbox with name {name} already exists")));
    }
    let object = |name: &str| fields.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
    let mut sandbox = Sandbox::of(snapshot, &caller.organization, name, now);
    if !text("user").is_empty() {
        text("user").clone_into(&mut sandbox.user);
    }
    (sandbox.env, sandbox.labels) = (object("env"), object("labels"));
    sandbox.is_public = fields.get("public").and_then(Value::as_bool).unwrap_or_default();
    (sandbox.stop_after, sandbox.archive_after, sandbox.delete_after) = (stop_after, archive_after, delete_after);
    Ok(sandbox)
}

/// The region by its name, the organization's own before shared ones, or by its id; the default one where none is named.
fn region<'a>(world: &'a World, caller: &Caller, target: &str) -> Result<&'a Region, Answer> {
    if target.is_empty() {
        return world
            .region(region::DEFAULT)
            .ok_or_else(|| Answer::refused(404, "Region not found"));
    }
    let mut named = world.regions_of(&caller.organization);
    named
        .find(|region| region.name() == target)
        .or_else(|| world.region(target))
        .ok_or_else(|| Answer::refused(404, "Region not found"))
}

/// The resources of all sandboxes of an organization together are limited.
fn check_quota(world: &World, caller: &Caller, wanted: Resources) -> Result<(), Answer> {
    let Some(limits) = world
        .accounts
        .organization(&caller.organization)
        .and_then(|organization| organization.total)
    else {
        return Ok(());
    };
    let own = |sandbox: &&Sandbox| sandbox.organization == caller.organization && !sandbox.is_deleted();
    let sum = |part: fn(&Resources) -> f64| {
        let used: f64 = world
            .sandboxes
            .iter()
            .filter(own)
            .map(|sandbox| part(&sandbox.resources))
            .sum();
        used + part(&wanted)
    };
    let (cpu, memory, disk) = limits;
    for (what, used, limit) in [
        ("CPU", sum(|one| one.cpu), cpu),
        ("memory", sum(|one| one.memory), memory),
        ("disk", sum(|one| one.disk), disk),
    ] {
        if used > limit {
            return Err(Answer::refused(
                400,
                format!(
                    "Total {what} limit exceeded. Maximum allowed: {limit}.\nTo increase concurrency limits, upgrade your \
                     organization's Tier by visiting http://127.0.0.1:33000/dashboard/limits."
                ),
            ));
        }
    }
    Ok(())
}

/// A number of minutes. The server fails at a fraction.
fn whole(fields: &Map<String, Value>, name: &str) -> Result<Option<i64>, Answer> {
    match fields.get(name).filter(|value| !value.is_null()) {
        None => Ok(None),
        Some(value) => match value.as_i64().or_else(|| whole_float(value.as_f64()?)) {
            Some(minutes) => Ok(Some(minutes)),
            None => Err(Answer::unexpected()),
        },
    }
}

fn whole_float(value: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "whole, and small as minutes are")]
    (value.fract() == 0.0 && value.abs() < 1e15).then_some(value as i64)
}

/// What the validation says of the body.
fn shape(fields: &Map<String, Value>) -> Vec<String> {
    let given = |name: &str| fields.get(name).filter(|value| !value.is_null());
    let mut messages = Vec::new();
    match given("name") {
        None => {}
        Some(Value::String(name)) if is_plain(name) => {}
        Some(Value::String(_)) => messages.push(NOT_PLAIN.to_owned()),
        Some(_) => messages.extend([NOT_PLAIN.to_owned(), "name must be a string".to_owned()]),
    }
    for name in ["snapshot", "user"] {
        if given(name).is_some_and(|value| !value.is_string()) {
            messages.push(format!("{name} must be a string"));
        }
    }
    for name in ["env", "labels"] {
        if given(name).is_some_and(|value| !value.is_object()) {
            messages.push(format!("{name} must be an object"));
        }
    }
    if given("public").is_some_and(|value| !value.is_boolean()) {
        messages.push("public must be a boolean value".to_owned());
    }
    if given("target").is_some_and(|value| !value.is_string()) {
        messages.push("target must be a string".to_owned());
    }
    for (name, largest) in [("cpu", None), ("gpu", Some(1.0)), ("memory", None), ("disk", None)] {
        let problems = given(name).map(|value| number_problems(name, value, largest));
        messages.extend(problems.into_iter().flatten());
    }
    for name in ["autoStopInterval", "autoArchiveInterval", "autoDeleteInterval"] {
        if given(name).is_some_and(|value| !value.is_number()) {
            messages.push(format!(
                "{name} must be a number conforming to the specified constraints"
            ));
        }
    }
    messages
}
