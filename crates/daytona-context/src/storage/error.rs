//! A request to object storage that failed.

use crate::body_error::BoxError;
use crate::read_error::ReadError;

/// A request to object storage that failed.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.summary())]
pub struct StorageError {
    kind: StorageErrorKind,
    status: Option<u16>,
    code: Option<String>,
    message: Option<String>,
    attempts: usize,
    #[source]
    source: Option<BoxError>,
}

/// Kinds of [`StorageError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StorageErrorKind {
    /// The credentials are wrong, have expired, or do not allow it.
    AccessDenied,
    /// The bucket does not exist, or the request is refused for another reason that does not pass.
    Refused,
    /// The storage asks to slow down.
    RateLimited,
    /// The storage failed.
    Unavailable,
    /// The storage cannot be reached, or the connection broke.
    Connection,
    /// The bytes to store could not be read. A [`ReadError`](crate::ReadError) is among the sources.
    Payload,
}

impl StorageError {
    /// Makes an error of this kind.
    pub fn new(kind: StorageErrorKind) -> Self {
        Self {
            kind,
            status: None,
            code: None,
            message: None,
            attempts: 1,
            source: None,
        }
    }

    /// An error for bytes that cannot be read.
    pub(crate) fn unreadable(source: ReadError) -> Self {
        Self::new(StorageErrorKind::Payload).with_source(source)
    }

    /// Adds the HTTP status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Adds the storage's own code, such as `NoSuchBucket`, and its message.
    #[must_use]
    pub fn with_code(mut self, code: Option<String>, message: Option<String>) -> Self {
        (self.code, self.message) = (code, message);
        self
    }

    /// Adds the source.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds the number of attempts.
    #[must_use]
    pub fn with_attempts(mut self, attempts: usize) -> Self {
        self.attempts = attempts;
        self
    }

    /// Changes the storage's own message.
    #[cfg(feature = "s3")]
    pub(crate) fn map_words(mut self, change: impl Fn(String) -> String) -> Self {
        self.code = self.code.map(&change);
        self.message = self.message.map(&change);
        self
    }

    /// The number of attempts.
    pub fn attempts(&self) -> usize {
        self.attempts
    }

    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self.kind,
            StorageErrorKind::RateLimited | StorageErrorKind::Unavailable | StorageErrorKind::Connection
        )
    }

    /// Its kind.
    pub fn kind(&self) -> StorageErrorKind {
        self.kind
    }

    /// The HTTP status, if there was an answer.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// The storage's own code, such as `NoSuchBucket`.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The storage's own message.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    fn summary(&self) -> String {
        let mut text = match self.kind {
            StorageErrorKind::AccessDenied => "the object storage denies access",
            StorageErrorKind::Refused => "the object storage refuses the request",
            StorageErrorKind::RateLimited => "the object storage asks to slow down",
            StorageErrorKind::Unavailable => "the object storage failed",
            StorageErrorKind::Connection => "the object storage cannot be reached",
            StorageErrorKind::Payload => "the archive could not be read while it was sent",
        }
        .to_owned();
        let details: Vec<String> = self
            .status
            .map(|status| status.to_string())
            .into_iter()
            .chain(self.code.clone())
            .chain(self.message.clone())
            .collect();
        if !details.is_empty() {
            text.extend([" (", &details.join(", "), ")"]);
        }
        if self.attempts > 1 {
            text.extend([", ".to_owned(), self.attempts.to_string(), " times".to_owned()]);
        }
        text
    }
}
