//! The form of the admin routes' answers.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use crate::ResponseBody;
use crate::wire::body::full;

/// Why a request was not carried out.
pub(super) struct Refused(pub(super) StatusCode, pub(super) String);

/// The refusal of a value that is not in its range.
pub(super) fn refused(message: String) -> Refused {
    Refused(StatusCode::BAD_REQUEST, message)
}

/// What came of a request, as an answer.
pub(super) fn response(done: Result<Value, Refused>) -> Response<ResponseBody> {
    let (status, value) = match done {
        Ok(value) => (StatusCode::OK, value),
        Err(Refused(status, message)) => (status, json!({"error": message})),
    };
    let mut response = Response::new(full(format!("{value:#}\n")));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The answer where what was done could not be kept.
pub(in crate::server) fn failed(message: &str) -> Response<ResponseBody> {
    response(Err(Refused(StatusCode::INTERNAL_SERVER_ERROR, message.to_owned())))
}
