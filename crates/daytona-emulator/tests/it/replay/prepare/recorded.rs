//! What a recording shows of snapshots, read from its requests and answers.

use std::collections::HashMap;

use bytes::Bytes;
use daytona_emulator::SeededSnapshot;
use serde_json::Value;

use crate::replay::compare::{self, Ordered};

/// A snapshot of the form that a recording shows.
pub(super) fn seeded(form: Option<&Value>, name: &str) -> SeededSnapshot {
    let Some(form) = form else {
        return SeededSnapshot::from_image(name, "a:1");
    };
    let mut snapshot = match form["buildInfo"]["dockerfileContent"].as_str() {
        Some(dockerfile) => SeededSnapshot::from_dockerfile(name, dockerfile),
        None if form["imageName"] == "" => SeededSnapshot::from_dockerfile(name, "FROM a:1\n"),
        None => SeededSnapshot::from_image(name, form["imageName"].as_str().unwrap_or("a:1")),
    };
    snapshot = snapshot.size(form["size"].as_f64());
    if let Some(state) = form["state"].as_str() {
        snapshot = snapshot.state(state);
    }
    if let Some(reason) = form["errorReason"].as_str() {
        snapshot = snapshot.error_reason(reason);
    }
    if let Some(words) = form["entrypoint"].as_array() {
        snapshot = snapshot.entrypoint(words.iter().filter_map(Value::as_str));
    }
    if let Some(memory) = form["mem"].as_f64() {
        let number = |name: &str, default: f64| form[name].as_f64().unwrap_or(default);
        snapshot = snapshot.resources(number("cpu", 1.0), number("gpu", 0.0), memory, number("disk", 3.0));
    }
    snapshot
}

/// The state of a snapshot before a request.
pub(super) fn state_before(label: &str, operation: &str, message: &str, form: Option<&Value>) -> Option<String> {
    if message.contains("is already active") {
        return Some("active".to_owned());
    }
    if message.contains("deactivation is still in progress") {
        return Some("inactive".to_owned());
    }
    if let Some((_, rest)) = message.split_once("it is in ") {
        return rest.split(' ').next().map(ToOwned::to_owned);
    }
    if message.starts_with("Timeout waiting for build runner") {
        return Some("pending".to_owned());
    }
    for state in ["active", "error", "pending", "building", "failed"] {
        let fits = operation == "deactivate" || operation.starts_with("build-logs");
        if fits && label.split([' ', ',']).any(|word| word == state) {
            return Some(if state == "failed" { "error" } else { state }.to_owned());
        }
    }
    let shown = form.and_then(|form| form["state"].as_str()).map(ToOwned::to_owned);
    match operation {
        // What a form says is how it was at another time.
        "activate" => Some("inactive".to_owned()),
        "deactivate" => Some("active".to_owned()),
        "build-logs-url" => Some("building".to_owned()),
        _ => shown,
    }
}

/// The last message of an answer, or of its beginning.
pub(super) fn message(response: &Value) -> String {
    body(response)["message"].as_str().unwrap_or_default().to_owned()
}

/// The body of an answer, or what is whole of its beginning.
pub(super) fn body(response: &Value) -> Value {
    if let Some(prefix) = response["body_prefix"].as_str() {
        // Of a text that breaks off its beginning will do.
        let closed = format!("{prefix}\"}}");
        let broken: Option<Value> = serde_json::from_str(&closed).ok();
        return broken
            .or_else(|| compare::lenient(prefix).map(|form| plain(&form)))
            .unwrap_or_default();
    }
    response["body"].clone()
}

pub(super) fn plain(form: &Ordered) -> Value {
    match form {
        Ordered::Scalar(value) => value.clone(),
        Ordered::List(items) => items.iter().map(plain).collect(),
        Ordered::Fields(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), plain(value)))
            .collect(),
    }
}

pub(super) fn id_of(body: &Bytes) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    body["id"].as_str().map(ToOwned::to_owned)
}

pub(super) fn id_in(response: &Value) -> Option<String> {
    body(response)["id"].as_str().map(ToOwned::to_owned)
}

/// All that the recordings show of snapshots, by their ids.
pub(super) fn known(exchanges: &[Value]) -> HashMap<String, Value> {
    let mut known: HashMap<String, Value> = HashMap::new();
    for exchange in exchanges {
        let shown = body(&exchange["response"]);
        let items = shown["items"].as_array().cloned().unwrap_or_else(|| vec![shown]);
        for item in items {
            let Some(id) = item["id"].as_str() else { continue };
            let is_more = known
                .get(id)
                .is_none_or(|known| known.to_string().len() < item.to_string().len());
            if item["name"].is_string() && is_more {
                known.insert(id.to_owned(), item);
            }
        }
    }
    known
}
