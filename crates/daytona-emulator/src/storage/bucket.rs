//! The operations of S3 that the policy leaves.

use std::collections::BTreeMap;
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
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

use super::blob::Blob;
use super::{Storage, Stored};
use crate::clock::after;
use crate::data_dir::create_private_file;

/// Bytes read or written at a time.
const CHUNK: usize = 1024 * 1024;

/// All parts but the last have at least so many bytes.
const SMALLEST_PART: u64 = 5 * 1024 * 1024;

/// Keys of one answer to a list.
const MOST_KEYS: i32 = 1000;

pub(super) struct Bucket(pub(super) Storage);

/// Bytes that come in: what was reserved for them is given back if they do not stay.
struct Incoming<'a> {
    storage: &'a Storage,
    size: u64,
    sink: Sink,
    is_kept: bool,
}

enum Sink {
    Memory(BytesMut),
    File { file: File, path: std::path::PathBuf },
}

impl Incoming<'_> {
    async fn write(&mut self, chunk: &[u8]) -> S3Result<()> {
        let size = chunk.len() as u64;
        let largest = self.storage.options().largest_object;
        if self.size + size > largest || !self.storage.reserve(size) {
            let message = format!(
                "the emulator takes objects of at most {largest} bytes, and {} bytes in all",
                self.storage.options().largest_total
            );
            return Err(S3Error::with_message(S3ErrorCode::EntityTooLarge, message));
        }
        self.size += size;
        match &mut self.sink {
            Sink::Memory(bytes) => bytes.extend_from_slice(chunk),
            Sink::File { file, .. } => file.write_all(chunk).await.map_err(internal)?,
        }
        Ok(())
    }

    async fn keep(mut self, etag: String) -> S3Result<Stored> {
        let blob = match &mut self.sink {
            Sink::Memory(bytes) => Blob::Memory(std::mem::take(bytes).freeze()),
            Sink::File { file, path } => {
                file.flush().await.map_err(internal)?;
                self.storage.file(path.clone())
            }
        };
        self.is_kept = true;
        Ok(Stored {
            blob,
            size: self.size,
            etag,
        })
    }
}

impl Drop for Incoming<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            self.storage.release(self.size);
            if let Sink::File { path, .. } = &self.sink {
                drop(std::fs::remove_file(path));
            }
        }
    }
}

impl Bucket {
    /// Takes a body in; nothing stays of one that breaks off.
    async fn write(&self, body: Option<StreamingBlob>) -> S3Result<Stored> {
        let sink = match self.0.new_path() {
            None => Sink::Memory(BytesMut::new()),
            Some(path) => {
                let private = path.clone();
                let created = tokio::task::spawn_blocking(move || create_private_file(&private)).await;
                let created = created.unwrap_or_else(|error| Err(std::io::Error::other(error)));
                let mut file = File::from_std(created.map_err(internal)?);
                file.set_max_buf_size(CHUNK);
                Sink::File { file, path }
            }
        };
        let mut incoming = Incoming {
            storage: &self.0,
            size: 0,
            sink,
            is_kept: false,
        };
        let begin = self.0.inner.clock.now();
        let Some(mut body) = body else {
            return incoming.keep(etag(Sha256::new())).await;
        };
        let mut hasher = Sha256::new();
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| mismatch(error.as_ref()))?;
            hasher.update(&chunk);
            incoming.write(&chunk).await?;
            if let Some(rate) = self.0.options().bytes_per_second {
                let due = std::time::Duration::from_millis(incoming.size.saturating_mul(1000) / rate);
                self.0.inner.clock.sleep_until(after(begin, due)).await;
            }
        }
        incoming.keep(etag(hasher)).await
    }

    /// Makes the object visible, in place of what was there.
    async fn replace(&self, key: String, stored: Stored) -> S3Result<()> {
        let storage = self.0.clone();
        let replaced = tokio::task::spawn_blocking(move || storage.replace(key, stored)).await;
        replaced
            .unwrap_or_else(|error| Err(std::io::Error::other(error)))
            .map_err(internal)
    }

    /// The parts that are named, as one.
    async fn put_together(
        &self,
        uploaded: &BTreeMap<i32, Stored>,
        named: &[s3s::dto::CompletedPart],
    ) -> S3Result<Stored> {
        let mut parts = Vec::new();
        for (index, part) in named.iter().enumerate() {
            let stored = part.part_number.and_then(|number| uploaded.get(&number));
            let stored = stored
                .ok_or_else(|| s3_error!(InvalidPart, "One or more of the specified parts could not be found."))?;
            if index + 1 < named.len() && stored.size < SMALLEST_PART {
                return Err(s3_error!(
                    EntityTooSmall,
                    "Your proposed upload is smaller than the minimum allowed size"
                ));
            }
            parts.push(stored.blob.clone());
        }
        let chunks = stream::iter(parts).flat_map(read_blob);
        self.write(Some(StreamingBlob::wrap(SyncStream::new(chunks.boxed()))))
            .await
    }

    /// An object that is there, or the answer for one that is not.
    fn stored(&self, key: &str) -> S3Result<Stored> {
        let stored = self.0.open(key);
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

fn etag(hasher: Sha256) -> String {
    hex::encode(&hasher.finalize()[..16])
}

/// The bytes of a blob, chunk by chunk.
fn read_blob(blob: Blob) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
    let file = match blob {
        Blob::Memory(bytes) => return stream::once(async move { Ok(bytes) }).boxed(),
        Blob::File(file) => file,
    };
    stream::try_unfold((file, None), |(file, opened)| async move {
        let mut opened = match opened {
            Some(opened) => opened,
            None => File::open(file.path()).await?,
        };
        let mut chunk = vec![0; CHUNK];
        let count = opened.read(&mut chunk).await?;
        chunk.truncate(count);
        Ok((count > 0).then(|| (Bytes::from(chunk), (file, Some(opened)))))
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

fn no_such_upload() -> S3Error {
    s3_error!(NoSuchUpload, "The specified upload does not exist.")
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
        let chunks = read_blob(stored.blob);
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
        self.replace(request.input.key, stored).await?;
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(ETag::Strong(etag)),
            ..PutObjectOutput::default()
        }))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let upload_id = self.0.begin_upload(&request.input.key);
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
        let Some(upload) = upload else {
            state.used = state.used.saturating_sub(part.size);
            part.blob.make_obsolete();
            return Err(no_such_upload());
        };
        if let Some(old) = upload.parts.insert(input.part_number, part) {
            state.used = state.used.saturating_sub(old.size);
            old.blob.make_obsolete();
        }
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
        let parts = {
            let state = self.0.lock();
            let upload = state.uploads.get(&input.upload_id);
            let upload = upload.filter(|upload| upload.key == input.key);
            upload.ok_or_else(no_such_upload)?.parts.clone()
        };
        let named = input
            .multipart_upload
            .and_then(|upload| upload.parts)
            .unwrap_or_default();
        let stored = self.put_together(&parts, &named).await?;
        let etag = stored.etag.clone();
        self.replace(input.key.clone(), stored).await?;
        self.0.lock().end_upload(&input.upload_id);
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
        let most = usize::try_from(input.max_keys.unwrap_or(MOST_KEYS)).unwrap_or(0);
        let most = most.min(usize::try_from(MOST_KEYS).unwrap_or(0));
        let (contents, is_truncated) = {
            let state = self.0.lock();
            let mut below = state.objects.iter().filter(|(key, _)| key.starts_with(&prefix));
            let objects = below.by_ref().take(most).map(|(key, stored)| Object {
                key: Some(key.clone()),
                size: length(stored.size),
                e_tag: Some(ETag::Strong(stored.etag.clone())),
                ..Object::default()
            });
            let objects: Vec<Object> = objects.collect();
            (objects, below.next().is_some())
        };
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: input.prefix,
            key_count: i32::try_from(contents.len()).ok(),
            max_keys: i32::try_from(most).ok(),
            is_truncated: Some(is_truncated),
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
