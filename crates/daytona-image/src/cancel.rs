//! Stops long work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Stops a plan or a walk from another thread.
///
/// All clones stop the same work. A cancellation cannot be undone.
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

/// All are equal, because a cancellation is not a part of a plan's options.
impl PartialEq for Cancellation {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Cancellation {}

impl Cancellation {
    /// A cancellation that has stopped nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops all work that uses this or a clone of it, at its next step.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether [`cancel`](Self::cancel) was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
