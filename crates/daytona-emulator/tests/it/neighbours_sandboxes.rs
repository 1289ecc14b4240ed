//! What was recorded of sandboxes and registries, against the emulator: each exchange on an emulator of its own, which is brought into
//! the state that its answer tells of. What is left out is listed with its reason.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};

use self::stage::Stage;
use crate::neighbours::{FULL_KEY, label, recordings, send};
use crate::replay::compare::{self, Translate};

mod stage;

/// Why an exchange is not replayed.
fn reason_not_to(exchange: &Value) -> Option<&'static str> {
    let path = exchange["request"]["path"].as_str().unwrap_or_default();
    let has = |parts: &[&str]| parts.iter().any(|part| path.contains(part));
    let body = &exchange["request"]["body"];
    let sets = |names: &[&str]| names.iter().any(|name| !body[*name].is_null());
    if path.starts_with("/api/sandbox/paginated") {
        return Some("the older list is not emulated");
    }
    if has(&["cursor=eyJ"]) {
        return Some("a cursor of the real server names its sandboxes: the test `pages_follow_one_another`");
    }
    if has(&[
        "regionIds",
        "sandboxClasses",
        "isPublic",
        "isRecoverable",
        "createdAt",
        "minCpu",
    ]) && !has(&["sort="])
    {
        return Some("a filter that no client of snapshots uses");
    }
    if sets(&["networkAllowList", "networkBlockAll", "domainAllowList", "volumes"]) {
        return Some("the network and the volumes of sandboxes are not emulated");
    }
    if ["id prefix", "sort=name asc"].contains(&label(exchange)) {
        return Some("ids, and names that are ids, are chance: the test `pages_follow_one_another`");
    }
    if label(exchange) == "replace the labels with none" {
        return Some("a change of labels is not emulated");
    }
    None
}

impl Stage {
    async fn replay(&self, exchange: &Value) -> Response<Bytes> {
        let request = &exchange["request"];
        let body = match request["body_text"].as_str() {
            Some(text) => text.to_owned(),
            None => request.get("body").map(ToString::to_string).unwrap_or_default(),
        };
        let path = self.translate(request["path"].as_str().unwrap());
        let method = request["method"].as_str().unwrap();
        send(&self.asked, method, &path, &request["headers"], self.translate(&body)).await
    }

    /// What is different in an answer, where it is not each time's own.
    fn differences(&self, exchange: &Value, actual: &Response<Bytes>) -> Vec<String> {
        let mut recorded = exchange["response"].clone();
        let mut shown: Value = serde_json::from_slice(actual.body()).unwrap_or_default();
        level(&mut recorded["body"]);
        level(&mut shown);
        let mut normal = actual.clone();
        if !shown.is_null() {
            let text = shown.to_string();
            *normal.body_mut() = Bytes::from(text.clone());
            normal.headers_mut().insert("content-length", text.len().into());
            normal.headers_mut().remove("etag");
        }
        if let Some(headers) = recorded["headers"].as_object_mut() {
            headers.remove("ETag");
        }
        compare::response(self, &recorded, &normal)
    }

    /// What is different in the end of what became of a sandbox.
    async fn differences_later(&self, exchange: &Value) -> Vec<String> {
        let Some(last) = exchange["states"].as_array().and_then(|states| states.last()) else {
            return Vec::new();
        };
        let request = &exchange["request"];
        let path = request["path"].as_str().unwrap_or_default();
        let name = match path.trim_start_matches("/api/sandbox").split('/').nth(1) {
            Some(name) => name.to_owned(),
            None => request["body"]["name"].as_str().unwrap_or_default().to_owned(),
        };
        tokio::time::sleep(Duration::from_secs(10)).await;
        let (status, now) = self
            .ask(
                FULL_KEY,
                "GET",
                &format!("/sandbox/{}", self.translate(&name)),
                &Value::Null,
            )
            .await;
        let wanted = last["state"]
            .as_str()
            .map_or_else(|| last["status"].to_string(), ToOwned::to_owned);
        let seen = now["state"]
            .as_str()
            .map_or_else(|| status.to_string(), ToOwned::to_owned);
        (seen != wanted)
            .then(|| format!("it became {seen} instead of {wanted}"))
            .into_iter()
            .collect()
    }
}

/// Takes out what is each time's own.
fn level(value: &mut Value) {
    const OWN_FIELDS: [&str; 7] = [
        "runnerId",
        "toolboxProxyUrl",
        "backupState",
        "lastActivityAt",
        "nextCursor",
        "registryId",
        "registryUrl",
    ];
    match value {
        Value::Array(items) => items.iter_mut().for_each(level),
        Value::Object(fields) => {
            // Backups are not emulated.
            fields.remove("backupCreatedAt");
            let id = fields.get("id").cloned();
            for (name, field) in fields.iter_mut() {
                let text = field.as_str().unwrap_or_default();
                let is_own = OWN_FIELDS.contains(&name.as_str())
                    || name == "name" && text.starts_with("DESTROYED_")
                    || name == "name" && (id.as_ref() == Some(&json!(text)) || uuid::Uuid::parse_str(text).is_ok())
                    || name == "username" && text.starts_with("robot$daytona+temp-push-robot-");
                if is_own && field.is_string() {
                    *field = json!("<own>");
                } else {
                    level(field);
                }
            }
        }
        _ => {}
    }
}

#[tokio::test(start_paused = true)]
async fn sandboxes_and_registries() {
    let recorded = recordings(&["/api/sandbox", "/api/docker-registry"]);
    let (mut differences, mut left_out, mut replayed) = (Vec::new(), Vec::new(), 0);
    for exchange in &recorded {
        let name = format!(
            "{}: {}",
            exchange["section"].as_str().unwrap_or_default(),
            label(exchange)
        );
        if let Some(reason) = reason_not_to(exchange) {
            left_out.push(format!("{name}: {reason}"));
            continue;
        }
        let mut stage = Stage::new();
        stage.prepare(exchange).await;
        let actual = stage.replay(exchange).await;
        let mut found = stage.differences(exchange, &actual);
        found.extend(stage.differences_later(exchange).await);
        differences.extend(found.into_iter().map(|difference| format!("{name}: {difference}")));
        replayed += 1;
    }
    for line in &left_out {
        println!("not replayed: {line}");
    }
    println!("{replayed} of {} replayed", recorded.len());
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences.join("\n")
    );
    assert!(replayed >= 170, "{replayed}");
}

#[tokio::test(start_paused = true)]
async fn pages_follow_one_another() {
    let mut stage = Stage::new();
    for number in 0..5 {
        let form = json!({"name": format!("box-{number}"), "cpu": 1, "memory": 1, "disk": 3, "snapshot": "web:1"});
        stage.add_sandbox("", &form, "started").await;
    }
    let list = async |query: &str| stage.ask("", "GET", &format!("/sandbox?{query}"), &Value::Null).await.1;
    for (sort, newest_first) in [("", true), ("sort=createdAt&", true), ("sort=name&order=asc&", false)] {
        let (mut names, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = list(&format!("{sort}limit=2&cursor={cursor}")).await;
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= 2);
            names.extend(items.iter().map(|item| item["name"].as_str().unwrap().to_owned()));
            match page["nextCursor"].as_str() {
                Some(next) => cursor = next.replace('+', "%2B").replace('=', "%3D"),
                None => break,
            }
        }
        if newest_first {
            names.reverse();
        }
        assert_eq!(names, ["box-0", "box-1", "box-2", "box-3", "box-4"], "{sort}");
    }
    let first = list("limit=1").await;
    let id = first["items"][0]["id"].as_str().unwrap();
    let found = list(&format!("id={}", id[..12].to_uppercase())).await;
    assert_eq!(found["items"][0]["id"], id);
    let refused = list("cursor=nonsense").await;
    assert_eq!(refused["message"], "Invalid cursor provided: nonsense");
}
