//! One object in parts.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::body::Attempt;
use super::requests::{self, no_store, send, size};
use super::session::{Session, State, Subject, redacted};
use super::signing::PayloadHash;
use crate::payload::Payload;
use crate::storage::{Head, MultipartUpload, StorageError, StorageErrorKind};

/// Bytes of the parts of a payload that nobody split: 10,000 of them are 5 TiB, the largest object of S3.
pub(super) const PART: u64 = 512 * 1024 * 1024;

/// Such parts that are sent at once.
const AT_ONCE: usize = 4;

/// An upload in parts that has begun.
#[derive(Debug)]
pub(super) struct Upload {
    session: Session,
    key: String,
    id: String,
    size: u64,
    done: Arc<Mutex<Vec<CompletedPart>>>,
}

/// Stores a payload that is too large for one request: its parts are hashed first, each to be signed with its digest.
pub(super) async fn put_in_parts(
    session: &Session,
    key: &str,
    payload: &Payload,
    part_size: u64,
) -> Result<(), StorageError> {
    let parts = payload.parts(part_size).await.map_err(StorageError::unreadable)?;
    let upload = Upload::start(session, key, payload.size()).await?;
    let upload_ref = &upload;
    let sends = parts.into_iter().enumerate().map(|(number, part)| async move {
        let part = part.hashed().await.map_err(StorageError::unreadable)?;
        upload_ref.put_part(number, part).await
    });
    let sent = stream::iter(sends).buffer_unordered(AT_ONCE).try_collect::<()>().await;
    let stored = match sent {
        Ok(()) => upload.complete().await,
        Err(error) => Err(error),
    };
    if stored.is_err() {
        upload.abort().await;
    }
    stored
}

impl Upload {
    pub(super) async fn start(session: &Session, key: &str, size: u64) -> Result<Self, StorageError> {
        let begin = |state: State| async move {
            let request = state.client.create_multipart_upload().bucket(&state.bucket).key(key);
            let begun = send(session, &Attempt::new(session.line()), Box::pin(request.send())).await?;
            let id = begun.upload_id.filter(|id| !id.is_empty());
            id.ok_or_else(|| no_store("an upload in parts was begun, and has no id"))
        };
        Ok(Self {
            id: session.call(Subject::essential(key), begin).await?,
            session: session.clone(),
            key: key.to_owned(),
            size,
            done: Arc::default(),
        })
    }
}

#[async_trait]
impl MultipartUpload for Upload {
    async fn put_part(&self, number: usize, part: Payload) -> Result<(), StorageError> {
        let size = size(&part).await?;
        let too_many = |error| StorageError::new(StorageErrorKind::Refused).with_source(error);
        let number = i32::try_from(number + 1).map_err(too_many)?;
        let (session, part) = (&self.session, &part);
        let request = |state: State| async move {
            let attempt = Attempt::new(session.line());
            let request = state
                .client
                .upload_part()
                .bucket(&state.bucket)
                .key(&self.key)
                .upload_id(&self.id)
                .part_number(number)
                .content_length(size)
                .body(attempt.body(part));
            let signed = request.customize().interceptor(PayloadHash(part.digest()));
            let stored = send(session, &attempt, Box::pin(signed.send())).await?;
            let tag = stored
                .e_tag
                .ok_or_else(|| no_store("a part was stored, and has no tag"))?;
            Ok(CompletedPart::builder().part_number(number).e_tag(tag).build())
        };
        let subject = Subject {
            payload: Some(part),
            ..Subject::essential(&self.key)
        };
        let part = session.call(subject, request).await?;
        self.done.lock().unwrap_or_else(PoisonError::into_inner).push(part);
        Ok(())
    }

    /// The answer may be lost, or break off: then the upload is gone when it is completed again, and the object tells.
    async fn complete(&self) -> Result<(), StorageError> {
        let mut parts = self.done.lock().unwrap_or_else(PoisonError::into_inner).clone();
        parts.sort_by_key(CompletedPart::part_number);
        let whole = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let session = &self.session;
        let complete = |state: State| {
            let request = state
                .client
                .complete_multipart_upload()
                .bucket(&state.bucket)
                .key(&self.key)
                .upload_id(&self.id);
            let request = request.multipart_upload(whole.clone());
            async move {
                send(session, &Attempt::new(session.line()), Box::pin(request.send()))
                    .await
                    .map(drop)
            }
        };
        let Err(error) = session.call(Subject::essential(&self.key), complete).await else {
            return Ok(());
        };
        let may_be_done = error.is_retryable() || error.code() == Some("NoSuchUpload");
        let size = self.size;
        if may_be_done
            && matches!(requests::head(session, &self.key).await, Ok(Head::Stored { size: stored }) if stored == size)
        {
            return Ok(());
        }
        Err(error)
    }

    /// The policy may not allow it, and a lifecycle rule of the bucket is then what removes the parts.
    async fn abort(&self) {
        let state = self.session.state();
        let config = state.config.clone();
        let abort = state
            .client
            .abort_multipart_upload()
            .bucket(&state.bucket)
            .key(&self.key)
            .upload_id(&self.id);
        if let Err(failure) = send(
            &self.session,
            &Attempt::new(self.session.line()),
            Box::pin(abort.send()),
        )
        .await
        {
            let error = redacted(failure.error, &config);
            tracing::debug!(%error, "the parts that were sent stay behind");
        }
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use bytes::Bytes;
    use http::{Request, Response};
    use http_body_util::BodyExt;

    use super::super::config::S3Config;
    use super::super::connector::{HttpClient, HttpError, RequestBody};
    use super::*;
    use crate::digest::Digest;

    /// A store that takes parts, and looks at what they are signed with.
    #[derive(Debug, Default)]
    struct Parts(Mutex<Vec<Bytes>>);

    #[async_trait]
    impl HttpClient for Parts {
        async fn send(&self, request: Request<RequestBody>) -> Result<Response<Bytes>, HttpError> {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map_err(HttpError::new)?.to_bytes();
            if parts.method == "PUT" {
                assert_eq!(parts.headers["x-amz-content-sha256"], Digest::of(&body).to_string());
                self.0.lock().unwrap().push(body);
                return Ok(Response::builder()
                    .header("etag", "\"tag\"")
                    .body(Bytes::new())
                    .unwrap());
            }
            let begun = "<InitiateMultipartUploadResult><UploadId>one</UploadId></InitiateMultipartUploadResult>";
            let done = "<CompleteMultipartUploadResult></CompleteMultipartUploadResult>";
            let is_begin = parts.uri.query().is_some_and(|query| query.contains("uploads"));
            Ok(Response::new(Bytes::from(if is_begin { begun } else { done })))
        }
    }

    /// A payload over what S3 takes in one request comes in parts, whoever puts it.
    #[tokio::test]
    async fn a_payload_that_nobody_split_comes_in_parts() {
        let bytes: Vec<u8> = (0..1000_u32).flat_map(u32::to_le_bytes).collect();
        let payload = Payload::from_bytes(bytes.clone(), Digest::of(&bytes));
        let store = Arc::new(Parts::default());
        let config = S3Config::new("http://store.test", "bucket", "key", "secret");
        let session = Session::new(&config, Arc::clone(&store) as Arc<dyn HttpClient>).unwrap();
        put_in_parts(&session, "org/key", &payload, 1500).await.unwrap();
        let mut parts = store.0.lock().unwrap().clone();
        parts.sort_by_key(|part| bytes.windows(part.len()).position(|window| window == part));
        assert_eq!(parts.iter().map(Bytes::len).collect::<Vec<_>>(), [1500, 1500, 1000]);
        assert_eq!(parts.concat(), bytes);
        let wrong = Payload::from_bytes(bytes, Digest::of(b"something else"));
        let refused = put_in_parts(&session, "org/key", &wrong, 1500).await.unwrap_err();
        assert_eq!(refused.kind(), StorageErrorKind::Payload);
    }
}
