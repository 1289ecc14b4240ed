//! The HTTP client for those who bring none.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Limited};

use super::connector::{HttpClient, RequestBody};
use crate::BoxError;

/// Answers to what is asked for are small.
const LARGEST_ANSWER: usize = 1024 * 1024;

/// An HTTP client with rustls. It asks no proxy and follows no redirect, and reads nothing from the environment.
#[derive(Debug, Clone)]
pub struct DefaultHttpClient {
    client: reqwest::Client,
}

impl DefaultHttpClient {
    /// A client that gives up on a connection which cannot be made in 10 seconds.
    ///
    /// # Errors
    ///
    /// If TLS cannot be set up, as on a machine without CA certificates.
    pub fn new() -> Result<Self, BoxError> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .build()?;
        Ok(Self { client })
    }
}

#[async_trait]
impl HttpClient for DefaultHttpClient {
    async fn send(&self, request: Request<RequestBody>) -> Result<Response<Bytes>, BoxError> {
        let request = reqwest::Request::try_from(request.map(reqwest::Body::wrap))?;
        // The address names the organization.
        let response = self
            .client
            .execute(request)
            .await
            .map_err(reqwest::Error::without_url)?;
        let (parts, body) = Response::<reqwest::Body>::from(response).into_parts();
        let body = Limited::new(body, LARGEST_ANSWER).collect().await?;
        Ok(Response::from_parts(parts, body.to_bytes()))
    }
}
