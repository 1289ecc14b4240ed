//! The list of sandboxes: its filters, its order, and its pages.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::answer::{Answer, Handled};
use super::body::decode_pair;
use super::list::{ORDERS, choice, is_like, number};
use super::sandboxes;
use crate::base::clock::time;
use crate::state::account::Caller;
use crate::state::core::Core;
use crate::state::world::Sandbox;
use crate::wire::address::base_url;

const SORTS: [&str; 6] = ["name", "cpu", "memoryGib", "diskGib", "lastActivityAt", "createdAt"];
const LARGEST_PAGE: f64 = 200.0;
const STATES: [&str; 21] = [
    "creating",
    "restoring",
    "destroying",
    "started",
    "stopped",
    "starting",
    "stopping",
    "error",
    "build_failed",
    "pending_build",
    "building_snapshot",
    "unknown",
    "pulling_snapshot",
    "archived",
    "archiving",
    "resizing",
    "snapshotting",
    "forking",
    "pausing",
    "paused",
    "resuming",
];

/// Fields that only the record of one sandbox has.
const NOT_LISTED: [&str; 5] = [
    "env",
    "volumes",
    "networkBlockAll",
    "networkAllowList",
    "domainAllowList",
];

/// Where a page begins: after what the page before ended with.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cursor {
    sort_value: String,
    id: String,
}

pub(super) fn list(core: &Core, parts: &Parts, caller: &Caller) -> Handled {
    let wanted = Parameters::of(parts.uri.query().unwrap_or_default())?;
    let now = core.clock.now();
    let world = core.world();
    let mut found: Vec<(String, &Sandbox)> = (world.sandboxes.iter())
        .filter(|sandbox| sandbox.organization == caller.organization)
        .filter(|sandbox| sandbox.is_listed(wanted.with_lost, now) && wanted.matches(sandbox))
        .map(|sandbox| (wanted.key(sandbox), sandbox))
        .collect();
    found.sort_by(|one, other| (&one.0, &one.1.id).cmp(&(&other.0, &other.1.id)));
    if wanted.is_descending {
        found.reverse();
    }
    if let Some(cursor) = &wanted.cursor {
        let end = (&cursor.sort_value, &cursor.id);
        let is_after = |(key, sandbox): &(String, &Sandbox)| {
            let place = (key, &sandbox.id);
            if wanted.is_descending { place < end } else { place > end }
        };
        found.retain(is_after);
    }
    let is_last = found.len() <= wanted.limit;
    found.truncate(wanted.limit);
    let next = found.last().filter(|_| !is_last).map(|(key, sandbox)| {
        let cursor = Cursor {
            sort_value: key.clone(),
            id: sandbox.id.clone(),
        };
        STANDARD.encode(serde_json::to_vec(&cursor).unwrap_or_default())
    });
    let base = base_url(parts);
    let items: Vec<Value> = found.iter().map(|(_, sandbox)| item(sandbox, &base)).collect();
    Ok(Answer::json(&json!({"items": items, "nextCursor": next})))
}

fn item(sandbox: &Sandbox, base_url: &str) -> Value {
    let mut shown = serde_json::to_value(sandboxes::shown(sandbox, base_url)).unwrap_or_default();
    if let Some(fields) = shown.as_object_mut() {
        for name in NOT_LISTED {
            fields.remove(name);
        }
    }
    shown
}

struct Parameters {
    snapshots: Vec<String>,
    states: Vec<String>,
    labels: Option<Value>,
    name: Option<Vec<char>>,
    id: Option<Vec<char>>,
    limit: usize,
    cursor: Option<Cursor>,
    sort: String,
    is_descending: bool,
    with_lost: bool,
}

impl Parameters {
    /// The parameters, or the answer for what is wrong with them.
    fn of(query: &str) -> Result<Self, Answer> {
        let pairs: Vec<(String, String)> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(decode_pair)
            .collect();
        let all = |name: &str| -> Vec<&str> {
            let own = pairs
                .iter()
                .filter(|(other, _)| other == name || other.strip_suffix("[]") == Some(name));
            own.map(|(_, value)| value.as_str())
                .filter(|value| !value.is_empty())
                .collect()
        };
        let mut messages = Vec::new();
        let states = all("states");
        if states.iter().any(|state| !STATES.contains(state)) {
            messages.push(format!(
                "each value must be one of the following values: {}",
                STATES.join(", ")
            ));
        }
        let limit = number("limit", &all("limit"), 100.0, Some(LARGEST_PAGE), &mut messages);
        let sort = choice("sort", &all("sort"), &SORTS, "lastActivityAt", &mut messages);
        let order = choice("order", &all("order"), &ORDERS, "desc", &mut messages);
        if !messages.is_empty() {
            return Err(Answer::refused(400, messages.join(", ")));
        }
        let owned = |values: Vec<&str>| values.into_iter().map(ToOwned::to_owned).collect();
        let first = |name: &str| all(name).first().map(|value| (*value).to_owned());
        let prefix = |name: &str| first(name).map(|value| format!("{}%", value.to_lowercase()).chars().collect());
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked to be whole and at least 1"
        )]
        Ok(Self {
            snapshots: owned(all("snapshots")),
            states: owned(states),
            labels: first("labels").map(|text| labels(&text)).transpose()?,
            name: prefix("name"),
            id: prefix("id"),
            limit: limit as usize,
            cursor: first("cursor").map(|text| cursor(&text)).transpose()?,
            sort,
            is_descending: order == "desc",
            with_lost: first("includeErroredDeleted").as_deref() == Some("true"),
        })
    }

    fn matches(&self, sandbox: &Sandbox) -> bool {
        let is_one_of = |wanted: &[String], value: &str| wanted.is_empty() || wanted.iter().any(|one| one == value);
        let begins = |wanted: &Option<Vec<char>>, value: &str| {
            let value: Vec<char> = value.to_lowercase().chars().collect();
            wanted.as_ref().is_none_or(|wanted| is_like(wanted, &value))
        };
        let has_labels = match &self.labels {
            None => true,
            Some(Value::Object(wanted)) => wanted
                .iter()
                .all(|(name, value)| sandbox.labels.get(name) == Some(value)),
            // A number, which no labels contain.
            Some(_) => false,
        };
        has_labels
            && is_one_of(&self.snapshots, &sandbox.snapshot)
            && is_one_of(&self.states, sandbox.state.as_str())
            && begins(&self.name, &sandbox.name)
            && begins(&self.id, &sandbox.id)
    }

    /// What a sandbox is sorted by, as a text that sorts alike.
    fn key(&self, sandbox: &Sandbox) -> String {
        let number = |value: f64| format!("{value:020.3}");
        match self.sort.as_str() {
            "name" => sandbox.name.clone(),
            "cpu" => number(sandbox.resources.cpu),
            "memoryGib" => number(sandbox.resources.memory),
            "diskGib" => number(sandbox.resources.disk),
            "createdAt" => time(sandbox.created),
            _ => time(sandbox.active),
        }
    }
}

/// The labels that are wanted. The server fails at a list.
fn labels(text: &str) -> Result<Value, Answer> {
    match serde_json::from_str::<Value>(text) {
        Err(_) => Err(Answer::refused(400, "Invalid labels JSON format")),
        Ok(Value::Array(_)) => Err(Answer::unexpected()),
        Ok(Value::Null) => Ok(Value::Object(Map::new())),
        Ok(labels) => Ok(labels),
    }
}

fn cursor(text: &str) -> Result<Cursor, Answer> {
    let read = STANDARD.decode(text).ok();
    let read = read.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    read.ok_or_else(|| Answer::refused(400, format!("Invalid cursor provided: {text}")))
}
