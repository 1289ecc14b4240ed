//! The state that a recording found.

use std::collections::HashMap;
use std::time::Duration;

use daytona_emulator::{
    ApiKey, Fault, Operation, Organization, Permission, Region, SandboxScript, SeededSnapshot, UserToken,
};
use serde_json::{Value, json};

use crate::neighbours::{FULL_KEY, OTHER, OWN, label, send, with_organizations};
use crate::replay::compare::Translate;
use crate::support::Asked;

/// An emulator in the state that an exchange found, and how ids translate.
pub(super) struct Stage {
    pub(super) asked: Asked,
    ids: HashMap<String, String>,
}

impl Translate for Stage {
    fn ids(&self) -> &HashMap<String, String> {
        &self.ids
    }
}

impl Stage {
    pub(super) fn new() -> Self {
        let asked = with_organizations();
        let emulator = &asked.emulator;
        emulator.add_api_key(ApiKey::new(OTHER).value("dtn_EXAMPLE_OTHER_KEY"));
        emulator.add_user_token(UserToken::new([OWN]).value("EXAMPLE.JWT.OF_THE_USER"));
        for region in ["eu", "asia"] {
            emulator.put_region(Region::shared(region));
        }
        emulator.put_region(Region::custom(format!("own-{OTHER}"), "dc", OTHER));
        emulator.add_snapshot(SeededSnapshot::from_image("daytonaio/sandbox:0.5.0-slim", "a:1").general());
        Self {
            asked,
            ids: HashMap::new(),
        }
    }

    /// Adds the key that a request is sent with, by what its value says of it.
    fn add_key(&self, bearer: &str) {
        let Some(name) = bearer.strip_prefix("Bearer dtn_EXAMPLE_") else {
            return;
        };
        let named = |name: &str| -> Permission {
            let (verb, rest) = name.split_once('_').unwrap();
            serde_json::from_value(json!(format!("{verb}:{rest}").to_lowercase())).unwrap()
        };
        let all = [
            "WRITE_REGISTRIES",
            "DELETE_REGISTRIES",
            "WRITE_SNAPSHOTS",
            "DELETE_SNAPSHOTS",
            "WRITE_SANDBOXES",
            "DELETE_SANDBOXES",
        ];
        let permissions: Vec<Permission> = if name == "KEY_WITHOUT_PERMISSIONS" {
            Vec::new()
        } else if let Some(only) = name.strip_prefix("ONLY_") {
            vec![named(only)]
        } else if let Some(but) = name.strip_prefix("ALL_BUT_") {
            all.iter().filter(|one| **one != but).map(|one| named(one)).collect()
        } else {
            return;
        };
        let key = ApiKey::new(OWN)
            .value(&bearer["Bearer ".len()..])
            .permissions(permissions);
        self.asked.emulator.add_api_key(key);
    }

    /// Sends a request of the organization to which a bearer belongs, with all permissions.
    pub(super) async fn ask(&self, bearer: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let key = if bearer.contains("OTHER_KEY") {
            "Bearer dtn_EXAMPLE_OTHER_KEY".to_owned()
        } else {
            format!("Bearer {FULL_KEY}")
        };
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let headers = json!({"authorization": key, "content-type": "application/json"});
        let response = send(&self.asked, method, &format!("/api{path}"), &headers, body).await;
        let answer = serde_json::from_slice(response.body()).unwrap_or_default();
        (response.status().as_u16(), answer)
    }

    /// Adds the snapshot that a creation names, as its answer tells of it.
    fn seed_snapshot(&self, name: &str, answer: &Value, organization: &str) {
        let message = answer["message"].as_str().unwrap_or_default();
        if message.contains("not found. Did you add it") || name.is_empty() {
            return;
        }
        let number = |field: &str, default: f64| answer[field].as_f64().unwrap_or(default);
        let gpu = if message.contains("GPU sandboxes") {
            1.0
        } else {
            number("gpu", 0.0)
        };
        let mut snapshot = SeededSnapshot::from_image(name, "a:1")
            .organization(organization)
            .resources(number("cpu", 2.0), gpu, number("memory", 2.0), number("disk", 5.0))
            .gpu_type(answer["gpuType"].as_str().unwrap_or_default());
        if let Some(state) = message.strip_prefix(&format!("Snapshot {name} is ")) {
            match state.split_once("not available in region ") {
                // It is in the other of two regions.
                Some((_, "us")) => snapshot = snapshot.region("eu"),
                Some(_) => {}
                None => snapshot = snapshot.state(state),
            }
        } else if let Some(region) = answer["target"].as_str() {
            snapshot = snapshot.region(region);
        }
        self.asked.emulator.add_snapshot(snapshot);
    }

    /// Adds a sandbox of the form that a recording shows.
    pub(super) async fn add_sandbox(&mut self, bearer: &str, form: &Value, state: &str) {
        let shown = form["name"].as_str().unwrap_or("box");
        let name = match shown.strip_prefix("DESTROYED_") {
            Some(rest) => rest.rsplit_once('_').unwrap().0,
            None => shown,
        };
        let name = if form["id"] == shown { "" } else { name };
        let snapshot = form["snapshot"].as_str().unwrap_or("web:1");
        let organization = if bearer.contains("OTHER_KEY") { OTHER } else { OWN };
        if snapshot != "daytonaio/sandbox:0.5.0-slim" {
            self.seed_snapshot(snapshot, form, organization);
        }
        let emulator = &self.asked.emulator;
        emulator.clear_scripts();
        let hour = Duration::from_hours(1);
        let mut script = SandboxScript::for_snapshot("*")
            .times(1)
            .capture_takes(Duration::from_secs(6));
        match state {
            "error" => script = script.fails(form["errorReason"].as_str().unwrap_or("sandbox exited with code 1")),
            "creating" => script = script.takes(hour),
            _ => {}
        }
        if form["recoverable"] == true {
            script = script.recoverable();
        }
        if form["desiredState"] == "destroyed" && form["errorReason"].as_str().unwrap_or_default().contains("remove") {
            script = SandboxScript::for_snapshot("*")
                .times(1)
                .removal_fails(form["errorReason"].as_str().unwrap());
        }
        emulator.script_sandboxes(script);
        let mut body = json!({
            "snapshot": snapshot, "name": name, "user": form["user"], "labels": form["labels"], "env": form["env"],
            "target": form["target"], "public": form["public"],
        });
        for interval in ["autoStopInterval", "autoArchiveInterval", "autoDeleteInterval"] {
            body[interval] = form[interval].clone();
        }
        let (_, made) = self.ask(bearer, "POST", "/sandbox", &body).await;
        let ours = match made["id"].as_str() {
            Some(ours) => ours.to_owned(),
            // It failed to start, so that it can be found by its name only.
            None => {
                let (status, found) = self.ask(bearer, "GET", &format!("/sandbox/{name}"), &Value::Null).await;
                assert_eq!(status, 200, "{made} {found}");
                found["id"].as_str().unwrap().to_owned()
            }
        };
        match state {
            "stopped" => {
                self.ask(bearer, "POST", &format!("/sandbox/{ours}/stop"), &Value::Null)
                    .await;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            "snapshotting" => {
                let body = json!({"name": "meanwhile:1"});
                self.ask(bearer, "POST", &format!("/sandbox/{ours}/snapshot"), &body)
                    .await;
            }
            "destroyed" => {
                self.ask(bearer, "DELETE", &format!("/sandbox/{ours}"), &Value::Null)
                    .await;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            _ => {}
        }
        if let Some(theirs) = form["id"].as_str() {
            self.ids.insert(theirs.to_owned(), ours);
        }
        // Sandboxes are sorted by their times.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    /// Brings the emulator into the state that an exchange found.
    pub(super) async fn prepare(&mut self, exchange: &Value) {
        let (request, answer) = (&exchange["request"], &exchange["response"]["body"]);
        let status = exchange["response"]["status"].as_u64().unwrap_or_default();
        let message = answer["message"].as_str().unwrap_or_default();
        let bearer = request["headers"]["Authorization"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let organization = if bearer.contains("OTHER_KEY") { OTHER } else { OWN };
        self.add_key(&bearer);
        let path = request["path"].as_str().unwrap_or_default();
        let (place, _) = path.split_once('?').unwrap_or((path, ""));
        let segments: Vec<&str> = place.trim_start_matches("/api/").split('/').collect();
        match (request["method"].as_str().unwrap_or_default(), segments.as_slice()) {
            ("POST", ["sandbox"]) => {
                let snapshot = request["body"]["snapshot"].as_str().unwrap_or_default();
                if message.starts_with("Total CPU") {
                    let limited = Organization::new("own").id(OWN).total_limits(5.0, 100.0, 100.0);
                    self.asked.emulator.put_organization(limited);
                    let used = json!({"name": "used", "cpu": 4, "memory": 1, "disk": 1, "snapshot": "used:1"});
                    self.add_sandbox(&bearer, &used, "started").await;
                }
                let mut form = answer.clone();
                if let Some(target) = request["body"]["target"].as_str().filter(|_| form["target"].is_null()) {
                    form["target"] = json!(target);
                }
                self.seed_snapshot(snapshot, &form, organization);
                if let Some(reason) = message.strip_prefix("Sandbox failed to start: ") {
                    self.asked
                        .emulator
                        .script_sandboxes(SandboxScript::for_snapshot("*").fails(reason));
                }
                if let Some(seconds) = request["body"]["env"]["STUB_DELAY"].as_str().filter(|_| status == 200) {
                    let takes = Duration::from_secs_f64(seconds.parse().unwrap());
                    self.asked
                        .emulator
                        .script_sandboxes(SandboxScript::for_snapshot("*").takes(takes));
                }
                if message == "No available runners" {
                    self.asked.emulator.set_runner(false);
                }
            }
            ("GET", ["sandbox"]) => {
                let items = answer["items"].as_array().cloned().unwrap_or_default();
                if answer["nextCursor"].is_string() {
                    let last = items.last().unwrap().clone();
                    let mut older = last.clone();
                    (older["id"], older["name"]) = (json!("older"), json!("zz-older"));
                    older["state"] = json!(if last["desiredState"] == "destroyed" {
                        "destroyed"
                    } else {
                        "started"
                    });
                    if !path.contains("name=") || path.contains("sort=name") {
                        let state = older["state"].as_str().unwrap().to_owned();
                        self.add_sandbox(&bearer, &older, &state).await;
                    }
                }
                // By name they stand in another order than by time.
                for item in items.iter().rev() {
                    let mut item = item.clone();
                    if path.contains("sort=name") {
                        // A sandbox without a name is called by its id, and ours would be another one.
                        item["id"] = json!("listed");
                    }
                    let item = &item;
                    let state = if item["desiredState"] == "destroyed" {
                        "destroyed"
                    } else {
                        item["state"].as_str().unwrap()
                    };
                    self.add_sandbox(&bearer, item, state).await;
                }
            }
            (_, ["sandbox", id_or_name, operation @ ..]) if status != 404 && status != 403 => {
                let mut form = answer.clone();
                if form["name"].is_null() {
                    form = json!({"name": id_or_name});
                }
                let state = match (operation, message, label(exchange)) {
                    (_, "", label) if label.contains("stopped") => "stopped",
                    (["start"], ..) | (["stop"], "Sandbox is not in a stoppable state", _) => "stopped",
                    (_, _, "sandbox still being created" | "delete while it is created") => "creating",
                    (_, _, label) if label.contains("delete the first") => "creating",
                    (_, _, "sandbox in error") => "error",
                    (_, _, label) if label.contains("meanwhile") => "snapshotting",
                    ([], ..) if request["method"] == "GET" => form["state"].as_str().unwrap_or("started"),
                    _ if form["state"] == "error" => "error",
                    _ => "started",
                };
                let state = state.to_owned();
                self.add_sandbox(&bearer, &form, &state).await;
                if label(exchange) == "the capture fails on the runner" {
                    self.ask(&bearer, "DELETE", "/sandbox/cap-a", &Value::Null).await;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    self.asked
                        .emulator
                        .script_sandboxes(SandboxScript::for_name("cap-a").capture_fails());
                    let body = json!({"name": "cap-a", "snapshot": "web:1"});
                    let (_, made) = self.ask(&bearer, "POST", "/sandbox", &body).await;
                    let theirs = form["id"].as_str().unwrap().to_owned();
                    self.ids.insert(theirs, made["id"].as_str().unwrap().to_owned());
                }
            }
            (_, ["docker-registry", rest @ ..]) => self.prepare_registries(exchange, rest, organization).await,
            _ => {}
        }
        if message.contains("Organization is suspended") || label(exchange).contains("suspended organisation") {
            let reason = message.rsplit(": ").next().unwrap_or_default();
            let suspended = Organization::new("other").id(organization).suspended(reason);
            self.asked.emulator.put_organization(suspended);
        }
    }

    async fn prepare_registries(&mut self, exchange: &Value, rest: &[&str], organization: &str) {
        let status = exchange["response"]["status"].as_u64().unwrap_or_default();
        let answer = &exchange["response"]["body"];
        if *rest == ["registry-push-access"] {
            if status == 500 {
                let fault = Fault::status(500).message("An unexpected error occurred.");
                self.asked.emulator.inject(fault.on(Operation::GetRegistryPushAccess));
            }
            return;
        }
        let method = exchange["request"]["method"].as_str().unwrap_or_default();
        let there = match (method, answer) {
            ("GET", Value::Array(items)) => items.clone(),
            ("POST", _) => Vec::new(),
            _ if matches!(status, 403 | 404) => Vec::new(),
            ("GET" | "PATCH", Value::Object(fields)) if fields.contains_key("id") => vec![answer.clone()],
            _ => {
                vec![json!({"id": rest[0], "name": "ours", "url": "https://registry.private.example", "username": "u"})]
            }
        };
        for form in there.iter().rev() {
            let body = json!({
                "name": form["name"], "url": form["url"], "username": form["username"], "password": "p",
                "project": form["project"],
            });
            let bearer = if organization == OTHER {
                "dtn_EXAMPLE_OTHER_KEY"
            } else {
                FULL_KEY
            };
            let (status, made) = self.ask(bearer, "POST", "/docker-registry", &body).await;
            assert_eq!(status, 201, "{made}");
            let theirs = form["id"].as_str().unwrap().to_owned();
            self.ids.insert(theirs, made["id"].as_str().unwrap().to_owned());
        }
    }
}
