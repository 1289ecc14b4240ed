//! What an answer of the store means.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::storage::{StorageError, StorageErrorKind};

/// A request that failed, and the region that the answer names.
pub(super) struct Failure {
    pub(super) error: StorageError,
    pub(super) region: Option<String>,
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self { error, region: None }
    }
}

/// Whether other credentials may be good: the store's words for what has an end.
pub(super) fn is_expired(error: &StorageError) -> bool {
    let codes = [
        "ExpiredToken",
        "InvalidToken",
        "TokenRefreshRequired",
        "RequestTimeTooSkewed",
        "InvalidAccessKeyId",
    ];
    error.code().is_some_and(|code| codes.contains(&code))
}

pub(super) fn failure<E>(error: SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let Some(response) = error.raw_response() else {
        return StorageError::new(StorageErrorKind::Connection)
            .with_source(error)
            .into();
    };
    let status = response.status().as_u16();
    let named = response.headers().get("x-amz-bucket-region").map(ToOwned::to_owned);
    let in_body = || {
        let text = String::from_utf8_lossy(response.body().bytes()?).into_owned();
        let (_, rest) = text.split_once("<Region>")?;
        Some(rest.split_once("</Region>")?.0.to_owned())
    };
    let region = named
        .or_else(in_body)
        .filter(|_| matches!(status, 301 | 307 | 400 | 403));
    let (code, message) = (
        error.code().map(ToOwned::to_owned),
        error.message().map(ToOwned::to_owned),
    );
    let kind = match status {
        401 | 403 => StorageErrorKind::AccessDenied,
        429 => StorageErrorKind::RateLimited,
        503 if code.as_deref() == Some("SlowDown") => StorageErrorKind::RateLimited,
        408 | 500.. if status != 501 => StorageErrorKind::Unavailable,
        _ if code.as_deref() == Some("RequestTimeout") => StorageErrorKind::Unavailable,
        _ => StorageErrorKind::Refused,
    };
    let error = StorageError::new(kind).with_status(status).with_code(code, message);
    Failure { error, region }
}
