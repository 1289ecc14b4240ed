//! Operations on one snapshot, and how a snapshot is shown.

use daytona_api::SnapshotId;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Answer, Handled, time};
use crate::engine::Engine;
use crate::world::{Caller, REGION, Record, World};

pub(super) fn get(engine: &Engine, caller: &Caller, id_or_name: &str) -> Handled {
    let world = engine.world();
    let record = find(&world, caller, id_or_name)?;
    Ok(Answer::Json(shown(&world, record)))
}

pub(super) fn remove(engine: &Engine, caller: &Caller, id: &str) -> Handled {
    let mut world = engine.world();
    let id = find_by_id(&world, caller, id)?;
    world.remove(&id, engine.clock.now());
    Ok(Answer::Empty)
}

pub(super) fn activate(engine: &Engine, caller: &Caller, id: &str) -> Handled {
    let mut world = engine.world();
    let id = find_by_id(&world, caller, id)?;
    world
        .activate(&id, engine.clock.now())
        .map_err(|message| Answer::refused(400, message))?;
    let record = find(&world, caller, id.as_str())?;
    Ok(Answer::Json(shown(&world, record)))
}

pub(super) fn deactivate(engine: &Engine, caller: &Caller, id: &str) -> Handled {
    let mut world = engine.world();
    let id = find_by_id(&world, caller, id)?;
    world.deactivate(&id, engine.clock.now());
    Ok(Answer::NoContent)
}

/// The caller's snapshot, or the measured answer for one that is not there.
pub(super) fn find<'a>(world: &'a World, caller: &Caller, id_or_name: &str) -> Result<&'a Record, Answer> {
    world.find(caller, id_or_name).ok_or_else(|| {
        let is_elsewhere = world.snapshots.iter().any(|record| record.id.as_str() == id_or_name);
        let what = if is_elsewhere { "ID or name" } else { "name" };
        Answer::refused(404, format!("Snapshot with {what} {id_or_name} not found"))
    })
}

/// The id of a snapshot that was named by it; the name of one that exists is refused.
fn find_by_id(world: &World, caller: &Caller, id: &str) -> Result<SnapshotId, Answer> {
    let record = find(world, caller, id)?;
    if Uuid::parse_str(id).is_err() {
        return Err(Answer::refused(400, "Validation failed (uuid is expected)"));
    }
    Ok(record.id.clone())
}

/// A snapshot as `get`, `list` and `activate` show it.
pub(super) fn shown(world: &World, record: &Record) -> Value {
    let mut shown = shown_at_creation(world, record);
    if let Value::Object(fields) = &mut shown {
        fields.insert("initialRunnerId".to_owned(), json!(record.runner));
        fields.insert("ref".to_owned(), json!(record.reference));
    }
    shown
}

/// A snapshot as `create` shows it: without the runner, and without the reference if it is made from an image.
pub(super) fn shown_at_creation(world: &World, record: &Record) -> Value {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    put("id", json!(record.id));
    put("organizationId", json!(record.organization));
    put("general", json!(false));
    put("name", json!(record.name));
    put("imageName", json!(record.image));
    put("state", json!(record.state));
    put("size", json!(record.size));
    put("entrypoint", json!(record.entrypoint));
    put("cpu", number(record.resources.cpu));
    put("gpu", number(record.resources.gpu));
    put("mem", number(record.resources.memory));
    put("disk", number(record.resources.disk));
    put("errorReason", json!(record.error));
    put("createdAt", json!(time(record.created)));
    put("updatedAt", json!(time(record.updated)));
    put("lastUsedAt", json!(record.used.map(time)));
    put("regionIds", json!([REGION]));
    put("sandboxClass", json!(record.class));
    if let Some(gpu_type) = &record.gpu_type {
        put("gpuType", json!(gpu_type));
    }
    if let (Some(info), Some(build)) = (&record.build, world.build(record)) {
        let info = json!({
            "dockerfileContent": info.dockerfile,
            "contextHashes": info.hashes,
            "createdAt": time(build.created),
            "updatedAt": time(build.updated),
            "snapshotRef": info.snapshot_ref,
        });
        put("buildInfo", info);
        put("ref", json!(record.reference));
    }
    Value::Object(fields)
}

/// A number as JavaScript writes it: without a point if it is whole.
fn number(value: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "whole, and small as resources are")]
    if value.fract() == 0.0 && value.abs() < 1e15 {
        json!(value as i64)
    } else {
        json!(value)
    }
}
