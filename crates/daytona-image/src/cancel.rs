//! Stops what takes its time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Stops a plan or a walk from another thread.
///
/// Clones stop the same thing. Once cancelled it stays so.
///
/// ```
/// use daytona_image::{Cancellation, Image, PlanOptions};
///
/// let cancellation = Cancellation::new();
/// let options = PlanOptions::default().cancellation(&cancellation);
/// cancellation.cancel();
/// let error = Image::base("alpine:3.20").plan_with(&options).unwrap_err();
/// assert!(error.is_cancelled());
/// ```
#[derive(Debug, Clone, Default)]
pub struct Cancellation(Arc<AtomicBool>);

/// All are equal: what may stop a plan is no part of what it is.
impl PartialEq for Cancellation {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Cancellation {}

impl Cancellation {
    /// Nothing is cancelled yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops whatever was given this or a clone of it, at its next step.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether [`cancel`](Self::cancel) was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
