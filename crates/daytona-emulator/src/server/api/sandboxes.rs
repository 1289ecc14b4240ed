//! Operations on one sandbox, and how a sandbox is shown.

use std::sync::Arc;
use std::time::Duration;

use daytona_api::SandboxState;
use http::request::Parts;
use serde::Serialize;
use serde_json::{Map, Value};

use super::answer::{Answer, Handled, VERSION};
use super::auth::check_suspension;
use super::create::{NOT_PLAIN, check_quota, is_plain};
use super::snapshots::number;
use crate::base::clock::{after, time};
use crate::state::account::Caller;
use crate::state::core::Core;
use crate::state::world::{Sandbox, World};
use crate::wire::address::base_url;

pub(super) fn get(core: &Core, parts: &Parts, caller: &Caller, id_or_name: &str) -> Handled {
    let world = core.world();
    let sandbox = world.sandbox(caller, id_or_name).ok_or_else(|| not_found(id_or_name))?;
    Ok(Answer::json(&shown(sandbox, &base_url(parts))))
}

pub(super) fn delete(core: &Core, parts: &Parts, caller: &Caller, id_or_name: &str) -> Handled {
    core.request(|world, now| {
        let id = unchanging(world, caller, id_or_name)?.id.clone();
        world.destroy_sandbox(&id, now);
        Ok(deleted(world, caller, &id, parts))
    })
}

pub(super) fn stop(core: &Core, parts: &Parts, caller: &Caller, id_or_name: &str) -> Handled {
    core.request(|world, now| {
        let sandbox = unchanging(world, caller, id_or_name)?;
        if sandbox.state != SandboxState::Started {
            return Err(Answer::refused(400, "Sandbox is not in a stoppable state"));
        }
        let id = sandbox.id.clone();
        world.stop_sandbox(&id, now);
        Ok(deleted(world, caller, &id, parts))
    })
}

/// Starts a sandbox that was stopped, and waits for it.
pub(super) async fn start(core: &Arc<Core>, parts: &Parts, caller: &Caller, id_or_name: &str) -> Handled {
    let id = core.request(|world, now| {
        let sandbox = unchanging(world, caller, id_or_name)?;
        if sandbox.state != SandboxState::Stopped {
            return Err(Answer::refused(400, "Sandbox is not in valid state"));
        }
        let id = sandbox.id.clone();
        world.start_sandbox(&id, now);
        Ok(id)
    })?;
    let now = wait_while(core, caller, &id, &SandboxState::Starting).await;
    let now = now.ok_or_else(|| not_found(id_or_name))?;
    if now.state == SandboxState::Error {
        let reason = now.error.unwrap_or_default();
        return Err(Answer::refused(400, format!("Sandbox failed to start: {reason}")));
    }
    Ok(Answer::json(&shown(&now, &base_url(parts))))
}

/// How long an answer waits for the start of a sandbox.
const START_WAIT: Duration = Duration::from_secs(30);

/// The sandbox when it has left a state, or when the server's patience is at its end; none if it is gone.
pub(super) async fn wait_while(core: &Arc<Core>, caller: &Caller, id: &str, state: &SandboxState) -> Option<Sandbox> {
    let deadline = after(core.clock.now(), START_WAIT);
    let mut changes = core.watch();
    loop {
        core.settle().await;
        let now = core.world().sandbox(caller, id).cloned()?;
        if now.state != *state || core.clock.now() >= deadline {
            return Some(now);
        }
        tokio::select! {
            () = core.wait_for_change(&mut changes) => {}
            () = core.clock.sleep_until(deadline) => {}
        }
    }
}

/// Makes a snapshot of a sandbox. Of its name only that it is plain is checked.
pub(super) fn capture(
    core: &Core,
    parts: &Parts,
    caller: &Caller,
    id_or_name: &str,
    fields: &Map<String, Value>,
) -> Handled {
    let name = match fields.get("name") {
        Some(Value::String(name)) if is_plain(name) => name,
        Some(Value::String(_)) => return Err(Answer::refused(400, NOT_PLAIN)),
        None | Some(Value::Null) => return Err(Answer::refused(400, "name must be a string")),
        Some(_) => return Err(Answer::refused(400, format!("{NOT_PLAIN}, name must be a string"))),
    };
    core.request(|world, now| {
        let sandbox = world
            .sandbox(caller, id_or_name)
            .filter(|sandbox| !sandbox.is_deleted());
        let sandbox = sandbox.ok_or_else(|| not_found(id_or_name))?.clone();
        check_suspension(world, &caller.organization)?;
        if fields.get("includeMemory") == Some(&Value::Bool(true)) {
            return Err(Answer::refused(
                400,
                "includeMemory is only supported for Windows sandboxes",
            ));
        }
        if !matches!(sandbox.state, SandboxState::Started | SandboxState::Stopped) {
            let message = "Sandbox must be in started or stopped state to create a snapshot";
            return Err(Answer::refused(400, message));
        }
        check_quota(world, &caller.organization)?;
        world.capture_sandbox(&sandbox.id, name, now);
        let sandbox = world
            .sandbox(caller, &sandbox.id)
            .ok_or_else(|| not_found(id_or_name))?;
        Ok(Answer::json(&shown(sandbox, &base_url(parts))))
    })
}

pub(super) fn not_found(id_or_name: &str) -> Answer {
    Answer::refused(404, format!("Sandbox with ID or name {id_or_name} not found"))
}

/// The caller's sandbox, if nothing is being done with it.
fn unchanging<'a>(world: &'a mut World, caller: &Caller, id_or_name: &str) -> Result<&'a mut Sandbox, Answer> {
    let sandbox = world.sandbox_mut(caller, id_or_name);
    let sandbox = sandbox.ok_or_else(|| not_found(id_or_name))?;
    if sandbox.is_changing() {
        return Err(Answer::refused(409, "Sandbox state change in progress"));
    }
    Ok(sandbox)
}

/// A sandbox in the answer of what changes its state.
fn deleted(world: &World, caller: &Caller, id: &str, parts: &Parts) -> Answer {
    let base = base_url(parts);
    let sandbox = world.sandbox(caller, id);
    Answer::json(&sandbox.map(|sandbox| Shown {
        last_activity_at: None,
        ..shown(sandbox, &base)
    }))
}

/// A sandbox in the server's order of fields.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shown<'a> {
    id: &'a str,
    organization_id: &'a str,
    name: &'a str,
    target: &'a str,
    snapshot: &'a str,
    user: &'a str,
    env: &'a Map<String, Value>,
    #[serde(serialize_with = "number")]
    cpu: f64,
    #[serde(serialize_with = "number")]
    gpu: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    gpu_type: Option<&'a str>,
    #[serde(serialize_with = "number")]
    memory: f64,
    #[serde(serialize_with = "number")]
    disk: f64,
    public: bool,
    network_block_all: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    network_allow_list: Option<()>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain_allow_list: Option<()>,
    labels: &'a Map<String, Value>,
    volumes: [(); 0],
    state: &'a SandboxState,
    desired_state: &'a str,
    /// A text or null; absent at creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_reason: Option<Value>,
    recoverable: bool,
    backup_state: &'static str,
    auto_stop_interval: i64,
    auto_archive_interval: i64,
    auto_delete_interval: i64,
    sandbox_class: &'a str,
    created_at: String,
    updated_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_activity_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    daemon_version: Option<Value>,
    runner_id: &'a str,
    toolbox_proxy_url: String,
}

/// A sandbox as `get` shows it.
pub(crate) fn shown<'a>(sandbox: &'a Sandbox, base_url: &str) -> Shown<'a> {
    let is_started = sandbox.active != sandbox.created;
    Shown {
        network_allow_list: Some(()),
        domain_allow_list: Some(()),
        error_reason: Some(sandbox.error.as_deref().into()),
        daemon_version: Some(is_started.then_some(VERSION).into()),
        ..shown_at_creation(sandbox, base_url)
    }
}

/// A sandbox as its creation shows it.
pub(super) fn shown_at_creation<'a>(sandbox: &'a Sandbox, base_url: &str) -> Shown<'a> {
    Shown {
        id: &sandbox.id,
        organization_id: &sandbox.organization,
        name: &sandbox.name,
        target: &sandbox.target,
        snapshot: &sandbox.snapshot,
        user: &sandbox.user,
        env: &sandbox.env,
        cpu: sandbox.resources.cpu,
        gpu: sandbox.resources.gpu,
        gpu_type: sandbox.gpu_type.as_deref(),
        memory: sandbox.resources.memory,
        disk: sandbox.resources.disk,
        public: sandbox.is_public,
        network_block_all: false,
        network_allow_list: None,
        domain_allow_list: None,
        labels: &sandbox.labels,
        volumes: [],
        state: &sandbox.state,
        desired_state: &sandbox.wanted,
        error_reason: None,
        recoverable: sandbox.is_recoverable,
        backup_state: "None",
        auto_stop_interval: sandbox.stop_after,
        auto_archive_interval: sandbox.archive_after,
        auto_delete_interval: sandbox.delete_after,
        sandbox_class: &sandbox.class,
        created_at: time(sandbox.created),
        updated_at: time(sandbox.updated),
        last_activity_at: Some(time(sandbox.active)),
        daemon_version: None,
        runner_id: &sandbox.runner,
        toolbox_proxy_url: format!("{base_url}/toolbox"),
    }
}
