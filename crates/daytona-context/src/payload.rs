//! An archive as the body of a request that can be sent again.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::stream;
use sha2::{Digest as _, Sha256};

use crate::BodyError;
use crate::archive::Archive;
use crate::digest::Digest;
use crate::error::ContextError;
use crate::reader::ArchiveReader;

/// The bytes of a payload, from its beginning. An error ends it.
pub type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send + Sync>>;

/// What is put into object storage: bytes of known length and hash, that can be read again for each attempt.
#[derive(Clone)]
pub struct Payload {
    archive: Archive,
    digest: Digest,
    on_bytes: Arc<dyn Fn(u64) + Send + Sync>,
    /// Why reading ended early: the storage's error would tell it only through whatever layers it has.
    failure: Arc<Mutex<Option<ContextError>>>,
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
            .finish_non_exhaustive()
    }
}

impl Payload {
    pub(crate) fn new(archive: Archive, digest: Digest, on_bytes: Arc<dyn Fn(u64) + Send + Sync>) -> Self {
        Self {
            archive,
            digest,
            on_bytes,
            failure: Arc::default(),
        }
    }

    /// The bytes of an archive, which have to have this digest.
    pub fn of(archive: &Archive, digest: Digest) -> Self {
        Self::new(archive.clone(), digest, Arc::new(|_| {}))
    }

    /// Exact number of bytes.
    pub fn size(&self) -> u64 {
        self.archive.size()
    }

    /// The SHA-256 that the bytes have to have.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The bytes, from the beginning.
    ///
    /// They are hashed once more on their way, and the last chunk is held back until the hash is found to be the same:
    /// a request with an exact length then fails rather than to store something else.
    pub fn chunks(&self) -> Chunks {
        let verifier = Verifier {
            payload: self.clone(),
            reader: self.archive.reader(),
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

    /// Why the bytes could not be read to their end, if that is so.
    pub(crate) fn take_failure(&self) -> Option<ContextError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Hashes what passes and keeps the last chunk until the hash is known to be right.
struct Verifier {
    payload: Payload,
    reader: ArchiveReader,
    hasher: Sha256,
    held_back: Option<Bytes>,
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
            let paths = self.payload.archive.sources().map(ToOwned::to_owned).collect();
            return Err(ContextError::ChangedUnseen { paths });
        }
        Ok(Some(ready))
    }

    fn advance(&mut self) -> Result<Option<Bytes>, ContextError> {
        let chunk = self.reader.next_chunk()?;
        if let Some(chunk) = &chunk {
            self.hasher.update(chunk);
        }
        Ok(chunk)
    }
}
