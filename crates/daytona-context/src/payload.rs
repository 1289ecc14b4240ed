//! Bytes as the body of a request that can be sent again.

use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::stream;
use sha2::{Digest as _, Sha256};

use crate::BodyError;
use crate::archive::Archive;
use crate::buffers::Buffers;
use crate::digest::Digest;
use crate::error::ContextError;
use crate::reader::{ArchiveReader, CHUNK};

/// The bytes of a payload, from its beginning. An error ends it.
pub type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send + Sync>>;

/// What is put into object storage: bytes of known length and hash, that can be read again for each attempt.
#[derive(Clone)]
pub struct Payload {
    source: Source,
    range: Range<u64>,
    digest: Digest,
    parts: Parts,
    on_bytes: Arc<dyn Fn(u64) + Send + Sync>,
    /// Why reading ended early: the storage's error would tell it only through whatever layers it has.
    failure: Arc<Mutex<Option<ContextError>>>,
}

#[derive(Clone)]
enum Source {
    Archive(Archive, Buffers),
    Bytes(Bytes),
}

/// The parts of a payload that should not be sent in one request; there are none of a smaller one.
#[derive(Clone, Default)]
pub(crate) struct Parts {
    /// Bytes of each but the last.
    pub(crate) size: u64,
    pub(crate) digests: Arc<[Digest]>,
}

/// The error that ends a body; the storage's client wraps it as it likes.
#[derive(Debug, thiserror::Error)]
#[error("the context archive could not be read")]
struct Unreadable;

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
    pub(crate) fn new(
        archive: Archive,
        digest: Digest,
        parts: Parts,
        buffers: Buffers,
        on_bytes: Arc<dyn Fn(u64) + Send + Sync>,
    ) -> Self {
        Self {
            range: 0..archive.size(),
            source: Source::Archive(archive, buffers),
            digest,
            parts,
            on_bytes,
            failure: Arc::default(),
        }
    }

    /// The bytes of an archive, which have to have this digest.
    pub fn of(archive: &Archive, digest: Digest) -> Self {
        Self::new(
            archive.clone(),
            digest,
            Parts::default(),
            Buffers::default(),
            Arc::new(|_| {}),
        )
    }

    /// Bytes in memory, which have to have this digest.
    pub fn of_bytes(bytes: impl Into<Bytes>, digest: Digest) -> Self {
        let bytes = bytes.into();
        Self {
            range: 0..bytes.len() as u64,
            source: Source::Bytes(bytes),
            digest,
            parts: Parts::default(),
            on_bytes: Arc::new(|_| {}),
            failure: Arc::default(),
        }
    }

    /// Exact number of bytes.
    pub fn size(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// The SHA-256 that the bytes have to have.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The payload in parts of its own, each with its digest, if it is so large that it should not be sent in one request.
    pub fn parts(&self) -> Vec<Self> {
        let size = self.parts.size;
        let digests = (0..).zip(self.parts.digests.iter());
        let parts = digests.map(|(number, digest): (u64, _)| {
            let start = self.range.start + number * size;
            Self {
                range: start..(start + size).min(self.range.end),
                digest: *digest,
                parts: Parts::default(),
                ..self.clone()
            }
        });
        parts.collect()
    }

    /// The bytes, from the beginning.
    ///
    /// They are hashed once more on their way, and the last chunk is held back until the hash is found to be the same:
    /// a request with an exact length then fails rather than to store something else.
    pub fn chunks(&self) -> Chunks {
        let verifier = Verifier {
            reader: match &self.source {
                Source::Archive(archive, buffers) => Reader::Archive(archive.reader_at(self.range.start, buffers)),
                Source::Bytes(bytes) => Reader::Bytes(bytes.clone()),
            },
            left: self.size(),
            payload: self.clone(),
            hasher: Sha256::new(),
            held_back: None,
        };
        // The next chunk is read while the one before it is on its way.
        let mut reading = Some(verifier.read_next());
        let payload = self.clone();
        Box::pin(stream::poll_fn(move |context| {
            let Some(task) = reading.as_mut() else {
                return Poll::Ready(None);
            };
            let outcome = ready!(Pin::new(task).poll(context));
            reading = None;
            Poll::Ready(match outcome {
                Ok((verifier, Ok(Some(chunk)))) => {
                    reading = Some(verifier.read_next());
                    (payload.on_bytes)(chunk.len() as u64);
                    Some(Ok(chunk))
                }
                Ok((_, Ok(None))) => None,
                Ok((_, Err(error))) => {
                    *payload.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    Some(Err(BodyError::new(Unreadable)))
                }
                Err(ended) => Some(Err(BodyError::new(ended))),
            })
        }))
    }

    /// Whether reading the bytes has failed: then it will again.
    pub fn is_unreadable(&self) -> bool {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Why the bytes could not be read to their end, if that is so.
    pub(crate) fn take_failure(&self) -> Option<ContextError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Hashes what passes and keeps the last chunk until the hash is known to be right.
struct Verifier {
    payload: Payload,
    reader: Reader,
    left: u64,
    hasher: Sha256,
    held_back: Option<Bytes>,
}

enum Reader {
    Archive(ArchiveReader),
    Bytes(Bytes),
}

impl Reader {
    fn next_chunk(&mut self) -> Result<Option<Bytes>, ContextError> {
        match self {
            Self::Archive(reader) => reader.next_chunk(),
            Self::Bytes(bytes) => {
                let chunk = bytes.split_to(CHUNK.min(bytes.len()));
                Ok((!chunk.is_empty()).then_some(chunk))
            }
        }
    }
}

type Reading = tokio::task::JoinHandle<(Verifier, Result<Option<Bytes>, ContextError>)>;

impl Verifier {
    /// Reads on another thread. The task is short, so that an abandoned one holds up nothing.
    fn read_next(mut self) -> Reading {
        tokio::task::spawn_blocking(move || {
            let chunk = self.next_chunk();
            (self, chunk)
        })
    }

    fn next_chunk(&mut self) -> Result<Option<Bytes>, ContextError> {
        if self.held_back.is_none() {
            self.held_back = self.advance()?;
        }
        let Some(ready) = self.held_back.take() else {
            return Ok(None);
        };
        self.held_back = self.advance()?;
        if self.held_back.is_none() && Digest::finish(self.hasher.clone()) != self.payload.digest {
            let paths = match &self.payload.source {
                Source::Archive(archive, _) => archive.sources().map(ToOwned::to_owned).collect(),
                Source::Bytes(_) => Vec::new(),
            };
            return Err(ContextError::ChangedUnseen { paths });
        }
        Ok(Some(ready))
    }

    fn advance(&mut self) -> Result<Option<Bytes>, ContextError> {
        if self.left == 0 {
            return Ok(None);
        }
        let mut chunk = self.reader.next_chunk()?;
        if let Some(chunk) = &mut chunk {
            chunk.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
            self.left -= chunk.len() as u64;
            self.hasher.update(&*chunk);
        }
        Ok(chunk)
    }
}
