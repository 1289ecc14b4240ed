//! The transport over a service in this process.

use std::fmt;
use std::future::poll_fn;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::BodyExt;
use tower_service::Service;

use super::{BodyError, RequestBody, ResponseBody, Transport, TransportError, TransportErrorKind};
use daytona_context::BoxError;

/// Sends requests to a `tower::Service`, such as the emulator's, or one's own client with its layers.
///
/// What the service fails with counts as a broken connection.
pub struct ServiceTransport<S>(Mutex<S>);

impl<S> ServiceTransport<S> {
    /// A transport to this service, which is cloned for each request.
    pub fn new(service: S) -> Self {
        Self(Mutex::new(service))
    }
}

impl<S> fmt::Debug for ServiceTransport<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ServiceTransport").finish_non_exhaustive()
    }
}

#[async_trait]
impl<S, B> Transport for ServiceTransport<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    async fn send(&self, request: Request<RequestBody>) -> Result<Response<ResponseBody>, TransportError> {
        let mut service = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let interrupted = |error: S::Error| TransportError::new(TransportErrorKind::Interrupted, error);
        poll_fn(|context| service.poll_ready(context))
            .await
            .map_err(interrupted)?;
        let response = service.call(request).await.map_err(interrupted)?;
        Ok(response.map(|body| body.map_err(BodyError::new).boxed_unsync()))
    }
}
