//! The way of events to the caller: in order, and without holding up what causes them.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;

use super::event::{Event, LogLine};

/// Lines of a log that may wait for a slow caller; the reading of the log waits beyond it.
const LINES_IN_FLIGHT: usize = 1024;

/// Last lines of a log that are kept for the error of a failed build.
const TAIL: usize = 20;

type Callback<T> = Box<dyn FnMut(&T) + Send>;

/// What the caller wants to hear of.
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

/// Where events are put; a clone for each of their sources.
#[derive(Debug, Clone)]
pub(crate) struct Events {
    sender: mpsc::UnboundedSender<(Event, Option<OwnedSemaphorePermit>)>,
    room: Arc<Semaphore>,
    tail: Arc<Mutex<VecDeque<String>>>,
}

/// The task that calls the caller's functions. Ends with the value.
#[derive(Debug)]
pub(crate) struct Delivery {
    task: Option<JoinHandle<()>>,
}

/// Starts to deliver on a task of its own, so that a slow caller delays neither polls nor the deadline.
pub(crate) fn start(mut callbacks: Callbacks) -> (Events, Delivery) {
    let (sender, mut receiver) = mpsc::unbounded_channel::<(Event, Option<OwnedSemaphorePermit>)>();
    let is_wanted = callbacks.on_event.is_some() || callbacks.on_logs.is_some();
    let task = is_wanted.then(|| {
        tokio::spawn(async move {
            while let Some((event, _room)) = receiver.recv().await {
                if let (Event::Log(line), Some(on_logs)) = (&event, &mut callbacks.on_logs) {
                    on_logs(line);
                }
                if let Some(on_event) = &mut callbacks.on_event {
                    on_event(&event);
                }
            }
        })
    });
    let events = Events {
        sender,
        room: Arc::new(Semaphore::new(LINES_IN_FLIGHT)),
        tail: Arc::default(),
    };
    (events, Delivery { task })
}

impl Events {
    /// Puts an event, at once. Without a caller who listens it is dropped.
    pub(crate) fn put(&self, event: Event) {
        drop(self.sender.send((event, None)));
    }

    /// Puts a line of the log, as soon as there is room.
    pub(crate) async fn put_line(&self, line: String) {
        {
            let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
            if tail.len() == TAIL {
                tail.pop_front();
            }
            tail.push_back(line.clone());
        }
        let room = Arc::clone(&self.room).acquire_owned().await.ok();
        drop(self.sender.send((Event::Log(LogLine::new(line)), room)));
    }

    /// The last lines of the log so far.
    pub(crate) fn tail(&self) -> Vec<String> {
        self.tail
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }
}

impl Delivery {
    /// Whether somebody listens.
    pub(crate) fn is_heard(&self) -> bool {
        self.task.is_some()
    }

    /// Waits until everything is delivered; all senders have to be dropped before.
    pub(crate) async fn finish(mut self) {
        if let Some(task) = self.task.take() {
            // A caller's function that panics has ended the delivery, and nothing else.
            drop(task.await);
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
