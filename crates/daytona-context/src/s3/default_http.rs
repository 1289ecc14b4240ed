//! The default HTTP client.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Limited};

use super::connector::{HttpClient, HttpError, RequestBody};
use super::retry::RetryPolicy;
use crate::body_error::BoxError;

/// Answers to what is asked for are small.
const LARGEST_ANSWER: usize = 1024 * 1024;

/// An HTTP client with rustls. It uses no proxy, follows no redirects, and reads nothing from the environment.
///
/// It speaks only HTTP/1.1, so several requests use several connections. Over a long line that is faster.
#[derive(Debug, Clone)]
pub struct DefaultHttpClient {
    client: reqwest::Client,
}

impl DefaultHttpClient {
    /// A client with a connect timeout of 10 seconds and the default [stall limit](RetryPolicy::stall).
    ///
    /// # Errors
    ///
    /// Fails if TLS cannot be set up, for example on a machine without CA certificates.
    pub fn new() -> Result<Self, BoxError> {
        Self::with_stall_limit(RetryPolicy::default().stall)
    }

    /// Like [`new`](Self::new), with another [stall limit](RetryPolicy::stall). The system does not close a connection
    /// earlier.
    ///
    /// # Errors
    ///
    /// The errors of [`new`](Self::new).
    pub fn with_stall_limit(limit: Duration) -> Result<Self, BoxError> {
        let builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            // Probes keep a connection open in what lies between, and end it only after the limit.
            .tcp_keepalive_interval((limit / 64).clamp(Duration::from_secs(15), Duration::from_hours(1)))
            .tcp_keepalive_retries(100)
            .http1_only();
        // The client's own limit is 30 seconds. On a line whose window is small the system counts it from the first byte that did
        // not fit, although others pass all the time.
        #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
        let builder = builder.tcp_user_timeout(None::<Duration>);
        Ok(Self {
            client: builder.build()?,
        })
    }
}

#[async_trait]
impl HttpClient for DefaultHttpClient {
    async fn send(&self, request: Request<RequestBody>) -> Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request.map(reqwest::Body::wrap)).map_err(HttpError::new)?;
        let response = self.client.execute(request).await.map_err(|error| {
            // The address names the organization.
            let error = error.without_url();
            if error.is_connect() {
                HttpError::unsent(error)
            } else {
                HttpError::new(error)
            }
        })?;
        let (parts, body) = Response::<reqwest::Body>::from(response).into_parts();
        let body = Limited::new(body, LARGEST_ANSWER)
            .collect()
            .await
            .map_err(HttpError::new)?;
        Ok(Response::from_parts(parts, body.to_bytes()))
    }
}
