//! The emulator as a `tower::Service`: the one way of a request, from its target over faults and handler to the record of it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONNECTION, CONTENT_LENGTH, DATE, HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;
use s3s::service::S3Service;

use super::damage::{self, Fate};
use super::target::{Target, part_number};
use super::{admin, api, log_host, object_storage, page};
use crate::state::core::Core;
use crate::state::fault::{Call, Effect};
use crate::storage;
use crate::wire::address;
use crate::wire::body::{drain, full};
use crate::wire::error::ServiceError;
use crate::wire::operation::Operation;
use crate::wire::record::RequestRecord;
use crate::wire::sender::malformed;
use crate::{BoxError, ResponseBody};

/// The emulator in process: a `tower::Service` that answers for the API, the log host and object storage. Cheap to
/// clone.
///
/// A Rust client uses it as its transport. A test can also call it directly:
///
/// ```
/// use daytona_emulator::{BoxError, Emulator};
/// use http::Request;
/// use http_body_util::Empty;
/// use tower_service::Service;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let emulator = Emulator::builder().in_process()?;
/// let request = Request::get(format!("{}/health", emulator.api_url()))
///     .body(Empty::<bytes::Bytes>::new())?;
/// let response = emulator.service().call(request).await?;
/// assert_eq!(response.status(), 200);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct EmulatorService {
    core: Arc<Core>,
    storage: S3Service,
}

impl std::fmt::Debug for EmulatorService {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("EmulatorService").finish_non_exhaustive()
    }
}

impl EmulatorService {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        let storage = storage::service(&core.storage);
        Self { core, storage }
    }

    /// The one way of a request.
    async fn answer(self, request: Request<ResponseBody>) -> Result<Response<ResponseBody>, ServiceError> {
        let (mut parts, body) = request.into_parts();
        name_host(&mut parts);
        if let Some(status) = malformed(&parts) {
            return Ok(hung_up(status));
        }
        let target = Target::of(&parts);
        let operation = target.operation(&parts);
        let effects = self.hit(&target, operation, &parts).await;
        let begin = tokio::time::Instant::now();
        let mut answer = self.carry_out(&target, operation, &parts, body, &effects).await;
        if let Ok(response) = &mut answer {
            self.finish(&target, &parts, response, &effects);
        }
        if !target.is_own() {
            let record = RequestRecord {
                operation,
                method: parts.method.clone(),
                address: address::remembered(&parts),
                status: answer.as_ref().ok().map(|response| response.status().as_u16()),
                time: self.core.clock.now(),
                took: begin.elapsed(),
            };
            tracing::info!("{record}");
            self.core.remember(record);
        }
        answer
    }

    /// What is to go wrong with a request.
    async fn hit(&self, target: &Target, operation: Operation, parts: &Parts) -> Vec<Effect> {
        if target.is_own() {
            return Vec::new();
        }
        let mut call = Call {
            operation,
            part: part_number(parts),
            is_under_way: false,
        };
        if let (Some(id), true) = (target.snapshot(), self.core.faults.ask_for_states()) {
            self.core.settle().await;
            call.is_under_way = self.core.world().is_under_way(id);
        }
        self.core.faults.hit(&call)
    }

    /// Answers, with what goes wrong. What a request has changed is kept before anybody hears of it.
    async fn carry_out(
        &self,
        target: &Target,
        operation: Operation,
        parts: &Parts,
        body: ResponseBody,
        effects: &[Effect],
    ) -> Result<Response<ResponseBody>, ServiceError> {
        let (body, twist) = match damage::to_request(&self.core, operation, parts, body, effects).await? {
            Fate::Goes(body, twist) => (body, twist),
            Fate::Ends(response) => return Ok(response),
        };
        let mut response = self.handle(target, parts, body, twist).await?;
        if let Err(error) = self.core.save().await
            && response.status().is_success()
            && !matches!(parts.method, Method::GET | Method::HEAD)
        {
            let message = format!("The emulator could not write its state: {error}");
            response = match target {
                Target::Admin => admin::failed(&message),
                _ => api::Answer::refused(500, message).into_response(&self.core, parts),
            };
        }
        damage::to_answer(&self.core, operation, parts, response, effects)
    }

    async fn handle(
        &self,
        target: &Target,
        parts: &Parts,
        body: ResponseBody,
        twist: api::Twist,
    ) -> Result<Response<ResponseBody>, ServiceError> {
        match target {
            Target::Api(route) => return api::answer(&self.core, parts, route, body, twist).await,
            Target::Storage => return object_storage::answer(&self.core, &self.storage, parts, body).await,
            Target::Admin => return admin::answer(&self.core, parts, body).await,
            Target::Log { .. } | Target::Page | Target::Preflight | Target::Elsewhere => {}
        }
        drain(body).await?;
        Ok(match target {
            Target::Log { id } => log_host::answer(&self.core, parts, id).await,
            Target::Page => page::answer(&self.core, parts).await,
            _ if parts.method == Method::OPTIONS => api::preflight(parts),
            _ => api::elsewhere(&self.core, parts),
        })
    }

    /// What every answer has in its head, and what faults change of it.
    fn finish(&self, target: &Target, parts: &Parts, response: &mut Response<ResponseBody>, effects: &[Effect]) {
        let headers = response.headers_mut();
        // Any page may read the answers of the API, as on the real server, but nothing else, and not where what is sent is run.
        let is_open = matches!(target, Target::Api(_) | Target::Preflight) && self.core.build_options.engine.is_none();
        if let Some(origin) = parts.headers.get(ORIGIN).filter(|_| is_open) {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        }
        if !headers.contains_key(DATE) {
            headers.insert(DATE, http_date(self.core.clock.now()));
        }
        if parts.method == Method::HEAD {
            without_body(response);
        }
        damage::to_headers(response.headers_mut(), effects);
    }
}

/// Leaves the head of an answer, as a server sends it to HEAD. In process nobody else does.
fn without_body(response: &mut Response<ResponseBody>) {
    let body = std::mem::replace(response.body_mut(), full(Bytes::new()));
    if let Some(size) = body.size_hint().exact() {
        response.headers_mut().entry(CONTENT_LENGTH).or_insert(size.into());
    }
}

/// On a socket the client's HTTP library has named the host; in process the address does.
fn name_host(parts: &mut Parts) {
    let authority = parts.uri.authority();
    let authority = authority.and_then(|authority| HeaderValue::try_from(authority.as_str()).ok());
    if let (false, Some(authority)) = (parts.headers.contains_key(HOST), authority) {
        parts.headers.insert(HOST, authority);
    }
}

/// The answer to what is no request, after which the connection ends.
fn hung_up(status: StatusCode) -> Response<ResponseBody> {
    let mut response = Response::new(full(Bytes::new()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// A time as HTTP writes it.
fn http_date(time: jiff::Timestamp) -> HeaderValue {
    let text = time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"))
}

impl<B> tower_service::Service<Request<B>> for EmulatorService
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<ResponseBody>;
    type Error = ServiceError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
        Box::pin(self.clone().answer(request))
    }
}
