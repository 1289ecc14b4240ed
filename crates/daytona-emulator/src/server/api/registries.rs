//! Registries with private images, and access to the service's own.

use std::time::Duration;

use http::request::Parts;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::answer::{Answer, Handled};
use super::body::decode_pair;
use super::create::{NOT_PLAIN, is_plain};
use crate::base::clock::{after, time};
use crate::base::random::{new_id, random};
use crate::state::account::Caller;
use crate::state::core::Core;
use crate::state::world::Registry;

/// How long the credentials for a push are good.
const PUSH_ACCESS: Duration = Duration::from_hours(1);

pub(super) fn create(core: &Core, caller: &Caller, fields: &Map<String, Value>) -> Handled {
    let messages = shape(fields, true);
    if !messages.is_empty() {
        return Err(Answer::refused(400, messages.join(", ")));
    }
    Ok(core.change(|world, now| {
        let registry = Registry {
            id: new_id(),
            organization: caller.organization.clone(),
            name: text(fields, "name"),
            url: address(fields),
            username: text(fields, "username"),
            password: text(fields, "password"),
            project: Some(text(fields, "project")),
            created: now,
            updated: now,
        };
        let answer = Answer::created(&shown(&registry));
        world.registries.push(registry);
        answer
    }))
}

/// The newest first.
pub(super) fn list(core: &Core, caller: &Caller) -> Answer {
    let world = core.world();
    let own = world.registries.iter().rev();
    let own = own.filter(|registry| registry.organization == caller.organization);
    Answer::json(&own.map(shown).collect::<Vec<_>>())
}

pub(super) fn get(core: &Core, caller: &Caller, id: &str) -> Handled {
    let world = core.world();
    let mut registries = world.registries.iter();
    let found = registries.find(|registry| is_own(registry, caller, id));
    found
        .map(|registry| Answer::json(&shown(registry)))
        .ok_or_else(|| not_found(id))
}

/// Replaces all but a password for which there is no new one.
pub(super) fn update(core: &Core, caller: &Caller, id: &str, fields: &Map<String, Value>) -> Handled {
    let messages = shape(fields, false);
    if !messages.is_empty() {
        return Err(Answer::refused(400, messages.join(", ")));
    }
    core.request(|world, now| {
        let mut registries = world.registries.iter_mut();
        let found = registries.find(|registry| is_own(registry, caller, id));
        let registry = found.ok_or_else(|| not_found(id))?;
        registry.name = text(fields, "name");
        registry.url = address(fields);
        registry.username = text(fields, "username");
        registry.project = fields.get("project").and_then(Value::as_str).map(ToOwned::to_owned);
        let password = text(fields, "password");
        if !password.is_empty() {
            registry.password = password;
        }
        registry.updated = now;
        Ok(Answer::json(&shown(registry)))
    })
}

pub(super) fn delete(core: &Core, caller: &Caller, id: &str) -> Handled {
    core.request(|world, _| {
        let mut registries = world.registries.iter();
        let found = registries.position(|registry| is_own(registry, caller, id));
        world.registries.remove(found.ok_or_else(|| not_found(id))?);
        Ok(Answer::NoContent)
    })
}

/// Credentials for a push to the service's registry, new ones each time. The server fails at a region that it does not know.
pub(super) fn push_access(core: &Core, parts: &Parts) -> Handled {
    let pairs = parts.uri.query().unwrap_or_default().split('&').map(decode_pair);
    let regions: Vec<String> = pairs.filter(|(name, _)| name == "regionId").map(|(_, id)| id).collect();
    let world = core.world();
    let is_known = match regions.as_slice() {
        [] => true,
        [id] => id.is_empty() || world.region(id).is_some(),
        _ => false,
    };
    if !is_known {
        return Err(Answer::unexpected());
    }
    Ok(Answer::json(&json!({
        "username": format!("robot$daytona+temp-push-robot-{}", random(12)),
        "secret": random(32),
        "registryId": world.push_registry,
        "registryUrl": "registry.daytona.emulator",
        "project": "daytona",
        "expiresAt": time(after(core.clock.now(), PUSH_ACCESS)),
    })))
}

fn is_own(registry: &Registry, caller: &Caller, id: &str) -> bool {
    registry.id == id && registry.organization == caller.organization
}

fn not_found(id: &str) -> Answer {
    Answer::refused(404, format!("Docker registry with ID {id} not found"))
}

fn text(fields: &Map<String, Value>, name: &str) -> String {
    let text = fields.get(name).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

fn address(fields: &Map<String, Value>) -> String {
    text(fields, "url").trim_end_matches('/').to_owned()
}

fn shape(fields: &Map<String, Value>, needs_password: bool) -> Vec<String> {
    let given = |name: &str| fields.get(name).filter(|value| !value.is_null());
    let is_text = |name: &str| given(name).is_some_and(Value::is_string);
    let mut messages = Vec::new();
    match given("name") {
        Some(Value::String(name)) if is_plain(name) => {}
        Some(Value::String(_)) => messages.push(NOT_PLAIN.to_owned()),
        _ => messages.push("name must be a string".to_owned()),
    }
    if !given("url").and_then(Value::as_str).is_some_and(is_url) {
        messages.push("url must be a URL address".to_owned());
    }
    if !is_text("username") {
        messages.push("username must be a string".to_owned());
    }
    if needs_password && !is_text("password") {
        messages.push("password must be a string".to_owned());
    }
    if given("project").is_some_and(|value| !value.is_string()) {
        messages.push("project must be a string".to_owned());
    }
    messages
}

/// Whether the server takes a text as an address: a host with a dot in it, with or without scheme, port and path.
fn is_url(text: &str) -> bool {
    let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
    let host = rest.split(['/', ':']).next().unwrap_or_default();
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .chars()
                .all(|character| character.is_ascii_alphanumeric() || character == '-')
    };
    let is_host = host.contains('.') && host.split('.').all(is_label);
    matches!(scheme, "http" | "https") && is_host && !text.contains(char::is_whitespace)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    id: &'a str,
    name: &'a str,
    url: &'a str,
    username: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<&'a str>,
    registry_type: &'static str,
    created_at: String,
    updated_at: String,
}

/// A registry in the server's order of fields, without its password.
fn shown(registry: &Registry) -> Shown<'_> {
    Shown {
        id: &registry.id,
        name: &registry.name,
        url: &registry.url,
        username: &registry.username,
        project: registry.project.as_deref(),
        registry_type: "organization",
        created_at: time(registry.created),
        updated_at: time(registry.updated),
    }
}
