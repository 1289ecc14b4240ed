//! What a running call needs.

use std::future::Future;
use std::time::Duration;

use daytona_api::Operation;

use super::deadline::{Deadline, Goal};
use crate::api_client::ApiClient;
use crate::error::Error;
use crate::snapshots::events::delivery::{self, Delivery, Sink};
use crate::snapshots::events::options::Options;

/// A running call: its client, its deadline, and its listener.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    pub(crate) client: ApiClient,
    pub(crate) deadline: Deadline,
    pub(crate) sink: Sink,
}

impl Scope {
    /// Begins a call now.
    pub(crate) fn begin(client: &ApiClient, goal: Goal, options: Options) -> (Self, Delivery) {
        let (sink, delivery) = delivery::start(options.callbacks);
        (Self::with_sink(client, goal, options.limit, sink), delivery)
    }

    /// Like [`begin`](Self::begin), for a caller who delivers the events.
    pub(crate) fn with_sink(client: &ApiClient, goal: Goal, limit: Option<Duration>, sink: Sink) -> Self {
        Self {
            client: client.for_one_call(),
            deadline: Deadline::start(client, goal, limit),
            sink,
        }
    }
}

impl Scope {
    /// Carries out an operation. Each failed attempt that is followed by another is reported, and named if the deadline
    /// passes before the next one ends.
    pub(crate) async fn request<O: Operation>(&self, operation: &O) -> Result<O::Output, Error> {
        let outcome = self.client.call_with(operation, |error| self.note_retry(error)).await;
        self.deadline.clear_problem();
        outcome
    }

    fn note_retry(&self, error: &Error) {
        self.deadline.note_problem(error);
        // Without the hint, which is worth one line, when the call ends.
        self.sink.put_retry(error.message());
    }
}

/// Runs a call from beginning to end. Whatever its result, the events up to then are delivered first.
pub(crate) async fn run<T, F>(
    client: &ApiClient,
    goal: Goal,
    options: Options,
    body: impl FnOnce(Scope) -> F,
) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let (scope, mut delivery) = Scope::begin(client, goal, options);
    let deadline = scope.deadline.clone();
    let outcome = delivery.watch(body(scope)).await;
    deadline.bound(delivery.finish()).await;
    outcome.map_err(|error| error.without_secrets(client.secrets()))
}
