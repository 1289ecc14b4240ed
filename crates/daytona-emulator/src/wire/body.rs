//! Bodies that break off, stall or come slowly.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, StreamBody};

use super::error::ServiceError;
use crate::base::clock::{Clock, after};
use crate::{BoxError, ResponseBody};

pub(crate) fn full(bytes: impl Into<Bytes>) -> ResponseBody {
    http_body_util::Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// An unwanted body is read only up to this size. Then the connection is closed after the answer.
const MOST_UNWANTED: u64 = 64 * 1024 * 1024;

/// Reads a body to its end. Otherwise a client that is still sending would see a broken connection instead of the
/// answer. A very large body is not read to its end.
pub(crate) async fn drain(mut body: ResponseBody) -> Result<(), ServiceError> {
    let mut left = MOST_UNWANTED;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(ServiceError::RequestBody)?;
        left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len() as u64));
        if left == 0 {
            break;
        }
    }
    Ok(())
}

/// Splits a body into one for another reader and what that reader leaves of it.
pub(crate) fn share(body: ResponseBody) -> (ResponseBody, Rest) {
    let shared = Arc::new(Mutex::new(body));
    (Shared(Arc::clone(&shared)).boxed_unsync(), Rest(shared))
}

struct Shared(Arc<Mutex<ResponseBody>>);

impl Body for Shared {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Pin::new(&mut *body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}

/// What is left of a shared body.
pub(crate) struct Rest(Arc<Mutex<ResponseBody>>);

impl Rest {
    /// Reads it to its end, or until it breaks off.
    pub(crate) async fn drain(self) {
        drop(drain(Shared(self.0).boxed_unsync()).await);
    }
}

/// Reads a body to its end. Returns `None` if it is larger than the limit.
pub(crate) async fn read_limited(mut body: ResponseBody, limit: usize) -> Result<Option<Vec<u8>>, ServiceError> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(ServiceError::RequestBody)?.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > limit {
            drain(body).await?;
            return Ok(None);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Some(bytes))
}

/// Reads this many bytes of a body.
pub(crate) async fn read_some(mut body: ResponseBody, bytes: u64) -> Result<ResponseBody, ServiceError> {
    let mut seen = 0;
    while seen < bytes {
        let Some(frame) = body.frame().await else { break };
        if let Ok(data) = frame.map_err(ServiceError::RequestBody)?.into_data() {
            seen += data.len() as u64;
        }
    }
    Ok(body)
}

/// A body that ends after this many bytes: with an error, or never.
pub(crate) fn cut(body: ResponseBody, bytes: u64, breaks: bool) -> ResponseBody {
    let head = stream::unfold((body, bytes), |(mut body, left)| async move {
        if left == 0 {
            return None;
        }
        let frame = body.frame().await?;
        let (frame, left) = match frame.map(Frame::into_data) {
            Ok(Ok(mut data)) => {
                data.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                let left = left - data.len() as u64;
                (Ok(Frame::data(data)), left)
            }
            Ok(Err(trailers)) => (Ok(trailers), left),
            Err(error) => (Err(error), 0),
        };
        Some((frame, (body, left)))
    });
    let tail = stream::once(async move {
        if !breaks {
            std::future::pending::<()>().await;
        }
        // What came before is sent only while nothing more is there.
        tokio::task::yield_now().await;
        Err(BoxError::from(ServiceError::Disconnected))
    });
    StreamBody::new(head.chain(tail)).boxed_unsync()
}

/// A body that delivers at most this many bytes per second.
pub(crate) fn throttle(body: ResponseBody, bytes_per_second: u64, clock: &Clock) -> ResponseBody {
    let begin = clock.now();
    let slow = stream::unfold((body, clock.clone(), 0), move |(mut body, clock, seen)| async move {
        let frame = body.frame().await?;
        let size = frame
            .as_ref()
            .ok()
            .and_then(Frame::data_ref)
            .map_or(0, |data| data.len() as u64);
        let seen: u64 = seen + size;
        let due = Duration::from_millis(seen.saturating_mul(1000) / bytes_per_second.max(1));
        clock.sleep_until(after(begin.min(clock.now()), due)).await;
        Some((frame, (body, clock, seen)))
    });
    StreamBody::new(slow).boxed_unsync()
}
