//! What an answer of the store means.

use std::time::SystemTime;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use super::config::is_region;
use super::connector::HttpError;
use crate::storage::{StorageError, StorageErrorKind};

/// A request that failed, and what its answer says beside.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: StorageError,
    /// The region that the store names.
    pub(super) region: Option<String>,
    /// The store's time.
    pub(super) date: Option<SystemTime>,
    /// Whether the request never left this machine, so that trying again costs the store nothing.
    pub(super) is_unsent: bool,
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self {
            error,
            region: None,
            date: None,
            is_unsent: false,
        }
    }
}

impl Failure {
    /// Whether other credentials may be good: the store's words for what has an end.
    pub(super) fn is_expired(&self) -> bool {
        let codes = [
            "ExpiredToken",
            "InvalidToken",
            "TokenRefreshRequired",
            "InvalidAccessKeyId",
        ];
        self.error.code().is_some_and(|code| codes.contains(&code))
    }

    /// Whether the store says that the request was signed at another time than its own.
    pub(super) fn is_skewed(&self) -> bool {
        self.error.code() == Some("RequestTimeTooSkewed")
    }

    /// Whether it is a refusal without a reason, as that to a HEAD: the time may be it, or the credentials.
    pub(super) fn gives_no_reason(&self) -> bool {
        gives_no_reason(&self.error)
    }
}

pub(super) fn gives_no_reason(error: &StorageError) -> bool {
    error.code().is_none() && matches!(error.status(), Some(400 | 403))
}

impl<E> From<SdkError<E, HttpResponse>> for Failure
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        let Some(response) = error.raw_response() else {
            return without_answer(error);
        };
        let status = response.status().as_u16();
        let text = response.body().bytes().map(String::from_utf8_lossy).unwrap_or_default();
        let header = |name| response.headers().get(name);
        let region = header("x-amz-bucket-region").or_else(|| element(&text, "Region"));
        let region = region.filter(|region| matches!(status, 301 | 307 | 400 | 403) && is_region(region));
        let date = |text: &str, format| SystemTime::try_from(DateTime::from_str(text, format).ok()?).ok();
        let date = header("date")
            .and_then(|text| date(text, Format::HttpDate))
            .or_else(|| date(element(&text, "ServerTime")?, Format::DateTime));
        let (code, message) = (
            error.code().map(ToOwned::to_owned),
            error.message().map(ToOwned::to_owned),
        );
        // Without a code the store, or what stands before it, has its own words.
        let message = message.or_else(|| if code.is_none() { line(&text) } else { None });
        let kind = kind(status, code.as_deref());
        Self {
            region: region.map(ToOwned::to_owned),
            date,
            is_unsent: false,
            error: StorageError::new(kind).with_status(status).with_code(code, message),
        }
    }
}

fn kind(status: u16, code: Option<&str>) -> StorageErrorKind {
    match (status, code) {
        (429, _) | (_, Some("SlowDown" | "ThrottlingException" | "Throttling")) => StorageErrorKind::RateLimited,
        // The completion of an upload in parts may fail after its status was sent.
        (_, Some("InternalError" | "ServiceUnavailable" | "RequestTimeout" | "OperationAborted")) => {
            StorageErrorKind::Unavailable
        }
        (401 | 403, _) => StorageErrorKind::AccessDenied,
        (501, _) => StorageErrorKind::Refused,
        // A successful answer that breaks off, or does not come from S3, says nothing about the request.
        (408 | 500.., _) | (200..300, None) => StorageErrorKind::Unavailable,
        _ => StorageErrorKind::Refused,
    }
}

fn without_answer<E>(error: SdkError<E, HttpResponse>) -> Failure
where
    E: std::error::Error + Send + Sync + 'static,
{
    let is_unsent = match &error {
        SdkError::DispatchFailure(failure) => failure
            .as_connector_error()
            .and_then(std::error::Error::source)
            .and_then(|source| source.downcast_ref::<HttpError>())
            .is_some_and(HttpError::is_unsent),
        _ => false,
    };
    // What cannot be made into a request is not the line's fault.
    let kind = match &error {
        SdkError::ConstructionFailure(_) => StorageErrorKind::Refused,
        SdkError::DispatchFailure(failure) if failure.is_user() => StorageErrorKind::Refused,
        _ => StorageErrorKind::Connection,
    };
    Failure {
        is_unsent,
        ..StorageError::new(kind).with_source(error).into()
    }
}

/// The text of the first element of this name.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}

/// An answer that is not one of S3's, on one line.
fn line(text: &str) -> Option<String> {
    let words = text.split(|letter: char| letter.is_whitespace() || letter.is_control());
    let line = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    (!line.is_empty()).then_some(line)
}

/// The beginning of a text of the store. It is cut when no secret stands in it any more: of one that is cut, a part would stay.
pub(super) fn beginning(text: &str) -> String {
    const SHOWN: usize = 200;
    let shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() { shown + "…" } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_text_is_one_line() {
        assert_eq!(
            line(" blocked by\r\n\tpolicy\u{1b} 17\n").as_deref(),
            Some("blocked by policy 17")
        );
        assert_eq!(line(" \n"), None);
        let long = beginning(&"ü".repeat(300));
        assert_eq!((long.chars().count(), long.ends_with('…')), (201, true));
    }

    #[test]
    fn elements_are_found_or_not() {
        assert_eq!(element("<E><Region>eu</Region></E>", "Region"), Some("eu"));
        assert_eq!(element("<Region>eu", "Region"), None);
    }
}
