//! The events of a creation as a stream.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use daytona_api::Snapshot;
use futures_core::Stream;
use futures_util::StreamExt;
use tokio::task::JoinHandle;
use tracing::Instrument;

use super::delivery::{self, Callbacks, Outlet, Sink};
use super::event::Event;
use crate::error::{Error, ErrorKind};

/// All events of a creation, in order. The stream ends with [`Event::Done`], or with the error.
///
/// ```no_run
/// # async fn example(daytona: daytona_sdk::Daytona) -> Result<(), daytona_sdk::Error> {
/// use daytona_sdk::{CreateSnapshotParams, Event, Image};
///
/// let params = CreateSnapshotParams::new("my-app", Image::debian_slim("3.12"));
/// let mut events = daytona.snapshots().create(params).events();
/// while let Some(event) = events.next().await {
///     if let Event::State { state, .. } = event? {
///         println!("{state}");
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "does nothing until it is polled"]
pub struct EventStream {
    callbacks: Callbacks,
    state: State,
}

type Running = Pin<Box<dyn Future<Output = Result<Snapshot, Error>> + Send>>;
type Begin = Box<dyn FnOnce(Sink) -> Running + Send>;

enum State {
    New(Begin),
    Running(Outlet, JoinHandle<Result<Snapshot, Error>>),
    Over,
}

impl EventStream {
    pub(crate) fn new(callbacks: Callbacks, begin: impl FnOnce(Sink) -> Running + Send + 'static) -> Self {
        Self {
            callbacks,
            state: State::New(Box::new(begin)),
        }
    }

    /// The next event, or none at the end.
    pub async fn next(&mut self) -> Option<Result<Event, Error>> {
        StreamExt::next(self).await
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("EventStream").finish_non_exhaustive()
    }
}

impl Stream for EventStream {
    type Item = Result<Event, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if matches!(self.state, State::New(_))
            && let State::New(begin) = std::mem::replace(&mut self.state, State::Over)
        {
            let (sink, outlet) = delivery::channel();
            self.state = State::Running(outlet, tokio::spawn(begin(sink).in_current_span()));
        }
        let Self { callbacks, state } = &mut *self;
        let State::Running(outlet, task) = state else {
            return Poll::Ready(None);
        };
        if let Some(event) = ready!(outlet.poll_next(context)) {
            callbacks.hear(&event);
            return Poll::Ready(Some(Ok(event)));
        }
        let outcome = ready!(Pin::new(task).poll(context));
        *state = State::Over;
        Poll::Ready(match outcome {
            // The event has the snapshot.
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(Err(error)),
            Err(stopped) => {
                let message = "the task that creates the snapshot was stopped; what the server has accepted goes on";
                Some(Err(Error::new(ErrorKind::Gone, message).with_source(stopped)))
            }
        })
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        if let State::Running(_, task) = &self.state {
            task.abort();
        }
    }
}
