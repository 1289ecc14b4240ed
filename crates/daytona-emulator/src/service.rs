//! The emulator as a `tower::Service`: API, log host, object storage and status page at one address, faults applied.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCESS_CONTROL_ALLOW_ORIGIN, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, HOST, ORIGIN,
    TRANSFER_ENCODING,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;
use percent_encoding::percent_decode_str;
use s3s::service::S3Service;

use crate::api::{self, Answer, Twist};
pub(crate) use crate::body::full;
use crate::body::{cut, drain, read_some, share, throttle};
use crate::emulator::RequestRecord;
use crate::engine::Engine;
use crate::fault::{Call, Effect, StatusAnswer, checked_status};
use crate::operation::Operation;
use crate::sender::{is_from_elsewhere, malformed};
use crate::storage::{self, BUCKET, Refusal};
use crate::{BoxError, ResponseBody, admin, gateway, page};

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
    /// A [`Fault`](crate::Fault) broke the connection.
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
        if let Some(status) = malformed(&parts) {
            let mut response = Response::new(full(Bytes::new()));
            *response.status_mut() = status;
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
            return Ok(response);
        }
        let target = Target::of(&parts);
        let origin = self.allowed_origin(&target, &parts);
        match target {
            Target::Admin if is_from_elsewhere(&parts) => {
                drain(body).await?;
                let mut response = Response::new(full(
                    "{\"error\": \"the admin routes are not for pages of other sites\"}\n",
                ));
                *response.status_mut() = StatusCode::FORBIDDEN;
                self.finish(&mut response, &[]);
                return Ok(response);
            }
            Target::Admin => {
                let mut response = admin::answer(&self.engine, &parts, body).await?;
                self.finish(&mut response, &[]);
                return Ok(response);
            }
            Target::Page => {
                drain(body).await?;
                let mut response = page::answer(&self.engine, &parts).await;
                self.finish(&mut response, &[]);
                return Ok(response);
            }
            _ => {}
        }
        if let (&Method::OPTIONS, Target::Api(_) | Target::Elsewhere) = (&parts.method, &target) {
            drain(body).await?;
            let mut response = api::options(&parts);
            self.finish(&mut response, &[]);
            allow(&mut response, origin);
            return Ok(response);
        }
        let operation = target.operation(&parts);
        let effects = self.hit(operation, &target, &parts).await;
        let address = parts
            .uri
            .path_and_query()
            .map_or_else(|| parts.uri.path().to_owned(), ToString::to_string);
        let address = without_secrets(address);
        let method = parts.method.clone();
        let begin = tokio::time::Instant::now();

        let head = parts.clone();
        let mut answer = self.with_faults(operation, target, parts, body, &effects).await;
        if let (Err(error), Ok(response)) = (self.engine.save().await, &mut answer)
            && response.status().is_success()
            && !matches!(method, Method::GET | Method::HEAD)
        {
            let message = format!("The emulator could not write its state: {error}");
            *response = Answer::refused(500, message).into_response(&self.engine, &head);
        }
        if let Ok(response) = &mut answer {
            allow(response, origin);
            self.finish(response, &effects);
        }
        let status = answer.as_ref().ok().map(|response| response.status().as_u16());
        let record = RequestRecord {
            operation,
            method,
            address,
            status,
            time: self.engine.clock.now(),
            took: begin.elapsed(),
        };
        tracing::info!("{record}");
        self.engine.remember(record);
        answer
    }

    /// The origin whose pages may read the answer: any, as on the real server, but only of the API, and not where what is sent is
    /// run.
    fn allowed_origin(&self, target: &Target, parts: &Parts) -> Option<HeaderValue> {
        let is_open = matches!(target, Target::Api(_)) && self.engine.build_options.engine.is_none();
        parts.headers.get(ORIGIN).filter(|_| is_open).cloned()
    }

    /// What is to go wrong with a request.
    async fn hit(&self, operation: Operation, target: &Target, parts: &Parts) -> Vec<Effect> {
        let mut call = Call {
            operation,
            part: part_number(parts),
            is_under_way: false,
        };
        if let (Target::Api(route), true) = (target, self.engine.faults.ask_for_states()) {
            self.engine.settle().await;
            let world = self.engine.world();
            call.is_under_way = route.snapshot().is_some_and(|id| world.is_under_way(id));
        }
        self.engine.faults.hit(&call)
    }

    /// What every answer has in its head, and what faults change of it.
    fn finish(&self, response: &mut Response<ResponseBody>, effects: &[Effect]) {
        let headers = response.headers_mut();
        if !headers.contains_key(DATE) {
            headers.insert(DATE, http_date(self.engine.clock.now()));
        }
        for effect in effects {
            match effect {
                Effect::WithHeader { name, value } => insert(headers, name, value),
                Effect::WithoutHeader(name) => drop(headers.remove(name.as_str())),
                _ => {}
            }
        }
    }

    async fn with_faults(
        &self,
        operation: Operation,
        target: Target,
        parts: Parts,
        mut body: ResponseBody,
        effects: &[Effect],
    ) -> Result<Response<ResponseBody>, ServiceError> {
        let mut twist = Twist::None;
        for effect in effects {
            match effect {
                Effect::Delay(duration) => self.wait(*duration).await,
                Effect::Disconnect => return Err(ServiceError::Disconnected),
                Effect::Status(answer) if !answer.carried_out => {
                    drain(body).await?;
                    return Ok(self.refusal(operation, &parts, answer));
                }
                Effect::GatewayPage(answer) if !answer.carried_out => {
                    drain(body).await?;
                    return Ok(with_headers(gateway::page(answer), answer));
                }
                Effect::Ignore => twist = Twist::Ignored,
                Effect::Undo => twist = Twist::Undone,
                Effect::ResetUpload(bytes) => {
                    drop(read_some(body, *bytes).await?);
                    return Err(ServiceError::Disconnected);
                }
                Effect::StallUpload(bytes) => {
                    // Kept, so that the connection stays open, until the client gives up.
                    let _kept = read_some(body, *bytes).await?;
                    return std::future::pending().await;
                }
                Effect::ThrottleUpload(rate) => body = throttle(body, *rate, &self.engine.clock),
                Effect::Status(_)
                | Effect::GatewayPage(_)
                | Effect::WithHeader { .. }
                | Effect::WithoutHeader(_)
                | Effect::LoseAnswer
                | Effect::Malformed
                | Effect::Truncate(_)
                | Effect::Stall(_) => {}
            }
        }
        // Only an answer in place of the real one needs to know what was asked once it is done.
        let asked = effects
            .iter()
            .any(|effect| matches!(effect, Effect::Status(_)))
            .then(|| parts.clone());
        let mut response = self.dispatch(target, parts, body, twist).await?;
        for effect in effects {
            response = match effect {
                Effect::LoseAnswer => return Err(ServiceError::Disconnected),
                Effect::GatewayPage(answer) => with_headers(gateway::page(answer), answer),
                Effect::Status(answer) => match &asked {
                    Some(parts) => self.refusal(operation, parts, answer),
                    None => response,
                },
                Effect::Malformed => {
                    let garbage: &[u8] = b"{\"id\": \"\xff\x00<";
                    response
                        .headers_mut()
                        .insert(CONTENT_LENGTH, HeaderValue::from(garbage.len()));
                    response.map(|_| full(garbage))
                }
                Effect::Truncate(bytes) => response.map(|body| cut(body, *bytes, true)),
                Effect::Stall(bytes) => response.map(|body| cut(body, *bytes, false)),
                _ => response,
            };
        }
        Ok(response)
    }

    async fn wait(&self, duration: Duration) {
        let time = crate::clock::after(self.engine.clock.now(), duration);
        self.engine.clock.sleep_until(time).await;
    }

    async fn dispatch(
        &self,
        target: Target,
        parts: Parts,
        body: ResponseBody,
        twist: Twist,
    ) -> Result<Response<ResponseBody>, ServiceError> {
        match target {
            Target::Api(route) => api::answer(&self.engine, &parts, route, body, twist).await,
            Target::Log { id } => api::answer_log_host(&self.engine, &parts, &id).await,
            Target::Storage => {
                let count = &self.engine.storage_requests;
                if let Some(refusal) = storage::refuse(self.engine.storage.options(), &parts, count) {
                    drain(body).await?;
                    return Ok(storage_error(&refusal));
                }
                let (body, rest) = share(body);
                let request = Request::from_parts(parts, s3s::Body::http_body_unsync(body));
                let answer = self.storage.call(request).await;
                // What is refused before it is read: s3s looks at signatures first.
                if answer.as_ref().is_ok_and(|response| !response.status().is_success()) {
                    rest.drain().await;
                }
                match answer {
                    Ok(response) => Ok(response.map(|body| body.map_err(BoxError::from).boxed_unsync())),
                    Err(error) => Ok(storage_error(&Refusal::new(500, "InternalError", format!("{error:?}")))),
                }
            }
            Target::Elsewhere | Target::Admin | Target::Page => {
                drain(body).await?;
                Ok(api::elsewhere(&self.engine, &parts))
            }
        }
    }

    /// The answer of a fault that says a status.
    fn refusal(&self, operation: Operation, parts: &Parts, answer: &StatusAnswer) -> Response<ResponseBody> {
        let status = answer.status;
        let response = match &answer.body {
            Some(text) => {
                let mut response = Response::new(full(text.clone()));
                *response.status_mut() = checked_status(status);
                response
            }
            None if operation.is_storage() => {
                let (code, message) = match status {
                    403 => ("AccessDenied", "Access Denied"),
                    404 => ("NoSuchKey", "The specified key does not exist."),
                    503 => ("SlowDown", "Please reduce your request rate."),
                    _ => ("InternalError", "We encountered an internal error. Please try again."),
                };
                storage_error(&Refusal::new(
                    status,
                    code,
                    answer.message.as_deref().unwrap_or(message),
                ))
            }
            None => {
                let message = answer.message.as_deref().unwrap_or(usual_message(status));
                if operation == Operation::ReadBuildLog {
                    api::refuse_log(&self.engine, parts, checked_status(status), message)
                } else {
                    Answer::refused(status, message).into_response(&self.engine, parts)
                }
            }
        };
        with_headers(response, answer)
    }
}

fn allow(response: &mut Response<ResponseBody>, origin: Option<HeaderValue>) {
    if let Some(origin) = origin {
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
}

/// Adds the headers that a fault asks for.
fn with_headers(mut response: Response<ResponseBody>, answer: &StatusAnswer) -> Response<ResponseBody> {
    for (name, value) in &answer.headers {
        insert(response.headers_mut(), name, value);
    }
    response
}

/// Sets a header, unless it cannot be one, or says how the answer is framed: that follows from the answer.
fn insert(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>())
        && ![CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION].contains(&name)
    {
        headers.insert(name, value);
    }
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

/// Which part of the emulator a request is for.
enum Target {
    Api(api::Route),
    Log { id: String },
    Storage,
    Admin,
    Page,
    Elsewhere,
}

impl Target {
    fn of(parts: &Parts) -> Self {
        let path = parts.uri.path();
        let (start, rest) = path.split_at_checked(4).unwrap_or((path, ""));
        if start.eq_ignore_ascii_case("/api") && (rest.is_empty() || rest.starts_with('/')) {
            return Self::Api(api::Route::of(&parts.method, rest));
        }
        if path.starts_with(admin::PREFIX) {
            return Self::Admin;
        }
        // A browser gets the page; anybody else what the real server answers.
        let wants_html = parts
            .headers
            .get(ACCEPT)
            .and_then(|accept| accept.to_str().ok())
            .is_some_and(|accept| accept.contains("text/html"));
        let is_read = matches!(parts.method, Method::GET | Method::HEAD);
        if is_read && (path.starts_with(page::PREFIX) || path == "/" && wants_html) {
            return Self::Page;
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
            Self::Admin | Self::Page | Self::Elsewhere => Operation::Unknown,
        }
    }
}

/// Longest address that is remembered and shown, in bytes.
const LONGEST_ADDRESS: usize = 2_048;

/// An address to remember: cut where it is long, and without what would let others act in the client's name.
fn without_secrets(address: String) -> String {
    let secret = [
        "x-amz-security-token",
        "x-amz-signature",
        "x-amz-credential",
        "access_token",
    ];
    let mut shown = match address.split_once('?') {
        None => address,
        Some((path, query)) => {
            let pairs = query.split('&').map(|pair| match pair.split_once('=') {
                Some((name, _)) if secret.contains(&name.to_ascii_lowercase().as_str()) => format!("{name}=…"),
                _ => pair.to_owned(),
            });
            format!("{path}?{}", pairs.collect::<Vec<_>>().join("&"))
        }
    };
    if shown.len() > LONGEST_ADDRESS {
        let end = shown.floor_char_boundary(LONGEST_ADDRESS);
        shown.truncate(end);
        shown.push('…');
    }
    shown
}

/// The number of the part that a request puts.
fn part_number(parts: &Parts) -> Option<u32> {
    let query = parts.uri.query()?;
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| *name == "partNumber")?.1.parse().ok()
}

/// The address under which the request found the emulator, as the beginning of further ones. On its own socket that is http; who
/// serves it otherwise, behind TLS say, names the scheme in the request's URI.
pub(crate) fn base_url(parts: &Parts) -> String {
    let scheme = parts.uri.scheme_str().unwrap_or("http");
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    format!("{scheme}://{}", host.unwrap_or("daytona.emulator"))
}

fn storage_error(refusal: &Refusal) -> Response<ResponseBody> {
    let region = refusal.region.as_deref();
    let named = region
        .map(|region| format!("<Region>{region}</Region>"))
        .unwrap_or_default();
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message>{named}</Error>",
        refusal.code, refusal.message
    );
    let mut response = Response::new(full(text.clone()));
    *response.status_mut() = checked_status(refusal.status);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    if let Some(region) = region.and_then(|region| HeaderValue::try_from(region).ok()) {
        headers.insert("x-amz-bucket-region", region);
    }
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

/// The segments of a path below a prefix, decoded.
pub(crate) fn segments_below(prefix: &str, path: &str) -> Vec<String> {
    path.strip_prefix(prefix)
        .unwrap_or_default()
        .trim_matches('/')
        .split('/')
        .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
        .collect()
}
