//! The operations of S3 that the policy leaves.

use std::collections::BTreeMap;
use std::io::SeekFrom;
use std::ops::Range;

use bytes::Bytes;
use futures_core::Stream;
use futures_util::{StreamExt, stream};
use http::StatusCode;
use s3s::dto::{
    Checksum, CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, ETag, ETagCondition, GetObjectInput, GetObjectOutput, HeadObjectInput,
    HeadObjectOutput, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, PutObjectInput,
    PutObjectOutput, StreamingBlob, UploadPartInput, UploadPartOutput,
};
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::blob::Blob;
use super::incoming::{self, CHUNK, Said, internal};
use super::stored::{Stored, Tag};
use super::{Storage, listing};

/// All parts but the last have at least this many bytes.
const SMALLEST_PART: u64 = 5 * 1024 * 1024;

pub(super) struct Bucket(pub(super) Storage);

impl Bucket {
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
        let (mut parts, mut tags) = (Vec::new(), Vec::new());
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
            let is_meant = part.e_tag.as_ref().is_none_or(|tag| tag.value() == stored.etag);
            if !is_meant {
                return Err(s3_error!(
                    InvalidPart,
                    "One or more of the specified parts could not be found."
                ));
            }
            parts.push(stored.blob.clone());
            tags.push(stored.etag.clone());
        }
        let mut tag = Tag::default();
        for part in &tags {
            tag.update(part.as_bytes());
        }
        let chunks = stream::iter(parts).flat_map(|blob| read_blob(blob, 0..u64::MAX));
        let body = StreamingBlob::wrap(SyncStream::new(chunks.boxed()));
        let (stored, _) = incoming::write(&self.0, Some(body), &Said::default()).await?;
        let etag = tag.of_parts(tags.len());
        Ok(Stored { etag, ..stored })
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

/// The bytes of a blob in a range, chunk by chunk.
fn read_blob(blob: Blob, range: Range<u64>) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
    let file = match blob {
        Blob::Memory(bytes) => {
            let place = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(bytes.len());
            let part = bytes.slice(place(range.start)..place(range.end));
            return stream::once(async move { Ok(part) }).boxed();
        }
        Blob::File(file) => file,
    };
    let left = range.end - range.start;
    stream::try_unfold((file, None, left), move |(file, opened, left)| async move {
        let mut opened = match opened {
            Some(opened) => opened,
            None => {
                let mut opened = File::open(file.path()).await?;
                if range.start > 0 {
                    opened.seek(SeekFrom::Start(range.start)).await?;
                }
                opened
            }
        };
        let mut chunk = vec![0; CHUNK.min(usize::try_from(left).unwrap_or(CHUNK))];
        let count = opened.read(&mut chunk).await?;
        chunk.truncate(count);
        let left = left - count as u64;
        Ok((count > 0).then(|| (Bytes::from(chunk), (file, Some(opened), left))))
    })
    .boxed()
}

/// The answer where the client wants an object only in a certain state.
fn check_conditions(stored: &Stored, wanted: Option<&ETagCondition>, unwanted: Option<&ETagCondition>) -> S3Result<()> {
    let is_it = |condition: &ETagCondition| condition.as_etag().is_none_or(|tag| tag.value() == stored.etag);
    if wanted.is_some_and(|wanted| !is_it(wanted)) {
        return Err(precondition_failed());
    }
    if unwanted.is_some_and(is_it) {
        let mut unchanged = S3Error::new(S3ErrorCode::NotModified);
        unchanged.set_status_code(StatusCode::NOT_MODIFIED);
        return Err(unchanged);
    }
    Ok(())
}

fn precondition_failed() -> S3Error {
    s3_error!(
        PreconditionFailed,
        "At least one of the pre-conditions you specified did not hold"
    )
}

fn no_such_upload() -> S3Error {
    s3_error!(NoSuchUpload, "The specified upload does not exist.")
}

fn length(size: u64) -> Option<i64> {
    i64::try_from(size).ok()
}

#[async_trait::async_trait]
impl S3 for Bucket {
    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        let stored = self.stored(&input.key)?;
        check_conditions(&stored, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        Ok(S3Response::new(HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: length(stored.size),
            last_modified: Some(listing::modified(&stored)),
            e_tag: Some(ETag::Strong(stored.etag)),
            ..HeadObjectOutput::default()
        }))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let stored = self.stored(&input.key)?;
        check_conditions(&stored, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let part = input.range.map(|range| range.check(stored.size)).transpose()?;
        let range = part.clone().unwrap_or(0..stored.size);
        let output = GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: length(range.end - range.start),
            content_range: part
                .as_ref()
                .map(|part| format!("bytes {}-{}/{}", part.start, part.end - 1, stored.size)),
            last_modified: Some(listing::modified(&stored)),
            body: Some(StreamingBlob::wrap(SyncStream::new(
                read_blob(stored.blob, range).boxed(),
            ))),
            e_tag: Some(ETag::Strong(stored.etag)),
            ..GetObjectOutput::default()
        };
        Ok(match part {
            Some(_) => S3Response::with_status(output, StatusCode::PARTIAL_CONTENT),
            None => S3Response::new(output),
        })
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = request.input;
        if input.if_none_match.is_some_and(|unwanted| unwanted.is_any()) && self.0.open(&input.key).is_some() {
            return Err(precondition_failed());
        }
        let checksum = Checksum {
            checksum_crc32: input.checksum_crc32,
            checksum_crc32c: input.checksum_crc32c,
            checksum_crc64nvme: input.checksum_crc64nvme,
            checksum_sha1: input.checksum_sha1,
            checksum_sha256: input.checksum_sha256,
            checksum_type: None,
        };
        let said = Said::new(input.content_md5, checksum, &request.headers, request.trailing_headers);
        let (stored, checksum) = incoming::write(&self.0, input.body, &said).await?;
        let etag = stored.etag.clone();
        self.replace(input.key, stored).await?;
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(ETag::Strong(etag)),
            checksum_crc32: checksum.checksum_crc32,
            checksum_crc32c: checksum.checksum_crc32c,
            checksum_crc64nvme: checksum.checksum_crc64nvme,
            checksum_sha1: checksum.checksum_sha1,
            checksum_sha256: checksum.checksum_sha256,
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
        let checksum = Checksum {
            checksum_crc32: input.checksum_crc32,
            checksum_crc32c: input.checksum_crc32c,
            checksum_crc64nvme: input.checksum_crc64nvme,
            checksum_sha1: input.checksum_sha1,
            checksum_sha256: input.checksum_sha256,
            checksum_type: None,
        };
        let said = Said::new(input.content_md5, checksum, &request.headers, request.trailing_headers);
        let (part, checksum) = incoming::write(&self.0, input.body, &said).await?;
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
            checksum_crc32: checksum.checksum_crc32,
            checksum_crc32c: checksum.checksum_crc32c,
            checksum_crc64nvme: checksum.checksum_crc64nvme,
            checksum_sha1: checksum.checksum_sha1,
            checksum_sha256: checksum.checksum_sha256,
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
        let output = listing::second_version(&self.0.lock().objects, request.input)?;
        Ok(S3Response::new(output))
    }

    async fn list_objects(&self, request: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        let output = listing::first_version(&self.0.lock().objects, request.input)?;
        Ok(S3Response::new(output))
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
