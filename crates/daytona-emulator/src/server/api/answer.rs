//! The form of the API's answers.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use serde::Serialize;

use crate::ResponseBody;
use crate::base::clock::time;
use crate::state::core::Core;
use crate::state::fault::checked_status;
use crate::wire::body::full;

/// Version that the answers claim.
pub(super) const VERSION: &str = "0.190.0";
pub(super) const VERSION_HEADER: &str = "X-Daytona-Api-Version";

/// What the API answers, before it is put into HTTP.
pub(in crate::server) enum Answer {
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
    pub(in crate::server) fn json(value: &impl Serialize) -> Self {
        Self::Json(serde_json::to_string(value).expect("answers have string keys"))
    }

    pub(in crate::server) fn created(value: &impl Serialize) -> Self {
        Self::Created(serde_json::to_string(value).expect("answers have string keys"))
    }

    pub(in crate::server) fn refused(status: u16, message: impl Into<String>) -> Self {
        Self::Refused(checked_status(status), message.into())
    }

    pub(in crate::server) fn unexpected() -> Self {
        Self::refused(500, "An unexpected error occurred.")
    }

    pub(in crate::server) fn into_response(self, core: &Core, parts: &Parts) -> Response<ResponseBody> {
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
                    timestamp: time(core.clock.now()),
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
pub(super) type Handled = Result<Answer, Answer>;

/// The answer where there is no route.
pub(super) fn no_route(parts: &Parts) -> Answer {
    let address = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    Answer::refused(404, format!("Cannot {} {address}", parts.method))
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

/// An answer with the headers that all of the API's have.
pub(super) fn response(status: StatusCode, body: ResponseBody, length: Option<usize>) -> Response<ResponseBody> {
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
