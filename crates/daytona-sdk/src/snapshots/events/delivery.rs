//! Delivers events to the caller: in order, and without delaying their source.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::{JoinError, JoinHandle};
use tracing::Instrument;

use super::event::{Event, LogGap, LogGapKind, LogLine};

/// How many batches of lines may wait for a slow caller. Beyond that, the reading of the log waits. A batch is the
/// lines that one chunk of the stream completes.
const BATCHES_IN_FLIGHT: usize = 32;

/// How many last lines of a log are kept for the error of a failed build.
const TAIL: usize = 20;

type Callback<T> = Box<dyn FnMut(&T) + Send>;

/// The caller's functions.
#[derive(Default)]
pub(crate) struct Callbacks {
    pub(crate) on_event: Option<Callback<Event>>,
    pub(crate) on_logs: Option<Callback<LogLine>>,
}

impl fmt::Debug for Callbacks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Callbacks")
            .field("on_event", &self.on_event.is_some())
            .field("on_logs", &self.on_logs.is_some())
            .finish()
    }
}

impl Callbacks {
    fn is_empty(&self) -> bool {
        self.on_event.is_none() && self.on_logs.is_none()
    }

    /// Calls the functions that want this event.
    pub(crate) fn hear(&mut self, event: &Event) {
        if let (Event::Log(line), Some(on_logs)) = (event, &mut self.on_logs) {
            on_logs(line);
        }
        if let Some(on_event) = &mut self.on_event {
            on_event(event);
        }
    }
}

enum Item {
    Event(Event),
    Lines(Vec<LogLine>, Option<OwnedSemaphorePermit>),
}

/// Takes events. Each source has a clone.
#[derive(Debug, Clone)]
pub(crate) struct Sink {
    sender: mpsc::UnboundedSender<Item>,
    room: Arc<Semaphore>,
    tail: Arc<Mutex<Tail>>,
    is_heard: bool,
}

/// The last lines of a log, for the error of a failed build.
#[derive(Debug, Default)]
struct Tail {
    lines: VecDeque<LogLine>,
    /// The last lines of the build before it, if the snapshot was created again.
    earlier: Vec<LogLine>,
}

impl Tail {
    fn push(&mut self, line: &LogLine) {
        if self.lines.len() == TAIL {
            self.lines.pop_front();
        }
        self.lines.push_back(line.clone());
    }

    /// Begins the log of another build.
    fn restart(&mut self) {
        self.earlier = self.lines.drain(..).collect();
    }

    /// The last lines of this build. Builds of one definition write to one log. If the lines begin with the end of what
    /// the previous build has written, they are a repetition of it.
    fn own(&self) -> impl Iterator<Item = &LogLine> {
        let is_end_of_earlier = |count: &usize| {
            let end = &self.earlier[self.earlier.len() - count..];
            *count <= self.lines.len() && self.lines.iter().take(*count).eq(end)
        };
        let repeated = (1..=self.earlier.len()).rev().find(is_end_of_earlier);
        self.lines.iter().skip(repeated.unwrap_or(0))
    }
}

/// Returns the events in the order in which they were put.
pub(crate) struct Outlet {
    receiver: mpsc::UnboundedReceiver<Item>,
    lines: std::vec::IntoIter<LogLine>,
    room: Option<OwnedSemaphorePermit>,
}

impl fmt::Debug for Outlet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Outlet").finish_non_exhaustive()
    }
}

/// A channel for events.
pub(crate) fn channel() -> (Sink, Outlet) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let sink = Sink {
        sender,
        room: Arc::new(Semaphore::new(BATCHES_IN_FLIGHT)),
        tail: Arc::default(),
        is_heard: true,
    };
    let outlet = Outlet {
        receiver,
        lines: Vec::new().into_iter(),
        room: None,
    };
    (sink, outlet)
}

impl Sink {
    /// Puts an event without waiting. If nobody listens, it is dropped.
    pub(crate) fn put(&self, event: Event) {
        drop(self.sender.send(Item::Event(event)));
    }

    /// Reports a retry.
    pub(crate) fn put_retry(&self, reason: impl fmt::Display) {
        let reason = reason.to_string();
        self.put(Event::Retry { reason, archive: None });
    }

    /// Reports that a part of the log is missing, or belongs to another build.
    pub(crate) fn put_gap(&self, kind: LogGapKind, reason: impl Into<String>) {
        let reason = reason.into();
        self.put(Event::LogGap(LogGap { kind, reason }));
    }

    /// Puts lines of the log, as soon as there is room.
    pub(crate) async fn put_lines(&self, lines: Vec<LogLine>) {
        if lines.is_empty() {
            return;
        }
        {
            let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
            lines[lines.len().saturating_sub(TAIL)..]
                .iter()
                .for_each(|line| tail.push(line));
        }
        if self.is_heard {
            let room = Arc::clone(&self.room).acquire_owned().await.ok();
            drop(self.sender.send(Item::Lines(lines, room)));
        }
    }

    /// Forgets the last lines of the log, because another build begins.
    pub(crate) fn clear_tail(&self) {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).restart();
    }

    /// The last lines of the log so far.
    pub(crate) fn tail(&self) -> Vec<String> {
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.own().map(ToString::to_string).collect()
    }

    /// Whether somebody listens.
    pub(crate) fn is_heard(&self) -> bool {
        self.is_heard
    }
}

impl Outlet {
    /// The next event, or none when all sinks are gone.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        poll_fn(|context| self.poll_next(context)).await
    }

    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Event>> {
        loop {
            if let Some(line) = self.lines.next() {
                return Poll::Ready(Some(Event::Log(line)));
            }
            self.room = None;
            match ready!(self.receiver.poll_recv(context)) {
                Some(Item::Event(event)) => return Poll::Ready(Some(event)),
                Some(Item::Lines(lines, room)) => {
                    self.lines = lines.into_iter();
                    self.room = room;
                }
                None => return Poll::Ready(None),
            }
        }
    }
}

/// The task that calls the caller's functions. It ends when this value is dropped.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    task: Option<JoinHandle<()>>,
}

/// Starts the delivery on a task of its own, so that a slow caller delays neither polls nor the deadline.
pub(crate) fn start(mut callbacks: Callbacks) -> (Sink, Delivery) {
    let (mut sink, mut outlet) = channel();
    if callbacks.is_empty() {
        sink.is_heard = false;
        return (sink, Delivery::default());
    }
    let deliver = async move {
        while let Some(event) = outlet.next().await {
            callbacks.hear(&event);
            // A function that blocks also blocks its thread. If there is only one thread, all other tasks get their
            // turn here.
            tokio::task::yield_now().await;
        }
    };
    let task = tokio::spawn(deliver.in_current_span());
    (sink, Delivery { task: Some(task) })
}

impl Delivery {
    /// The result of the call, which is stopped if one of the caller's functions panics.
    ///
    /// # Panics
    ///
    /// If the caller's function panics.
    pub(crate) async fn watch<T>(&mut self, call: impl Future<Output = T>) -> T {
        let mut call = std::pin::pin!(call);
        if let Some(task) = &mut self.task {
            tokio::select! {
                biased;
                value = &mut call => return value,
                ended = task => {
                    self.task = None;
                    carry_on_panic(ended);
                }
            }
        }
        call.await
    }

    /// Waits until everything is delivered. All sinks must be dropped before.
    ///
    /// # Panics
    ///
    /// If the caller's function panics.
    pub(crate) async fn finish(mut self) {
        if let Some(task) = &mut self.task {
            let ended = task.await;
            self.task = None;
            carry_on_panic(ended);
        }
    }
}

/// Passes on the panic of the caller's function: if an assertion in it fails, the test must fail.
fn carry_on_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && let Ok(panic) = error.try_into_panic()
    {
        std::panic::resume_unwind(panic);
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
