//! Keys, as their owners see them.

use http::request::Parts;
use serde::Serialize;
use serde_json::{Map, Value};

use super::answer::{Answer, Handled};
use super::auth;
use crate::base::clock::time;
use crate::state::account::{ApiKey, Permission, UserToken};
use crate::state::core::Core;
use crate::state::limit::LimitHeaders;

/// A key in the server's order of fields, masked.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    name: &'a str,
    value: String,
    created_at: String,
    permissions: &'a [Permission],
    last_used_at: Option<String>,
    expires_at: Option<String>,
    user_id: &'a str,
}

/// A key that was just made: the only time that its value is told.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Made<'a> {
    name: &'a str,
    value: &'a str,
    created_at: String,
    permissions: &'a [Permission],
    expires_at: Option<String>,
}

fn shown(key: &ApiKey, world_created: jiff::Timestamp) -> Shown<'_> {
    let end = key.value.get(key.value.len().saturating_sub(3)..).unwrap_or_default();
    let start = key.value.get(..3).unwrap_or_default();
    Shown {
        name: &key.name,
        value: format!("{start}********************{end}"),
        created_at: time(key.created.unwrap_or(world_created)),
        permissions: &key.permissions,
        last_used_at: key.used.map(time),
        expires_at: key.expires.map(time),
        user_id: &key.user,
    }
}

/// The key of the request itself.
pub(super) fn current(core: &Core, parts: &Parts, limits: &mut LimitHeaders) -> Handled {
    let key = auth::key(core, parts, limits)?;
    Ok(Answer::json(&shown(&key, core.world().created_at)))
}

/// The user and the organization that a request for keys is about.
struct Owner {
    user: UserToken,
    organization: String,
}

fn owner(core: &Core, parts: &Parts, limits: &mut LimitHeaders) -> Result<Owner, Answer> {
    let user = auth::user(core, parts, limits)?;
    let organization = auth::organization(parts, &user)?;
    Ok(Owner { user, organization })
}

impl Owner {
    fn owns(&self, key: &ApiKey) -> bool {
        key.organization == self.organization && key.user == self.user.user
    }
}

/// The user's keys: those first that were used last.
pub(super) fn list(core: &Core, parts: &Parts, limits: &mut LimitHeaders) -> Handled {
    let owner = owner(core, parts, limits)?;
    let world = core.world();
    let mut keys: Vec<&ApiKey> = world.accounts.keys().iter().filter(|key| owner.owns(key)).collect();
    keys.sort_by_key(|key| std::cmp::Reverse((key.used, key.created)));
    let shown: Vec<_> = keys.into_iter().map(|key| shown(key, world.created_at)).collect();
    Ok(Answer::json(&shown))
}

pub(super) fn get(core: &Core, parts: &Parts, name: &str, limits: &mut LimitHeaders) -> Handled {
    let owner = owner(core, parts, limits)?;
    let world = core.world();
    let mut keys = world.accounts.keys().iter();
    let key = keys
        .find(|key| owner.owns(key) && key.name == name)
        .ok_or_else(not_found)?;
    Ok(Answer::json(&shown(key, world.created_at)))
}

pub(super) fn create(core: &Core, parts: &Parts, fields: &Map<String, Value>, limits: &mut LimitHeaders) -> Handled {
    let owner = owner(core, parts, limits)?;
    let refuse = |message: String| Answer::refused(400, message);
    let name = fields.get("name").and_then(Value::as_str);
    let name = name.ok_or_else(|| refuse("name must be a string".to_owned()))?;
    let permissions = permissions(fields.get("permissions")).map_err(refuse)?;
    let expires = match fields.get("expiresAt").and_then(Value::as_str) {
        None => None,
        Some(text) => {
            let parsed = text
                .parse()
                .map_err(|_| refuse("expiresAt must be a Date instance".to_owned()))?;
            Some(parsed)
        }
    };
    let is_taken = |key: &ApiKey| owner.owns(key) && key.name == name;
    let mut key = ApiKey::new(&owner.organization)
        .name(name)
        .user(&owner.user.user)
        .permissions(permissions);
    key.expires = expires;
    core.request(|world, now| {
        if world.accounts.keys().iter().any(is_taken) {
            return Err(Answer::refused(409, "API key with this name already exists"));
        }
        key.created = Some(now);
        let made = Answer::created(&Made {
            name: &key.name,
            value: &key.value,
            created_at: time(now),
            permissions: &key.permissions,
            expires_at: key.expires.map(time),
        });
        world.accounts.add_key(key);
        Ok(made)
    })
}

fn permissions(given: Option<&Value>) -> Result<Vec<Permission>, String> {
    let names = || {
        let names = Permission::ALL.iter().map(|permission| permission.name());
        names.collect::<Vec<_>>().join(", ")
    };
    let given = given.and_then(Value::as_array).ok_or("permissions must be an array")?;
    let known = given.iter().map(|one| serde_json::from_value(one.clone()).ok());
    let known: Option<Vec<Permission>> = known.collect();
    known.ok_or_else(|| {
        format!(
            "each value in permissions must be one of the following values: {}",
            names()
        )
    })
}

pub(super) fn delete(core: &Core, parts: &Parts, name: &str, limits: &mut LimitHeaders) -> Handled {
    let owner = owner(core, parts, limits)?;
    core.request(|world, _| {
        let is_removed = world.accounts.remove_key(|key| owner.owns(key) && key.name == name);
        is_removed.then_some(Answer::NoContent).ok_or_else(not_found)
    })
}

fn not_found() -> Answer {
    Answer::refused(404, "API key not found")
}
