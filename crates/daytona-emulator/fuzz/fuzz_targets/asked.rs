//! An emulator in process, and requests to it.
#![expect(dead_code, reason = "each target uses some of it")]

use bytes::Bytes;
use daytona_emulator::{Emulator, StorageOptions};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower_service::Service;

/// Runs what is asked of a new emulator, whose time stands still.
pub(crate) fn with_emulator(ask: impl AsyncFnOnce(&Emulator)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be made").block_on(async {
        let storage = StorageOptions::new().in_memory();
        let emulator = Emulator::builder().storage(storage).in_process();
        let emulator = emulator.expect("it needs no files");
        emulator.clock().hold();
        ask(&emulator).await;
    });
}

/// The answer to a request: there is always one.
pub(crate) async fn answer(emulator: &Emulator, request: Request<Bytes>) -> Response<Bytes> {
    let response = emulator.service().call(request.map(Full::new)).await;
    let (parts, body) = response.expect("nothing breaks the connection").into_parts();
    let body = body.collect().await.expect("the answer is whole");
    Response::from_parts(parts, body.to_bytes())
}

/// A request to the API with the right key, if it can be one.
pub(crate) fn request(
    emulator: &Emulator,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Option<Request<Bytes>> {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", emulator.api_url()))
        .header("authorization", format!("Bearer {}", emulator.api_key()));
    for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
        request = request.header(*name, *value);
    }
    request.body(Bytes::copy_from_slice(body)).ok()
}

/// A snapshot is created, with this for its build.
pub(crate) async fn create(emulator: &Emulator, info: serde_json::Value) -> Response<Bytes> {
    let body = serde_json::json!({"name": "x", "buildInfo": info}).to_string();
    let headers = [("content-type", "application/json")];
    let created = request(emulator, "POST", "/snapshots", &headers, body.as_bytes());
    answer(emulator, created.expect("a request of fixed parts")).await
}

/// A request to an admin route, with the right key.
pub(crate) fn admin_request(emulator: &Emulator, method: &str, route: &str, body: &[u8]) -> Request<Bytes> {
    let root = emulator.api_url().replace("/api", "/_emulator");
    Request::builder()
        .method(method)
        .uri(format!("{root}/{route}"))
        .header("authorization", format!("Bearer {}", emulator.admin_key()))
        .body(Bytes::copy_from_slice(body))
        .expect("a request of fixed parts")
}
