//! The client: settings, and the way of one call through headers, attempts and answers.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use daytona_api::{ORGANIZATION_HEADER, Operation, SDK_VERSION_HEADER, SOURCE_HEADER};
use daytona_context::ObjectStorage;
use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Limited};
use secrecy::{ExposeSecret, SecretString};

use crate::clock::Clock;
use crate::config::DaytonaBuilder;
use crate::error::{Error, ErrorKind, from_answer, from_transport};
use crate::retry;
use crate::snapshots::SnapshotService;
use crate::transport::{RequestBody, ResponseBody, Transport, full};

/// What the service sees as the name of this library.
const SOURCE: &str = "sdk-rust";
const VERSION: &str = env!("CARGO_PKG_VERSION");
const AGENT: &str = concat!("sdk-rust/", env!("CARGO_PKG_VERSION"));

/// Answers over this size are no answers of the API.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;

/// A client of the Daytona API. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Daytona {
    settings: Arc<Settings>,
}

pub(crate) struct Settings {
    /// Without a slash at its end.
    pub(crate) api_url: String,
    pub(crate) credentials: Credentials,
    pub(crate) target: Option<String>,
    pub(crate) attempt_timeout: Duration,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) object_storage: Option<Arc<dyn ObjectStorage>>,
}

#[derive(Debug)]
pub(crate) enum Credentials {
    ApiKey(SecretString),
    Jwt { token: SecretString, organization: String },
}

impl Credentials {
    pub(crate) fn token(&self) -> &SecretString {
        match self {
            Self::ApiKey(token) | Self::Jwt { token, .. } => token,
        }
    }
}

impl fmt::Debug for Daytona {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Daytona")
            .field("api_url", &self.settings.api_url)
            .finish_non_exhaustive()
    }
}

impl Daytona {
    /// A client that is set up by environment variables, `DAYTONA_API_KEY` above all.
    ///
    /// # Errors
    ///
    /// As [`DaytonaBuilder::build`].
    pub fn from_env() -> Result<Self, Error> {
        DaytonaBuilder::from_env().build()
    }

    /// A client that is set up in code. Nothing is read from the environment; for both see [`DaytonaBuilder::from_env`].
    pub fn builder() -> DaytonaBuilder {
        DaytonaBuilder::default()
    }

    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings: Arc::new(settings),
        }
    }

    /// The snapshots of the organization.
    pub fn snapshots(&self) -> SnapshotService {
        SnapshotService::new(self.clone())
    }

    /// Base address of the API.
    pub fn api_url(&self) -> &str {
        &self.settings.api_url
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.settings.clock.as_ref()
    }

    /// Carries out an operation: sent again where that does no harm, until it succeeds or the attempts are used up.
    pub(crate) async fn call<O: Operation>(&self, operation: &O) -> Result<O::Output, Error> {
        let mut waits = retry::waits();
        loop {
            let error = match self.attempt(operation).await {
                Ok(output) => return Ok(output),
                Err(error) => error,
            };
            let wait = waits.next().filter(|_| retry::may_repeat(&O::METHOD, &error));
            let Some(wait) = wait else { return Err(error) };
            let wait = retry::wait_before(&error, wait, self.clock());
            tracing::debug!(operation = O::ID, %error, ?wait, "trying again");
            self.clock().sleep(wait).await;
        }
    }

    async fn attempt<O: Operation>(&self, operation: &O) -> Result<O::Output, Error> {
        let settings = &self.settings;
        let request = operation
            .to_request(&settings.api_url)
            .map_err(|error| Error::from(error).with_operation(O::ID))?;
        let request = self.with_headers(request.map(full), !O::PUBLIC);
        let url = &settings.api_url;
        let answer = self.within(O::ID, settings.attempt_timeout, async {
            let response = settings
                .transport
                .send(request)
                .await
                .map_err(|error| from_transport(O::ID, url, error))?;
            read(O::ID, response).await
        });
        let response = answer.await?;
        let (status, headers, body) = (response.status(), response.headers(), response.body());
        tracing::debug!(
            operation = O::ID,
            status = status.as_u16(),
            bytes = body.len(),
            "answered"
        );
        if !status.is_success() {
            return Err(from_answer(O::ID, url, status, headers, body));
        }
        O::decode(body).map_err(|error| {
            let content_type = headers
                .get(CONTENT_TYPE)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default();
            match error.field() {
                Some(_) => Error::new(ErrorKind::Decode, crate::error::with_causes(&error))
                    .with_operation(O::ID)
                    .with_source(error),
                None => crate::error::not_an_api(O::ID, url, status, content_type).with_source(error),
            }
        })
    }

    /// Sends a request as it is, but for the headers. The answer's body is left to the caller.
    pub(crate) async fn send(
        &self,
        operation: &'static str,
        request: Request<RequestBody>,
    ) -> Result<Response<ResponseBody>, Error> {
        let settings = &self.settings;
        let url = request.uri().to_string();
        let request = self.with_headers(request, true);
        self.within(operation, settings.attempt_timeout, async {
            settings
                .transport
                .send(request)
                .await
                .map_err(|error| from_transport(operation, &url, error))
        })
        .await
    }

    /// The answer of `future`, unless it takes longer than the limit.
    async fn within<T>(
        &self,
        operation: &'static str,
        limit: Duration,
        future: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        tokio::select! {
            answer = future => answer,
            () = self.clock().sleep(limit) => {
                let message = format!("{} did not answer within {limit:?}", self.settings.api_url);
                Err(Error::new(ErrorKind::Timeout, message).with_operation(operation))
            }
        }
    }

    fn with_headers(&self, mut request: Request<RequestBody>, authenticate: bool) -> Request<RequestBody> {
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert(SOURCE_HEADER, HeaderValue::from_static(SOURCE));
        headers.insert(SDK_VERSION_HEADER, HeaderValue::from_static(VERSION));
        if authenticate {
            let credentials = &self.settings.credentials;
            let bearer = format!("Bearer {}", credentials.token().expose_secret());
            // Checked to be printable when the client was built.
            if let Ok(mut value) = HeaderValue::try_from(bearer) {
                value.set_sensitive(true);
                headers.insert(AUTHORIZATION, value);
            }
            if let Credentials::Jwt { organization, .. } = credentials
                && let Ok(value) = HeaderValue::try_from(organization)
            {
                headers.insert(ORGANIZATION_HEADER, value);
            }
        }
        request
    }
}

/// Reads an answer whole.
pub(crate) async fn read(operation: &'static str, response: Response<ResponseBody>) -> Result<Response<Bytes>, Error> {
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, LARGEST_ANSWER).collect().await.map_err(|error| {
        let message = format!(
            "the connection broke in the middle of the answer: {}",
            crate::error::with_causes(error.as_ref())
        );
        Error::new(ErrorKind::Connection, message)
            .with_operation(operation)
            .with_source(error)
    })?;
    Ok(Response::from_parts(parts, body.to_bytes()))
}
