//! The form of the admin routes' answers.

use std::fmt::Display;

use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use crate::ResponseBody;
use crate::wire::body::full;

/// What a route answers with.
pub(super) enum Answer {
    Json(Value),
    /// The bytes of a file.
    Bytes(Vec<u8>),
}

/// Why a request was not carried out.
pub(super) struct Refused {
    pub(super) status: StatusCode,
    pub(super) message: String,
    /// The methods of the route, if the request has another.
    pub(super) allowed: Option<String>,
}

impl Refused {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            allowed: None,
        }
    }
}

/// The refusal of a value that is not in its range.
pub(super) fn refused(message: String) -> Refused {
    Refused::new(StatusCode::BAD_REQUEST, message)
}

/// The refusal of what is not there.
pub(super) fn absent(message: String) -> Refused {
    Refused::new(StatusCode::NOT_FOUND, message)
}

/// The answer where the emulator itself failed.
pub(super) fn failure(error: &dyn Display) -> Refused {
    Refused::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}

/// What came of a request, as an answer.
pub(super) fn response(done: Result<Answer, Refused>) -> Response<ResponseBody> {
    let (status, answer, allowed) = match done {
        Ok(answer) => (StatusCode::OK, answer, None),
        Err(refused) => {
            let answer = Answer::Json(json!({"error": refused.message}));
            (refused.status, answer, refused.allowed)
        }
    };
    let (kind, mut response) = match answer {
        Answer::Json(value) => ("application/json", Response::new(full(format!("{value:#}\n")))),
        Answer::Bytes(bytes) => ("application/octet-stream", Response::new(full(bytes))),
    };
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(Ok(allowed)) = allowed.map(HeaderValue::try_from) {
        headers.insert(ALLOW, allowed);
    }
    response
}

/// The answer where what was done could not be kept.
pub(in crate::server) fn failed(message: &str) -> Response<ResponseBody> {
    response(Err(failure(&message)))
}
