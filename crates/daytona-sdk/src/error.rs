//! The one error type.

use std::fmt;
use std::time::Duration;

use daytona_api::{SnapshotId, SnapshotState};

use daytona_context::BoxError;

mod answer;

pub(crate) use answer::{from_answer, from_transport, not_an_api};

/// Why a call failed.
///
/// [`kind`](Self::kind) says what a program can act on; the text says what a person can. The errors below, down to the
/// operating system's, are its chain of sources.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    operation: Option<&'static str>,
    status: Option<u16>,
    server_message: Option<String>,
    request_id: Option<String>,
    retry_after: Option<Duration>,
    attempts: u32,
    elapsed: Option<Duration>,
    is_unsent: bool,
    snapshot: Option<SnapshotInfo>,
    reason: Option<String>,
    log_tail: Vec<String>,
    source: Option<BoxError>,
}

/// What is known of the snapshot that a call was about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotInfo {
    /// Its id.
    pub id: SnapshotId,
    /// Its name.
    pub name: String,
    /// The state in which it was last seen.
    pub last_state: SnapshotState,
}

impl SnapshotInfo {
    pub(crate) fn of(snapshot: &daytona_api::Snapshot) -> Self {
        Self {
            id: snapshot.id.clone(),
            name: snapshot.name.clone(),
            last_state: snapshot.state.clone(),
        }
    }
}

/// Kinds of [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting of the client is missing or wrong, or the certificate of the server is not trusted.
    Config,
    /// What was asked for cannot be asked for; no request was sent.
    InvalidRequest,
    /// The image has problems; the source is a [`PlanError`](crate::PlanError).
    InvalidImage,
    /// A local file cannot be read, or changed while it was sent.
    LocalFile,
    /// The object storage refused or failed.
    ObjectStorage,
    /// What was asked for needs a feature of this crate that is turned off.
    Unsupported,
    /// The credentials are missing, wrong or expired.
    Unauthorized,
    /// The credentials do not allow it.
    PermissionDenied,
    /// The organization is suspended.
    Suspended,
    /// There is no such thing.
    NotFound,
    /// The name is taken. [`Error::snapshot`] is the one that has it, where it can be seen.
    AlreadyExists,
    /// The name is taken, but no snapshot that has it can be seen: it may be about to be removed.
    NameReserved,
    /// A snapshot of that name is there, and is not what was asked for: the text says what differs.
    DefinitionMismatch,
    /// The server refuses what was asked for.
    Rejected,
    /// The organization has used up what it may have.
    QuotaExceeded,
    /// The snapshot was changed less than ten minutes ago and cannot be activated yet.
    Cooldown,
    /// The snapshot is active already.
    AlreadyActive,
    /// The server asks to slow down.
    RateLimited,
    /// The server cannot be reached behind what stands before it, is overloaded, or is under maintenance (502, 503, 504).
    Unavailable,
    /// The server failed at the request (500), and would fail at it again.
    ServerError,
    /// The answer is not what the operation promises.
    Decode,
    /// What answered is not the API.
    NotAnApi,
    /// The server cannot be reached, or the connection broke.
    Connection,
    /// The answer took too long.
    Timeout,
    /// The deadline of a wait has passed. The build goes on; [`Error::snapshot`] says which to wait for again.
    WaitTimeout,
    /// The build or the pull failed.
    BuildFailed,
    /// The snapshot was deleted or deactivated while it was waited for.
    Gone,
}

impl ErrorKind {
    /// A stable name, such as `already_exists`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidImage => "invalid_image",
            Self::LocalFile => "local_file",
            Self::ObjectStorage => "object_storage",
            Self::Unsupported => "unsupported",
            Self::Unauthorized => "unauthorized",
            Self::PermissionDenied => "permission_denied",
            Self::Suspended => "suspended",
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::NameReserved => "name_reserved",
            Self::DefinitionMismatch => "definition_mismatch",
            Self::Rejected => "rejected",
            Self::QuotaExceeded => "quota_exceeded",
            Self::Cooldown => "cooldown",
            Self::AlreadyActive => "already_active",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::ServerError => "server_error",
            Self::Decode => "decode",
            Self::NotAnApi => "not_an_api",
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::WaitTimeout => "wait_timeout",
            Self::BuildFailed => "build_failed",
            Self::Gone => "gone",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            operation: None,
            status: None,
            server_message: None,
            request_id: None,
            retry_after: None,
            attempts: 1,
            elapsed: None,
            is_unsent: false,
            snapshot: None,
            reason: None,
            log_tail: Vec::new(),
            source: None,
        }))
    }

    pub(crate) fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    pub(crate) fn with_operation(mut self, operation: &'static str) -> Self {
        self.0.operation = Some(operation);
        self
    }

    pub(crate) fn with_attempts(mut self, attempts: u32) -> Self {
        self.0.attempts = attempts;
        self
    }

    pub(crate) fn with_elapsed(mut self, elapsed: Duration) -> Self {
        self.0.elapsed = Some(elapsed);
        self
    }

    pub(crate) fn with_snapshot(mut self, snapshot: SnapshotInfo) -> Self {
        self.0.snapshot = Some(snapshot);
        self
    }

    pub(crate) fn with_reason(mut self, reason: &str) -> Self {
        self.0.reason = Some(reason.to_owned());
        self
    }

    /// With what the server answered when another error came of it.
    pub(crate) fn with_answer_of(mut self, other: &Self) -> Self {
        self.0.operation = other.0.operation;
        self.0.status = other.0.status;
        self.0.server_message.clone_from(&other.0.server_message);
        self.0.request_id.clone_from(&other.0.request_id);
        self.0.retry_after = other.0.retry_after;
        self
    }

    pub(crate) fn with_log_tail(mut self, lines: Vec<String>) -> Self {
        self.0.log_tail = lines;
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Id of the operation of the API that failed, such as `createSnapshot`.
    pub fn operation(&self) -> Option<&str> {
        self.0.operation
    }

    /// The HTTP status, if there was an answer.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// What the server said.
    pub fn server_message(&self) -> Option<&str> {
        self.0.server_message.as_deref()
    }

    /// The id that the server, or what stands before it, gave the request, for those whom one asks about it.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// How many requests were sent for the call.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// How long the call had waited when its deadline passed.
    pub fn elapsed(&self) -> Option<Duration> {
        self.0.elapsed
    }

    /// How long the server asks to wait before the next request.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Whether the same call may succeed a while later.
    pub fn is_retryable(&self) -> bool {
        use ErrorKind::{Connection, RateLimited, Timeout, Unavailable};
        matches!(self.0.kind, Connection | RateLimited | Timeout | Unavailable)
    }

    /// Whether it says nothing about the snapshot that was looked at.
    pub(crate) fn is_passing(&self) -> bool {
        self.is_retryable() || self.0.kind == ErrorKind::ServerError
    }

    /// The snapshot that the call was about, where one is known: after a failed build, a wait that timed out, or a name that
    /// is taken.
    pub fn snapshot(&self) -> Option<&SnapshotInfo> {
        self.0.snapshot.as_ref()
    }

    /// Why a build failed, in the server's words.
    pub fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// The last lines of the log of a failed build, where they could be had.
    pub fn log_tail(&self) -> &[String] {
        &self.0.log_tail
    }

    /// Whether the request provably never left.
    pub(crate) fn is_unsent(&self) -> bool {
        self.0.is_unsent
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.message)?;
        match self.0.attempts {
            0 | 1 => Ok(()),
            attempts => write!(formatter, " (tried {attempts} times)"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        let mut shown = formatter.debug_struct("Error");
        shown.field("kind", &inner.kind).field("message", &inner.message);
        if let Some(operation) = inner.operation {
            shown.field("operation", &operation);
        }
        if let Some(status) = inner.status {
            shown.field("status", &status);
        }
        if let Some(snapshot) = &inner.snapshot {
            shown.field("snapshot", snapshot);
        }
        if let Some(source) = &inner.source {
            shown.field("source", source);
        }
        shown.finish_non_exhaustive()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn std::error::Error + 'static))
    }
}

impl From<daytona_image::PlanError> for Error {
    fn from(error: daytona_image::PlanError) -> Self {
        Self::new(ErrorKind::InvalidImage, error.to_string()).with_source(error)
    }
}

impl From<daytona_context::ReadError> for Error {
    fn from(error: daytona_context::ReadError) -> Self {
        daytona_context::ContextError::from(error).into()
    }
}

impl From<daytona_context::ContextError> for Error {
    fn from(error: daytona_context::ContextError) -> Self {
        let kind = match error {
            daytona_context::ContextError::Storage { .. } => ErrorKind::ObjectStorage,
            _ => ErrorKind::LocalFile,
        };
        Self::new(kind, with_causes(&error)).with_source(error)
    }
}

impl From<daytona_api::RequestError> for Error {
    fn from(error: daytona_api::RequestError) -> Self {
        Self::new(ErrorKind::InvalidRequest, error.to_string()).with_source(error)
    }
}

/// The text of an error and of what lies below it, on one line.
pub(crate) fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
