//! Requests to object storage that are signed with temporary credentials.

use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tower_service::Service;

use crate::signature::sign;
use crate::support::Asked;

/// Temporary credentials, and requests that are signed with them.
pub(crate) struct Signed<'a> {
    asked: &'a Asked,
    pub(super) access: Value,
    pub(super) region: String,
}

impl<'a> Signed<'a> {
    pub(crate) async fn new(asked: &'a Asked) -> Self {
        let (status, access) = asked.get("/object-storage/push-access").await;
        assert_eq!(status, 200, "{access}");
        Self {
            asked,
            access,
            region: "us-east-1".to_owned(),
        }
    }

    pub(super) fn field(&self, name: &str) -> &str {
        self.access[name].as_str().unwrap()
    }

    /// The path of an object of the own organization.
    pub(crate) fn path(&self, key: &str) -> String {
        format!("/{}/{}/{key}", self.field("bucket"), self.field("organizationId"))
    }

    /// Sends a request whose payload is said to have this hash.
    pub(super) async fn send_as(
        &self,
        method: &str,
        path: &str,
        query: &str,
        hash: &str,
        body: &[u8],
    ) -> Response<Bytes> {
        let request = sign(&self.access, &self.region, method, path, query, hash);
        self.send_signed(request, body).await
    }

    /// Sends a request with a further header.
    pub(super) async fn send_with(
        &self,
        method: &str,
        path: &str,
        header: (&str, &str),
        body: &[u8],
    ) -> Response<Bytes> {
        let hash = hex::encode(Sha256::digest(body));
        let request = sign(&self.access, &self.region, method, path, "", &hash);
        self.send_signed(request.header(header.0, header.1), body).await
    }

    async fn send_signed(&self, request: http::request::Builder, body: &[u8]) -> Response<Bytes> {
        let request = request
            .header("content-length", body.len())
            .body(Full::new(Bytes::copy_from_slice(body)))
            .unwrap();
        let response = self.asked.emulator.service().call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
    }

    pub(crate) async fn send(&self, method: &str, path: &str, query: &str, body: &[u8]) -> Response<Bytes> {
        self.send_as(method, path, query, &hex::encode(Sha256::digest(body)), body)
            .await
    }

    pub(super) async fn code(&self, method: &str, path: &str, query: &str, body: &[u8]) -> (u16, String) {
        code(&self.send(method, path, query, body).await)
    }
}

/// The status of an answer, and the code of its error.
pub(super) fn code(response: &Response<Bytes>) -> (u16, String) {
    let text = String::from_utf8_lossy(response.body()).into_owned();
    let code = text
        .split("<Code>")
        .nth(1)
        .and_then(|rest| rest.split("</Code>").next());
    (response.status().as_u16(), code.unwrap_or_default().to_owned())
}
