//! What is allowed, but may surprise you.

use std::fmt;
use std::panic::Location;

use crate::problem::DockerfileLine;

/// Something in an image that is allowed, but may surprise you.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlanWarning {
    /// Number of the step, counted from 1.
    pub step: usize,
    /// The method of [`Image`](crate::Image) that made the step.
    pub method: &'static str,
    /// Where it was called.
    pub location: &'static Location<'static>,
    /// The line of the caller's own Dockerfile.
    pub line: Option<DockerfileLine>,
    /// The warning, in words.
    pub message: String,
}

impl fmt::Display for PlanWarning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        DockerfileLine::show(
            formatter,
            self.line.as_ref(),
            (self.step, self.method, self.location),
            &self.message,
        )
    }
}
