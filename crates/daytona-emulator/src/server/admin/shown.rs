//! What admin routes show.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::answer::{Refused, absent, failure, refused};
use crate::base::clock::time;
use crate::builder::{BuiltImage, Lookup, Unknown};
use crate::state::core::Core;

/// The largest file that is shown, in bytes.
const LARGEST_FILE: u64 = 64 * 1024 * 1024;

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
        "held": core.clock.is_held(),
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

/// The image of a snapshot.
fn built(core: &Core, id_or_name: &str) -> Result<Arc<BuiltImage>, Refused> {
    let missing = || absent(format!("no image was built for a snapshot {id_or_name:?}"));
    let owners: HashSet<String> = {
        let world = core.world();
        let of_this_name = world.snapshots.iter().filter(|record| record.name == id_or_name);
        of_this_name.map(|record| record.organization.clone()).collect()
    };
    if owners.len() > 1 {
        let message = format!(
            "{} organizations have a snapshot {id_or_name:?}: use its id",
            owners.len()
        );
        return Err(Refused::new(StatusCode::CONFLICT, message));
    }
    core.image(id_or_name).ok_or_else(missing)
}

/// The bytes of a file in the image of a snapshot.
pub(super) fn file(core: &Core, id_or_name: &str, path: &str) -> Result<Vec<u8>, Refused> {
    let image = built(core, id_or_name)?;
    let why = match image.lookup(path) {
        Lookup::File(file) if file.size() > LARGEST_FILE => {
            let size = file.size();
            return Err(refused(format!(
                "the file {path:?} has {size} bytes; at most {LARGEST_FILE} are shown"
            )));
        }
        Lookup::File(file) => return file.read().map_err(|error| failure(&error)),
        Lookup::Directory => "is a directory".to_owned(),
        Lookup::Link(target) => format!("is a link to {target:?}"),
        Lookup::Special => "is a named pipe or a device".to_owned(),
        Lookup::Unknown(unknown) => format!("is unknown: it depends on {unknown}"),
        Lookup::Absent => "is not in the image".to_owned(),
    };
    Err(absent(format!("{path:?} {why}")))
}

/// What is known of the image of a snapshot.
pub(super) fn image(core: &Core, id_or_name: &str) -> Result<Value, Refused> {
    let image = built(core, id_or_name)?;
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
