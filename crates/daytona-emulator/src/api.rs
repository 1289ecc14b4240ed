//! The HTTP API: its routes, who may use them, and the form of its answers.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::BodyExt;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::ResponseBody;
use crate::engine::Engine;
use crate::fault::Fault;
use crate::operation::Operation;
use crate::service::{ServiceError, base_url, full};
use crate::world::{Caller, REGION};

mod create;
mod image_name;
mod list;
mod logs;
mod snapshots;

pub(crate) use logs::answer_log_host;

/// Version that the answers claim.
const VERSION: &str = "0.190.0";

/// Largest request body; the server answers 404 to anything over it.
const BODY_LIMIT: usize = 102_400;

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
        let segments: Vec<&str> = trimmed.split('/').collect();
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
            _ => return Self::Unknown,
        };
        match decode(id).as_str() {
            ".." | "." => Self::Parent,
            id if id.contains('\0') => Self::Broken,
            id => Self::Operation(operation, id.to_owned()),
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
    Json(Value),
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

impl Answer {
    pub(crate) fn refused(status: u16, message: impl Into<String>) -> Self {
        Self::Refused(Fault::checked_status(status), message.into())
    }

    pub(crate) fn into_response(self, engine: &Engine, parts: &Parts) -> Response<ResponseBody> {
        match self {
            Self::Json(value) => json_response(StatusCode::OK, &value),
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
                let envelope = json!({
                    "path": parts.uri.path_and_query().map(ToString::to_string),
                    "timestamp": time(engine.clock.now()),
                    "statusCode": status.as_u16(),
                    "error": status.canonical_reason().unwrap_or_default(),
                    "message": message,
                });
                json_response(status, &envelope)
            }
            Self::InvalidJson => {
                let body =
                    json!({"message": "Invalid JSON in request body", "error": "Bad Request", "statusCode": 400});
                json_response(StatusCode::BAD_REQUEST, &body)
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
) -> Result<Response<ResponseBody>, ServiceError> {
    let body = read_body(body).await?;
    engine.settle().await;
    let handled = match route {
        Route::Operation(operation, id) => handle(engine, parts, operation, &id, body).await,
        Route::Broken => Err(Answer::refused(500, "An unexpected error occurred.")),
        Route::Parent => return Ok(redirect(StatusCode::MOVED_PERMANENTLY, "/api/snapshots/")),
        Route::Unknown => Err(no_route(parts)),
    };
    engine.announce();
    Ok(handled.unwrap_or_else(|refusal| refusal).into_response(engine, parts))
}

async fn handle(engine: &Arc<Engine>, parts: &Parts, operation: Operation, id: &str, body: Option<Bytes>) -> Handled {
    match operation {
        Operation::Health => return Ok(Answer::Json(json!({"status": "ok"}))),
        Operation::ListSharedRegions => return Ok(Answer::Json(json!([region(engine)]))),
        _ => {}
    }
    let caller = authenticate(engine, parts).ok_or_else(|| Answer::refused(401, "Invalid credentials"))?;
    // The limit is the body parser's, which knows no routes.
    let body = body.ok_or_else(|| no_route(parts))?;
    match operation {
        Operation::CreateSnapshot => create::create(engine, parts, &caller, &body),
        Operation::GetAllSnapshots => list::list(engine, &caller, parts.uri.query().unwrap_or_default()),
        Operation::GetSnapshot => snapshots::get(engine, &caller, id),
        Operation::RemoveSnapshot => snapshots::remove(engine, &caller, id),
        Operation::ActivateSnapshot => snapshots::activate(engine, &caller, id),
        Operation::DeactivateSnapshot => snapshots::deactivate(engine, &caller, id),
        Operation::GetSnapshotBuildLogsUrl => logs::address(engine, parts, &caller, id).await,
        Operation::GetSnapshotBuildLogs => logs::relay(engine, parts, &caller, id),
        Operation::GetPushAccess => {
            let access = engine.storage.issue(&caller.organization, &base_url(parts));
            Ok(Answer::Json(
                serde_json::to_value(access).expect("an answer can be written as JSON"),
            ))
        }
        Operation::ListAvailableRegions => Ok(Answer::Json(json!([region(engine)]))),
        Operation::GetRegionById if id == REGION => Ok(Answer::Json(region(engine))),
        Operation::GetRegionById => Err(Answer::refused(404, "Region not found")),
        _ => Err(no_route(parts)),
    }
}

/// What is neither API nor log host nor storage.
pub(crate) fn elsewhere(engine: &Engine, parts: &Parts) -> Response<ResponseBody> {
    if parts.uri.path() == "/" {
        return redirect(StatusCode::FOUND, "/dashboard/");
    }
    Answer::refused(500, "An unexpected error occurred.").into_response(engine, parts)
}

/// The owner of the API key that the request carries.
fn authenticate(engine: &Engine, parts: &Parts) -> Option<Caller> {
    let header = parts.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    engine.world().caller(key.trim())
}

fn no_route(parts: &Parts) -> Answer {
    let address = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    Answer::refused(404, format!("Cannot {} {address}", parts.method))
}

fn region(engine: &Engine) -> Value {
    let created = time(engine.world().created_at);
    json!({
        "id": REGION, "name": REGION, "organizationId": null, "regionType": "shared", "createdAt": created, "updatedAt": created,
        "proxyUrl": null, "sshGatewayUrl": null, "snapshotManagerUrl": null,
    })
}

/// The body, or `None` if it is too large.
async fn read_body(mut body: ResponseBody) -> Result<Option<Bytes>, ServiceError> {
    let (mut bytes, mut is_too_large) = (Vec::new(), false);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(ServiceError::RequestBody)?.into_data() else {
            continue;
        };
        is_too_large |= bytes.len() + data.len() > BODY_LIMIT;
        if !is_too_large {
            bytes.extend_from_slice(&data);
        }
    }
    Ok((!is_too_large).then(|| bytes.into()))
}

fn json_response(status: StatusCode, value: &Value) -> Response<ResponseBody> {
    let text = value.to_string();
    let length = text.len();
    let mut response = response(status, full(text), Some(length));
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/json; charset=utf-8"),
    );
    response
}

fn redirect(status: StatusCode, to: &'static str) -> Response<ResponseBody> {
    let text =
        format!("<!DOCTYPE html>\n<html lang=\"en\">\n<body>\n<pre>Redirecting to {to}</pre>\n</body>\n</html>\n");
    let length = text.len();
    let mut response = response(status, full(text), Some(length));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response.headers_mut().insert(LOCATION, HeaderValue::from_static(to));
    response
}

fn response(status: StatusCode, body: ResponseBody, length: Option<usize>) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert("X-Daytona-Api-Version", HeaderValue::from_static(VERSION));
    headers.insert("Vary", HeaderValue::from_static("Origin"));
    if let Some(length) = length {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

/// A time as the API writes it: RFC 3339 with milliseconds.
pub(crate) fn time(timestamp: jiff::Timestamp) -> String {
    timestamp.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
