//! Tokens that have an end.

use std::fmt;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::BoxError;

/// Where a JWT comes from.
///
/// Asked before each request, so that it should keep a token until shortly before its end. A token that the service does not
/// accept is not asked for again: failed logins count against the caller's address.
#[async_trait]
pub trait TokenProvider: fmt::Debug + Send + Sync + 'static {
    /// A token that is good now.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from having one: the call ends with an [`Error`](crate::Error) of kind `Unauthorized` that tells it.
    async fn token(&self) -> Result<SecretString, BoxError>;
}
