//! The transport to a service in this process.

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

/// Sends requests to a `tower::Service`: the emulator's, or your own client with its layers.
///
/// An error of the service counts as a broken connection.
///
/// ```
/// use daytona_emulator::Emulator;
/// use daytona_sdk::Daytona;
/// use daytona_sdk::transport::ServiceTransport;
///
/// let emulator = Emulator::builder().in_process()?;
/// let daytona = Daytona::builder()
///     .api_url(emulator.api_url())
///     .api_key(emulator.api_key())
///     .transport(ServiceTransport::new(emulator.service()))
///     .build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ServiceTransport<S>(Mutex<S>);

impl<S> ServiceTransport<S> {
    /// A transport to this service. Each request uses a clone of it.
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
