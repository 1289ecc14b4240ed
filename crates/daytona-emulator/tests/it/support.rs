//! Requests without a client library.

use bytes::Bytes;
use daytona_emulator::{Emulator, EmulatorService, ServiceError};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tower_service::Service;

/// An emulator in process, and a key for it.
pub(crate) struct Asked {
    pub(crate) emulator: Emulator,
    service: EmulatorService,
}

impl Asked {
    pub(crate) fn new() -> Self {
        Self::with(Emulator::builder().in_process().unwrap())
    }

    pub(crate) fn with(emulator: Emulator) -> Self {
        let service = emulator.service();
        Self { emulator, service }
    }

    /// Sends a request to a path of the API with the right key.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.emulator.api_url()))
            .header("authorization", format!("Bearer {}", self.emulator.api_key()))
            .header("content-type", "application/json");
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let response = self.send(request.body(body).unwrap()).await.unwrap();
        let text = String::from_utf8(response.body().to_vec()).unwrap();
        (
            response.status(),
            serde_json::from_str(&text).unwrap_or(Value::String(text)),
        )
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, request: Request<String>) -> Result<Response<Bytes>, ServiceError> {
        let mut service = self.service.clone();
        let response = service.call(request.map(|body| Full::new(Bytes::from(body)))).await?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(ServiceError::RequestBody)?;
        Ok(Response::from_parts(parts, body.to_bytes()))
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.ask("GET", path, None).await
    }

    pub(crate) async fn create(&self, body: Value) -> (StatusCode, Value) {
        self.ask("POST", "/snapshots", Some(body)).await
    }

    /// Creates one from an image and returns its id.
    pub(crate) async fn created(&self, name: &str) -> String {
        let (status, body) = self.create(serde_json::json!({"name": name, "imageName": "a:1"})).await;
        assert_eq!(status, 200, "{body}");
        body["id"].as_str().unwrap().to_owned()
    }
}
