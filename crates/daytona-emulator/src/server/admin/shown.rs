//! What admin routes show.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::answer::Refused;
use crate::base::clock::time;
use crate::builder::Unknown;
use crate::state::core::Core;

/// All there is.
pub(super) fn state(core: &Core) -> Value {
    let world = core.world();
    let snapshots = world.snapshots.iter().map(|record| {
        json!({
            "id": record.id, "name": record.name, "state": record.state, "organizationId": record.organization,
            "imageName": record.image, "errorReason": record.error,
        })
    });
    let sandboxes = world.sandboxes.iter().map(|sandbox| {
        json!({
            "id": sandbox.id, "name": sandbox.name, "state": sandbox.state, "organizationId": sandbox.organization,
            "snapshot": sandbox.snapshot, "errorReason": sandbox.error,
        })
    });
    json!({
        "now": time(core.clock.now()),
        "maintenance": world.is_under_maintenance,
        "snapshots": snapshots.collect::<Vec<_>>(),
        "sandboxes": sandboxes.collect::<Vec<_>>(),
        "faults": core.faults.list(),
        "scripts": world.scripts.0,
        "sandboxScripts": world.sandbox_scripts.0,
    })
}

pub(super) fn organization(core: &Core) -> Value {
    let own = core.organization();
    json!({
        "id": own.id, "name": own.name, "snapshotQuota": own.snapshot_quota, "gpuQuota": own.gpus,
        "maxCpuPerSandbox": own.cpu, "maxMemoryPerSandbox": own.memory, "maxDiskPerSandbox": own.disk,
        "maxSnapshotSize": own.snapshot_size,
        "suspended": own.suspension.map(|suspension| suspension.reason),
    })
}

/// The last requests.
pub(super) fn requests(core: &Core) -> Value {
    let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let requests = core.remembered();
    let shown = requests.iter().map(|request| {
        json!({
            "time": time(request.time), "operation": request.operation, "method": request.method.as_str(),
            "address": request.address, "status": request.status, "took": milliseconds(request.took),
        })
    });
    shown.collect()
}

/// What is known of the image of a snapshot.
pub(super) fn image(core: &Core, id_or_name: &str) -> Result<Value, Refused> {
    let image = core.image(id_or_name).ok_or_else(|| {
        let message = format!("no image was built for a snapshot {id_or_name:?}");
        Refused(StatusCode::NOT_FOUND, message)
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
