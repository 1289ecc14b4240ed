//! The one way of a call: headers, attempts, the time limit of an attempt, and the answer.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use daytona_api::{GetSnapshotBuildLogsUrl, ORGANIZATION_HEADER, Operation, SDK_VERSION_HEADER, SOURCE_HEADER};
use daytona_context::ObjectStorage;
use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Limited};
use tracing::Instrument;

use crate::auth::Credentials;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, from_answer, from_transport, with_causes};
use crate::heard::Heard;
use crate::retry::{self, Budget};
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

/// Sends the operations of the API, with one set of settings. Cheap to clone.
///
/// What the server says about itself beside its answers (the time, how many requests are left) is remembered: by all clones of
/// a client, until [`for_one_call`](Self::for_one_call) begins anew.
#[derive(Clone)]
pub(crate) struct ApiClient {
    settings: Arc<Settings>,
    heard: Arc<Heard>,
}

/// What a client is set up with.
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

impl fmt::Debug for ApiClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ApiClient")
            .field("api_url", &self.settings.api_url)
            .finish_non_exhaustive()
    }
}

impl ApiClient {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings: Arc::new(settings),
            heard: Arc::default(),
        }
    }

    /// The same client, which has heard nothing of the server's time yet.
    pub(crate) fn for_one_call(&self) -> Self {
        Self {
            settings: Arc::clone(&self.settings),
            heard: Arc::default(),
        }
    }

    /// Base address of the API, without a slash at its end.
    pub(crate) fn api_url(&self) -> &str {
        &self.settings.api_url
    }

    /// What the server said beside its answers.
    pub(crate) fn heard(&self) -> &Heard {
        &self.heard
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.settings.clock.as_ref()
    }

    /// Carries out an operation by one request, for callers with rules of their own for what is repeated.
    pub(crate) async fn call_once<O: Operation>(&self, operation: &O) -> Result<O::Output, Error> {
        let attempt = self.attempt(operation, 0).instrument(trace::operation(O::ID));
        // On the heap: it is part of every other future, several times of some.
        Box::pin(attempt).await
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
        self.heard.note(headers);
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
