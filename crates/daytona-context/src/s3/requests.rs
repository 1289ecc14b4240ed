//! One object in one request.

use std::future::Future;
use std::pin::Pin;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use futures_util::TryStreamExt;

use super::body::Attempt;
use super::failure::{Failure, gives_no_reason};
use super::session::{Session, State, Subject};
use super::signing::PayloadHash;
use crate::payload::Payload;
use crate::storage::{Head, StorageError, StorageErrorKind};

/// The most bytes that S3 takes in one request.
pub(super) const MAX_PUT: u64 = 5 * 1024 * 1024 * 1024;

/// Looks for an object. A store that does not let one look, or fails at it, leaves it open: only the upload decides.
pub(super) async fn head(session: &Session, key: &str) -> Result<Head, StorageError> {
    let before = session.generation();
    let mut looked = look(session, key).await;
    // With other credentials it may be let.
    if looked.as_ref().is_err_and(gives_no_reason) && session.has_provider() {
        let explained = session
            .refusals()
            .explain(|| session.generation(), ask_why(session, key));
        explained.await;
        if session.generation() != before {
            looked = look(session, key).await;
        }
    }
    match looked {
        // Wrong credentials would be refused for the upload too. An answer to HEAD has no body that says more.
        Err(error) if error.status().is_some_and(|status| status != 401) => Ok(Head::Unknown),
        looked => looked,
    }
}

async fn look(session: &Session, key: &str) -> Result<Head, StorageError> {
    let request = |state: State| async move {
        let request = state.client.head_object().bucket(&state.bucket).key(key);
        match send(session, &Attempt::new(session.line()), Box::pin(request.send())).await {
            Ok(object) => {
                let size = object.content_length().and_then(|size| u64::try_from(size).ok());
                Ok(size.map_or(Head::Unknown, |size| Head::Stored { size }))
            }
            Err(failure) if failure.error.status() == Some(404) => Ok(Head::Missing),
            Err(failure) => Err(failure),
        }
    };
    let subject = Subject {
        key,
        payload: None,
        is_essential: false,
    };
    session.call(subject, request).await
}

/// Asks for the first byte, as the answer tells why that is refused. What it tells is learnt as from every answer: then the
/// credentials are new. Whether the store has answered.
async fn ask_why(session: &Session, key: &str) -> bool {
    let request = |state: State| async move {
        let get = state.client.get_object().bucket(&state.bucket).key(key);
        let get = get.range("bytes=0-0");
        send(session, &Attempt::new(session.line()), Box::pin(get.send()))
            .await
            .map(drop)
    };
    match session.call(Subject::essential(key), request).await {
        Ok(()) => true,
        Err(error) => error.status().is_some() && !error.is_retryable(),
    }
}

pub(super) async fn put(session: &Session, key: &str, payload: &Payload) -> Result<(), StorageError> {
    let size = size(payload).await?;
    let request = |state: State| async move {
        let attempt = Attempt::new(session.line());
        let request = state
            .client
            .put_object()
            .bucket(&state.bucket)
            .key(key)
            .content_length(size)
            .body(attempt.body(payload));
        let signed = request.customize().interceptor(PayloadHash(payload.digest()));
        let stored = send(session, &attempt, Box::pin(signed.send())).await?;
        match stored.e_tag {
            Some(_) => Ok(()),
            // Not every answer of success comes from a store.
            None => check_stored(session, &state, key, payload.size()).await,
        }
    };
    let subject = Subject {
        payload: Some(payload),
        ..Subject::essential(key)
    };
    session.call(subject, request).await
}

/// Checks that an object is there after all, unless nobody may look. One request: it belongs to the attempt that stored the
/// object, which is repeated as a whole.
async fn check_stored(session: &Session, state: &State, key: &str, expected: u64) -> Result<(), Failure> {
    let head = state.client.head_object().bucket(&state.bucket).key(key);
    match send(session, &Attempt::new(session.line()), Box::pin(head.send())).await {
        Ok(found)
            if found
                .content_length()
                .is_some_and(|size| u64::try_from(size) != Ok(expected)) =>
        {
            Err(no_store("a success was answered, but the object has another size"))
        }
        Ok(_) => Ok(()),
        Err(failure) if failure.error.status() == Some(403) => Ok(()),
        Err(failure) if failure.error.status() == Some(404) => {
            Err(no_store("a success was answered, but the object is not there"))
        }
        Err(failure) => Err(failure),
    }
}

/// The answer of something else: the page that asks for a password, perhaps.
pub(super) fn no_store(message: &str) -> Failure {
    StorageError::new(StorageErrorKind::Unavailable)
        .with_code(None, Some(message.to_owned()))
        .into()
}

/// Sends a request, and gives it up when nothing of it moves. The SDK's futures are large: they come in a box.
pub(super) async fn send<T, E>(
    session: &Session,
    attempt: &Attempt,
    request: Pin<Box<impl Future<Output = Result<T, SdkError<E, HttpResponse>>>>>,
) -> Result<T, Failure>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let done = attempt.watch(session.stall(), request).await?.map_err(Failure::from)?;
    if attempt.is_whole() {
        return Ok(done);
    }
    Err(no_store("a success was answered before it had all of it"))
}

/// The size as the SDK wants it. A body without bytes is asked for none, so that its digest is checked here.
pub(super) async fn size(payload: &Payload) -> Result<i64, StorageError> {
    let refused = |error| StorageError::new(StorageErrorKind::Refused).with_source(error);
    let size = i64::try_from(payload.size()).map_err(refused)?;
    if size == 0 {
        let read = payload.chunks().try_for_each(|_| std::future::ready(Ok(()))).await;
        read.map_err(|error| StorageError::new(StorageErrorKind::Payload).with_source(error))?;
    }
    Ok(size)
}
