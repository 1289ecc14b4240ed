//! The options that all calls share: a time limit and a listener.

use std::time::Duration;

use super::delivery::Callbacks;

/// The options of a call.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// None: no limit.
    pub(crate) limit: Option<Duration>,
    pub(crate) callbacks: Callbacks,
}

impl Options {
    /// Options with this time limit, unless the caller sets another.
    pub(crate) fn within(limit: Duration) -> Self {
        Self {
            limit: Some(limit),
            callbacks: Callbacks::default(),
        }
    }
}

/// Adds these methods to the builder of a call, which has a field `options`.
macro_rules! option_methods {
    ($(#[$limit:meta])*) => {
        $(#[$limit])*
        pub fn timeout(mut self, limit: std::time::Duration) -> Self {
            self.options.limit = Some(limit);
            self
        }

        /// Removes the deadline.
        pub fn no_timeout(mut self) -> Self {
            self.options.limit = None;
            self
        }

        /// Calls this function with every event, up to the outcome.
        ///
        /// The function runs on a task of its own, so a slow function delays only later events, not polls or the
        /// deadline. But if it blocks the only thread of a runtime, polls and the deadline have to wait until it
        /// returns. If the function panics, the call panics.
        pub fn on_event(mut self, callback: impl FnMut(&$crate::Event) + Send + 'static) -> Self {
            self.options.callbacks.on_event = Some(Box::new(callback));
            self
        }
    };
}

/// [`option_methods`] for a call that waits for a build and so has a log.
macro_rules! build_option_methods {
    () => {
        $crate::snapshots::events::options::option_methods! {
            /// The time limit for the whole call, including planning, upload and build. Default: the client's operation
            /// timeout, 130 minutes, because the server ends a build at 120.
        }

        /// Calls this function with each line of the build log, from the beginning. It runs like the function of
        /// [`on_event`](Self::on_event).
        pub fn on_logs(mut self, callback: impl FnMut(&$crate::LogLine) + Send + 'static) -> Self {
            self.options.callbacks.on_logs = Some(Box::new(callback));
            self
        }
    };
}

pub(crate) use {build_option_methods, option_methods};
