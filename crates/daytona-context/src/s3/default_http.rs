//! The HTTP client for those who bring none.

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

/// An HTTP client with rustls. It asks no proxy and follows no redirect, and reads nothing from the environment.
///
/// It speaks HTTP/1.1 only: several requests then have several connections, which is what makes them faster over a long line.
#[derive(Debug, Clone)]
pub struct DefaultHttpClient {
    client: reqwest::Client,
}

impl DefaultHttpClient {
    /// A client that gives up on a connection which cannot be made in 10 seconds, and ends one whose peer has acknowledged
    /// nothing for as long as the default [stall limit](RetryPolicy::stall).
    ///
    /// # Errors
    ///
    /// If TLS cannot be set up, as on a machine without CA certificates.
    pub fn new() -> Result<Self, BoxError> {
        Self::with_stall_limit(RetryPolicy::default().stall)
    }

    /// Like [`new`](Self::new), for another [stall limit](RetryPolicy::stall). Only Linux, Android and Fuchsia tell when a peer
    /// acknowledges nothing; elsewhere this changes nothing.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_stall_limit(limit: Duration) -> Result<Self, BoxError> {
        let builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .http1_only();
        // The client's own limit is 30 seconds. The system counts milliseconds in 32 bits.
        #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
        let builder = builder.tcp_user_timeout(limit.min(Duration::from_hours(24)));
        #[cfg(not(any(target_os = "android", target_os = "fuchsia", target_os = "linux")))]
        let _ = limit;
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
