//! The client: settings, and the way of one call through headers, attempts and answers.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use daytona_api::{
    GetSnapshotBuildLogsUrl, Health, HealthStatus, ListAvailableRegions, ORGANIZATION_HEADER, Operation, Region,
    SDK_VERSION_HEADER, SOURCE_HEADER,
};
use daytona_context::ObjectStorage;
use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Limited};
use secrecy::{ExposeSecret, SecretString};
use tracing::Instrument;

use crate::clock::Clock;
use crate::config::DaytonaBuilder;
use crate::error::{Error, ErrorKind, from_answer, from_transport, with_causes};
use crate::retry::{self, Budget};
use crate::snapshots::{Boxed, SnapshotService};
use crate::token::TokenProvider;
use crate::trace;
use crate::transport::{RequestBody, ResponseBody, Transport, full};

/// What the service sees as the name of this library.
const SOURCE: &str = "sdk-rust";
const VERSION: &str = env!("CARGO_PKG_VERSION");
const AGENT: &str = concat!("sdk-rust/", env!("CARGO_PKG_VERSION"));

/// How long the address of a log may take.
const LOG_ADDRESS_TIMEOUT: Duration = Duration::from_secs(40);

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
    #[cfg(feature = "s3")]
    pub(crate) stall_timeout: Duration,
    pub(crate) operation_timeout: Duration,
    pub(crate) max_request_body: usize,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) object_storage: Option<Arc<dyn ObjectStorage>>,
}

#[derive(Debug)]
pub(crate) enum Credentials {
    ApiKey(SecretString),
    Jwt {
        token: SecretString,
        organization: HeaderValue,
    },
    Provided {
        provider: Arc<dyn TokenProvider>,
        organization: HeaderValue,
    },
}

impl Credentials {
    /// The organization that the credentials are used for, where they do not say it themselves.
    pub(crate) fn organization(&self) -> Option<&HeaderValue> {
        match self {
            Self::ApiKey(_) => None,
            Self::Jwt { organization, .. } | Self::Provided { organization, .. } => Some(organization),
        }
    }

    async fn authorization(&self) -> Result<HeaderValue, Error> {
        match self {
            Self::ApiKey(token) | Self::Jwt { token, .. } => bearer(token),
            Self::Provided { provider, .. } => {
                let token = provider.token().await.map_err(|error| {
                    let message = format!("no token could be had: {}", with_causes(error.as_ref()));
                    Error::new(ErrorKind::Unauthorized, message).with_source(error)
                })?;
                bearer(&token)
            }
        }
    }
}

fn bearer(token: &SecretString) -> Result<HeaderValue, Error> {
    let text = format!("Bearer {}", token.expose_secret().trim());
    let mut value = HeaderValue::try_from(text)
        .map_err(|_| Error::new(ErrorKind::Unauthorized, "the token holds characters that no token has"))?;
    value.set_sensitive(true);
    Ok(value)
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

    /// The regions that the organization can use. Operation `listAvailableRegions`.
    ///
    /// # Errors
    ///
    /// The server's refusal.
    pub fn regions(&self) -> Boxed<Vec<Region>> {
        let client = self.clone();
        Box::pin(async move { client.call(&ListAvailableRegions::new()).await })
    }

    /// Whether the service is up. Sent without credentials. Operation `health`.
    ///
    /// # Errors
    ///
    /// Why it cannot be reached, or is not the API.
    pub fn health(&self) -> Boxed<HealthStatus> {
        let client = self.clone();
        Box::pin(async move { client.call(&Health::new()).await })
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
        self.call_with(operation, |_| {}).await
    }

    /// [`call`](Self::call), telling of each attempt that failed and is followed by another.
    pub(crate) async fn call_with<O: Operation>(
        &self,
        operation: &O,
        on_retry: impl Fn(&Error) + Send,
    ) -> Result<O::Output, Error> {
        let span = trace::operation(O::ID);
        let attempts = async {
            let mut budget = Budget::new();
            loop {
                let error = match self.attempt(operation, budget.spent()).await {
                    Ok(output) => return Ok(output),
                    Err(error) => error,
                };
                let may_repeat = retry::may_repeat::<O>(&error);
                let wait = if may_repeat {
                    budget.next(&error, self.clock())
                } else {
                    None
                };
                let Some(wait) = wait else {
                    return Err(error.with_attempts(budget.spent() + 1));
                };
                tracing::debug!(%error, ?wait, "trying again");
                on_retry(&error);
                self.clock().sleep(wait).await;
            }
        };
        // On the heap: it is part of every other future, several times of some.
        Box::pin(attempts.instrument(span)).await
    }

    async fn attempt<O: Operation>(&self, operation: &O, resends: u32) -> Result<O::Output, Error> {
        let settings = &self.settings;
        let url = &settings.api_url;
        let request = operation
            .to_request(url)
            .map_err(|error| Error::from(error).with_operation(O::ID))?;
        self.check_body(request.body().len())
            .map_err(|error| error.with_operation(O::ID))?;
        let answer = async {
            let response = self.exchange(O::ID, request.map(full), !O::PUBLIC, resends, url);
            read(O::ID, response.await?).await
        };
        // Until a runner is assigned the address of a log takes 30 seconds, whatever the caller's patience otherwise.
        let limit = if O::ID == GetSnapshotBuildLogsUrl::ID {
            settings.attempt_timeout.max(LOG_ADDRESS_TIMEOUT)
        } else {
            settings.attempt_timeout
        };
        let response = self.within(O::ID, limit, answer).await?;
        let (status, headers, body) = (response.status(), response.headers(), response.body());
        if !status.is_success() {
            return Err(from_answer(O::ID, url, status, headers, body));
        }
        O::decode(body).map_err(|error| {
            let content_type = headers
                .get(CONTENT_TYPE)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default();
            match error.field() {
                Some(_) => Error::new(ErrorKind::Decode, with_causes(&error))
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
        let url = request.uri().to_string();
        let response = self.exchange(operation, request, true, 0, &url);
        self.within(operation, self.settings.attempt_timeout, response).await
    }

    /// One request, in a span of its own, up to the headers of its answer.
    async fn exchange(
        &self,
        operation: &'static str,
        request: Request<RequestBody>,
        is_private: bool,
        resends: u32,
        url: &str,
    ) -> Result<Response<ResponseBody>, Error> {
        let span = trace::attempt(&request, resends);
        let exchange = async {
            let mut request = self
                .with_headers(request, is_private)
                .await
                .map_err(|error| error.with_operation(operation))?;
            trace::propagate(&span, request.headers_mut());
            let transport = &self.settings.transport;
            let response = transport
                .send(request)
                .await
                .map_err(|error| from_transport(operation, url, error))?;
            trace::answered(&span, response.status());
            Ok(response)
        };
        let answer: Result<_, Error> = exchange.instrument(span.clone()).await;
        if let Err(error) = &answer {
            trace::failed(&span, error.kind().as_str());
        }
        answer
    }

    /// Refuses a body that the service would not read.
    pub(crate) fn check_body(&self, bytes: usize) -> Result<(), Error> {
        let most = self.settings.max_request_body;
        if bytes <= most {
            return Ok(());
        }
        let message = format!(
            "the request has {bytes} bytes and the server takes {most}: shorten the Dockerfile, for example by moving long \
             commands into a script that is copied"
        );
        Err(Error::new(ErrorKind::InvalidRequest, message))
    }

    /// The answer of `future`, unless it takes longer than the limit.
    async fn within<T>(
        &self,
        operation: &'static str,
        limit: Duration,
        future: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        tokio::select! {
            // What is ready counts, even at the last moment.
            biased;
            answer = future => answer,
            () = self.clock().sleep(limit) => {
                let message = format!("{} did not answer within {limit:?}", self.settings.api_url);
                Err(Error::new(ErrorKind::Timeout, message).with_operation(operation))
            }
        }
    }

    async fn with_headers(
        &self,
        mut request: Request<RequestBody>,
        is_private: bool,
    ) -> Result<Request<RequestBody>, Error> {
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert(SOURCE_HEADER, HeaderValue::from_static(SOURCE));
        headers.insert(SDK_VERSION_HEADER, HeaderValue::from_static(VERSION));
        if is_private {
            let credentials = &self.settings.credentials;
            headers.insert(AUTHORIZATION, credentials.authorization().await?);
            if let Some(organization) = credentials.organization() {
                headers.insert(ORGANIZATION_HEADER, organization.clone());
            }
        }
        Ok(request)
    }
}

/// Reads an answer whole.
pub(crate) async fn read(operation: &'static str, response: Response<ResponseBody>) -> Result<Response<Bytes>, Error> {
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, LARGEST_ANSWER).collect().await.map_err(|error| {
        let message = format!(
            "the connection broke in the middle of the answer: {}",
            with_causes(error.as_ref())
        );
        Error::new(ErrorKind::Connection, message)
            .with_operation(operation)
            .with_source(error)
    })?;
    Ok(Response::from_parts(parts, body.to_bytes()))
}
