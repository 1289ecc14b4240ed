//! The emulator that recordings are replayed on.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};

use super::{FULL_KEY, label, send, with_organizations};
use crate::replay::compare::{self, Translate};
use crate::support::Asked;

/// An emulator with the organizations of the recordings, and how ids translate.
pub(super) struct Stage {
    pub(super) asked: Asked,
    pub(super) ids: HashMap<String, String>,
}

impl Translate for Stage {
    fn ids(&self) -> &HashMap<String, String> {
        &self.ids
    }
}

impl Stage {
    pub(super) fn new() -> Self {
        Self {
            asked: with_organizations(),
            ids: HashMap::new(),
        }
    }

    pub(super) async fn replay(&self, exchange: &Value) -> Response<Bytes> {
        let request = &exchange["request"];
        let body = request.get("body").map(ToString::to_string).unwrap_or_default();
        let path = self.translate(request["path"].as_str().unwrap());
        let method = request["method"].as_str().unwrap();
        send(&self.asked, method, &path, &request["headers"], self.translate(&body)).await
    }

    /// Sends a request with the full key.
    pub(super) async fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let headers = json!({"authorization": format!("Bearer {FULL_KEY}"), "content-type": "application/json"});
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let response = send(&self.asked, method, &format!("/api{path}"), &headers, body).await;
        (
            response.status().as_u16(),
            serde_json::from_slice(response.body()).unwrap_or_default(),
        )
    }

    /// What is different in an answer. The texts of a failure are the runner's, which was a stand-in.
    pub(super) fn differences(&self, exchange: &Value, actual: &Response<Bytes>) -> Vec<String> {
        let mut recorded = exchange["response"].clone();
        let mut shown: Value = serde_json::from_slice(actual.body()).unwrap_or_default();
        if recorded["body"]["errorReason"].is_string() && shown["errorReason"].is_string() {
            recorded["body"]["errorReason"] = json!("");
            shown["errorReason"] = json!("");
        }
        let mut normal = actual.clone();
        if shown.is_object() {
            let text = shown.to_string();
            *normal.body_mut() = Bytes::from(text.clone());
            normal.headers_mut().insert("content-length", text.len().into());
            normal.headers_mut().remove("etag");
            if let Some(headers) = recorded["headers"].as_object_mut() {
                headers.remove("ETag");
            }
        }
        let found = compare::response(self, &recorded, &normal).into_iter();
        found
            .map(|difference| format!("{}: {difference}", label(exchange)))
            .collect()
    }

    pub(super) async fn state(&self, id: &str) -> String {
        let (status, body) = self.ask("GET", &format!("/snapshots/{id}"), &Value::Null).await;
        let state = body["state"].as_str().map(ToOwned::to_owned);
        state.unwrap_or_else(|| status.to_string())
    }

    /// The states that a snapshot goes through in some seconds.
    pub(super) async fn states(&self, id: &str, seconds: usize) -> Vec<String> {
        let mut seen = Vec::new();
        for _ in 0..seconds * 40 {
            seen.push(self.state(id).await);
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        seen.dedup();
        seen
    }

    /// Just after a tick of the periodic task.
    pub(super) async fn wait_for_a_tick(&self) {
        let now = self.asked.emulator.clock().now().as_millisecond();
        let left = 10_010 - now.rem_euclid(10_000);
        tokio::time::sleep(Duration::from_millis(left.unsigned_abs())).await;
    }

    pub(super) async fn wait(&self, seconds: f64) {
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    }
}
