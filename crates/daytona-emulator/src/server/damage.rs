//! Applies faults to a request and to its answer.

use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response};

use super::api::{Answer, Twist};
use super::{gateway, log_host, object_storage};
use crate::ResponseBody;
use crate::base::clock::after;
use crate::state::core::Core;
use crate::state::fault::{Effect, StatusAnswer, checked_status};
use crate::wire::body::{cut, drain, full, read_some, throttle};
use crate::wire::error::ServiceError;
use crate::wire::operation::Operation;

/// What happens to a request.
pub(super) enum Fate {
    /// It is carried out, with this body.
    Goes(ResponseBody, Twist),
    /// It is answered at once.
    Ends(Response<ResponseBody>),
}

/// Applies faults to a request.
pub(super) async fn to_request(
    core: &Core,
    operation: Operation,
    parts: &Parts,
    mut body: ResponseBody,
    effects: &[Effect],
) -> Result<Fate, ServiceError> {
    let mut twist = Twist::None;
    for effect in effects {
        match effect {
            Effect::Delay(duration) => core.clock.sleep_until(after(core.clock.now(), *duration)).await,
            Effect::Disconnect => return Err(ServiceError::Disconnected),
            Effect::Status(answer) if !answer.carried_out => {
                drain(body).await?;
                return Ok(Fate::Ends(refusal(core, operation, parts, answer)));
            }
            Effect::GatewayPage(answer) if !answer.carried_out => {
                drain(body).await?;
                return Ok(Fate::Ends(with_headers(gateway::page(answer), answer)));
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
            Effect::ThrottleUpload(rate) => body = throttle(body, *rate, &core.clock),
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
    Ok(Fate::Goes(body, twist))
}

/// Applies faults to the answer of a request that was carried out.
pub(super) fn to_answer(
    core: &Core,
    operation: Operation,
    parts: &Parts,
    mut response: Response<ResponseBody>,
    effects: &[Effect],
) -> Result<Response<ResponseBody>, ServiceError> {
    for effect in effects {
        response = match effect {
            Effect::LoseAnswer => return Err(ServiceError::Disconnected),
            Effect::GatewayPage(answer) => with_headers(gateway::page(answer), answer),
            Effect::Status(answer) => refusal(core, operation, parts, answer),
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

/// Applies faults to the headers of any answer.
pub(super) fn to_headers(headers: &mut HeaderMap, effects: &[Effect]) {
    for effect in effects {
        match effect {
            Effect::WithHeader { name, value } => insert(headers, name, value),
            Effect::WithoutHeader(name) => drop(headers.remove(name.as_str())),
            _ => {}
        }
    }
}

/// The answer of a fault that sets a status.
fn refusal(core: &Core, operation: Operation, parts: &Parts, answer: &StatusAnswer) -> Response<ResponseBody> {
    let status = answer.status;
    let message = || answer.message.as_deref().unwrap_or(usual_message(status));
    let response = match &answer.body {
        Some(text) => {
            let mut response = Response::new(full(text.clone()));
            *response.status_mut() = checked_status(status);
            response
        }
        None if operation.is_storage() => object_storage::refused_with(status, answer.message.as_deref()),
        None if operation == Operation::ReadBuildLog => {
            log_host::refuse(core, parts, checked_status(status), "", message())
        }
        None => Answer::refused(status, message()).into_response(core, parts),
    };
    with_headers(response, answer)
}

/// Adds the headers that a fault asks for.
fn with_headers(mut response: Response<ResponseBody>, answer: &StatusAnswer) -> Response<ResponseBody> {
    for (name, value) in &answer.headers {
        insert(response.headers_mut(), name, value);
    }
    response
}

/// Sets a header, unless it is invalid or describes the framing, which follows from the answer.
fn insert(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>())
        && ![CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION].contains(&name)
    {
        headers.insert(name, value);
    }
}

/// The real server's usual message for a status.
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
