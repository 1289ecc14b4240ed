//! Makes an error of an answer that is not a success, or of a missing answer.

use std::error::Error as _;

use daytona_api::{CreateSnapshot, DecodeError, ErrorBody, Operation, Permission};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};

use super::{Error, ErrorKind, Sending};
use crate::config::ENV_API_URL;
use crate::config::MAX_REQUEST_BODY;
use crate::heard;
use crate::secrets::Secrets;
use crate::text::{beginning, escaped, with_causes};
use crate::transport::{TransportError, TransportErrorKind};

/// What was requested, as far as it decides what an answer means.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// Id of the operation.
    pub(crate) operation: &'static str,
    /// The operation needs any one of these permissions.
    pub(crate) permissions: &'static [Permission],
    /// The address that it was sent to, safe to show.
    pub(crate) address: &'a str,
    /// Size of the body that was sent.
    pub(crate) body: usize,
    /// Whether the credentials are an API key, and not a user's token.
    pub(crate) by_key: bool,
    /// Whether the API has answered this client before, so that its address is right.
    pub(crate) has_answered: bool,
    pub(crate) secrets: &'a Secrets,
}

/// Kinds that only the server's message tells apart, each with a measured part of the message. They are checked in this
/// order. If no message matches, the status decides the kind.
const TEXTS: [(u16, &str, ErrorKind); 11] = [
    // The text after it is the runner's, which may contain any of the parts below.
    (400, "Sandbox failed to start: ", ErrorKind::DoesNotStart),
    (400, "deactivation is still in progress", ErrorKind::Cooldown),
    (400, "is already active", ErrorKind::AlreadyActive),
    (400, "quota exceeded", ErrorKind::QuotaExceeded),
    (400, "exceeds maximum allowed per sandbox", ErrorKind::QuotaExceeded),
    (400, " limit exceeded. Maximum allowed", ErrorKind::QuotaExceeded),
    (400, "No available runners", ErrorKind::NoRunner),
    (400, "must be in started or stopped state", ErrorKind::Busy),
    (409, "state change in progress", ErrorKind::Busy),
    (403, "Organization is suspended", ErrorKind::Suspended),
    (503, "Object storage is not configured", ErrorKind::ObjectStorage),
];

/// The server's message under maintenance. It sends it before it looks at the request.
const MAINTENANCE: &str = "is currently under maintenance";

/// The server's message for a route that it does not know.
const UNKNOWN_ROUTE: &str = "Cannot ";

/// The server's message for a region that there is not.
const REGION: &str = "Region not found";

/// Headers with the id of a request. The API itself sends none, but a gateway may.
const REQUEST_IDS: [&str; 3] = ["x-request-id", "x-amzn-requestid", "cf-ray"];

/// The error of an answer with this status.
pub(crate) fn from_answer(asked: &Asked<'_>, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
    let answer = Answer::read(asked, status, headers, body);
    let kind = answer.kind(asked);
    if kind == ErrorKind::NotAnApi && !answer.is_unknown_route() {
        return not_an_api(asked, status, content_type(headers));
    }
    let said = match answer.text.as_str() {
        "" => status.to_string(),
        text => beginning(text),
    };
    let mut error = Error::new(kind, said).with_operation(asked.operation);
    error.0.hint = answer.hint(asked, kind);
    error.0.status = Some(status.as_u16());
    error.0.retry_after = heard::retry_after(headers);
    error.0.request_id = REQUEST_IDS
        .iter()
        .find_map(|name| Some(asked.secrets.cut(headers.get(*name)?.to_str().ok()?)));
    if status == StatusCode::SERVICE_UNAVAILABLE && answer.is_envelope && answer.text.contains(MAINTENANCE) {
        error.0.sending = Sending::InMaintenance;
    }
    if answer.is_envelope {
        error.0.server_message = Some(answer.text);
    }
    error
}

/// Whether the API itself made the error, which its envelope shows. A failure or an unknown route does not show it,
/// because the server answers those in the same way outside the API.
pub(crate) fn is_of_the_api(error: &Error, status: StatusCode, body: &[u8]) -> bool {
    let is_kind = !matches!(error.kind(), ErrorKind::ServerError | ErrorKind::NotAnApi);
    is_kind
        && serde_json::from_slice(body)
            .is_ok_and(|body: ErrorBody| body.message.is_some() && body.status_code == Some(u64::from(status.as_u16())))
}

/// What an answer contains.
struct Answer {
    status: StatusCode,
    /// Its message, escaped and without secrets. None for a web page.
    text: String,
    /// Whether it has the form of the API's refusals.
    is_envelope: bool,
    /// Whether it is a web page, which the API never sends.
    is_page: bool,
}

impl Answer {
    fn read(asked: &Asked<'_>, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let envelope: Option<ErrorBody> = serde_json::from_slice(body).ok();
        let message = envelope.and_then(|envelope| envelope.message.or(envelope.error));
        let is_envelope = message.is_some();
        let is_markup = content_type(headers).starts_with("text/html") || body.trim_ascii_start().starts_with(b"<");
        let text = match message {
            Some(message) => message,
            None if is_markup => String::new(),
            None => String::from_utf8_lossy(body).trim().to_owned(),
        };
        // In its envelope the API says what it cannot find. A `404 page not found` of another server is not about a
        // snapshot.
        let is_text = status == StatusCode::NOT_FOUND && !is_envelope && !text.is_empty();
        Self {
            status,
            text: escaped(&asked.secrets.cut(&text)),
            is_envelope,
            is_page: !is_envelope && (is_markup || is_text),
        }
    }

    fn is_unknown_route(&self) -> bool {
        self.status == StatusCode::NOT_FOUND && self.is_envelope && self.text.starts_with(UNKNOWN_ROUTE)
    }

    fn kind(&self, asked: &Asked<'_>) -> ErrorKind {
        let code = self.status.as_u16();
        let known = TEXTS
            .iter()
            .find(|(status, part, _)| *status == code && self.text.contains(part));
        if let Some((_, _, kind)) = known.filter(|_| self.is_envelope) {
            return *kind;
        }
        match code {
            300..=399 if !asked.has_answered => ErrorKind::NotAnApi,
            // It is the gateway's own answer, whatever the page says.
            429 => ErrorKind::RateLimited,
            300..=399 | 502..=504 | 520..=530 => ErrorKind::Unavailable,
            407 => ErrorKind::Config,
            408 => ErrorKind::Timeout,
            413 => ErrorKind::InvalidRequest,
            _ if self.is_page => self.kind_of_page(asked),
            // For a body over its limit the server answers as if it did not know the route.
            404 if self.is_unknown_route() && asked.may_be_too_large() => ErrorKind::InvalidRequest,
            404 if self.is_unknown_route() && asked.has_answered => ErrorKind::Unsupported,
            404 if self.is_unknown_route() => ErrorKind::NotAnApi,
            401 => ErrorKind::Unauthorized,
            403 => ErrorKind::PermissionDenied,
            404 => ErrorKind::NotFound,
            409 => ErrorKind::AlreadyExists,
            500.. => ErrorKind::ServerError,
            _ => ErrorKind::Rejected,
        }
    }

    /// The error of a web page in place of the API. It says nothing about a snapshot.
    fn kind_of_page(&self, asked: &Asked<'_>) -> ErrorKind {
        match self.status.as_u16() {
            _ if !asked.has_answered => ErrorKind::NotAnApi,
            500.. => ErrorKind::ServerError,
            _ => ErrorKind::Unavailable,
        }
    }

    /// A hint what to do about it.
    fn hint(&self, asked: &Asked<'_>, kind: ErrorKind) -> Option<String> {
        let address = asked.address;
        Some(match kind {
            _ if self.is_page && asked.has_answered => {
                "this is a page of a gateway, not an answer of the API".to_owned()
            }
            ErrorKind::Unauthorized if asked.by_key => {
                format!("{address} does not accept the credentials: check the API key, which may have expired")
            }
            ErrorKind::Unauthorized => {
                format!("{address} does not accept the token: it may have expired, or belong to another organization")
            }
            ErrorKind::PermissionDenied => return asked.lacking(&self.text),
            ErrorKind::AlreadyExists => "choose another name, or delete the existing one".to_owned(),
            ErrorKind::QuotaExceeded => self.way_below_the_quota().to_owned(),
            ErrorKind::NoRunner => "try again later, or in another region".to_owned(),
            ErrorKind::Cooldown => "it can be activated ten minutes after its last change".to_owned(),
            ErrorKind::InvalidRequest if asked.operation == CreateSnapshot::ID => {
                "the server takes request bodies up to 100 KiB: shorten the Dockerfile".to_owned()
            }
            ErrorKind::Unsupported => "the server does not know this operation: it may be too old".to_owned(),
            ErrorKind::Config => "a proxy asks for a user and a password: put them in its address".to_owned(),
            ErrorKind::NotFound if self.text.contains(REGION) => {
                "`regions` lists the regions of the organization".to_owned()
            }
            // Outside the API the server answers every request with 500.
            ErrorKind::ServerError if asked.has_answered || address.ends_with("/api") => return None,
            ErrorKind::NotAnApi | ErrorKind::ServerError => {
                format!("is {address} the address of the API? It ends in /api")
            }
            _ => return None,
        })
    }

    fn way_below_the_quota(&self) -> &'static str {
        if ["per sandbox", "GPU quota"].iter().any(|part| self.text.contains(part)) {
            "request fewer resources"
        } else if self.text.contains("Snapshot quota") {
            "delete snapshots that are no longer needed, for example with `prune`"
        } else {
            "delete sandboxes that are no longer needed"
        }
    }
}

impl Asked<'_> {
    /// Whether the body is so large that the server may have refused to read it.
    fn may_be_too_large(&self) -> bool {
        self.operation == CreateSnapshot::ID && self.body >= MAX_REQUEST_BODY / 10 * 9
    }

    /// Names the missing permission, if the server only says that one is missing.
    fn lacking(&self, text: &str) -> Option<String> {
        let says_no_more = ["", "Access denied", "Forbidden", "Forbidden resource"].contains(&text.trim());
        if !says_no_more {
            return None;
        }
        let names: Vec<_> = self.permissions.iter().map(|name| format!("`{name}`")).collect();
        let who = if self.by_key {
            "the API key"
        } else {
            "the user of the token"
        };
        Some(match names.as_slice() {
            [] => format!("{who} may not do this in this organization"),
            names => format!("{who} lacks the permission {}", names.join(" or ")),
        })
    }
}

fn content_type(headers: &HeaderMap) -> &str {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// The error of a success that cannot be decoded.
pub(crate) fn undecodable(asked: &Asked<'_>, status: StatusCode, headers: &HeaderMap, error: DecodeError) -> Error {
    let content_type = content_type(headers);
    let is_page = content_type.starts_with("text/html");
    let is_json = content_type.contains("json");
    let json = error
        .source()
        .and_then(|source| source.downcast_ref::<serde_json::Error>());
    let ends_early = json.is_some_and(serde_json::Error::is_eof);
    let is_broken = ends_early || json.is_some_and(serde_json::Error::is_syntax);
    let made = if error.field().is_none() && !is_json && !asked.has_answered {
        not_an_api(asked, status, content_type)
    } else if is_page {
        Error::new(
            ErrorKind::Unavailable,
            "a web page came instead of the API's answer (a gateway may have sent it)",
        )
    } else if ends_early {
        Error::new(ErrorKind::Connection, "the answer is incomplete")
    } else {
        Error::new(ErrorKind::Decode, asked.secrets.cut(&with_causes(&error)))
    };
    let mut made = made
        .with_operation(asked.operation)
        .with_source(asked.secrets.cut_error(error));
    made.0.status = Some(status.as_u16());
    if is_broken && made.kind() != ErrorKind::NotAnApi {
        made.0.sending = Sending::AnswerBroken;
    }
    made
}

/// The error of an answer that did not come from the API at all.
fn not_an_api(asked: &Asked<'_>, status: StatusCode, content_type: &str) -> Error {
    let what = match (status.is_redirection(), content_type) {
        (true, _) => "a redirect".to_owned(),
        (false, "") => "no JSON".to_owned(),
        (false, content_type) => asked.secrets.cut(content_type),
    };
    let message = format!(
        "the server at {} is not the Daytona API (status {}, {what})",
        asked.address,
        status.as_u16()
    );
    let mut error = Error::new(ErrorKind::NotAnApi, message)
        .with_operation(asked.operation)
        .with_hint("check the API URL, which ends in /api");
    error.0.status = Some(status.as_u16());
    error
}

/// The error of a request that got no answer.
pub(crate) fn from_transport(asked: &Asked<'_>, source: TransportError) -> Error {
    let kind = match source.kind() {
        TransportErrorKind::Unsupported | TransportErrorKind::Untrusted => ErrorKind::Config,
        TransportErrorKind::Connect | TransportErrorKind::Unresolved | TransportErrorKind::Interrupted => {
            ErrorKind::Connection
        }
    };
    let sending = match source.kind() {
        TransportErrorKind::Connect => Sending::Refused,
        TransportErrorKind::Unresolved => Sending::Unsent,
        _ => Sending::Unknown,
    };
    let message = format!("{}: {}", asked.address, asked.secrets.cut(&with_causes(&source)));
    let mut error = Error::new(kind, message)
        .with_operation(asked.operation)
        .with_source(asked.secrets.cut_error(source));
    error.0.sending = sending;
    // An address that has answered before is right.
    if kind == ErrorKind::Connection && !asked.has_answered {
        let is_plain = error.0.message.contains("InvalidContentType");
        error.0.hint = Some(if is_plain {
            "the server speaks no TLS at this address: does it begin with http:// instead of https://?".to_owned()
        } else {
            format!("is this the address of the API? It is set with `api_url` or {ENV_API_URL}")
        });
    }
    error
}

#[cfg(test)]
mod tests;
