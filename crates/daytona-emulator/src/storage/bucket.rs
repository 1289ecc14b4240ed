//! The operations of S3 that the policy leaves, on files.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use futures_core::Stream;
use futures_util::{StreamExt, stream};
use http::StatusCode;
use s3s::dto::{
    CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, ETag, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput,
    ListObjectsV2Input, ListObjectsV2Output, Object, PutObjectInput, PutObjectOutput, StreamingBlob, Timestamp,
    UploadPartInput, UploadPartOutput,
};
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};
use sha2::{Digest, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use uuid::Uuid;

use super::{Storage, Stored, Upload};

/// Bytes read at a time when an object is sent.
const CHUNK: usize = 256 * 1024;

pub(super) struct Bucket(pub(super) Storage);

impl Bucket {
    /// Writes a body to a file of its own; nothing stays of one that breaks off.
    async fn write(&self, body: Option<StreamingBlob>) -> S3Result<Stored> {
        let path = self.0.new_path();
        let written = write_file(&path, body).await;
        if written.is_err() {
            drop(tokio::fs::remove_file(&path).await);
        }
        let (size, etag) = written?;
        Ok(Stored { path, size, etag })
    }

    /// Makes the object visible, in place of what was there.
    async fn replace(&self, key: String, stored: Stored) {
        let old = self.0.lock().objects.insert(key, stored);
        if let Some(old) = old {
            drop(tokio::fs::remove_file(old.path).await);
        }
    }

    /// An object that is there, or the answer for one that is not.
    fn stored(&self, key: &str) -> S3Result<Stored> {
        let stored = self.0.lock().objects.get(key).cloned();
        let is_forbidden = self.0.options().forbidden_when_missing;
        stored.ok_or_else(|| {
            if is_forbidden {
                s3_error!(AccessDenied, "Access Denied")
            } else {
                s3_error!(NoSuchKey, "The specified key does not exist.")
            }
        })
    }
}

async fn write_file(path: &Path, body: Option<StreamingBlob>) -> S3Result<(u64, String)> {
    let mut file = File::create(path).await.map_err(internal)?;
    let (mut size, mut hasher) = (0, Sha256::new());
    let mut body = body.unwrap_or_else(|| StreamingBlob::wrap(stream::empty::<Result<bytes::Bytes, std::io::Error>>()));
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| mismatch(error.as_ref()))?;
        size += chunk.len() as u64;
        hasher.update(&chunk);
        file.write_all(&chunk).await.map_err(internal)?;
    }
    file.flush().await.map_err(internal)?;
    Ok((size, hex::encode(&hasher.finalize()[..16])))
}

/// The bytes of a file, chunk by chunk.
fn read_file(path: PathBuf) -> impl Stream<Item = std::io::Result<bytes::Bytes>> + Send {
    stream::try_unfold((path, None), |(path, file)| async move {
        let mut file = match file {
            Some(file) => file,
            None => File::open(&path).await?,
        };
        let mut chunk = vec![0; CHUNK];
        let count = file.read(&mut chunk).await?;
        chunk.truncate(count);
        Ok((count > 0).then(|| (bytes::Bytes::from(chunk), (path, Some(file)))))
    })
    .boxed()
}

/// The signature covers the payload's hash and its length: s3s ends the stream with an error where they differ.
fn mismatch(error: &(dyn std::error::Error + 'static)) -> S3Error {
    let code = S3ErrorCode::from_bytes(b"XAmzContentSHA256Mismatch").unwrap_or(S3ErrorCode::InvalidRequest);
    let mut answer = S3Error::with_message(code, format!("The payload is not the one that was signed: {error}"));
    answer.set_status_code(StatusCode::BAD_REQUEST);
    answer
}

fn internal(error: std::io::Error) -> S3Error {
    s3_error!(error, InternalError, "the emulator's storage failed")
}

fn length(size: u64) -> Option<i64> {
    i64::try_from(size).ok()
}

#[async_trait::async_trait]
impl S3 for Bucket {
    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let stored = self.stored(&request.input.key)?;
        Ok(S3Response::new(HeadObjectOutput {
            content_length: length(stored.size),
            e_tag: Some(ETag::Strong(stored.etag)),
            last_modified: Some(Timestamp::from(SystemTime::UNIX_EPOCH)),
            ..HeadObjectOutput::default()
        }))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let stored = self.stored(&request.input.key)?;
        let chunks = read_file(stored.path);
        Ok(S3Response::new(GetObjectOutput {
            body: Some(StreamingBlob::wrap(SyncStream::new(chunks.boxed()))),
            content_length: length(stored.size),
            e_tag: Some(ETag::Strong(stored.etag)),
            ..GetObjectOutput::default()
        }))
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let stored = self.write(request.input.body).await?;
        let etag = stored.etag.clone();
        self.replace(request.input.key, stored).await;
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(ETag::Strong(etag)),
            ..PutObjectOutput::default()
        }))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let upload_id = Uuid::new_v4().simple().to_string();
        let upload = Upload {
            key: request.input.key.clone(),
            parts: std::collections::BTreeMap::new(),
        };
        self.0.lock().uploads.insert(upload_id.clone(), upload);
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(request.input.bucket),
            key: Some(request.input.key),
            upload_id: Some(upload_id),
            ..CreateMultipartUploadOutput::default()
        }))
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let input = request.input;
        let part = self.write(input.body).await?;
        let etag = part.etag.clone();
        let mut state = self.0.lock();
        let upload = state
            .uploads
            .get_mut(&input.upload_id)
            .filter(|upload| upload.key == input.key);
        let upload = upload.ok_or_else(|| s3_error!(NoSuchUpload, "The specified upload does not exist."))?;
        upload.parts.insert(input.part_number, part);
        Ok(S3Response::new(UploadPartOutput {
            e_tag: Some(ETag::Strong(etag)),
            ..UploadPartOutput::default()
        }))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = request.input;
        let upload = self
            .0
            .lock()
            .uploads
            .remove(&input.upload_id)
            .filter(|upload| upload.key == input.key);
        let upload = upload.ok_or_else(|| s3_error!(NoSuchUpload, "The specified upload does not exist."))?;
        let named = input
            .multipart_upload
            .and_then(|upload| upload.parts)
            .unwrap_or_default();
        let mut parts = Vec::new();
        for part in named {
            let stored = part.part_number.and_then(|number| upload.parts.get(&number));
            parts.push(
                stored
                    .cloned()
                    .ok_or_else(|| s3_error!(InvalidPart, "One or more of the specified parts could not be found."))?,
            );
        }
        let chunks = stream::iter(parts).flat_map(|part| read_file(part.path));
        let body = StreamingBlob::wrap(SyncStream::new(chunks.boxed()));
        let stored = self.write(Some(body)).await?;
        let etag = stored.etag.clone();
        self.replace(input.key.clone(), stored).await;
        for part in upload.parts.into_values() {
            drop(tokio::fs::remove_file(part.path).await);
        }
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(ETag::Strong(etag)),
            ..CompleteMultipartUploadOutput::default()
        }))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let prefix = input.prefix.clone().unwrap_or_default();
        let contents: Vec<Object> = {
            let state = self.0.lock();
            let below = state.objects.iter().filter(|(key, _)| key.starts_with(&prefix));
            let objects = below.map(|(key, stored)| Object {
                key: Some(key.clone()),
                size: length(stored.size),
                e_tag: Some(ETag::Strong(stored.etag.clone())),
                ..Object::default()
            });
            objects.collect()
        };
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: input.prefix,
            key_count: i32::try_from(contents.len()).ok(),
            max_keys: Some(1000),
            is_truncated: Some(false),
            contents: Some(contents),
            ..ListObjectsV2Output::default()
        }))
    }
}

/// A stream behind a lock, because s3s wants its bodies to be shareable between threads.
struct SyncStream<S>(std::sync::Mutex<S>);

impl<S> SyncStream<S> {
    fn new(stream: S) -> Self {
        Self(std::sync::Mutex::new(stream))
    }
}

impl<S: Stream + Unpin> Stream for SyncStream<S> {
    type Item = S::Item;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<S::Item>> {
        let stream = self
            .get_mut()
            .0
            .get_mut()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        stream.poll_next_unpin(context)
    }
}
