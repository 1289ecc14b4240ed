//! The error that ends a body.

/// An error of any kind, as it passes through seams.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What ends a body before its end. The reason is its source.
#[derive(Debug, thiserror::Error)]
#[error("the body of the request ended early")]
pub struct BodyError(#[source] BoxError);

impl BodyError {
    /// Wraps an error of any kind.
    pub fn new(error: impl Into<BoxError>) -> Self {
        Self(error.into())
    }
}
