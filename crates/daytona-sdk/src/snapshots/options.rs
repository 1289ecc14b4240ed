//! What can be said of a call that waits: how long, and who hears of it.

use std::time::Duration;

use super::delivery::Callbacks;
use crate::api_client::ApiClient;

/// The options of a call that waits.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) limit: Option<Duration>,
    pub(crate) callbacks: Callbacks,
}

impl Options {
    pub(crate) fn new(client: &ApiClient) -> Self {
        Self {
            limit: Some(client.settings().operation_timeout),
            callbacks: Callbacks::default(),
        }
    }
}

/// The methods that set them, for a builder that has them in a field `options`.
macro_rules! option_methods {
    () => {
        /// How long all of it may take: planning, upload, building, whatever there is of it. Default: the client's operation
        /// timeout, 130 minutes, as the server ends a build at 120.
        pub fn timeout(mut self, limit: std::time::Duration) -> Self {
            self.options.limit = Some(limit);
            self
        }

        /// Takes as long as it takes.
        pub fn no_timeout(mut self) -> Self {
            self.options.limit = None;
            self
        }

        /// Hands over each line of the build log, from its beginning. The function is called on a task of its own: a slow one
        /// delays the log, and neither the polls nor the deadline.
        pub fn on_logs(mut self, callback: impl FnMut(&$crate::LogLine) + Send + 'static) -> Self {
            self.options.callbacks.on_logs = Some(Box::new(callback));
            self
        }

        /// Hands over everything that happens, up to the outcome. Called as [`on_logs`](Self::on_logs) is.
        pub fn on_event(mut self, callback: impl FnMut(&$crate::Event) + Send + 'static) -> Self {
            self.options.callbacks.on_event = Some(Box::new(callback));
            self
        }
    };
}

pub(crate) use option_methods;
