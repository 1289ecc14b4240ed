//! An emulator in process, and requests to it.

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

/// A request to the API with the right key.
pub(crate) fn request(emulator: &Emulator, method: &str, path: &str, body: &[u8]) -> Option<Request<Bytes>> {
    Request::builder()
        .method(method)
        .uri(format!("{}{path}", emulator.api_url()))
        .header("authorization", format!("Bearer {}", emulator.api_key()))
        .header("content-type", "application/json")
        .body(Bytes::copy_from_slice(body))
        .ok()
}
