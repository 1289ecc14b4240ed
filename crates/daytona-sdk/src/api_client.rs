//! The one path for every call: headers, attempts, the time limit of an attempt, and the answer.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use daytona_api::{ORGANIZATION_HEADER, Operation, SDK_VERSION_HEADER, SOURCE_HEADER, SnapshotId};
use daytona_context::ObjectStorage;
use http::header::{AUTHORIZATION, USER_AGENT};
use http::{HeaderValue, Request, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use tracing::Instrument;

use crate::address;
use crate::auth::Credentials;
use crate::clock::Clock;
use crate::error::{Asked, Error, ErrorKind, from_answer, from_transport, is_of_the_api, undecodable};
use crate::heard::Heard;
use crate::retry::{self, Budget};
use crate::secrets::Secrets;
use crate::trace;
use crate::transport::{RequestBody, ResponseBody, Transport, full};

mod reading;

/// The name of this library, as the service sees it.
const SOURCE: &str = "sdk-rust";
const VERSION: &str = env!("CARGO_PKG_VERSION");
const AGENT: &str = concat!("sdk-rust/", env!("CARGO_PKG_VERSION"));

/// How long an answer may take if the server holds it back for the longest time that the contract allows.
const ON_ITS_WAY: Duration = Duration::from_secs(10);

/// Sends the operations of the API, with one set of settings. Cheap to clone.
///
/// It remembers what the headers of answers say about the server: its time, and how many requests are left. All clones
/// of a client share this, until [`for_one_call`](Self::for_one_call) starts anew.
#[derive(Clone)]
pub(crate) struct ApiClient {
    settings: Arc<Settings>,
    heard: Arc<Heard>,
    known: Arc<Known>,
}

/// What all calls of a client share.
#[derive(Debug, Default)]
struct Known {
    /// Whether the API has answered, so that its address is right.
    has_answered: AtomicBool,
    secrets: Secrets,
    /// The latest snapshots that the client has created or ensured.
    made: Mutex<VecDeque<(SnapshotId, Duration)>>,
}

/// How long reads may not show a change that the server has acknowledged.
pub(crate) const LAG: Duration = Duration::from_secs(30);

/// How many snapshots are remembered: more than a quota allows, and little memory.
const MOST_MADE: usize = 10_000;

/// The settings of a client.
pub(crate) struct Settings {
    /// Without a slash at its end.
    pub(crate) api_url: String,
    pub(crate) credentials: Credentials,
    /// Other secrets that must not appear in a message, such as the password of a proxy.
    pub(crate) secrets: Vec<SecretString>,
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
        let known = Known::default();
        for secret in settings.credentials.secret().into_iter().chain(&settings.secrets) {
            known.secrets.know(secret.expose_secret());
        }
        Self {
            settings: Arc::new(settings),
            heard: Arc::default(),
            known: Arc::new(known),
        }
    }

    /// The same client, without what it has learnt about the server's time.
    pub(crate) fn for_one_call(&self) -> Self {
        Self {
            settings: Arc::clone(&self.settings),
            heard: Arc::default(),
            known: Arc::clone(&self.known),
        }
    }

    /// Base address of the API, without a slash at its end.
    pub(crate) fn api_url(&self) -> &str {
        &self.settings.api_url
    }

    /// Remembers that this client, or a clone of it, has created or ensured a snapshot.
    pub(crate) fn remember_made(&self, id: &SnapshotId) {
        let now = self.clock().now();
        let mut made = self.known.made.lock().unwrap_or_else(PoisonError::into_inner);
        if made.len() == MOST_MADE {
            made.pop_front();
        }
        made.push_back((id.clone(), now));
    }

    /// Whether this client has created or ensured the snapshot.
    pub(crate) fn has_made(&self, id: &SnapshotId) -> bool {
        self.made_at(id).is_some()
    }

    /// Whether that was so recent that reads may not show it yet.
    pub(crate) fn has_just_made(&self, id: &SnapshotId) -> bool {
        let now = self.clock().now();
        self.made_at(id).is_some_and(|at| now.saturating_sub(at) <= LAG)
    }

    fn made_at(&self, id: &SnapshotId) -> Option<Duration> {
        let made = self.known.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.iter().find(|(made, _)| made == id).map(|(_, at)| *at)
    }

    /// What the headers of answers said.
    pub(crate) fn heard(&self) -> &Heard {
        &self.heard
    }

    /// The server's time at its last answer, or this machine's time if the server has told none.
    pub(crate) fn timestamp(&self) -> jiff::Timestamp {
        self.heard.date().unwrap_or_else(|| self.clock().timestamp())
    }

    /// Secrets that are removed from text of others.
    pub(crate) fn secrets(&self) -> &Secrets {
        &self.known.secrets
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.settings.clock.as_ref()
    }

    /// Carries out an operation with one request, for callers that have their own rules for repeating it. `resends` is
    /// how often they have sent it before.
    pub(crate) async fn call_once<O: Operation>(&self, operation: &O, resends: u32) -> Result<O::Output, Error> {
        let attempt = self.attempt(operation, resends).instrument(trace::operation(O::ID));
        // On the heap: it is part of every other future, several times of some.
        Box::pin(attempt).await
    }

    /// Carries out an operation. Repeats it where that does no harm, until it succeeds or no attempts are left.
    pub(crate) async fn call<O: Operation>(&self, operation: &O) -> Result<O::Output, Error> {
        self.call_with(operation, |_| {}).await
    }

    /// Like [`call`](Self::call), and reports each failed attempt that is followed by another.
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
        let request = operation
            .to_request(&settings.api_url)
            .map_err(|error| Error::from(error).with_operation(O::ID))?;
        self.check_body(request.body().len())
            .map_err(|error| error.with_operation(O::ID))?;
        let asked = Asked {
            permissions: O::PERMISSIONS,
            body: request.body().len(),
            ..self.asked(O::ID, &settings.api_url)
        };
        let least = O::ANSWERS_WITHIN.map_or(Duration::ZERO, |held_back| held_back + ON_ITS_WAY);
        let limit = settings.attempt_timeout.max(least);
        let answer = self.exchange(&asked, request.map(full), !O::PUBLIC, resends);
        let response = self
            .within(&asked, limit.saturating_add(on_the_line(asked.body)), answer)
            .await?;
        let response = self.read(&asked, response).await?;
        let (status, headers, body) = (response.status(), response.headers(), response.body());
        if !status.is_success() {
            let error = from_answer(&asked, status, headers, body);
            if is_of_the_api(&error, status, body) {
                self.known.has_answered.store(true, Ordering::Relaxed);
                self.heard.note(headers);
            }
            return Err(error);
        }
        let output = O::decode(body).map_err(|error| undecodable(&asked, status, headers, error))?;
        if !body.is_empty() {
            self.known.has_answered.store(true, Ordering::Relaxed);
        }
        self.heard.note(headers);
        Ok(output)
    }

    /// What decodes the answers of this address.
    fn asked<'a>(&'a self, operation: &'static str, address: &'a str) -> Asked<'a> {
        Asked {
            operation,
            permissions: &[],
            address,
            body: 0,
            by_key: matches!(self.settings.credentials, Credentials::ApiKey(_)),
            has_answered: self.known.has_answered.load(Ordering::Relaxed),
            secrets: &self.known.secrets,
        }
    }

    /// Sends a request unchanged except for its headers, and leaves the body of a success to the caller.
    ///
    /// # Errors
    ///
    /// Decodes any other answer.
    pub(crate) async fn send(
        &self,
        operation: &'static str,
        request: Request<RequestBody>,
    ) -> Result<Response<ResponseBody>, Error> {
        let address = address::shown(&request.uri().to_string());
        let asked = self.asked(operation, &address);
        let answer = async {
            let answer = self.exchange(&asked, request, true, 0);
            let response = self.within(&asked, self.settings.attempt_timeout, answer).await?;
            if response.status() == StatusCode::OK {
                return Ok(response);
            }
            let refusal = self.read(&asked, response).await?;
            Err(from_answer(&asked, refusal.status(), refusal.headers(), refusal.body()))
        };
        // On the heap, as it is part of every other future.
        Box::pin(answer).await
    }

    /// Sends one request, in a span of its own, and returns when the headers of the answer are there.
    async fn exchange(
        &self,
        asked: &Asked<'_>,
        request: Request<RequestBody>,
        is_private: bool,
        resends: u32,
    ) -> Result<Response<ResponseBody>, Error> {
        let span = trace::attempt(&request, resends);
        let exchange = async {
            let mut request = self
                .with_headers(request, is_private)
                .await
                .map_err(|error| error.with_operation(asked.operation))?;
            *request.uri_mut() = address::without_userinfo(std::mem::take(request.uri_mut()));
            trace::propagate(&span, request.headers_mut());
            let transport = &self.settings.transport;
            let response = transport
                .send(request)
                .await
                .map_err(|error| from_transport(asked, error))?;
            trace::answered(&span, response.status());
            Ok(response)
        };
        let answer: Result<_, Error> = exchange.instrument(span.clone()).await;
        if let Err(error) = &answer {
            trace::failed(&span, error.kind().as_str());
        }
        answer
    }

    /// Refuses a body that is too large for the service.
    pub(crate) fn check_body(&self, bytes: usize) -> Result<(), Error> {
        let most = self.settings.max_request_body;
        if bytes <= most {
            return Ok(());
        }
        let message = format!(
            "the request has {bytes} bytes, but the server accepts {most}: shorten the Dockerfile, for example by moving long \
             commands into a script that is copied"
        );
        Err(Error::new(ErrorKind::InvalidRequest, message))
    }

    /// The answer of `future`, unless it takes longer than the limit.
    async fn within<T>(
        &self,
        asked: &Asked<'_>,
        limit: Duration,
        future: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        tokio::select! {
            // A result that is ready counts, even at the last moment.
            biased;
            answer = future => answer,
            () = self.clock().sleep(limit) => {
                Err(timed_out(asked, limit))
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
            headers.insert(AUTHORIZATION, credentials.authorization(&self.known.secrets).await?);
            if let Some(organization) = credentials.organization() {
                headers.insert(ORGANIZATION_HEADER, organization.clone());
            }
        }
        Ok(request)
    }
}

/// How long this many bytes take on the slowest line that we accept.
fn on_the_line(bytes: usize) -> Duration {
    const BYTES_PER_SECOND: u64 = 1024;
    Duration::from_secs(bytes as u64 / BYTES_PER_SECOND)
}

fn timed_out(asked: &Asked<'_>, limit: Duration) -> Error {
    let message = format!("{} did not answer within {limit:?}", asked.address);
    Error::new(ErrorKind::Timeout, message).with_operation(asked.operation)
}
