//! The state that a recording found, made through the emulator's Rust API.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use daytona_emulator::{
    ApiKey, Emulator, Fault, Operation, Organization, Permission, RateLimits, SeededSnapshot, UserToken,
};
use http::Request;
use serde_json::{Value, json};

use super::compare::Translate;
use super::send;
use recorded::{body, id_in, id_of, known, message, plain, seeded, state_before};

mod creation;
mod recorded;

const OTHER_ORGANIZATION: &str = "<id of the other user's organisation>";

/// An emulator in the state of a chain of exchanges, and how its ids translate.
pub(super) struct Stage {
    pub(super) emulator: Emulator,
    organization: String,
    /// Snapshots of the recordings, by their ids: all that is known of them.
    known: HashMap<String, Value>,
    /// From the recording's ids to ours.
    ids: HashMap<String, String>,
    /// The snapshot whose states are looked at.
    watched: String,
    first: String,
    /// The last one that was created and whose id in the recording is not known.
    unnamed: Option<String>,
    created: usize,
}

impl Stage {
    pub(super) fn new(exchanges: &[Value], chain: &[&Value]) -> Self {
        let organization = exchanges
            .iter()
            .find_map(|exchange| exchange["response"]["body"]["organizationId"].as_str())
            .unwrap_or("own")
            .to_owned();
        let emulator = Emulator::builder().api_key("unused").in_process().unwrap();
        emulator.put_organization(Organization::new("own").id(&organization));
        emulator.put_organization(Organization::new("other").id(OTHER_ORGANIZATION));
        let now = emulator.clock().now();
        emulator.add_api_key(ApiKey::new(&organization).value("dtn_EXAMPLE_ADMIN_KEY"));
        for exchange in exchanges
            .iter()
            .filter(|exchange| exchange["request"]["path"] == "/api/api-keys")
        {
            let (wanted, made) = (&exchange["request"]["body"], &exchange["response"]["body"]);
            let Some(value) = made["value"].as_str() else { continue };
            let permissions: Vec<Permission> = wanted["permissions"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|permission| serde_json::from_value(permission.clone()).ok())
                .collect();
            let mut key = ApiKey::new(&organization).value(value).permissions(permissions);
            if let Some(expires) = wanted["expiresAt"].as_str() {
                key = key.expires(expires.parse().unwrap());
            }
            emulator.add_api_key(key);
        }
        emulator.add_user_token(UserToken::new([&organization]).value("EXAMPLE.ADMIN.JWT"));
        emulator.add_user_token(UserToken::new([OTHER_ORGANIZATION]).value("EXAMPLE.OTHERUSER.JWT"));
        emulator.add_user_token(
            UserToken::new([&organization])
                .value("EXAMPLE.EXPIRED.JWT")
                .expires(now),
        );
        emulator.add_service_key("EXAMPLE_RUNNER_KEY");
        if chain[0]["section"] == "No runner available" {
            emulator.set_runner(false);
        }
        Self {
            emulator,
            organization,
            known: known(exchanges),
            ids: HashMap::new(),
            watched: String::new(),
            first: String::new(),
            unnamed: None,
            created: 0,
        }
    }

    /// What has to be so before a request, by what its answer says.
    pub(super) async fn prepare(&mut self, exchange: &Value) {
        let (request, response) = (&exchange["request"], &exchange["response"]);
        let label = exchange["label"].as_str().unwrap_or_default();
        let path = request["path"].as_str().unwrap_or_default();
        let message = message(response);
        self.prepare_server(request, label, &message).await;
        if label.contains("suspended: ") {
            let organization = Organization::new("own").id(&self.organization);
            let until = "2030-01-01T00:00:00Z".parse().unwrap();
            self.emulator.put_organization(if label.contains("with an end") {
                organization.suspended_until("unpaid", until)
            } else {
                organization.suspended("unpaid")
            });
        }
        if let Some(quota) = message.strip_prefix("Snapshot quota exceeded. Maximum allowed: ") {
            let quota = quota.parse().unwrap();
            self.emulator
                .put_organization(Organization::new("own").id(&self.organization).snapshot_quota(quota));
            for number in 0..quota {
                self.seed(SeededSnapshot::from_image(format!("full-{number}"), "a:1"));
            }
        }
        if message.contains("does not have a default region") {
            self.emulator
                .put_organization(Organization::new("own").id(&self.organization).without_default_region());
        }
        if path.contains("/object-storage/")
            && response["status"].as_u64() != Some(200)
            && response["status"] != 403
            && response["status"] != 401
        {
            let status = u16::try_from(response["status"].as_u64().unwrap_or(503)).unwrap();
            self.emulator
                .inject(Fault::status(status).message(&message).on(Operation::GetPushAccess));
        }
        match (request["method"].as_str(), path.split('?').next().unwrap_or_default()) {
            (Some("POST"), "/api/snapshots") => self.prepare_creation(exchange, &message).await,
            (Some("POST"), "/api/sandbox") if response["status"] == 200 => {
                let name = request["body"]["snapshot"].as_str().unwrap_or_default();
                let id = self.seed(SeededSnapshot::from_image(name, "a:1"));
                self.watched.clone_from(&id);
                self.unnamed = Some(id);
            }
            (_, "/api/snapshots" | "/api/snapshots/") => self.prepare_list(response),
            (_, path) => self.prepare_one(exchange, path, &message),
        }
    }

    /// Limits, maintenance, and requests that came before.
    async fn prepare_server(&mut self, request: &Value, label: &str, message: &str) {
        if message.contains("under maintenance") {
            self.emulator.set_maintenance(true);
        }
        let server = request["server"].as_str().unwrap_or_default();
        if label.contains("after the window") {
            tokio::time::sleep(Duration::from_secs(16)).await;
            return;
        }
        if !server.starts_with("api with limits") {
            return;
        }
        let numbers: Vec<u32> = server
            .split(|character: char| !character.is_ascii_digit())
            .filter_map(|text| text.parse().ok())
            .collect();
        let [requests, logins, window] = numbers[..] else {
            panic!("limits are not understood: {server}")
        };
        self.emulator
            .set_rate_limits(RateLimits::new(requests, logins, Duration::from_secs(window.into())));
        let number: u32 = label
            .rsplit(' ')
            .next()
            .and_then(|number| number.parse().ok())
            .unwrap_or(requests + 2);
        for _ in 1..number {
            let uri = format!("{}/snapshots?limit=1", self.emulator.api_url());
            let key = request["headers"]["Authorization"].as_str().unwrap_or_default();
            let before = Request::get(uri)
                .header("authorization", key)
                .body(String::new())
                .unwrap();
            send(self.emulator.service(), before).await;
        }
    }

    /// As many snapshots as the page counts, of the form of the first that it shows.
    fn prepare_list(&mut self, response: &Value) {
        let summary = &response["summary"];
        let first = response["body_prefix"]
            .as_str()
            .and_then(super::compare::lenient)
            .and_then(|page| plain(&page)["items"].get(0).cloned());
        let total = summary["total"].as_u64().unwrap_or(3);
        let skipped = summary["page"].as_u64().unwrap_or(1).saturating_sub(1);
        let names: Vec<&str> = summary["first_names"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let now = self.emulator.clock().now();
        for number in 0..total {
            let name = usize::try_from(number)
                .ok()
                .and_then(|number| number.checked_sub(usize::try_from(skipped).ok()?));
            let form = first.as_ref().filter(|_| number == skipped);
            let shown = form.and_then(|form| form["name"].as_str());
            let name = name.and_then(|index| names.get(index).copied()).or(shown);
            let name = name.map_or_else(|| format!("other-{number}"), ToOwned::to_owned);
            // The later in the list, the longer ago it was used.
            let used = now.checked_sub(Duration::from_secs(60 * (number + 1))).unwrap();
            let mut snapshot = seeded(form, &name).created(used);
            if form.is_none_or(|form| form["lastUsedAt"].is_string()) {
                snapshot = snapshot.last_used(used);
            }
            self.seed(snapshot);
        }
    }

    /// The snapshot that the path names, if the answer shows that there was one.
    fn prepare_one(&mut self, exchange: &Value, path: &str, message: &str) {
        let response = &exchange["response"];
        let label = exchange["label"].as_str().unwrap_or_default();
        let path = path.strip_prefix("/api").unwrap_or(path);
        let mut segments = path.trim_matches('/').split('/');
        let (Some("snapshots"), Some(segment)) = (segments.next(), segments.next()) else {
            return;
        };
        let operation = segments.next().unwrap_or_default();
        let name = percent_encoding::percent_decode_str(segment)
            .decode_utf8_lossy()
            .into_owned();
        if self.ids.contains_key(&name) || path.contains("%2e%2e") {
            self.move_time(label, &name);
            self.watched.clone_from(self.ids.get(&name).unwrap_or(&name));
            return;
        }
        if let Some(unnamed) = self.unnamed.clone() {
            self.ids.insert(name, unnamed);
            return;
        }
        let is_there = ["ID or name", "build info", "Timeout"]
            .iter()
            .any(|text| message.contains(text));
        if (response["status"] == 404 && !is_there) || response["status"] == 500 || response["status"] == 401 {
            return;
        }
        let is_id = uuid::Uuid::parse_str(&name).is_ok();
        let shown = Some(body(response)).filter(|body| body["id"].is_string());
        let known = self.known.get(&name).cloned();
        let form = shown.or(known);
        let mut snapshot = match &form {
            Some(form) => {
                let shown = form["name"].as_str().unwrap_or("seeded");
                seeded(Some(form), if is_id { shown } else { &name })
            }
            None if !is_id || message.contains("no build info") || !operation.starts_with("build-logs") => {
                SeededSnapshot::from_image(if is_id { "seeded" } else { name.as_str() }, "a:1")
            }
            None => SeededSnapshot::from_dockerfile("seeded", "FROM a:1\nRUN echo hi\n"),
        };
        if is_id {
            snapshot = snapshot.id(&name);
        }
        if message.contains("ID or name") {
            snapshot = snapshot.organization(&self.organization);
        }
        if form.as_ref().is_some_and(|form| form["general"] == true) || message.contains("general") {
            snapshot = snapshot.general();
        }
        if let Some(log) = response["body"].as_str() {
            snapshot = snapshot.log(log);
        }
        snapshot = match state_before(label, operation, message, form.as_ref()) {
            Some(state) => snapshot.state(state.as_str()),
            None => snapshot,
        };
        self.watched = self.seed(snapshot);
        self.move_time(label, &name);
    }

    fn move_time(&self, label: &str, id: &str) {
        if label.contains("updatedAt moved") {
            let id = self.ids.get(id).map_or(id, String::as_str);
            let before = self
                .emulator
                .clock()
                .now()
                .checked_sub(Duration::from_mins(11))
                .unwrap();
            self.emulator.set_updated(id, before);
        }
    }

    fn seed(&mut self, snapshot: SeededSnapshot) -> String {
        self.emulator.add_snapshot(snapshot.organization(&self.organization))
    }

    pub(super) fn request(&self, exchange: &Value) -> Request<String> {
        let wanted = &exchange["request"];
        let path = self.translate(wanted["path"].as_str().unwrap_or_default());
        let host = self.emulator.api_url().replace("/api", "");
        let mut request = Request::builder()
            .method(wanted["method"].as_str().unwrap_or("GET"))
            .uri(format!("{host}{path}"));
        for (name, value) in wanted["headers"].as_object().into_iter().flatten() {
            let value = match value.as_str().unwrap_or_default() {
                "<a UUID that names no organisation>" => "8c0f7a0e-0000-4000-8000-000000000000",
                value => value,
            };
            request = request.header(name, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let body = if let Some(text) = wanted["body_text"].as_str() {
            text.to_owned()
        } else if let Some(recipe) = wanted.get("body_recipe") {
            let start = recipe["start"].as_str().unwrap_or_default();
            let size = usize::try_from(recipe["dockerfile_bytes"].as_u64().unwrap_or(0)).unwrap();
            let dockerfile = format!("{start}{}", "#".repeat(size - start.len()));
            json!({"name": recipe["name"], "buildInfo": {"dockerfileContent": dockerfile}}).to_string()
        } else {
            wanted.get("body").map(ToString::to_string).unwrap_or_default()
        };
        request.body(body).unwrap()
    }

    /// Takes note of what was created.
    pub(super) fn learn(&mut self, exchange: &Value, actual: &Bytes) {
        let is_creation = exchange["request"]["method"] == "POST" && exchange["request"]["path"] == "/api/snapshots";
        let Some(ours) = id_of(actual).filter(|_| is_creation) else {
            return;
        };
        match id_in(&exchange["response"]) {
            Some(theirs) => drop(self.ids.insert(theirs, ours.clone())),
            None => self.unnamed = Some(ours.clone()),
        }
        self.watched = ours;
    }

    pub(super) fn look_at_the_first(&mut self) {
        self.watched.clone_from(&self.first);
    }

    /// A request for the snapshot whose states are looked at.
    pub(super) fn poll(&self) -> Request<String> {
        Request::get(format!("{}/snapshots/{}", self.emulator.api_url(), self.watched))
            .header("authorization", "Bearer dtn_EXAMPLE_ADMIN_KEY")
            .body(String::new())
            .unwrap()
    }
}

impl Translate for Stage {
    fn ids(&self) -> &HashMap<String, String> {
        &self.ids
    }
}
