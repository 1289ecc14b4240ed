//! Kinds of errors.

use std::fmt;

/// The kind of an [`Error`](crate::Error), for programs that act on it.
///
/// ```no_run
/// # async fn example(daytona: daytona_sdk::Daytona) -> Result<(), daytona_sdk::Error> {
/// use daytona_sdk::ErrorKind;
///
/// match daytona.snapshots().delete("my-app").await {
///     Ok(()) => println!("it is being removed"),
///     Err(error) if error.kind() == ErrorKind::NotFound => println!("it does not exist"),
///     Err(error) => return Err(error),
/// }
/// # Ok(())
/// # }
/// ```
///
/// | kind | what it means | what to do |
/// |---|---|---|
/// | [`Config`](Self::Config) | a setting of the client is missing or wrong | correct it; the message names it |
/// | [`InvalidImage`](Self::InvalidImage) | the image has problems; the message lists all of them | correct the image; the source is a [`PlanError`](crate::PlanError) with step, method and line |
/// | [`InvalidRequest`](Self::InvalidRequest) | the request is invalid or too large | correct the parameters; the message says why |
/// | [`LocalFile`](Self::LocalFile) | a file cannot be read, or changed while it was sent | try again when nothing writes to it |
/// | [`Unsupported`](Self::Unsupported) | a feature of the crate is off, a blocking call was made inside a runtime, or the server is too old | do what the message says |
/// | [`Unauthorized`](Self::Unauthorized) | the key or token is missing, wrong or expired | use another one; the SDK does not repeat the call |
/// | [`PermissionDenied`](Self::PermissionDenied) | the key or user lacks a permission, which the message names | use a key that has it |
/// | [`Suspended`](Self::Suspended) | the organization is suspended | read the server's reason in [`Error::server_message`](crate::Error::server_message) |
/// | [`NotFound`](Self::NotFound) | the snapshot, sandbox, registry or region does not exist | check the name, which is case-sensitive |
/// | [`AlreadyExists`](Self::AlreadyExists) | the name is taken by [`Error::snapshot`](crate::Error::snapshot) | use `ensure`, or another name |
/// | [`NameReserved`](Self::NameReserved) | the name is taken, but its snapshot cannot be seen | try again later, because it may be about to be removed |
/// | [`DefinitionMismatch`](Self::DefinitionMismatch) | the snapshot of that name has another definition; the message says what differs | use `.replace()`, or another name |
/// | [`Rejected`](Self::Rejected) | the server does not accept the request | read the server's reason in [`Error::server_message`](crate::Error::server_message) |
/// | [`QuotaExceeded`](Self::QuotaExceeded) | the organization has reached a quota, which the message names | delete snapshots, for example with `prune`, or sandboxes |
/// | [`Cooldown`](Self::Cooldown) | the snapshot was changed too recently | activate it ten minutes after its last change |
/// | [`AlreadyActive`](Self::AlreadyActive) | the snapshot is already active | nothing |
/// | [`RateLimited`](Self::RateLimited), [`Unavailable`](Self::Unavailable), [`Connection`](Self::Connection), [`Timeout`](Self::Timeout) | the request failed for a temporary reason, in all its [`Error::attempts`](crate::Error::attempts) | try again later, after [`Error::retry_after`](crate::Error::retry_after) if it is set |
/// | [`ServerError`](Self::ServerError), [`Decode`](Self::Decode) | the server failed, or its answer cannot be understood | check the API URL if nothing has worked yet; else report it, with [`Error::request_id`](crate::Error::request_id) if there is one |
/// | [`NotAnApi`](Self::NotAnApi) | something else answers at that address | check the API URL, which ends in `/api` |
/// | [`ObjectStorage`](Self::ObjectStorage) | the object storage refused an upload, or failed | look up its error code, which is in the message |
/// | [`WaitTimeout`](Self::WaitTimeout) | the deadline has passed; the server goes on with what it has accepted | do what the message says; after a creation, `wait` for the id in [`Error::snapshot`](crate::Error::snapshot) |
/// | [`BuildFailed`](Self::BuildFailed) | the build or the pull failed | read [`Error::reason`](crate::Error::reason) and [`Error::log_tail`](crate::Error::log_tail) |
/// | [`DoesNotStart`](Self::DoesNotStart) | no sandbox of the snapshot starts | read the runner's reason in [`Error::reason`](crate::Error::reason), and the hint in the message |
/// | [`NoRunner`](Self::NoRunner) | no runner of the service has room for the request | try again later, or in another region |
/// | [`Busy`](Self::Busy) | somebody else is changing the sandbox | try again later |
/// | [`Gone`](Self::Gone) | somebody else has deactivated or deleted the snapshot | create or activate it again if you still need it |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting of the client is missing or wrong, or the certificate of the server is not trusted.
    Config,
    /// The request is invalid. It was not sent, or it was too large for the server.
    InvalidRequest,
    /// The image has problems; the source is a [`PlanError`](crate::PlanError).
    InvalidImage,
    /// A local file cannot be read, or changed while it was sent.
    LocalFile,
    /// The object storage refused an upload, or failed.
    ObjectStorage,
    /// A feature of this crate is off, a blocking call was made inside a runtime, or this server does not know the
    /// operation.
    Unsupported,
    /// The credentials are missing, wrong or expired.
    Unauthorized,
    /// The credentials lack a permission.
    PermissionDenied,
    /// The organization is suspended.
    Suspended,
    /// The snapshot, sandbox or registry does not exist.
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
    /// The snapshot is already active.
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
    /// Something other than the API answered, and the API has never answered this client.
    NotAnApi,
    /// The server cannot be reached, or the connection broke.
    Connection,
    /// The answer took too long.
    Timeout,
    /// The deadline of a call has passed. The server goes on with what it has accepted.
    /// [`Error::snapshot`](crate::Error::snapshot) is the snapshot to wait for again.
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
