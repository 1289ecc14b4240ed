//! Why there is no answer.

use crate::BoxError;

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// A [`Fault`](crate::Fault) broke the connection.
    #[error("the emulator broke the connection, as it was told to")]
    Disconnected,
    /// The request's body could not be read.
    #[error("the body of the request could not be read")]
    RequestBody(#[source] BoxError),
}
