//! The transport over sockets.

use std::time::Duration;

use async_trait::async_trait;
use http::{Request, Response};
use http_body_util::BodyExt;

use super::{BodyError, RequestBody, ResponseBody, Transport, TransportError, TransportErrorKind};
use crate::BoxError;

/// The service closes a connection that was idle for five seconds without a word.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

#[derive(Debug)]
pub(crate) struct ReqwestTransport {
    client: reqwest::Client,
}

impl ReqwestTransport {
    /// # Errors
    ///
    /// If TLS cannot be set up.
    pub(crate) fn new(connect_timeout: Duration) -> Result<Self, BoxError> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(connect_timeout)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build()?;
        Ok(Self { client })
    }
}

#[async_trait]
impl Transport for ReqwestTransport {
    async fn send(&self, request: Request<RequestBody>) -> Result<Response<ResponseBody>, TransportError> {
        let unsupported =
            |error: reqwest::Error| TransportError::new(TransportErrorKind::Unsupported, error.without_url());
        let request = reqwest::Request::try_from(request.map(reqwest::Body::wrap)).map_err(unsupported)?;
        let response = self.client.execute(request).await.map_err(|error| {
            let kind = if error.is_connect() {
                TransportErrorKind::Connect
            } else if error.is_builder() {
                TransportErrorKind::Unsupported
            } else {
                TransportErrorKind::Interrupted
            };
            TransportError::new(kind, error.without_url())
        })?;
        let response: Response<reqwest::Body> = response.into();
        Ok(response.map(|body| body.map_err(|error| BodyError::new(error.without_url())).boxed_unsync()))
    }
}
