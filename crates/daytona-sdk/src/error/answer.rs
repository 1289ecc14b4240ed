//! From an answer that is no success, or from none, to an error.

use daytona_api::ErrorBody;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};

use super::{Error, ErrorKind, with_causes};
use crate::heard;
use crate::transport::{TransportError, TransportErrorKind};

/// Kinds that only the server's words tell apart, by a part of the words as measured. Checked in this order; words that
/// are not known leave the kind of the status.
const TEXTS: [(u16, &str, ErrorKind); 8] = [
    (400, "deactivation is still in progress", ErrorKind::Cooldown),
    (400, "is already active", ErrorKind::AlreadyActive),
    (400, "quota exceeded", ErrorKind::QuotaExceeded),
    (400, "exceeds maximum allowed per sandbox", ErrorKind::QuotaExceeded),
    (403, "Organization is suspended", ErrorKind::Suspended),
    // Over its limit of 100 KiB the server pretends not to know the route.
    (404, "Cannot POST", ErrorKind::InvalidRequest),
    (404, "Cannot ", ErrorKind::NotAnApi),
    (503, "Object storage is not configured", ErrorKind::ObjectStorage),
];

/// Headers with the id of a request. The API itself sends none; what stands before it may.
const REQUEST_IDS: [&str; 3] = ["x-request-id", "x-amzn-requestid", "cf-ray"];

/// The error of an answer with this status.
pub(crate) fn from_answer(
    operation: &'static str,
    url: &str,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> Error {
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let is_html = content_type.starts_with("text/html") || body.trim_ascii_start().starts_with(b"<");
    // What stands before the API tells of its troubles in HTML too.
    let is_gateway = matches!(status.as_u16(), 429 | 502..=504);
    if status.is_redirection() || is_html && !is_gateway {
        return not_an_api(operation, url, status, content_type);
    }
    let envelope: Option<ErrorBody> = serde_json::from_slice(body).ok();
    let server_message = envelope.and_then(|envelope| envelope.message.or(envelope.error));
    let text = match &server_message {
        Some(message) => message.clone(),
        None if is_html => String::new(),
        None => String::from_utf8_lossy(body).trim().to_owned(),
    };
    let known = TEXTS
        .iter()
        .find(|(known, part, _)| *known == status.as_u16() && text.contains(part));
    let kind = known.map_or_else(|| kind_of(status), |(_, _, kind)| *kind);
    let said = if text.is_empty() {
        status.to_string()
    } else {
        one_line(&text)
    };
    let message = match hint(kind, url) {
        Some(hint) => format!("{said} ({hint})"),
        None => said,
    };
    let mut error = Error::new(kind, message).with_operation(operation);
    error.0.status = Some(status.as_u16());
    error.0.server_message = server_message;
    error.0.retry_after = heard::retry_after(headers);
    error.0.request_id = REQUEST_IDS
        .iter()
        .find_map(|name| Some(headers.get(*name)?.to_str().ok()?.to_owned()));
    error
}

/// The error of an answer that did not come from the API at all.
pub(crate) fn not_an_api(operation: &'static str, url: &str, status: StatusCode, content_type: &str) -> Error {
    let what = match (status.is_redirection(), content_type) {
        (true, _) => "a redirect".to_owned(),
        (false, "") => "no JSON".to_owned(),
        (false, content_type) => content_type.to_owned(),
    };
    let message = format!(
        "what answers at {url} is not the Daytona API (status {}, {what}): check the API URL, which ends in /api",
        status.as_u16()
    );
    let mut error = Error::new(ErrorKind::NotAnApi, message).with_operation(operation);
    error.0.status = Some(status.as_u16());
    error
}

/// The error of a request without an answer.
pub(crate) fn from_transport(operation: &'static str, url: &str, source: TransportError) -> Error {
    let kind = match source.kind() {
        TransportErrorKind::Unsupported | TransportErrorKind::Untrusted => ErrorKind::Config,
        TransportErrorKind::Connect | TransportErrorKind::Interrupted => ErrorKind::Connection,
    };
    let message = format!("{url}: {}", with_causes(&source));
    let mut error = Error::new(kind, message).with_operation(operation);
    error.0.is_unsent = source.kind() == TransportErrorKind::Connect;
    error.with_source(source)
}

fn kind_of(status: StatusCode) -> ErrorKind {
    match status.as_u16() {
        401 => ErrorKind::Unauthorized,
        403 => ErrorKind::PermissionDenied,
        404 => ErrorKind::NotFound,
        408 => ErrorKind::Timeout,
        409 => ErrorKind::AlreadyExists,
        429 => ErrorKind::RateLimited,
        502..=504 => ErrorKind::Unavailable,
        500.. => ErrorKind::ServerError,
        _ => ErrorKind::Rejected,
    }
}

/// What to do about it.
fn hint(kind: ErrorKind, url: &str) -> Option<String> {
    Some(match kind {
        ErrorKind::Unauthorized => format!("the credentials are not accepted by {url}: check the API key"),
        ErrorKind::PermissionDenied => "the API key lacks the permission for it".to_owned(),
        ErrorKind::AlreadyExists => "choose another name, or delete the one that is there".to_owned(),
        ErrorKind::Cooldown => "it can be activated ten minutes after its last change".to_owned(),
        ErrorKind::InvalidRequest => "the server takes request bodies up to 100 KiB: shorten the Dockerfile".to_owned(),
        // Outside of the API the server answers everything with a 500.
        ErrorKind::ServerError if url.ends_with("/api") => return None,
        ErrorKind::NotAnApi | ErrorKind::ServerError => format!("is {url} the address of the API? It ends in /api"),
        _ => return None,
    })
}

fn one_line(text: &str) -> String {
    const LONGEST: usize = 500;
    let line = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(status: u16, body: &str) -> Error {
        let status = StatusCode::from_u16(status).unwrap();
        from_answer(
            "getSnapshot",
            "http://h/api",
            status,
            &HeaderMap::new(),
            body.as_bytes(),
        )
    }

    #[test]
    fn the_servers_words_decide_where_the_status_cannot() {
        let kind = |status, message: &str| error(status, &format!("{{\"message\":{message:?}}}")).kind();
        assert_eq!(kind(400, "Snapshot x is already active"), ErrorKind::AlreadyActive);
        assert_eq!(
            kind(400, "Snapshot quota exceeded. Maximum allowed: 30"),
            ErrorKind::QuotaExceeded
        );
        assert_eq!(kind(400, "something new"), ErrorKind::Rejected);
        assert_eq!(kind(404, "Cannot POST /api/snapshots"), ErrorKind::InvalidRequest);
        assert_eq!(kind(404, "Snapshot with name x not found"), ErrorKind::NotFound);
        assert_eq!(kind(409, "x"), ErrorKind::AlreadyExists);
        assert_eq!(kind(502, "x"), ErrorKind::Unavailable);
    }

    #[test]
    fn a_web_page_is_not_the_api() {
        assert_eq!(error(404, "<!DOCTYPE html><p>").kind(), ErrorKind::NotAnApi);
        assert_eq!(error(301, "").kind(), ErrorKind::NotAnApi);
        let gateway = error(502, "<html><h1>502 Bad Gateway</h1></html>");
        assert_eq!(gateway.kind(), ErrorKind::Unavailable);
        assert_eq!(gateway.to_string(), "502 Bad Gateway");
        assert!(error(200, "  <html>").to_string().contains("http://h/api"));
    }

    #[test]
    fn the_message_is_one_line_whatever_the_server_says() {
        assert_eq!(error(400, "{\"message\":[\"a\",\"b\"]}").server_message(), Some("a, b"));
        assert_eq!(error(400, "{\"message\":\"a.\\nb\"}").to_string(), "a. b");
        assert_eq!(error(502, "").to_string(), "502 Bad Gateway");
    }
}
