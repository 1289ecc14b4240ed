//! The admin routes: what tests in any language do to the emulator, by HTTP and JSON.

use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::ResponseBody;
use crate::account::{ApiKey, Organization, Permission, UserToken};
use crate::api::time;
use crate::body::{full, read_limited};
use crate::builder::Unknown;
use crate::engine::Engine;
use crate::fault::Fault;
use crate::limit::RateLimits;
use crate::range::{duration, fraction};
use crate::region::Region;
use crate::script::Script;
use crate::service::{ServiceError, segments_below};
use crate::world::{ReadLag, SeededSnapshot, World};

/// What the paths of all admin routes begin with.
pub(crate) const PREFIX: &str = "/_emulator";

/// Largest body.
const LIMIT: usize = 1024 * 1024;

type Done = Result<Value, (StatusCode, String)>;

pub(crate) async fn answer(
    engine: &Arc<Engine>,
    parts: &Parts,
    body: ResponseBody,
) -> Result<Response<ResponseBody>, ServiceError> {
    let bytes = read_limited(body, LIMIT).await?;
    engine.settle().await;
    let done = if !has_key(engine, parts) {
        Err((
            StatusCode::UNAUTHORIZED,
            "the admin routes need the admin key as a bearer token".to_owned(),
        ))
    } else if let Some(bytes) = bytes {
        carry_out(engine, parts, &bytes)
    } else {
        Err((StatusCode::PAYLOAD_TOO_LARGE, format!("at most {LIMIT} bytes")))
    };
    engine.announce();
    let done = match engine.save().await {
        Ok(()) => done,
        Err(error) => Err((
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("the state could not be written: {error}"),
        )),
    };
    let (status, value) = match done {
        Ok(value) => (StatusCode::OK, value),
        Err((status, message)) => (status, json!({"error": message})),
    };
    let mut response = Response::new(full(format!("{value:#}\n")));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

pub(crate) fn has_key(engine: &Engine, parts: &Parts) -> bool {
    let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    header.and_then(|header| header.strip_prefix("Bearer ")) == Some(engine.admin_key.as_str())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ClockChange {
    advance: Option<u64>,
    hold: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Limits {
    requests: u32,
    failed_logins: u32,
    window: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewKey {
    /// An existing value changes the key that has it.
    value: Option<String>,
    name: Option<String>,
    organization_id: Option<String>,
    permissions: Option<Vec<Permission>>,
    expires_at: Option<jiff::Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewToken {
    value: Option<String>,
    organization_ids: Option<Vec<String>>,
    permissions: Option<Vec<Permission>>,
    expires_at: Option<jiff::Timestamp>,
}

fn carry_out(engine: &Engine, parts: &Parts, body: &[u8]) -> Done {
    let segments = segments_below(PREFIX, parts.uri.path());
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let nothing = Ok(json!({}));
    match (&parts.method, segments.as_slice()) {
        (&Method::GET, [""]) => Ok(state(engine)),
        (&Method::POST, ["reset"]) => {
            engine
                .reset()
                .map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
            nothing
        }
        (&Method::GET, ["faults"]) => Ok(json!(engine.faults.list())),
        (&Method::POST, ["faults"]) => {
            let fault: Fault = read(body)?;
            fault.check().map_err(refused)?;
            engine.faults.add(fault);
            nothing
        }
        (&Method::DELETE, ["faults"]) => {
            engine.faults.clear();
            nothing
        }
        (&Method::GET, ["scripts"]) => Ok(json!(engine.world().scripts.0)),
        (&Method::POST, ["scripts"]) => {
            let script: Script = read(body)?;
            script.check().map_err(refused)?;
            engine.world().scripts.0.push(script);
            nothing
        }
        (&Method::DELETE, ["scripts"]) => {
            engine.world().scripts.0.clear();
            nothing
        }
        (&Method::POST, ["clock"]) => {
            let change: ClockChange = read(body)?;
            let advance = Duration::from_millis(change.advance.unwrap_or(0));
            duration("advance", advance).map_err(refused)?;
            match change.hold {
                Some(true) => engine.clock.hold(),
                Some(false) => engine.clock.release(),
                None => {}
            }
            engine.clock.advance(advance);
            Ok(json!({"now": time(engine.clock.now())}))
        }
        (&Method::PUT, ["read-lag"]) => {
            let lag: Option<ReadLag> = read(body)?;
            let lag = lag.unwrap_or_default();
            lag.check().map_err(refused)?;
            engine.world().lag = lag;
            nothing
        }
        (&Method::PUT, ["maintenance"]) => {
            engine.world().is_under_maintenance = read(body)?;
            nothing
        }
        (&Method::PUT, ["runner"]) => {
            let has_runner = read(body)?;
            engine.world().set_runner(has_runner, engine.clock.now());
            nothing
        }
        (&Method::PUT, ["rate-limits"]) => {
            let limits: Option<Limits> = read(body)?;
            let limits = limits.map(|limits| {
                let window = Duration::from_millis(limits.window);
                duration("window", window).map_err(refused)?;
                Ok(RateLimits::new(limits.requests, limits.failed_logins, window))
            });
            engine.limiter.set(limits.transpose()?);
            nothing
        }
        (&Method::POST, ["snapshots"]) => seed(engine, read(body)?),
        (&Method::GET, ["organization"]) => Ok(shown_organization(engine)),
        (&Method::PUT, ["organization"]) => change_organization(engine, read(body)?),
        (&Method::POST, ["regions"]) => {
            let region: Region = read(body)?;
            let mut world = engine.world();
            world.put_region(region);
            world.version += 1;
            nothing
        }
        (&Method::POST, ["api-keys"]) => Ok(new_key(engine, read(body)?)),
        (&Method::POST, ["user-tokens"]) => Ok(new_token(engine, read(body)?)),
        (&Method::GET, ["requests"]) => Ok(requests(engine)),
        (&Method::GET, ["images", id_or_name]) => image(engine, id_or_name),
        _ => Err((
            StatusCode::NOT_FOUND,
            format!("there is no admin route {} {}", parts.method, parts.uri.path()),
        )),
    }
}

fn refused(message: String) -> (StatusCode, String) {
    (StatusCode::BAD_REQUEST, message)
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, (StatusCode, String)> {
    serde_json::from_slice(body).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))
}

fn state(engine: &Engine) -> Value {
    let world = engine.world();
    let snapshots = world.snapshots.iter().map(|record| {
        json!({
            "id": record.id, "name": record.name, "state": record.state, "organizationId": record.organization,
            "imageName": record.image, "errorReason": record.error,
        })
    });
    json!({
        "now": time(engine.clock.now()),
        "maintenance": world.is_under_maintenance,
        "snapshots": snapshots.collect::<Vec<_>>(),
        "faults": engine.faults.list(),
        "scripts": world.scripts.0,
    })
}

/// A snapshot that is there past the API.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewSnapshot {
    name: String,
    image_name: Option<String>,
    dockerfile: Option<String>,
    id: Option<String>,
    state: Option<String>,
    size: Option<f64>,
    error_reason: Option<String>,
    log: Option<String>,
    region_id: Option<String>,
    #[serde(default)]
    general: bool,
    created_at: Option<jiff::Timestamp>,
    last_used_at: Option<jiff::Timestamp>,
}

fn seed(engine: &Engine, wanted: NewSnapshot) -> Done {
    let mut snapshot = match (wanted.image_name, wanted.dockerfile) {
        (Some(image), None) => SeededSnapshot::from_image(wanted.name, image),
        (None, Some(dockerfile)) => SeededSnapshot::from_dockerfile(wanted.name, dockerfile),
        _ => return Err(refused("either imageName or dockerfile is needed".to_owned())),
    };
    if let Some(size) = wanted.size {
        fraction("size", size, 0.0..=1e6).map_err(refused)?;
        snapshot = snapshot.size(Some(size));
    }
    if let Some(id) = wanted.id {
        snapshot = snapshot.id(id);
    }
    if let Some(state) = wanted.state {
        snapshot = snapshot.state(state.as_str());
    }
    if let Some(reason) = wanted.error_reason {
        snapshot = snapshot.error_reason(reason);
    }
    if let Some(log) = wanted.log {
        snapshot = snapshot.log(log);
    }
    if let Some(region) = wanted.region_id {
        snapshot = snapshot.region(region);
    }
    if wanted.general {
        snapshot = snapshot.general();
    }
    if let Some(created) = wanted.created_at {
        snapshot = snapshot.created(created);
    }
    if let Some(used) = wanted.last_used_at {
        snapshot = snapshot.last_used(used);
    }
    let mut world = engine.world();
    let (record, log) = snapshot.into_record(&own_organization(&world), engine.clock.now());
    let id = record.id.clone();
    world.seed(record, log);
    Ok(json!({"id": id}))
}

/// What can be changed of the organization; what is not named stays.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OrganizationChange {
    snapshot_quota: Option<u32>,
    max_cpu_per_sandbox: Option<f64>,
    max_memory_per_sandbox: Option<f64>,
    max_disk_per_sandbox: Option<f64>,
    max_snapshot_size: Option<f64>,
    gpu_quota: Option<u32>,
    /// The reason; an empty one ends a suspension.
    suspended: Option<String>,
}

fn own(engine: &Engine) -> Option<Organization> {
    engine.world().accounts.organizations().first().cloned()
}

fn shown_organization(engine: &Engine) -> Value {
    own(engine).map_or(Value::Null, |own| {
        json!({
            "id": own.id, "name": own.name, "snapshotQuota": own.snapshot_quota, "gpuQuota": own.gpus,
            "maxCpuPerSandbox": own.cpu, "maxMemoryPerSandbox": own.memory, "maxDiskPerSandbox": own.disk,
            "maxSnapshotSize": own.snapshot_size,
            "suspended": own.suspension.map(|suspension| suspension.reason),
        })
    })
}

fn change_organization(engine: &Engine, change: OrganizationChange) -> Done {
    let mut organization = own(engine).ok_or_else(|| refused("there is no organization".to_owned()))?;
    if let Some(quota) = change.snapshot_quota {
        organization.snapshot_quota = quota as usize;
    }
    if let Some(quota) = change.gpu_quota {
        organization.gpus = quota as usize;
    }
    for (name, value, place) in [
        ("maxCpuPerSandbox", change.max_cpu_per_sandbox, &mut organization.cpu),
        (
            "maxMemoryPerSandbox",
            change.max_memory_per_sandbox,
            &mut organization.memory,
        ),
        ("maxDiskPerSandbox", change.max_disk_per_sandbox, &mut organization.disk),
        (
            "maxSnapshotSize",
            change.max_snapshot_size,
            &mut organization.snapshot_size,
        ),
    ] {
        if let Some(value) = value {
            fraction(name, value, 0.0..=1e6).map_err(refused)?;
            *place = value;
        }
    }
    organization = match change.suspended {
        None => organization,
        Some(reason) if reason.is_empty() => organization.resumed(),
        Some(reason) => organization.suspended(reason),
    };
    let mut world = engine.world();
    world.accounts.change_organization(organization);
    world.version += 1;
    Ok(json!({}))
}

fn own_organization(world: &World) -> String {
    let first = world.accounts.organizations().first();
    first.map(|organization| organization.id.clone()).unwrap_or_default()
}

fn new_key(engine: &Engine, wanted: NewKey) -> Value {
    let mut world = engine.world();
    let organization = wanted.organization_id.unwrap_or_else(|| own_organization(&world));
    let mut key = ApiKey::new(organization);
    if let Some(value) = wanted.value {
        key = key.value(value);
    }
    if let Some(name) = wanted.name {
        key = key.name(name);
    }
    if let Some(permissions) = wanted.permissions {
        key = key.permissions(permissions);
    }
    if let Some(expires) = wanted.expires_at {
        key = key.expires(expires);
    }
    key.created = Some(engine.clock.now());
    let value = key.value.clone();
    world.accounts.add_key(key);
    world.version += 1;
    json!({"value": value})
}

fn new_token(engine: &Engine, wanted: NewToken) -> Value {
    let mut world = engine.world();
    let organizations = wanted
        .organization_ids
        .unwrap_or_else(|| vec![own_organization(&world)]);
    let mut token = UserToken::new(organizations);
    if let Some(value) = wanted.value {
        token = token.value(value);
    }
    if let Some(permissions) = wanted.permissions {
        token = token.permissions(permissions);
    }
    if let Some(expires) = wanted.expires_at {
        token = token.expires(expires);
    }
    let value = token.value.clone();
    world.accounts.add_token(token);
    world.version += 1;
    json!({"value": value})
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn requests(engine: &Engine) -> Value {
    let requests = engine
        .requests
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let shown = requests.iter().map(|request| {
        json!({
            "time": time(request.time), "operation": request.operation, "method": request.method.as_str(),
            "address": request.address, "status": request.status, "took": milliseconds(request.took),
        })
    });
    shown.collect()
}

/// What is known of the image of a snapshot.
fn image(engine: &Engine, id_or_name: &str) -> Done {
    let image = engine.image(id_or_name).ok_or_else(|| {
        let message = format!("no image was built for a snapshot {id_or_name:?}");
        (StatusCode::NOT_FOUND, message)
    })?;
    let files = image.files().map(|file| {
        json!({
            "path": file.path, "mode": format!("{:04o}", file.mode), "size": file.size(), "owner": file.owner,
            "doubt": file.doubt.as_ref().map(ToString::to_string),
        })
    });
    let paths = image
        .unknown_paths()
        .map(|(path, unknown)| json!({"path": path, "why": unknown.to_string()}));
    let unknown = image.unknown().iter().map(Unknown::to_string);
    Ok(json!({
        "files": files.collect::<Vec<_>>(),
        "unknownPaths": paths.collect::<Vec<_>>(),
        "unknown": unknown.collect::<Vec<_>>(),
        "env": image.env, "workdir": image.workdir, "user": image.user, "entrypoint": image.entrypoint, "cmd": image.cmd,
    }))
}
