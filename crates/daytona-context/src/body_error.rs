//! The error that ends a body.

/// An error of any kind.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a body ended early. The reason is its source.
#[derive(Debug, thiserror::Error)]
#[error("the body of the request ended early")]
pub struct BodyError(#[source] BoxError);

impl BodyError {
    /// Wraps an error of any kind.
    pub fn new(error: impl Into<BoxError>) -> Self {
        Self(error.into())
    }
}
