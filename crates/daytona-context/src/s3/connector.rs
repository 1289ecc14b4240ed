//! Connects the AWS SDK's HTTP client to ours.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use http_body_util::combinators::BoxBody;

use crate::body_error::{BodyError, BoxError};

/// The body of a request to the store. Its size is known exactly.
pub type RequestBody = BoxBody<Bytes, BodyError>;

/// Sends requests to the store.
#[async_trait]
pub trait HttpClient: fmt::Debug + Send + Sync {
    /// Sends a request and reads its whole answer. The answers are small.
    ///
    /// # Errors
    ///
    /// [`HttpError`] with the reason why there is no answer.
    async fn send(&self, request: Request<RequestBody>) -> Result<Response<Bytes>, HttpError>;
}

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
#[error("the request got no answer")]
pub struct HttpError {
    #[source]
    source: BoxError,
    is_unsent: bool,
}

impl HttpError {
    /// The request may have reached the store.
    pub fn new(source: impl Into<BoxError>) -> Self {
        Self {
            source: source.into(),
            is_unsent: false,
        }
    }

    /// The request was not sent, because there was no connection.
    pub fn unsent(source: impl Into<BoxError>) -> Self {
        Self {
            source: source.into(),
            is_unsent: true,
        }
    }

    /// Whether the request was not sent.
    pub fn is_unsent(&self) -> bool {
        self.is_unsent
    }
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
            let response = http
                .send(request)
                .await
                .map_err(|error| ConnectorError::io(Box::new(error)))?;
            HttpResponse::try_from(response.map(SdkBody::from))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}
