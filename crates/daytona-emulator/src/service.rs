//! The emulator as a `tower::Service`: API, log host and object storage at one address, faults applied.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, StreamBody};
use s3s::service::S3Service;

use crate::api::{self, Answer};
use crate::emulator::RequestRecord;
use crate::engine::Engine;
use crate::fault::{Effect, Fault};
use crate::operation::Operation;
use crate::storage::{self, BUCKET};
use crate::{BoxError, ResponseBody};

/// The emulator in process: a `tower::Service` that answers for the API, the log host and object storage. Cheap to clone.
#[derive(Clone)]
pub struct EmulatorService {
    engine: Arc<Engine>,
    storage: S3Service,
}

impl std::fmt::Debug for EmulatorService {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("EmulatorService").finish_non_exhaustive()
    }
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// A [`Fault`] broke the connection.
    #[error("the emulator broke the connection, as it was told to")]
    Disconnected,
    /// The request's body could not be read.
    #[error("the body of the request could not be read")]
    RequestBody(#[source] BoxError),
}

impl EmulatorService {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        let storage = storage::service(&engine.storage);
        Self { engine, storage }
    }

    async fn answer(self, request: Request<ResponseBody>) -> Result<Response<ResponseBody>, ServiceError> {
        let (mut parts, body) = request.into_parts();
        // On a socket the client's HTTP library has named the host; in process the address does.
        let authority = parts
            .uri
            .authority()
            .and_then(|authority| HeaderValue::try_from(authority.as_str()).ok());
        if let (false, Some(authority)) = (parts.headers.contains_key(HOST), authority) {
            parts.headers.insert(HOST, authority);
        }
        let target = Target::of(&parts);
        let operation = target.operation(&parts);
        let effects = self.engine.faults.hit(operation);
        let address = parts
            .uri
            .path_and_query()
            .map_or_else(|| parts.uri.path().to_owned(), ToString::to_string);
        let method = parts.method.clone();

        let answer = self.with_faults(operation, target, parts, body, &effects).await;
        let status = answer.as_ref().ok().map(|response| response.status().as_u16());
        tracing::info!(%operation, %method, %address, status, "answered");
        let record = RequestRecord {
            operation,
            method,
            address,
            status,
        };
        self.engine
            .requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(record);
        answer
    }

    async fn with_faults(
        &self,
        operation: Operation,
        target: Target,
        parts: Parts,
        body: ResponseBody,
        effects: &[Effect],
    ) -> Result<Response<ResponseBody>, ServiceError> {
        for effect in effects {
            match effect {
                Effect::Delay(duration) => {
                    let time = crate::clock::after(self.engine.clock.now(), *duration);
                    self.engine.clock.sleep_until(time).await;
                }
                Effect::Disconnect => return Err(ServiceError::Disconnected),
                Effect::Status {
                    status,
                    headers,
                    body: text,
                } => {
                    drain(body).await?;
                    return Ok(self.refusal(operation, &parts, *status, headers, text.as_deref()));
                }
                Effect::LoseAnswer | Effect::Truncate(_) | Effect::Stall(_) => {}
            }
        }
        let mut response = self.dispatch(target, parts, body).await?;
        for effect in effects {
            response = match effect {
                Effect::LoseAnswer => return Err(ServiceError::Disconnected),
                Effect::Truncate(bytes) => response.map(|body| cut(body, *bytes, true)),
                Effect::Stall(bytes) => response.map(|body| cut(body, *bytes, false)),
                _ => response,
            };
        }
        Ok(response)
    }

    async fn dispatch(
        &self,
        target: Target,
        parts: Parts,
        body: ResponseBody,
    ) -> Result<Response<ResponseBody>, ServiceError> {
        match target {
            Target::Api(route) => api::answer(&self.engine, &parts, route, body).await,
            Target::Log { id } => api::answer_log_host(&self.engine, &parts, &id).await,
            Target::Storage => {
                if let Some((code, message)) = storage::refuse(self.engine.storage.options(), &parts) {
                    drain(body).await?;
                    return Ok(storage_error(501, code, message));
                }
                let request = Request::from_parts(parts, s3s::Body::http_body_unsync(body));
                match self.storage.call(request).await {
                    Ok(response) => Ok(response.map(|body| body.map_err(BoxError::from).boxed_unsync())),
                    Err(error) => Ok(storage_error(500, "InternalError", &format!("{error:?}"))),
                }
            }
            Target::Elsewhere => Ok(api::elsewhere(&self.engine, &parts)),
        }
    }

    /// The answer of a fault that says a status.
    fn refusal(
        &self,
        operation: Operation,
        parts: &Parts,
        status: u16,
        headers: &[(String, String)],
        text: Option<&str>,
    ) -> Response<ResponseBody> {
        let mut response = match text {
            Some(text) => {
                let mut response = Response::new(full(text.to_owned()));
                *response.status_mut() = Fault::checked_status(status);
                response
            }
            None if operation.is_storage() => {
                let (code, message) = match status {
                    403 => ("AccessDenied", "Access Denied"),
                    404 => ("NoSuchKey", "The specified key does not exist."),
                    503 => ("SlowDown", "Please reduce your request rate."),
                    _ => ("InternalError", "We encountered an internal error. Please try again."),
                };
                storage_error(status, code, message)
            }
            None => Answer::refused(status, usual_message(status)).into_response(&self.engine, parts),
        };
        for (name, value) in headers {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
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

/// Which part of the emulator a request is for.
enum Target {
    Api(api::Route),
    Log { id: String },
    Storage,
    Elsewhere,
}

impl Target {
    fn of(parts: &Parts) -> Self {
        let path = parts.uri.path();
        if let Some(rest) = path
            .strip_prefix("/api")
            .filter(|rest| rest.is_empty() || rest.starts_with('/'))
        {
            return Self::Api(api::Route::of(&parts.method, rest));
        }
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        if let ["snapshots", id, "build-logs"] = segments.as_slice() {
            return Self::Log { id: (*id).to_owned() };
        }
        let authorization = parts
            .headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let is_signed = authorization.starts_with("AWS4-")
            || parts.uri.query().is_some_and(|query| query.contains("X-Amz-Signature"));
        if is_signed || segments.first() == Some(&BUCKET) {
            Self::Storage
        } else {
            Self::Elsewhere
        }
    }

    fn operation(&self, parts: &Parts) -> Operation {
        match self {
            Self::Api(route) => route.operation(),
            Self::Log { .. } => Operation::ReadBuildLog,
            Self::Storage => {
                Operation::of_storage(&parts.method, parts.uri.path(), parts.uri.query().unwrap_or_default())
            }
            Self::Elsewhere => Operation::Unknown,
        }
    }
}

/// The address under which the request found the emulator, as the beginning of further ones.
pub(crate) fn base_url(parts: &Parts) -> String {
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    format!("http://{}", host.unwrap_or("daytona.emulator"))
}

pub(crate) fn full(bytes: impl Into<Bytes>) -> ResponseBody {
    http_body_util::Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// Reads a body to its end: a client that is still sending would see a broken connection instead of the answer.
async fn drain(mut body: ResponseBody) -> Result<(), ServiceError> {
    while let Some(frame) = body.frame().await {
        frame.map_err(ServiceError::RequestBody)?;
    }
    Ok(())
}

fn storage_error(status: u16, code: &str, message: &str) -> Response<ResponseBody> {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    let mut response = Response::new(full(text.clone()));
    *response.status_mut() = Fault::checked_status(status);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    response
}

/// What the real server says with a status, if nothing more special applies.
fn usual_message(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Invalid credentials",
        403 => "Access denied",
        429 => "ThrottlerException: Too Many Requests",
        503 => "Service is currently under maintenance. Please try again later.",
        _ => "An unexpected error occurred.",
    }
}

/// A body that ends after some bytes: with an error, or not at all.
fn cut(body: ResponseBody, bytes: usize, breaks: bool) -> ResponseBody {
    let head = stream::unfold((body, bytes), |(mut body, left)| async move {
        if left == 0 {
            return None;
        }
        let frame = body.frame().await?;
        let (frame, left) = match frame.map(Frame::into_data) {
            Ok(Ok(mut data)) => {
                data.truncate(left);
                let left = left - data.len();
                (Ok(Frame::data(data)), left)
            }
            Ok(Err(trailers)) => (Ok(trailers), left),
            Err(error) => (Err(error), 0),
        };
        Some((frame, (body, left)))
    });
    let tail = stream::once(async move {
        if !breaks {
            std::future::pending::<()>().await;
        }
        Err(BoxError::from(ServiceError::Disconnected))
    });
    StreamBody::new(head.chain(tail)).boxed_unsync()
}
