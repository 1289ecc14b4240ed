//! The HTTP API: its routes, and the form of its answers.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_REQUEST_HEADERS, CACHE_CONTROL,
    CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION,
};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::json;

use crate::ResponseBody;
use crate::account::Permission;
use crate::engine::Engine;
use crate::fault::checked_status;
use crate::limit::LimitHeaders;
use crate::operation::Operation;
use crate::service::{ServiceError, base_url, full};

mod auth;
mod body;
mod create;
mod image_name;
mod keys;
mod list;
mod logs;
mod other;
mod snapshots;

pub(crate) use logs::{answer_log_host, follow_log, refuse_log};

/// Version that the answers claim.
pub(crate) const VERSION: &str = "0.190.0";
const VERSION_HEADER: &str = "X-Daytona-Api-Version";

/// What a fault makes of a deletion, an activation or a deactivation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Twist {
    None,
    /// Answered, and not done.
    Ignored,
    /// Done, and undone some time later.
    Undone,
}

/// What a request to the API asks for.
#[derive(Debug)]
pub(crate) enum Route {
    Operation(Operation, String),
    /// A null byte in the path, at which the server fails.
    Broken,
    /// `..`, which the server redirects.
    Parent,
    Unknown,
}

impl Route {
    /// The route of a path below `/api`.
    pub(crate) fn of(method: &Method, path: &str) -> Self {
        if has_broken_escape(path) {
            return Self::Unknown;
        }
        let trimmed = path.strip_prefix('/').unwrap_or(path);
        let trimmed = trimmed.strip_suffix('/').unwrap_or(trimmed);
        let decode = |segment: &str| percent_decode_str(segment).decode_utf8_lossy().into_owned();
        let given: Vec<&str> = trimmed.split('/').collect();
        // In what is no id or name, case does not matter.
        let lower: Vec<String> = given.iter().map(|segment| segment.to_ascii_lowercase()).collect();
        let mut segments: Vec<&str> = lower.iter().map(String::as_str).collect();
        let second = given.get(1).copied();
        if let (Some(given), Some(second)) = (second, segments.get_mut(1))
            && *second != "current"
            && *second != "push-access"
        {
            *second = given;
        }
        // HEAD is GET without a body.
        let method = if *method == Method::HEAD { &Method::GET } else { method };
        let (operation, id) = match (method.as_str(), segments.as_slice()) {
            ("POST", ["snapshots"]) => (Operation::CreateSnapshot, ""),
            ("GET", ["snapshots"]) => (Operation::GetAllSnapshots, ""),
            ("GET", ["snapshots", id]) => (Operation::GetSnapshot, *id),
            ("DELETE", ["snapshots", id]) => (Operation::RemoveSnapshot, *id),
            ("POST", ["snapshots", id, "activate"]) => (Operation::ActivateSnapshot, *id),
            ("POST", ["snapshots", id, "deactivate"]) => (Operation::DeactivateSnapshot, *id),
            ("GET", ["snapshots", id, "build-logs-url"]) => (Operation::GetSnapshotBuildLogsUrl, *id),
            ("GET", ["snapshots", id, "build-logs"]) => (Operation::GetSnapshotBuildLogs, *id),
            ("GET", ["object-storage", "push-access"]) => (Operation::GetPushAccess, ""),
            ("GET", ["regions"]) => (Operation::ListAvailableRegions, ""),
            ("GET", ["regions", id]) => (Operation::GetRegionById, *id),
            ("GET", ["shared-regions"]) => (Operation::ListSharedRegions, ""),
            ("GET", ["health"]) => (Operation::Health, ""),
            ("GET", ["config"]) => (Operation::GetConfig, ""),
            ("GET", ["api-keys", "current"]) => (Operation::GetCurrentApiKey, ""),
            ("GET", ["api-keys"]) => (Operation::ListApiKeys, ""),
            ("POST", ["api-keys"]) => (Operation::CreateApiKey, ""),
            ("GET", ["api-keys", name]) => (Operation::GetApiKey, *name),
            ("DELETE", ["api-keys", name]) => (Operation::DeleteApiKey, *name),
            ("GET", ["organizations"]) => (Operation::ListOrganizations, ""),
            ("GET", ["organizations", id, "usage"]) => (Operation::GetOrganizationUsage, *id),
            _ => return Self::Unknown,
        };
        match decode(id).as_str() {
            ".." | "." => Self::Parent,
            id if id.contains('\0') => Self::Broken,
            id => Self::Operation(operation, id.to_owned()),
        }
    }

    /// The id or name of the snapshot that it is about.
    pub(crate) fn snapshot(&self) -> Option<&str> {
        use Operation::{
            ActivateSnapshot, DeactivateSnapshot, GetSnapshot, GetSnapshotBuildLogs, GetSnapshotBuildLogsUrl,
            RemoveSnapshot,
        };
        match self {
            Self::Operation(
                ActivateSnapshot
                | DeactivateSnapshot
                | GetSnapshot
                | GetSnapshotBuildLogs
                | GetSnapshotBuildLogsUrl
                | RemoveSnapshot,
                id,
            ) => Some(id),
            _ => None,
        }
    }

    pub(crate) fn operation(&self) -> Operation {
        match self {
            Self::Operation(operation, _) => *operation,
            Self::Broken | Self::Parent | Self::Unknown => Operation::Unknown,
        }
    }
}

fn has_broken_escape(path: &str) -> bool {
    path.split('%').skip(1).any(|rest| {
        let digits = rest.as_bytes();
        !(digits.len() >= 2 && digits[0].is_ascii_hexdigit() && digits[1].is_ascii_hexdigit())
    })
}

/// What the API answers, before it is put into HTTP.
pub(crate) enum Answer {
    Json(String),
    /// 201.
    Created(String),
    /// 200 without a body.
    Empty,
    /// 204.
    NoContent,
    Text(ResponseBody),
    /// A status and a message, in the envelope.
    Refused(StatusCode, String),
    /// Refused by the body parser, before there is an envelope.
    InvalidJson,
}

/// The envelope of a refusal, in the server's order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    path: &'a str,
    timestamp: String,
    status_code: u16,
    error: &'a str,
    message: &'a str,
}

impl Answer {
    pub(crate) fn json(value: &impl Serialize) -> Self {
        Self::Json(serde_json::to_string(value).expect("answers have string keys"))
    }

    pub(crate) fn created(value: &impl Serialize) -> Self {
        Self::Created(serde_json::to_string(value).expect("answers have string keys"))
    }

    pub(crate) fn refused(status: u16, message: impl Into<String>) -> Self {
        Self::Refused(checked_status(status), message.into())
    }

    pub(crate) fn unexpected() -> Self {
        Self::refused(500, "An unexpected error occurred.")
    }

    pub(crate) fn into_response(self, engine: &Engine, parts: &Parts) -> Response<ResponseBody> {
        match self {
            Self::Json(text) => json_response(StatusCode::OK, text, parts),
            Self::Created(text) => json_response(StatusCode::CREATED, text, parts),
            Self::Empty => response(StatusCode::OK, full(Bytes::new()), Some(0)),
            Self::NoContent => response(StatusCode::NO_CONTENT, full(Bytes::new()), None),
            Self::Text(body) => {
                let mut response = response(StatusCode::OK, body, None);
                response
                    .headers_mut()
                    .insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
                response
            }
            Self::Refused(status, message) => {
                let path = parts.uri.path_and_query().map(ToString::to_string);
                let envelope = Envelope {
                    path: path.as_deref().unwrap_or_default(),
                    timestamp: time(engine.clock.now()),
                    status_code: status.as_u16(),
                    error: status.canonical_reason().unwrap_or_default(),
                    message: &message,
                };
                let text = serde_json::to_string(&envelope).expect("made of texts and numbers");
                json_response(status, text, parts)
            }
            Self::InvalidJson => {
                let text = r#"{"message":"Invalid JSON in request body","error":"Bad Request","statusCode":400}"#;
                json_response(StatusCode::BAD_REQUEST, text.to_owned(), parts)
            }
        }
    }
}

/// A result whose error is the answer.
pub(crate) type Handled = Result<Answer, Answer>;

/// Answers a request to the API.
pub(crate) async fn answer(
    engine: &Arc<Engine>,
    parts: &Parts,
    route: Route,
    body: ResponseBody,
    twist: Twist,
) -> Result<Response<ResponseBody>, ServiceError> {
    let body = body::read(parts, body).await?;
    engine.settle().await;
    let token = body
        .as_ref()
        .ok()
        .and_then(|fields| fields.get(auth::TOKEN_FIELD)?.as_str());
    let with_token = token.map(|token| {
        let mut parts = parts.clone();
        parts.extensions.insert(auth::TokenInBody(token.to_owned()));
        parts
    });
    let parts = with_token.as_ref().unwrap_or(parts);
    let mut limits = LimitHeaders::new();
    // What the body's parser or the path's refuses is answered before there is a version to tell.
    let is_before_routing = body.is_err() || has_broken_escape(parts.uri.path());
    let handled = match route {
        _ if engine.world().is_under_maintenance && route.operation() != Operation::Health => Err(Answer::refused(
            503,
            "Service is currently under maintenance. Please try again later.",
        )),
        Route::Operation(operation, id) => handle(engine, parts, (operation, &id), body, twist, &mut limits).await,
        Route::Broken => Err(Answer::unexpected()),
        Route::Parent => return Ok(moved(parts)),
        Route::Unknown => Err(no_route(parts)),
    };
    engine.announce();
    let mut response = handled.unwrap_or_else(|refusal| refusal).into_response(engine, parts);
    if is_before_routing {
        response.headers_mut().remove(VERSION_HEADER);
    }
    response.headers_mut().extend(limits);
    Ok(response)
}

async fn handle(
    engine: &Arc<Engine>,
    parts: &Parts,
    (operation, id): (Operation, &str),
    body: body::Read,
    twist: Twist,
    limits: &mut LimitHeaders,
) -> Handled {
    // The body parser comes before everything, and knows no routes.
    let body = body.map_err(|problem| problem.into_answer(parts))?;
    match operation {
        Operation::Health => return Ok(Answer::json(&json!({"status": "ok"}))),
        Operation::ListSharedRegions => return Ok(other::shared_regions(engine)),
        Operation::GetConfig => return Ok(other::config(&base_url(parts))),
        Operation::ListOrganizations => return Ok(other::organizations(engine, &auth::user(engine, parts, limits)?)),
        Operation::GetOrganizationUsage => return other::usage(engine, &auth::user(engine, parts, limits)?, id),
        Operation::GetCurrentApiKey => return keys::current(engine, parts, limits),
        Operation::ListApiKeys => return keys::list(engine, parts, limits),
        Operation::GetApiKey => return keys::get(engine, parts, id, limits),
        Operation::CreateApiKey => return keys::create(engine, parts, &body, limits),
        Operation::DeleteApiKey => return keys::delete(engine, parts, id, limits),
        _ => {}
    }
    let caller = auth::caller(engine, parts, limits)?;
    if let Some(permissions) = needed(operation)
        && !permissions.iter().any(|permission| caller.may(*permission))
    {
        return Err(Answer::refused(403, "Access denied"));
    }
    match operation {
        Operation::CreateSnapshot => create::create(engine, &caller, &body).await,
        Operation::GetAllSnapshots => list::list(engine, &caller, parts.uri.query().unwrap_or_default()),
        Operation::GetSnapshot => snapshots::get(engine, &caller, id),
        Operation::RemoveSnapshot => snapshots::remove(engine, &caller, id, twist),
        Operation::ActivateSnapshot => snapshots::activate(engine, &caller, id, twist),
        Operation::DeactivateSnapshot => snapshots::deactivate(engine, &caller, id, twist),
        Operation::GetSnapshotBuildLogsUrl => logs::address(engine, parts, &caller, id).await,
        Operation::GetSnapshotBuildLogs => logs::relay(engine, parts, &caller, id),
        Operation::GetPushAccess => Ok(Answer::json(
            &engine.storage.issue(&caller.organization, &base_url(parts)),
        )),
        Operation::ListAvailableRegions => Ok(other::regions(engine, &caller)),
        Operation::GetRegionById => other::region(engine, &caller, id),
        _ => Err(no_route(parts)),
    }
}

/// The permissions one of which an operation needs.
fn needed(operation: Operation) -> Option<&'static [Permission]> {
    match operation {
        Operation::CreateSnapshot | Operation::ActivateSnapshot | Operation::DeactivateSnapshot => {
            Some(&[Permission::WriteSnapshots])
        }
        Operation::RemoveSnapshot => Some(&[Permission::DeleteSnapshots]),
        Operation::GetPushAccess => Some(&[Permission::WriteSnapshots, Permission::WriteSandboxes]),
        _ => None,
    }
}

/// What a browser asks before it sends a request to another origin: anything may be sent.
pub(crate) fn options(parts: &Parts) -> Response<ResponseBody> {
    let mut response = response(StatusCode::NO_CONTENT, full(Bytes::new()), Some(0));
    let headers = response.headers_mut();
    headers.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET,HEAD,PUT,PATCH,POST,DELETE"),
    );
    headers.insert(
        "Vary",
        HeaderValue::from_static("Origin, Access-Control-Request-Headers"),
    );
    if let Some(wanted) = parts.headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    response
}

/// What is neither API nor log host nor storage.
pub(crate) fn elsewhere(engine: &Engine, parts: &Parts) -> Response<ResponseBody> {
    if parts.uri.path() != "/" {
        return Answer::unexpected().into_response(engine, parts);
    }
    let text = "Found. Redirecting to /dashboard/";
    let mut response = response(StatusCode::FOUND, full(text), Some(text.len()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(LOCATION, HeaderValue::from_static("/dashboard/"));
    response
}

fn no_route(parts: &Parts) -> Answer {
    let address = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    Answer::refused(404, format!("Cannot {} {address}", parts.method))
}

/// `..` is a directory for the server's static files.
fn moved(parts: &Parts) -> Response<ResponseBody> {
    let to = format!("{}/", parts.uri.path());
    let text = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Redirecting</title>\n</head>\n<body>\n<pre>Redirecting to {to}</pre>\n</body>\n</html>\n"
    );
    let length = text.len();
    let mut response = response(StatusCode::MOVED_PERMANENTLY, full(text), Some(length));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=UTF-8"));
    headers.insert(
        "Content-Security-Policy",
        HeaderValue::from_static("default-src 'none'"),
    );
    headers.insert("X-Content-Type-Options", HeaderValue::from_static("nosniff"));
    if let Ok(to) = HeaderValue::try_from(to) {
        headers.insert(LOCATION, to);
    }
    response
}

fn json_response(status: StatusCode, text: String, parts: &Parts) -> Response<ResponseBody> {
    let tag = entity_tag(&text);
    let is_read = matches!(parts.method, Method::GET | Method::HEAD);
    let has_it = has_tag(parts, &tag);
    if status == StatusCode::OK && is_read && has_it {
        let mut response = response(StatusCode::NOT_MODIFIED, full(Bytes::new()), None);
        response.headers_mut().insert(ETAG, tag);
        return response;
    }
    let length = text.len();
    let mut response = response(status, full(text), Some(length));
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/json; charset=utf-8"),
    );
    headers.insert(ETAG, tag);
    response
}

/// Whether the client has an answer with this tag, and does not want it anew.
fn has_tag(parts: &Parts, tag: &HeaderValue) -> bool {
    let text = |name| {
        parts
            .headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let is_renewal = text(CACHE_CONTROL).is_some_and(|value| value.to_ascii_lowercase().contains("no-cache"));
    let tag = tag.to_str().unwrap_or_default();
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let known = text(IF_NONE_MATCH).unwrap_or_default();
    let has_it = known.trim() == "*" || known.split(',').any(|known| opaque(known) == opaque(tag));
    has_it && !is_renewal
}

/// A weak tag as Express makes it: the length in hex, and a SHA-1 in base64 without its padding.
fn entity_tag(text: &str) -> HeaderValue {
    use base64::Engine as _;
    use sha1::{Digest, Sha1};

    let digest = base64::engine::general_purpose::STANDARD_NO_PAD.encode(Sha1::digest(text));
    HeaderValue::try_from(format!("W/\"{:x}-{digest}\"", text.len())).expect("made of printable characters")
}

fn response(status: StatusCode, body: ResponseBody, length: Option<usize>) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert("X-Powered-By", HeaderValue::from_static("Express"));
    headers.insert("Vary", HeaderValue::from_static("Origin"));
    headers.insert(VERSION_HEADER, HeaderValue::from_static(VERSION));
    headers.insert("Connection", HeaderValue::from_static("keep-alive"));
    headers.insert("Keep-Alive", HeaderValue::from_static("timeout=5"));
    if let Some(length) = length {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

/// A time as the API writes it: RFC 3339 with milliseconds.
pub(crate) fn time(timestamp: jiff::Timestamp) -> String {
    timestamp.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
