//! Bytes as the body of a request that can be sent again.

use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;

use crate::archive::Archive;
use crate::body_error::BodyError;
use crate::buffers::Buffers;
use crate::digest::Digest;
#[cfg(feature = "s3")]
use crate::hashing::{Hashed, hash_bytes};
use crate::hashing::{Stretch, hash};
use crate::read_error::ReadError;
use crate::reading::SENDING;

mod verified;

use verified::{Source, Verified};

/// The bytes of a payload, from its beginning. An error ends it.
pub type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send + Sync>>;

/// The bytes that are put into object storage. Their length and hash are known, and they can be read again for each
/// attempt.
#[derive(Clone)]
pub struct Payload {
    source: Source,
    range: Range<u64>,
    digest: Digest,
    /// What its bytes are checked against on their way.
    stretch: Stretch,
    listener: Arc<dyn Listener>,
    current: Arc<Mutex<Attempt>>,
}

/// The attempt that was begun last.
#[derive(Debug, Default)]
struct Attempt {
    number: u64,
    /// Bytes that it has taken.
    taken: u64,
}

/// Hears how far a payload is.
pub(crate) trait Listener: Send + Sync {
    /// The storage has accepted this many bytes.
    fn taken(&self, bytes: u64);

    /// This many accepted bytes no longer count: they are sent again.
    fn taken_back(&self, bytes: u64);

    /// The line or the storage has failed an attempt.
    fn failed(&self);
}

struct Nobody;

impl Listener for Nobody {
    fn taken(&self, _bytes: u64) {}

    fn taken_back(&self, _bytes: u64) {}

    fn failed(&self) {}
}

impl fmt::Debug for Payload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Payload")
            .field("digest", &self.digest)
            .field("range", &self.range)
            .finish_non_exhaustive()
    }
}

impl Payload {
    fn new(source: Source, digest: Digest, listener: Arc<dyn Listener>) -> Self {
        Self {
            range: 0..source.size(),
            source,
            digest,
            stretch: Stretch::whole(digest),
            listener,
            current: Arc::default(),
        }
    }

    /// The payload of a push, which listens to it.
    pub(crate) fn heard(archive: Archive, digest: Digest, buffers: Buffers, listener: Arc<dyn Listener>) -> Self {
        Self::new(Source::Archive(archive, buffers), digest, listener)
    }

    /// The bytes of an archive, which must have this digest.
    pub fn from_archive(archive: &Archive, digest: Digest) -> Self {
        let source = Source::Archive(archive.clone(), Buffers::default());
        Self::new(source, digest, Arc::new(Nobody))
    }

    /// Bytes in memory, which must have this digest.
    pub fn from_bytes(bytes: impl Into<Bytes>, digest: Digest) -> Self {
        Self::new(Source::Bytes(bytes.into()), digest, Arc::new(Nobody))
    }

    /// The exact number of bytes.
    pub fn size(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// The SHA-256 that the bytes must have.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The payload in parts of this size, as they were found when it was hashed.
    pub(crate) fn split(&self, part_size: u64, stretches: Vec<Stretch>) -> Vec<Part> {
        let parts = (0..).zip(stretches).map(|(number, stretch): (u64, _)| {
            let start = self.range.start + number * part_size;
            Part(Self {
                range: start..(start + part_size).min(self.range.end),
                stretch,
                current: Arc::default(),
                ..self.clone()
            })
        });
        parts.collect()
    }

    /// The payload in parts of this size. Reads it once.
    #[cfg(feature = "s3")]
    pub(crate) async fn parts(&self, part_size: u64) -> Result<Vec<Part>, ReadError> {
        let part_size = part_size.max(1);
        let Hashed { digest, stretches } = match &self.source {
            Source::Archive(archive, buffers) => hash(archive, self.range.clone(), Some(part_size), buffers).await?,
            Source::Bytes(bytes) => hash_bytes(bytes, part_size),
        };
        if digest != self.digest {
            return Err(ReadError::ChangedUnseen { paths: Vec::new() });
        }
        Ok(self.split(part_size, stretches))
    }

    /// The bytes, from the beginning. They are read on the threads of the tokio runtime that polls the stream. Without
    /// a runtime the stream ends with [`ReadError::Interrupted`].
    ///
    /// The bytes are hashed once more while they are sent, and the last chunk is held back until the hash is right. If
    /// it is wrong, the request is incomplete and fails, instead of storing other bytes. The error of the stream has
    /// the [`ReadError`] as its source.
    ///
    /// Each call begins a new attempt. Then bytes of an earlier attempt no longer count as sent, and its stream ends
    /// with an error. A client may continue to read a body after the answer has come.
    pub fn chunks(&self) -> Chunks {
        let (number, before) = {
            let mut current = self.current();
            current.number += 1;
            (current.number, std::mem::take(&mut current.taken))
        };
        if before > 0 {
            self.listener.taken_back(before);
        }
        let verified = Verified::new(self.source.clone(), self.range.clone(), self.stretch.clone());
        Box::pin(Reading {
            next: Some(Next::Reading(Box::pin(read(verified)))),
            payload: self.clone(),
            number,
        })
    }

    fn current(&self) -> MutexGuard<'_, Attempt> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what an attempt has taken; false if it is not the current one any more.
    fn take(&self, number: u64, bytes: u64) -> bool {
        let mut current = self.current();
        if current.number != number {
            return false;
        }
        current.taken += bytes;
        drop(current);
        self.listener.taken(bytes);
        true
    }

    /// A storage calls this when the connection or the store has failed an attempt and before it tries again. The push
    /// then sends fewer archives at once for a while.
    pub fn attempt_failed(&self) {
        self.listener.failed();
    }
}

/// A part of a payload, whose own digest is not known yet.
///
/// It is found out just before the part is sent: then hashing one part and sending others go together, and nothing is hashed for
/// parts that are stored already. Whatever is read then, the part is sent only if it is a stretch of the whole.
pub(crate) struct Part(Payload);

impl Part {
    /// Reads it, to be signed with its digest.
    pub(crate) async fn hashed(self) -> Result<Payload, ReadError> {
        let Self(payload) = self;
        let range = payload.range.clone();
        let digest = match &payload.source {
            Source::Archive(archive, buffers) => hash(archive, range, None, buffers).await?.digest,
            Source::Bytes(bytes) => Digest::of(&verified::slice(bytes, &range)),
        };
        Ok(Payload { digest, ..payload })
    }
}

type Outcome = Result<(Verified, Option<Bytes>), ReadError>;

/// A chunk that is being read, or that was read before anybody asked for it.
enum Next {
    Reading(Pin<Box<dyn Future<Output = Outcome> + Send + Sync>>),
    Read(Box<Outcome>),
}

/// Reads one chunk on another thread. The work is short, so that an abandoned one holds up nothing.
async fn read(mut verified: Verified) -> Outcome {
    let read = SENDING.run(move || {
        let chunk = verified.next_chunk()?;
        Ok((verified, chunk))
    });
    read.await?
}

/// The stream of chunks.
struct Reading {
    next: Option<Next>,
    payload: Payload,
    /// Of its attempt.
    number: u64,
}

impl Stream for Reading {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let outcome = match this.next.take() {
            None => return Poll::Ready(None),
            Some(Next::Read(outcome)) => *outcome,
            Some(Next::Reading(mut reading)) => match reading.as_mut().poll(context) {
                Poll::Ready(outcome) => outcome,
                Poll::Pending => {
                    this.next = Some(Next::Reading(reading));
                    return Poll::Pending;
                }
            },
        };
        Poll::Ready(match outcome {
            Ok((_, Some(chunk))) if !this.payload.take(this.number, chunk.len() as u64) => {
                Some(Err(BodyError::new("another attempt has begun")))
            }
            Ok((verified, Some(chunk))) => {
                // The next chunk is read while this one is on its way: a future has to be polled to begin.
                let mut reading = Box::pin(read(verified));
                this.next = Some(match reading.as_mut().poll(context) {
                    Poll::Ready(outcome) => Next::Read(Box::new(outcome)),
                    Poll::Pending => Next::Reading(reading),
                });
                Some(Ok(chunk))
            }
            Ok((_, None)) => None,
            Err(error) => Some(Err(BodyError::new(error))),
        })
    }
}

#[cfg(test)]
#[cfg(feature = "s3")]
mod tests {
    use futures_util::TryStreamExt;

    use super::*;

    /// A part is signed with the digest of what it is when it is sent, and sent only if it was so when the whole was hashed.
    #[tokio::test]
    async fn a_part_that_has_changed_since_the_whole_was_hashed_is_not_sent() {
        let (before, now) = (b"one two three", b"one TWO three");
        let Hashed { digest, stretches } = hash_bytes(before, 4);
        let payload = Payload::from_bytes(now.as_slice(), digest);
        let mut sent = Vec::new();
        for part in payload.split(4, stretches) {
            let part = part.hashed().await.unwrap();
            let chunks: Result<Vec<Bytes>, BodyError> = part.chunks().try_collect().await;
            sent.push(chunks.is_ok_and(|chunks| Digest::of(&chunks.concat()) == part.digest()));
        }
        assert_eq!(sent, [true, false, true, true]);
    }
}
