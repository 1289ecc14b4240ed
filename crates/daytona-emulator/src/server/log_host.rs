//! The log host: another service than the API, with another envelope.

use std::sync::Arc;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use super::api::{auth, follows, not_open};
use crate::ResponseBody;
use crate::state::account::{Bearer, Caller};
use crate::state::core::Core;
use crate::state::log_stream::{End, follow};
use crate::wire::body::full;

/// Answers a request for a log.
pub(super) async fn answer(core: &Arc<Core>, parts: &Parts, id: &str) -> Response<ResponseBody> {
    core.settle().await;
    let caller = match auth::bearer(core, parts) {
        Some(Bearer::Key(key)) => Caller {
            organization: key.organization,
            permissions: key.permissions,
        },
        // The organization's header is not passed on, so that a user is in none.
        Some(Bearer::User(_) | Bearer::Service) => {
            let message = "Invalid authentication context";
            return refuse(core, parts, StatusCode::FORBIDDEN, "", message);
        }
        None => {
            return refuse(core, parts, StatusCode::UNAUTHORIZED, "", "Invalid credentials");
        }
    };
    let world = core.world();
    let Some(record) = world.find(&caller, id) else {
        let message = format!("Snapshot with name {id} not found");
        return refuse(core, parts, StatusCode::NOT_FOUND, "", &message);
    };
    let refused = |status, message| refuse(core, parts, status, "BAD_REQUEST", message);
    if record.build.is_none() {
        return refused(StatusCode::BAD_REQUEST, "snapshot has no snapshot reference");
    }
    if record.runner.is_none() {
        return refused(StatusCode::BAD_REQUEST, "snapshot has no initial runner");
    }
    if world.build(record).is_none_or(|build| build.log.is_none()) {
        let message = format!("not found: {}", not_open(record.reference.as_deref()));
        return refuse(core, parts, StatusCode::NOT_FOUND, "NOT_FOUND", &message);
    }
    let end = if follows(parts) { End::Built } else { End::Now };
    let mut response = Response::new(follow(core, record.id.clone(), end));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    response
}

/// A refusal in its envelope.
pub(super) fn refuse(
    core: &Core,
    parts: &Parts,
    status: StatusCode,
    code: &str,
    message: &str,
) -> Response<ResponseBody> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Envelope<'a> {
        status_code: u16,
        message: &'a str,
        code: &'a str,
        timestamp: String,
        path: &'a str,
        method: &'a str,
    }
    let body = Envelope {
        status_code: status.as_u16(),
        message,
        code,
        // Without fractions: it is another service than the API.
        timestamp: core.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        path: parts.uri.path(),
        method: parts.method.as_str(),
    };
    let text = serde_json::to_string(&body).expect("made of texts and numbers");
    let length = text.len();
    let mut response = Response::new(full(text));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/json; charset=utf-8"),
    );
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}
