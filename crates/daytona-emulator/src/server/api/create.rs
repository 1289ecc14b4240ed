//! The creation of a snapshot: every check of the server, in its order.

use std::time::Duration;

use daytona_api::{SnapshotId, SnapshotState};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::answer::{Answer, Handled};
use super::{auth, image_name, snapshots};
use crate::base::random::new_id;
use crate::state::account::{Caller, Organization};
use crate::state::core::Core;
use crate::state::region;
use crate::state::world::{BuildInfo, Record, Resources, World, entrypoint_of, full_reference, snapshot_ref};

const GPU_TYPES: [&str; 2] = ["H100", "RTX-PRO-6000"];
const CLASSES: [&str; 4] = ["linux-vm", "container", "android", "windows"];

/// What the server takes from looking for a build to having written it down.
const WRITING: Duration = Duration::from_millis(5);

const HIGHER_LIMITS: &str =
    "Need higher resource limits per-sandbox? Contact us at support@daytona.io and let us know about your use case.";

pub(super) async fn create(core: &Core, caller: &Caller, fields: &Map<String, Value>) -> Handled {
    let (record, hashes) = check(&core.world(), core.clock.now(), caller, fields)?;
    write_build(core, &record).await?;
    let is_given = fields.get("createdAt").is_some_and(Value::is_string);
    core.request(|world, now| {
        if world.is_taken(&record.organization, &record.name, now) {
            return Err(taken(&record.name));
        }
        let record = world.create(Record {
            created: if is_given { record.created } else { now },
            updated: now,
            ..record
        });
        Ok(Answer::json(&snapshots::shown_at_creation(world, &record, hashes)))
    })
}

/// Writes a build down before its snapshot. Of several creations of one new definition at the same moment one is the first;
/// another meets its row and fails, and so do most that follow.
async fn write_build(core: &Core, record: &Record) -> Result<(), Answer> {
    let Some(info) = &record.build else { return Ok(()) };
    if core.world().has_build(&info.snapshot_ref) {
        return Ok(());
    }
    let writing = core.writing.enter(&info.snapshot_ref);
    core.clock.pause(WRITING).await;
    if writing.collides() {
        Err(Answer::unexpected())
    } else {
        Ok(())
    }
}

fn taken(name: &str) -> Answer {
    let message = format!("Snapshot with name \"{name}\" already exists for this organization");
    Answer::refused(409, message)
}

/// Every check of the server, in its order, and the record of what passes; the hashes as they were sent.
fn check(
    world: &World,
    now: Timestamp,
    caller: &Caller,
    fields: &Map<String, Value>,
) -> Result<(Record, Value), Answer> {
    let messages = shape(fields);
    if !messages.is_empty() {
        return Err(Answer::refused(400, messages.join(", ")));
    }
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let (name, image) = (text("name"), text("imageName"));
    let build = fields.get("buildInfo").filter(|value| !value.is_null());
    let refuse = |message: &str| Answer::refused(400, message);
    match (build.is_some(), image.is_empty()) {
        (false, true) => return Err(refuse("Must specify an image name when not using a build info entry")),
        (true, false) => return Err(refuse("Cannot specify an image name when using a build info entry")),
        (true, true) if fields.get("entrypoint").is_some_and(|value| !value.is_null()) => {
            return Err(refuse("Cannot specify an entrypoint when using a build info entry"));
        }
        _ => {}
    }
    let nobody = Organization::new("unknown");
    let organization = world
        .accounts
        .organization(&caller.organization)
        .unwrap_or(&nobody)
        .clone();
    if !organization.has_default_region {
        return Err(refuse(
            "This organization does not have a default region. Please open the Daytona Dashboard to set a default region.",
        ));
    }
    let region = match text("regionId").trim() {
        "" => region::DEFAULT,
        id => id,
    };
    let region = world
        .region(region)
        .ok_or_else(|| Answer::refused(404, "Region not found"))?;
    if !region.is_for(&caller.organization) {
        return Err(Answer::refused(404, format!("Region {} not found", region.id)));
    }
    image_name::snapshot_name(name).map_err(refuse)?;
    if build.is_none() {
        image_name::image_name(image).map_err(refuse)?;
    }
    let class = match text("sandboxClass") {
        "" | "container" => "container",
        "android" => "android",
        "windows" => {
            return Err(refuse(
                "Windows snapshots cannot be created via this endpoint; they are produced by snapshot-from-sandbox flows.",
            ));
        }
        class => {
            let message = format!(
                "No runners are configured in region '{}' for sandbox class '{class}'. Try a different region or sandbox class.",
                region.name()
            );
            return Err(refuse(&message));
        }
    };
    auth::check_suspension(world, &caller.organization)?;
    let wanted_gpu = gpu_type(fields);
    let resources = resources(fields, &organization, |wants_gpu| {
        if wants_gpu {
            region.check_gpu(wanted_gpu)
        } else {
            Ok(())
        }
    })?;
    check_quota(world, &caller.organization)?;
    let gpu_type = if resources.gpu > 0.0 {
        let kind = region.gpu(wanted_gpu).map_err(|message| refuse(&message))?;
        Some(kind.to_owned())
    } else {
        None
    };
    // A field that the server copies into its record, though it should not.
    let owner = fields
        .get("organizationId")
        .and_then(Value::as_str)
        .unwrap_or(&caller.organization);
    if world.is_taken(owner, name, now) {
        return Err(taken(name));
    }
    let hashes = build
        .and_then(|build| build.get("contextHashes"))
        .cloned()
        .unwrap_or(Value::Null);
    let build = build.map(build_info).transpose()?;
    let has_null_image = build.is_some() && fields.get("imageName").is_some_and(Value::is_null);
    if has_null_image || fields.contains_key("id") || NUMBERS.iter().any(|name| !is_kept(fields, name)) {
        return Err(Answer::unexpected());
    }
    if STORED.iter().filter_map(|name| fields.get(*name)).any(has_nul) {
        return Err(Answer::refused(500, "Internal Server Error"));
    }
    // Further fields that the server copies, though only it should set them.
    let stored = |name: &str| fields.get(name).and_then(Value::as_str);
    let date = |name: &str| stored(name).and_then(|text| text.parse::<Timestamp>().ok());
    let record = Record {
        id: SnapshotId::from(new_id()),
        organization: owner.to_owned(),
        general: false,
        name: name.to_owned(),
        image: image.to_owned(),
        state: SnapshotState::Pending,
        size: fields.get("size").and_then(Value::as_f64),
        entrypoint: match &build {
            Some(info) => entrypoint_of(&info.dockerfile).ok_or_else(Answer::unexpected)?,
            None => given_entrypoint(fields),
        },
        resources,
        gpu_type,
        error: stored("errorReason").map(ToOwned::to_owned),
        created: date("createdAt").unwrap_or(now),
        updated: now,
        used: date("lastUsedAt"),
        runner: stored("initialRunnerId").map(ToOwned::to_owned),
        reference: build.as_ref().map(|info| full_reference(&info.snapshot_ref)),
        class: class.to_owned(),
        region: region.id.clone(),
        build,
        script: None,
        is_undone: false,
        is_seeded: false,
        stale: None,
    };
    Ok((record, hashes))
}

/// Refuses a further snapshot to an organization that has as many as it may.
pub(super) fn check_quota(world: &World, organization: &str) -> Result<(), Answer> {
    let own = |record: &&Record| record.organization == organization;
    let count = world.snapshots.iter().filter(own).count();
    match world.accounts.organization(organization) {
        Some(Organization { snapshot_quota, .. }) if count >= *snapshot_quota => Err(Answer::refused(
            400,
            format!("Snapshot quota exceeded. Maximum allowed: {snapshot_quota}"),
        )),
        _ => Ok(()),
    }
}

/// Everything that is wrong with the form of the body.
fn shape(fields: &Map<String, Value>) -> Vec<String> {
    let mut messages = Vec::new();
    let given = |name: &str| fields.get(name).filter(|value| !value.is_null());
    match given("name") {
        None => messages.push("name must be a string".to_owned()),
        Some(Value::String(name)) if !is_plain(name) => messages.push(NOT_PLAIN.to_owned()),
        Some(Value::String(_)) => {}
        Some(_) => messages.extend([NOT_PLAIN.to_owned(), "name must be a string".to_owned()]),
    }
    for name in ["imageName", "regionId"] {
        if given(name).is_some_and(|value| !value.is_string()) {
            messages.push(format!("{name} must be a string"));
        }
    }
    match given("entrypoint") {
        Some(Value::Array(words)) if words.iter().any(|word| !word.is_string()) => {
            messages.push("each value in entrypoint must be a string".to_owned());
        }
        Some(Value::Array(_)) | None => {}
        Some(_) => messages.push("entrypoint must be an array".to_owned()),
    }
    for (name, largest) in [("cpu", None), ("gpu", Some(1.0)), ("memory", None), ("disk", None)] {
        messages.extend(
            given(name)
                .into_iter()
                .flat_map(|value| number_problems(name, value, largest)),
        );
    }
    let is_gpu_type = |value: &Value| value.as_str().is_some_and(|value| GPU_TYPES.contains(&value));
    let gpu_types = given("gpuType").map(|value| value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]));
    if gpu_types.as_ref().is_some_and(|types| types.len() > 1) {
        messages.push("gpuType must contain no more than 1 elements".to_owned());
    }
    if gpu_types.is_some_and(|types| !types.iter().all(is_gpu_type)) {
        messages.push(format!(
            "each value in gpuType must be one of the following values: {}",
            GPU_TYPES.join(", ")
        ));
    }
    if given("buildInfo").is_some_and(|value| !value.is_object()) {
        messages.push("buildInfo must be an object".to_owned());
    }
    if given("sandboxClass").is_some_and(|value| !value.as_str().is_some_and(|class| CLASSES.contains(&class))) {
        messages.push(format!(
            "sandboxClass must be one of the following values: {}",
            CLASSES.join(", ")
        ));
    }
    messages
}

pub(super) const NOT_PLAIN: &str = "name must not contain HTML tags, URLs, or control characters";

pub(super) fn is_plain(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let is_control = |character: char| character.is_ascii_control() && !matches!(character, '\t' | '\n' | '\r');
    let has_url = ["://", "javascript:"].iter().any(|part| lower.contains(part)) || lower.starts_with("www.");
    !has_url && !text.contains('<') && !text.chars().any(is_control)
}

pub(super) fn number_problems(name: &str, value: &Value, largest: Option<f64>) -> Vec<String> {
    let number = value.as_f64();
    let mut messages = Vec::new();
    if let Some(largest) = largest.filter(|largest| number.is_none_or(|number| number > *largest)) {
        messages.push(format!("{name} must not be greater than {largest}"));
    }
    if number.is_none_or(|number| number < 0.0) {
        messages.push(format!("{name} must not be less than 0"));
    }
    if number.is_none() {
        messages.push(format!(
            "{name} must be a number conforming to the specified constraints"
        ));
    }
    messages
}

/// Fields whose texts are written into the database.
const STORED: [&str; 4] = ["buildInfo", "entrypoint", "errorReason", "initialRunnerId"];

/// Whether a text has a character that the database does not take. The parser of JSON bounds the depth.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_nul),
        Value::Object(fields) => fields.values().any(has_nul),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

const NUMBERS: [&str; 4] = ["cpu", "gpu", "memory", "disk"];

/// Whether a number can be written into the database: what passes the validation may still be none, or a fraction.
fn is_kept(fields: &Map<String, Value>, name: &str) -> bool {
    let number = |value: &Value| value.as_f64().is_some_and(|value| value.fract() == 0.0);
    fields.get(name).is_none_or(number)
}

/// The resources, within the limits of a sandbox.
fn resources(
    fields: &Map<String, Value>,
    organization: &Organization,
    check_gpu: impl Fn(bool) -> Result<(), String>,
) -> Result<Resources, Answer> {
    let value = |name: &str, default: f64| fields.get(name).and_then(Value::as_f64).unwrap_or(default);
    let limit = |what: &str, unit: &str, value: f64, largest: f64| {
        if value <= largest {
            return Ok(());
        }
        let message = format!(
            "{what} request {value}{unit} exceeds maximum allowed per sandbox ({largest}{unit}).\n{HIGHER_LIMITS}"
        );
        Err(Answer::refused(400, message))
    };
    let resources = Resources {
        cpu: value("cpu", 1.0),
        gpu: value("gpu", 0.0),
        memory: value("memory", 1.0),
        disk: value("disk", 3.0),
    };
    if resources.gpu > 0.0 && organization.gpus == 0 {
        return Err(Answer::refused(400, "GPU quota exceeded. Maximum allowed: 0."));
    }
    check_gpu(resources.gpu > 0.0).map_err(|message| Answer::refused(400, message))?;
    limit("CPU", "", resources.cpu, organization.cpu)?;
    limit("Memory", "GB", resources.memory, organization.memory)?;
    limit("Disk", "GB", resources.disk, organization.disk)?;
    Ok(resources)
}

fn gpu_type(fields: &Map<String, Value>) -> Option<&str> {
    match fields.get("gpuType")? {
        Value::Array(types) => types.first()?.as_str(),
        value => value.as_str(),
    }
}

fn build_info(value: &Value) -> Result<BuildInfo, Answer> {
    let dockerfile = value
        .get("dockerfileContent")
        .and_then(Value::as_str)
        .ok_or_else(Answer::unexpected)?
        .to_owned();
    let as_text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    let hashes = match value.get("contextHashes") {
        None => None,
        Some(Value::Null | Value::Object(_)) => return Err(Answer::unexpected()),
        Some(Value::Array(hashes)) => Some(hashes.iter().map(as_text).collect::<Vec<_>>()),
        Some(other) => Some(vec![as_text(other)]),
    };
    // Kept as one text with commas, and split there when it is read back.
    let hashes = hashes.map(|hashes| {
        hashes
            .iter()
            .flat_map(|hash| hash.split(','))
            .map(ToOwned::to_owned)
            .collect::<Vec<_>>()
    });
    let snapshot_ref = snapshot_ref(&dockerfile, hashes.as_deref().unwrap_or_default());
    Ok(BuildInfo {
        dockerfile,
        hashes,
        snapshot_ref,
    })
}

fn given_entrypoint(fields: &Map<String, Value>) -> Option<Vec<String>> {
    let words = fields.get("entrypoint")?.as_array()?.iter().filter_map(Value::as_str);
    let words: Vec<String> = words
        .filter(|word| !word.trim().is_empty())
        .map(ToOwned::to_owned)
        .collect();
    (!words.is_empty()).then_some(words)
}
