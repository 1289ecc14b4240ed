//! Requests to object storage, and its refusals.

use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use http_body::Body;
use http_body_util::BodyExt;
use s3s::service::S3Service;

use crate::state::core::Core;
use crate::state::fault::checked_status;
use crate::storage::{self, Refusal};
use crate::wire::body::{drain, full, share};
use crate::wire::error::ServiceError;
use crate::{BoxError, ResponseBody};

pub(super) async fn answer(
    core: &Core,
    service: &S3Service,
    parts: &Parts,
    body: ResponseBody,
) -> Result<Response<ResponseBody>, ServiceError> {
    if let Some(refusal) = storage::refuse(core.storage.options(), parts, &core.storage_requests) {
        drain(body).await?;
        return Ok(refused(&refusal));
    }
    // Whoever waits for a word before an empty body gets the answer at once. botocore takes its status for that of the next
    // answer on this connection too, so that this is the last one.
    let is_last = parts.headers.contains_key(EXPECT) && body.is_end_stream();
    let (body, rest) = share(body);
    let request = Request::from_parts(parts.clone(), s3s::Body::http_body_unsync(body));
    let answer = service.call(request).await;
    // What is refused before it is read: s3s looks at signatures first.
    if answer.as_ref().is_ok_and(|response| !response.status().is_success()) {
        rest.drain().await;
    }
    let mut response = match answer {
        Ok(response) => response.map(|body| body.map_err(BoxError::from).boxed_unsync()),
        Err(error) => refused(&Refusal::new(500, "InternalError", format!("{error:?}"))),
    };
    if is_last {
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

/// The refusal that a fault asks for.
pub(super) fn refused_with(status: u16, message: Option<&str>) -> Response<ResponseBody> {
    let (code, usual) = match status {
        403 => ("AccessDenied", "Access Denied"),
        404 => ("NoSuchKey", "The specified key does not exist."),
        503 => ("SlowDown", "Please reduce your request rate."),
        _ => ("InternalError", "We encountered an internal error. Please try again."),
    };
    refused(&Refusal::new(status, code, message.unwrap_or(usual)))
}

/// A text as it stands in XML: tests say what a refusal says.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn refused(refusal: &Refusal) -> Response<ResponseBody> {
    let region = refusal.region.as_deref();
    let named = region
        .map(|region| format!("<Region>{}</Region>", escaped(region)))
        .unwrap_or_default();
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message>{named}</Error>",
        refusal.code,
        escaped(&refusal.message)
    );
    let length = text.len();
    let mut response = Response::new(full(text));
    *response.status_mut() = checked_status(refusal.status);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    if let Some(region) = region.and_then(|region| HeaderValue::try_from(region).ok()) {
        headers.insert("x-amz-bucket-region", region);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_words_of_a_test_are_text_in_the_xml() {
        let response = refused_with(403, Some("a <b> & c"));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        assert!(text.contains("<Message>a &lt;b&gt; &amp; c</Message>"), "{text}");
    }
}
