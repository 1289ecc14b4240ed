//! What can be said of a call: how long it may take, and who hears of it.

use std::time::Duration;

use super::delivery::Callbacks;

/// The options of a call.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// None: as long as it takes.
    pub(crate) limit: Option<Duration>,
    pub(crate) callbacks: Callbacks,
}

impl Options {
    /// The call may take this long unless the caller says otherwise.
    pub(crate) fn within(limit: Duration) -> Self {
        Self {
            limit: Some(limit),
            callbacks: Callbacks::default(),
        }
    }
}

/// The methods of every call, for a builder that has the options in a field `options`.
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

        /// Calls this function with everything that happens, up to the outcome.
        ///
        /// The function is called on a task of its own: a slow one delays only later events, not polling or the deadline.
        /// One that blocks the thread of a runtime with one thread delays everything: there, polls and the deadline have their
        /// turn between two events. If the function panics, the call panics.
        pub fn on_event(mut self, callback: impl FnMut(&$crate::Event) + Send + 'static) -> Self {
            self.options.callbacks.on_event = Some(Box::new(callback));
            self
        }
    };
}

/// [`option_methods`] of a call that waits for a build: it has a log.
macro_rules! build_option_methods {
    () => {
        $crate::snapshots::events::options::option_methods! {
            /// How long all of it may take: planning, upload, building, whatever there is of it. Default: the client's operation
            /// timeout, 130 minutes, as the server ends a build at 120.
        }

        /// Calls this function with each line of the build log, from its beginning, as [`on_event`](Self::on_event) does with
        /// events.
        pub fn on_logs(mut self, callback: impl FnMut(&$crate::LogLine) + Send + 'static) -> Self {
            self.options.callbacks.on_logs = Some(Box::new(callback));
            self
        }
    };
}

pub(crate) use {build_option_methods, option_methods};
