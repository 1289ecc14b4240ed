//! The body of a request to the store, and whether anything of it moves.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use super::line::{Line, Share};
use super::unacknowledged::unacknowledged;
use crate::body_error::BodyError;
use crate::payload::{Chunks, Payload};
use crate::storage::{StorageError, StorageErrorKind};

/// Bytes of a frame: small enough that on a slow line one is taken before the line counts as dead.
const FRAME: usize = 32 * 1024;

/// What is known of an attempt while it is under way. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Attempt(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    share: Share,
    /// Why the body ended early. A store may answer something before that error comes up to the caller.
    failure: Mutex<Option<BodyError>>,
    /// Whether some of the body was not taken.
    is_left: AtomicBool,
}

impl Attempt {
    /// An attempt over this line.
    pub(super) fn new(line: &Line) -> Self {
        Self(Arc::new(Inner {
            share: line.join(),
            failure: Mutex::default(),
            is_left: AtomicBool::new(false),
        }))
    }

    fn failure(&self) -> MutexGuard<'_, Option<BodyError>> {
        self.0.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The outcome of the attempt, unless nothing moves for too long or its body cannot be read.
    pub(super) async fn watch<T>(&self, limit: Duration, request: impl Future<Output = T>) -> Result<T, StorageError> {
        let share = &self.0.share;
        let _on_line = share.on_line();
        tokio::pin!(request);
        tokio::select! {
            outcome = &mut request => self.unless_unreadable(outcome),
            () = stall(share, limit, unacknowledged) => {
                Err(StorageError::new(StorageErrorKind::Connection).with_source(Stalled { limit }))
            }
        }
    }

    fn unless_unreadable<T>(&self, outcome: T) -> Result<T, StorageError> {
        match self.failure().take() {
            Some(error) => Err(StorageError::new(StorageErrorKind::Payload).with_source(error)),
            None => Ok(outcome),
        }
    }

    /// Whether all of its body was taken.
    pub(super) fn is_whole(&self) -> bool {
        !self.0.is_left.load(Ordering::Relaxed)
    }

    /// The payload as the body of this attempt.
    pub(super) fn body(&self, payload: &Payload) -> ByteStream {
        self.0.is_left.store(payload.size() > 0, Ordering::Relaxed);
        let (payload, attempt) = (payload.clone(), self.clone());
        // The SDK asks for the body once for each attempt, and makes none by itself.
        ByteStream::new(SdkBody::retryable(move || {
            SdkBody::from_body_1_x(Frames {
                chunks: payload.chunks(),
                chunk: Bytes::new(),
                left: payload.size(),
                attempt: attempt.clone(),
            })
        }))
    }
}

/// Ends when the request counts as stalled. `ask` asks the system how many bytes wait, and may block.
async fn stall(share: &Share, limit: Duration, ask: fn() -> Option<u64>) {
    while let Some(end) = share.end(limit) {
        let now = Instant::now();
        if end <= now {
            return;
        }
        match share.look(limit) {
            Some(look) if look <= now => {
                let waiting = tokio::task::spawn_blocking(ask).await.ok().flatten();
                share.told(waiting.unwrap_or(u64::MAX));
            }
            look => tokio::time::sleep_until(look.map_or(end, |look| look.min(end))).await,
        }
    }
    std::future::pending::<()>().await;
}

/// A request that did not move.
#[derive(Debug, thiserror::Error)]
#[error("no request made progress for {limit:?} plus the time that the waiting bytes need at 1 KiB/s")]
struct Stalled {
    limit: Duration,
}

/// A body of known size that notes what is taken of it.
struct Frames {
    chunks: Chunks,
    chunk: Bytes,
    left: u64,
    attempt: Attempt,
}

impl Body for Frames {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.chunk.is_empty() {
            match ready!(self.chunks.as_mut().poll_next(context)) {
                None => return Poll::Ready(None),
                Some(Ok(chunk)) => self.chunk = chunk,
                Some(Err(error)) => {
                    *self.attempt.failure() = Some(error);
                    return Poll::Ready(Some(Err(BodyError::new("the archive could not be read"))));
                }
            }
        }
        let count = FRAME.min(self.chunk.len());
        let frame = self.chunk.split_to(count);
        self.left = self.left.saturating_sub(count as u64);
        if self.left == 0 {
            self.attempt.0.is_left.store(false, Ordering::Relaxed);
        }
        self.attempt.0.share.took(count as u64);
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many seconds a request that took 100 KiB, and then nothing, may take.
    async fn stalls_after(ask: fn() -> Option<u64>) -> u64 {
        let share = Line::new().join();
        share.took(100 * 1024);
        let begin = Instant::now();
        stall(&share, Duration::from_mins(1), ask).await;
        begin.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_the_store_has_not_acknowledged_gets_time() {
        assert_eq!(stalls_after(|| Some(0)).await, 60);
        assert_eq!(stalls_after(|| Some(10 * 1024)).await, 70);
        assert_eq!(stalls_after(|| Some(u64::MAX)).await, 160, "not all of it is ours");
        assert_eq!(stalls_after(|| None).await, 160, "the system does not tell");
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_of_nothing_ends_at_once() {
        let share = Line::new().join();
        stall(&share, Duration::ZERO, || Some(0)).await;
    }
}
