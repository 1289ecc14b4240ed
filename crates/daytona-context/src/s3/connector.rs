//! From the SDK's HTTP seam to ours.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::BoxBody;

use crate::{BodyError, BoxError};

/// The body of a request to the store. Its size is exact.
pub type RequestBody = BoxBody<Bytes, BodyError>;

/// Sends requests to the store.
#[async_trait]
pub trait HttpClient: fmt::Debug + Send + Sync {
    /// Sends a request and reads its answer whole: the answers that are asked for are small.
    ///
    /// # Errors
    ///
    /// Whatever kept the answer from arriving; an error of the request's body is found anywhere in its chain of
    /// sources.
    async fn send(&self, request: Request<RequestBody>) -> Result<Response<Bytes>, BoxError>;
}

/// The SDK's client over ours.
pub(super) fn over(http: Arc<dyn HttpClient>) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(Connector(http));
    http_client_fn(move |_settings, _components| connector.clone())
}

#[derive(Debug)]
struct Connector(Arc<dyn HttpClient>);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let http = Arc::clone(&self.0);
        HttpConnectorFuture::new(async move {
            let request = request
                .try_into_http1x()
                .map_err(|error| ConnectorError::user(error.into()))?;
            let request = request.map(|body| body.map_err(BodyError::new).boxed());
            let response = http.send(request).await.map_err(ConnectorError::io)?;
            HttpResponse::try_from(response.map(SdkBody::from))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// A body whose size is known although its frames are not.
pub(super) struct Sized<B> {
    body: B,
    left: u64,
}

impl<B> Sized<B> {
    pub(super) fn new(body: B, size: u64) -> Self {
        Self { body, left: size }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Sized<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        let frame = std::task::ready!(Pin::new(&mut this.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            this.left = this.left.saturating_sub(bytes as u64);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
