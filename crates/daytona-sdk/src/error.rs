//! The only error type.

use std::time::Duration;

use daytona_api::{SnapshotId, SnapshotState};
use daytona_context::BoxError;

use crate::secrets::Secrets;
use crate::text::{escaped, one_line, with_causes};

mod answer;
mod kind;
mod report;

pub(crate) use answer::{Asked, from_answer, from_transport, is_of_the_api, undecodable};
pub use kind::ErrorKind;

/// Why a call failed.
///
/// [`kind`](Self::kind) is for programs, and the message is for people. [`report`](Self::report) is a longer text, with
/// the causes and the end of the build log. `Debug` prints it too, so a program whose `main` returns this error shows
/// it. The chain of sources goes down to the errors of the operating system.
///
/// Text from servers and proxies is shown on one line, with control characters escaped and without the client's own
/// secrets.
///
/// ```no_run
/// # async fn example(daytona: daytona_sdk::Daytona) {
/// use daytona_sdk::{CreateSnapshotParams, ErrorKind};
///
/// let params = CreateSnapshotParams::new("my-app", "python:3.12-slim");
/// match daytona.snapshots().create(params).await {
///     Ok(snapshot) => println!("{}", snapshot.state),
///     Err(error) if error.kind() == ErrorKind::AlreadyExists => {
///         println!("it exists: {:?}", error.snapshot());
///     }
///     Err(error) if error.is_retryable() => println!("try again later: {error}"),
///     Err(error) => eprintln!("{}", error.report()),
/// }
/// # }
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    operation: Option<&'static str>,
    status: Option<u16>,
    server_message: Option<String>,
    request_id: Option<String>,
    retry_after: Option<Duration>,
    attempts: u32,
    elapsed: Option<Duration>,
    sending: Sending,
    snapshot: Option<SnapshotInfo>,
    reason: Option<String>,
    log_tail: Vec<String>,
    source: Option<BoxError>,
}

/// How far a request got, if it had no good answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sending {
    /// The request may have reached the server.
    Unknown,
    /// The request provably never left.
    Unsent,
    /// The request never left, because the connection was refused.
    Refused,
    /// The server said that it is under maintenance. It does so before it looks at a request.
    InMaintenance,
    /// The answer was incomplete.
    AnswerBroken,
}

/// What is known about the snapshot of the call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotInfo {
    /// Its id.
    pub id: SnapshotId,
    /// Its name.
    pub name: String,
    /// Its last known state.
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

impl Error {
    /// An error with a message of one line.
    pub(crate) fn new(kind: ErrorKind, message: impl AsRef<str>) -> Self {
        Self::with_lines(kind, one_line(message.as_ref()))
    }

    /// An error with a message of several lines, which is already safe to show.
    fn with_lines(kind: ErrorKind, message: String) -> Self {
        Self(Box::new(Inner {
            kind,
            message,
            hint: None,
            operation: None,
            status: None,
            server_message: None,
            request_id: None,
            retry_after: None,
            attempts: 1,
            elapsed: None,
            sending: Sending::Unknown,
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

    /// Adds what happened before.
    pub(crate) fn after(mut self, before: &str) -> Self {
        self.0.message = format!("{}: {}", one_line(before), self.0.message);
        self
    }

    /// Adds a hint what to do.
    pub(crate) fn with_hint(mut self, hint: impl AsRef<str>) -> Self {
        self.0.hint = Some(one_line(hint.as_ref()));
        self
    }

    /// Adds the hint of another error.
    pub(crate) fn with_hint_of(mut self, other: &Self) -> Self {
        self.0.hint.clone_from(&other.0.hint);
        self
    }

    /// What happened, without the hint.
    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether the error has a hint.
    pub(crate) fn has_hint(&self) -> bool {
        self.0.hint.is_some()
    }

    /// The message without the hint, to become a part of another message.
    pub(crate) fn without_hint(&self) -> &str {
        &self.0.message
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
        self.0.reason = Some(escaped(reason));
        self
    }

    /// Copies the server's answer from the error that led to this one.
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

    /// Removes secrets that the message of a runner or the log of a build may repeat.
    pub(crate) fn without_secrets(mut self, secrets: &Secrets) -> Self {
        let inner = &mut *self.0;
        let texts = [Some(&mut inner.message), inner.hint.as_mut(), inner.reason.as_mut()];
        for text in texts.into_iter().flatten().chain(&mut inner.log_tail) {
            *text = secrets.cut(text);
        }
        self
    }

    /// The kind of the failure.
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

    /// The server's message. Line breaks are kept; other control characters are escaped.
    pub fn server_message(&self) -> Option<&str> {
        self.0.server_message.as_deref()
    }

    /// The id that the server or a gateway has given to the request. Include it when you report the error to the
    /// service.
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

    /// How long the server asks you to wait before the next request. A longer time than five minutes is cut to five
    /// minutes.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Whether the same call may succeed later: kinds `Busy`, `Connection`, `Cooldown`, `NameReserved`, `NoRunner`,
    /// `RateLimited`, `Timeout` and `Unavailable`.
    ///
    /// `WaitTimeout` is not one of them, because the server goes on with what it was asked for: the same creation would
    /// find that its name is taken. Wait for the snapshot instead, or use `ensure`, which can be called again after
    /// every error.
    pub fn is_retryable(&self) -> bool {
        use ErrorKind::{Cooldown, NameReserved, NoRunner};
        self.is_transient() || matches!(self.0.kind, Cooldown | NameReserved | NoRunner)
    }

    /// Whether the same request may succeed later, whatever the state of the snapshot.
    pub(crate) fn is_transient(&self) -> bool {
        use ErrorKind::{Busy, Connection, RateLimited, Timeout, Unavailable};
        matches!(self.0.kind, Busy | Connection | RateLimited | Timeout | Unavailable)
    }

    /// Whether the error says nothing about the snapshot that was looked at.
    pub(crate) fn is_passing(&self) -> bool {
        self.is_transient() || self.0.kind == ErrorKind::ServerError
    }

    /// The snapshot of the call, if it is known: for example after a failed build, after a wait that timed out, or if
    /// the name is taken.
    pub fn snapshot(&self) -> Option<&SnapshotInfo> {
        self.0.snapshot.as_ref()
    }

    /// Why a build failed or a sandbox did not start, in the server's words. Line breaks are kept; other control
    /// characters are escaped.
    pub fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// The last lines of a failed build's log, if the log could be read. Control characters in them are not escaped.
    pub fn log_tail(&self) -> &[String] {
        &self.0.log_tail
    }

    /// Whether the request provably never left.
    pub(crate) fn is_unsent(&self) -> bool {
        matches!(self.0.sending, Sending::Unsent | Sending::Refused)
    }

    /// Whether the connection was refused, as it is while a server restarts.
    pub(crate) fn is_refused_connection(&self) -> bool {
        self.0.sending == Sending::Refused
    }

    /// Whether the answer was incomplete, so that the request is sent again where that does no harm.
    pub(crate) fn is_broken_answer(&self) -> bool {
        self.0.sending == Sending::AnswerBroken
    }

    /// Whether the request of this error provably had no effect: it never left, or was refused before anything was done.
    pub(crate) fn proves_nothing_was_done(&self) -> bool {
        match self.0.status {
            // The server, or what stands before it, gave up on the connection.
            Some(408 | 499) => false,
            Some(300..=499) => true,
            Some(_) => self.0.sending == Sending::InMaintenance,
            None => self.is_unsent() || !matches!(self.0.kind, ErrorKind::Connection | ErrorKind::Timeout),
        }
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
        Self::with_lines(ErrorKind::InvalidImage, escaped(&error.to_string())).with_source(error)
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
