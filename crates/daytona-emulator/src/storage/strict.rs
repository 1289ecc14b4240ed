//! What strict stores refuse before they look at anything else.

use std::sync::atomic::{AtomicU64, Ordering};

use http::header::{AUTHORIZATION, TRANSFER_ENCODING};
use http::request::Parts;

use super::StorageOptions;

/// A refusal in the form of S3.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// The region that the store wants.
    pub(crate) region: Option<String>,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            region: None,
        }
    }
}

/// The refusal that the options ask for. `count` counts the requests.
pub(crate) fn refuse(options: &StorageOptions, request: &Parts, count: &AtomicU64) -> Option<Refusal> {
    let number = count.fetch_add(1, Ordering::Relaxed) + 1;
    if options.slow_down.is_some_and(|every| number.is_multiple_of(every)) {
        return Some(Refusal::new(503, "SlowDown", "Please reduce your request rate."));
    }
    let has = |start: &str| request.headers.keys().any(|name| name.as_str().starts_with(start));
    let value = |name: &str| {
        request
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let has_checksum = has("x-amz-checksum-") || has("x-amz-sdk-checksum-algorithm") || has("x-amz-trailer");
    if options.refuse_checksum_headers && has_checksum {
        return Some(Refusal::new(
            501,
            "NotImplemented",
            "A header you provided implies functionality that is not implemented.",
        ));
    }
    let is_chunked = request.headers.contains_key(TRANSFER_ENCODING)
        || value("content-encoding").contains("aws-chunked")
        || value("x-amz-content-sha256").starts_with("STREAMING-");
    if options.refuse_chunked_framing && is_chunked {
        return Some(Refusal::new(
            501,
            "NotImplemented",
            "Transfer-Encoding: chunked is not implemented.",
        ));
    }
    let signed_for = region(value(AUTHORIZATION.as_str()));
    match (&options.region, signed_for) {
        (Some(wanted), Some(signed)) if wanted != signed => Some(Refusal {
            region: Some(wanted.clone()),
            ..Refusal::new(
                400,
                "AuthorizationHeaderMalformed",
                format!("The authorization header is malformed; the region '{signed}' is wrong; expecting '{wanted}'"),
            )
        }),
        _ => None,
    }
}

/// The region of the scope in the header of a signature of version 4: `Credential=<key>/<date>/<region>/s3/aws4_request`.
fn region(authorization: &str) -> Option<&str> {
    let (_, credential) = authorization.split_once("Credential=")?;
    credential.split(',').next()?.split('/').nth(2)
}
