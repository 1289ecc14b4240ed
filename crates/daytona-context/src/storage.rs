//! The seam to object storage.

use std::fmt;

use async_trait::async_trait;

use crate::BoxError;
use crate::payload::Payload;

mod folder;
mod memory;

pub use folder::FolderStorage;
pub use memory::MemoryStorage;

/// Somewhere to keep archives under their keys.
#[async_trait]
pub trait ObjectStorage: fmt::Debug + Send + Sync {
    /// Whether an object is there. Only ever an optimisation: what cannot be told is [`Head::Unknown`], and the archive
    /// is put.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the credentials are refused or the storage cannot be reached.
    async fn head(&self, key: &str) -> Result<Head, StorageError>;

    /// Stores the payload under the key, whole or not at all.
    ///
    /// # Errors
    ///
    /// [`StorageError`]; then nothing of it is visible.
    async fn put(&self, key: &str, payload: Payload) -> Result<(), StorageError>;
}

/// What is known of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Head {
    /// It is there.
    Stored {
        /// Its size in bytes.
        size: u64,
    },
    /// It is not there.
    Missing,
    /// The storage does not say.
    Unknown,
}

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
    /// There is no such bucket, or the request is refused for another reason that repeating it does not change.
    Refused,
    /// The storage asks to slow down.
    RateLimited,
    /// The storage has a failure of its own.
    Unavailable,
    /// The storage cannot be reached, or the connection broke.
    Connection,
}

impl StorageError {
    /// An error of this kind.
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

    /// Adds the error below.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds how often it was tried.
    #[must_use]
    pub fn with_attempts(mut self, attempts: usize) -> Self {
        self.attempts = attempts;
        self
    }

    /// How often it was tried.
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

    fn summary(&self) -> String {
        let mut text = match self.kind {
            StorageErrorKind::AccessDenied => "the object storage denies access",
            StorageErrorKind::Refused => "the object storage refuses the request",
            StorageErrorKind::RateLimited => "the object storage asks to slow down",
            StorageErrorKind::Unavailable => "the object storage failed",
            StorageErrorKind::Connection => "the object storage cannot be reached",
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
