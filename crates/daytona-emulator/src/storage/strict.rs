//! What strict stores refuse before they look at anything else.

use http::header::TRANSFER_ENCODING;
use http::request::Parts;

use super::StorageOptions;

/// The S3 code and message of a refusal, if the options ask for one.
pub(crate) fn refuse(options: &StorageOptions, request: &Parts) -> Option<(&'static str, &'static str)> {
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
        return Some((
            "NotImplemented",
            "A header you provided implies functionality that is not implemented.",
        ));
    }
    let is_chunked = request.headers.contains_key(TRANSFER_ENCODING)
        || value("content-encoding").contains("aws-chunked")
        || value("x-amz-content-sha256").starts_with("STREAMING-");
    if options.refuse_chunked_framing && is_chunked {
        return Some(("NotImplemented", "Transfer-Encoding: chunked is not implemented."));
    }
    None
}
