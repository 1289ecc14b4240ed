//! Operations on one snapshot, and how a snapshot is shown.

use daytona_api::{SnapshotId, SnapshotState};
use serde::{Serialize, Serializer};
use serde_json::Value;
use uuid::Uuid;

use super::answer::{Answer, Handled};
use super::auth;
use crate::base::clock::time;
use crate::state::account::Caller;
use crate::state::core::Core;
use crate::state::world::{Record, World};

/// What a fault makes of a deletion, an activation or a deactivation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum Twist {
    None,
    /// Answered, and not done.
    Ignored,
    /// Done, and undone some time later.
    Undone,
}

pub(super) fn get(core: &Core, caller: &Caller, id_or_name: &str) -> Handled {
    let world = core.world();
    let now = core.clock.now();
    let record = world
        .read(caller, id_or_name, now)
        .ok_or_else(|| not_read(&world, id_or_name, now))?;
    Ok(Answer::json(&shown(&world, &record)))
}

pub(super) fn remove(core: &Core, caller: &Caller, id: &str, twist: Twist) -> Handled {
    core.request(|world, now| {
        let record = find_own(world, caller, id)?;
        if record.general {
            return Err(Answer::refused(403, "You cannot delete a general snapshot"));
        }
        let id = record.id.clone();
        if twist != Twist::Ignored {
            world.remove(&id, now, twist == Twist::Undone);
        }
        Ok(Answer::Empty)
    })
}

pub(super) fn activate(core: &Core, caller: &Caller, id: &str, twist: Twist) -> Handled {
    core.request(|world, now| {
        let id = find_own(world, caller, id)?.id.clone();
        auth::check_suspension(world, &caller.organization)?;
        world
            .check_activation(&id, now)
            .map_err(|message| Answer::refused(400, message))?;
        if twist == Twist::Ignored {
            let mut record = find(world, caller, id.as_str())?.clone();
            record.state = SnapshotState::Pending;
            return Ok(Answer::json(&shown(world, &record)));
        }
        world.activate(&id, now);
        let record = find(world, caller, id.as_str())?;
        Ok(Answer::json(&shown(world, record)))
    })
}

pub(super) fn deactivate(core: &Core, caller: &Caller, id: &str, twist: Twist) -> Handled {
    core.request(|world, now| {
        let id = find_own(world, caller, id)?.id.clone();
        if twist != Twist::Ignored {
            world.deactivate(&id, now, twist == Twist::Undone);
        }
        Ok(Answer::NoContent)
    })
}

/// The snapshot that the caller sees, or the measured answer for one that is not there.
pub(super) fn find<'a>(world: &'a World, caller: &Caller, id_or_name: &str) -> Result<&'a Record, Answer> {
    world
        .find(caller, id_or_name)
        .ok_or_else(|| not_found(world, id_or_name))
}

/// The caller's own snapshot.
pub(super) fn find_owned<'a>(world: &'a World, caller: &Caller, id_or_name: &str) -> Result<&'a Record, Answer> {
    find(world, caller, id_or_name).and_then(|record| {
        let is_own = record.organization == caller.organization;
        is_own.then_some(record).ok_or_else(|| not_found(world, id_or_name))
    })
}

/// What a read answers that does not see a snapshot.
pub(super) fn not_read(world: &World, id_or_name: &str, now: jiff::Timestamp) -> Answer {
    let is_elsewhere = world.reads(now).any(|record| record.id.as_str() == id_or_name);
    no_snapshot(id_or_name, is_elsewhere)
}

fn not_found(world: &World, id_or_name: &str) -> Answer {
    let mut snapshots = world.snapshots.iter();
    let is_elsewhere =
        snapshots.any(|record| record.id.as_str() == id_or_name || record.general && record.name == id_or_name);
    no_snapshot(id_or_name, is_elsewhere)
}

fn no_snapshot(id_or_name: &str, is_elsewhere: bool) -> Answer {
    let what = if is_elsewhere { "ID or name" } else { "name" };
    Answer::refused(404, format!("Snapshot with {what} {id_or_name} not found"))
}

/// The caller's own snapshot, named by its id; the name of one that exists is refused.
fn find_own<'a>(world: &'a World, caller: &Caller, id: &str) -> Result<&'a Record, Answer> {
    let record = find_owned(world, caller, id)?;
    if Uuid::parse_str(id).is_err() {
        return Err(Answer::refused(400, "Validation failed (uuid is expected)"));
    }
    Ok(record)
}

/// A snapshot in the server's order of fields.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shown<'a> {
    id: &'a SnapshotId,
    organization_id: &'a str,
    general: bool,
    name: &'a str,
    image_name: &'a str,
    state: &'a SnapshotState,
    #[serde(serialize_with = "optional_number")]
    size: Option<f64>,
    entrypoint: Option<&'a [String]>,
    #[serde(serialize_with = "number")]
    cpu: f64,
    #[serde(serialize_with = "number")]
    gpu: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    gpu_type: Option<&'a str>,
    #[serde(serialize_with = "number")]
    mem: f64,
    #[serde(serialize_with = "number")]
    disk: f64,
    error_reason: Option<&'a str>,
    created_at: String,
    updated_at: String,
    last_used_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    build_info: Option<ShownBuild<'a>>,
    region_ids: [&'a str; 1],
    /// Absent at creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    initial_runner_id: Option<Nullable<'a>>,
    /// Absent at creation from an image.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    reference: Option<Nullable<'a>>,
    sandbox_class: &'a str,
}

/// A text that may be null, where the field as a whole may be absent.
#[derive(Serialize)]
struct Nullable<'a>(Option<&'a str>);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownBuild<'a> {
    dockerfile_content: &'a str,
    context_hashes: Value,
    created_at: String,
    updated_at: String,
    snapshot_ref: &'a str,
}

/// A snapshot as `get`, `list` and `activate` show it.
pub(super) fn shown<'a>(world: &'a World, record: &'a Record) -> Shown<'a> {
    // Hashes are kept as one text with commas, and split there when it is read back.
    let hashes = |hashes: &Vec<String>| {
        let parts = hashes.iter().flat_map(|hash| hash.split(','));
        parts.map(Value::from).collect::<Value>()
    };
    let given = record.build.as_ref().and_then(|info| info.hashes.as_ref());
    Shown {
        initial_runner_id: Some(Nullable(record.runner.as_deref())),
        reference: Some(Nullable(record.reference.as_deref())),
        ..shown_at_creation(world, record, given.map_or(Value::Null, hashes))
    }
}

/// A snapshot as `create` shows it: without the runner, and without the reference if it is made from an image. The hashes
/// are shown as they were sent.
pub(super) fn shown_at_creation<'a>(world: &'a World, record: &'a Record, hashes: Value) -> Shown<'a> {
    let build = record.build.as_ref().zip(world.build(record));
    Shown {
        id: &record.id,
        organization_id: &record.organization,
        general: record.general,
        name: &record.name,
        image_name: &record.image,
        state: &record.state,
        size: record.size,
        entrypoint: record.entrypoint.as_deref(),
        cpu: record.resources.cpu,
        gpu: record.resources.gpu,
        gpu_type: record.gpu_type.as_deref(),
        mem: record.resources.memory,
        disk: record.resources.disk,
        error_reason: record.error.as_deref(),
        created_at: time(record.created),
        updated_at: time(record.updated),
        last_used_at: record.used.map(time),
        reference: build.is_some().then_some(Nullable(record.reference.as_deref())),
        build_info: build.map(|(info, build)| ShownBuild {
            dockerfile_content: &info.dockerfile,
            context_hashes: hashes,
            created_at: time(build.created),
            updated_at: time(build.updated),
            snapshot_ref: &info.snapshot_ref,
        }),
        region_ids: [&record.region],
        initial_runner_id: None,
        sandbox_class: &record.class,
    }
}

/// A number as JavaScript writes it: without a point if it is whole.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
pub(super) fn number<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    #[expect(clippy::cast_possible_truncation, reason = "whole, and small as resources are")]
    if value.fract() == 0.0 && value.abs() < 1e15 {
        serializer.serialize_i64(*value as i64)
    } else {
        serializer.serialize_f64(*value)
    }
}

#[expect(clippy::ref_option, reason = "serde's signature")]
fn optional_number<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => number(value, serializer),
        None => serializer.serialize_none(),
    }
}
