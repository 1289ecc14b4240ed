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
            () = share.stalled(limit, unacknowledged) => {
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
