//! Kinds of errors.

use std::fmt;

/// The kind of an [`Error`](crate::Error), for programs that act on it.
///
/// | kind | what it means | what helps |
/// |---|---|---|
/// | [`Config`](Self::Config) | a setting of the client is missing or wrong | the text names it |
/// | [`InvalidImage`](Self::InvalidImage) | the image has problems, all of them listed | the source is a [`PlanError`](crate::PlanError) with step, method and line |
/// | [`InvalidRequest`](Self::InvalidRequest) | the request cannot be made | the text says why |
/// | [`LocalFile`](Self::LocalFile) | a file cannot be read, or changed while it was sent | plan again when nothing writes to it |
/// | [`Unsupported`](Self::Unsupported) | a feature of the crate is off, a blocking call stands inside a runtime, or the server is too old | turn it on; await it |
/// | [`Unauthorized`](Self::Unauthorized) | the key or token is missing, wrong or expired | another one; the call is not repeated by itself |
/// | [`PermissionDenied`](Self::PermissionDenied) | the key or user lacks a permission, which the text names | a key with it |
/// | [`Suspended`](Self::Suspended) | the organization is suspended | the server's words say why: [`Error::server_message`](crate::Error::server_message) |
/// | [`NotFound`](Self::NotFound) | there is no such thing | names are case-sensitive |
/// | [`AlreadyExists`](Self::AlreadyExists) | the name is taken by [`Error::snapshot`](crate::Error::snapshot) | `ensure`, or another name |
/// | [`NameReserved`](Self::NameReserved) | the name is taken, but no snapshot with it can be seen | it may be about to be removed: try again later |
/// | [`DefinitionMismatch`](Self::DefinitionMismatch) | the snapshot of that name has another definition; the text says what differs | `.replace()`, or another name |
/// | [`Rejected`](Self::Rejected) | the server does not accept the request | [`Error::server_message`](crate::Error::server_message) says why |
/// | [`QuotaExceeded`](Self::QuotaExceeded) | the organization has reached a quota, which the text names | delete snapshots, for example with `prune`, or sandboxes |
/// | [`Cooldown`](Self::Cooldown) | the snapshot was deactivated too recently | activate it ten minutes after its last change |
/// | [`AlreadyActive`](Self::AlreadyActive) | the snapshot is active already | nothing to do |
/// | [`RateLimited`](Self::RateLimited), [`Unavailable`](Self::Unavailable), [`Connection`](Self::Connection), [`Timeout`](Self::Timeout) | the call was repeated, [`Error::attempts`](crate::Error::attempts) times in all, and still failed | try again later: [`Error::is_retryable`](crate::Error::is_retryable), [`Error::retry_after`](crate::Error::retry_after) |
/// | [`ServerError`](Self::ServerError), [`Decode`](Self::Decode) | the server failed, or its answer cannot be understood | report it, with [`Error::request_id`](crate::Error::request_id) if there is one |
/// | [`NotAnApi`](Self::NotAnApi) | something else answers at that address | check the API URL, which ends in `/api` |
/// | [`ObjectStorage`](Self::ObjectStorage) | the object storage refused an upload, or failed | its code is in the text |
/// | [`WaitTimeout`](Self::WaitTimeout) | the deadline has passed; what the server was asked for goes on | the text says how to go on; for a creation, `wait` for the id in [`Error::snapshot`](crate::Error::snapshot) |
/// | [`BuildFailed`](Self::BuildFailed) | the build or the pull failed | [`Error::reason`](crate::Error::reason), [`Error::log_tail`](crate::Error::log_tail) |
/// | [`DoesNotStart`](Self::DoesNotStart) | no sandbox of the snapshot starts | [`Error::reason`](crate::Error::reason) has the runner's words, and the text what to look at |
/// | [`NoRunner`](Self::NoRunner) | no machine of the service can take it now | later, or another region |
/// | [`Busy`](Self::Busy) | somebody else is doing something with the sandbox | later: [`Error::is_retryable`](crate::Error::is_retryable) |
/// | [`Gone`](Self::Gone) | somebody else deactivated or deleted the snapshot | |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting of the client is missing or wrong, or the certificate of the server is not trusted.
    Config,
    /// The request cannot be made. It was not sent, or it was too large for the server.
    InvalidRequest,
    /// The image has problems; the source is a [`PlanError`](crate::PlanError).
    InvalidImage,
    /// A local file cannot be read, or changed while it was sent.
    LocalFile,
    /// The object storage refused an upload, or failed.
    ObjectStorage,
    /// The feature of this crate is off, or this server does not know the operation.
    Unsupported,
    /// The credentials are missing, wrong or expired.
    Unauthorized,
    /// The credentials lack a permission.
    PermissionDenied,
    /// The organization is suspended.
    Suspended,
    /// There is no such thing.
    NotFound,
    /// The name is taken. [`Error::snapshot`](crate::Error::snapshot) has its snapshot, if it can be seen.
    AlreadyExists,
    /// The name is taken, but its snapshot cannot be seen. It may be about to be removed.
    NameReserved,
    /// The snapshot of that name has another definition; the message says what differs.
    DefinitionMismatch,
    /// The server does not accept the request.
    Rejected,
    /// The organization has reached a quota.
    QuotaExceeded,
    /// The snapshot was changed less than ten minutes ago and cannot be activated yet.
    Cooldown,
    /// The snapshot is active already.
    AlreadyActive,
    /// The server asks to slow down.
    RateLimited,
    /// The server cannot be reached through its gateway, is overloaded, or is under maintenance (502 to 504, 520 to
    /// 530).
    Unavailable,
    /// The server failed (500), and a retry would fail too.
    ServerError,
    /// The answer is not what the operation should return.
    Decode,
    /// What answered is not the API, and the API has never answered this client.
    NotAnApi,
    /// The server cannot be reached, or the connection broke.
    Connection,
    /// The answer took too long.
    Timeout,
    /// The deadline of a wait has passed. The build goes on. [`Error::snapshot`](crate::Error::snapshot) says what to
    /// wait for again.
    WaitTimeout,
    /// The build or the pull failed.
    BuildFailed,
    /// A sandbox of the snapshot was created, but did not start: [`Error::reason`](crate::Error::reason).
    DoesNotStart,
    /// No runner of the service has room for the request.
    NoRunner,
    /// Somebody else is starting, stopping, capturing or deleting the sandbox, so nothing else can be done with it.
    Busy,
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
            Self::DoesNotStart => "does_not_start",
            Self::NoRunner => "no_runner",
            Self::Busy => "busy",
            Self::Gone => "gone",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
