//! Bytes that come in: written, counted, and compared with what the client says of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use futures_util::StreamExt;
use http::{HeaderMap, StatusCode};
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use s3s::dto::{Checksum, StreamingBlob};
use s3s::{S3Error, S3ErrorCode, S3Result, TrailingHeaders, s3_error};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use super::Storage;
use super::blob::Blob;
use super::stored::{Stored, Tag};
use crate::base::clock::after;
use crate::base::data_dir::create_private_file;

/// Bytes read or written at a time.
pub(super) const CHUNK: usize = 1024 * 1024;

/// What a client says of the bytes that it sends.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) md5: Option<String>,
    pub(super) checksum: Checksum,
    /// Names of checksums that come after the bytes, and where they will be.
    promised: String,
    trailers: Option<TrailingHeaders>,
}

impl Said {
    pub(super) fn new(
        md5: Option<String>,
        checksum: Checksum,
        headers: &HeaderMap,
        trailers: Option<TrailingHeaders>,
    ) -> Self {
        let promised = headers.get("x-amz-trailer").and_then(|names| names.to_str().ok());
        Self {
            md5,
            checksum,
            promised: promised.unwrap_or_default().to_ascii_lowercase(),
            trailers,
        }
    }

    /// Computes those checksums that were said, or will be.
    fn hasher(&self) -> ChecksumHasher {
        let wants = |said: &Option<String>, name: &str| {
            let mut promised = self.promised.split(',');
            said.is_some() || promised.any(|promised| promised.trim().strip_prefix(PREFIX) == Some(name))
        };
        let said = &self.checksum;
        ChecksumHasher {
            crc32: wants(&said.checksum_crc32, "crc32").then(Crc32::new),
            crc32c: wants(&said.checksum_crc32c, "crc32c").then(Crc32c::new),
            crc64nvme: wants(&said.checksum_crc64nvme, "crc64nvme").then(Crc64Nvme::new),
            sha1: wants(&said.checksum_sha1, "sha1").then(Sha1::new),
            sha256: wants(&said.checksum_sha256, "sha256").then(Sha256::new),
        }
    }

    /// Refuses bytes that are not those that were meant.
    fn check(&self, md5: Option<Md5>, actual: &Checksum) -> S3Result<()> {
        if let (Some(said), Some(md5)) = (&self.md5, md5) {
            let said = STANDARD.decode(said).unwrap_or_default();
            if said.len() != 16 {
                return Err(s3_error!(InvalidDigest, "The Content-MD5 you specified is not valid."));
            }
            if said != md5.finalize().as_ref() {
                let message = "The Content-MD5 you specified did not match what we received.";
                return Err(S3Error::with_message(S3ErrorCode::BadDigest, message));
            }
        }
        let later = |name: &str| {
            let read = |headers: &HeaderMap| {
                let value = headers.get(format!("{PREFIX}{name}"))?;
                value.to_str().ok().map(ToOwned::to_owned)
            };
            self.trailers
                .as_ref()
                .and_then(|trailers| trailers.read(read))
                .flatten()
        };
        let said = &self.checksum;
        for (name, said, actual) in [
            ("crc32", &said.checksum_crc32, &actual.checksum_crc32),
            ("crc32c", &said.checksum_crc32c, &actual.checksum_crc32c),
            ("crc64nvme", &said.checksum_crc64nvme, &actual.checksum_crc64nvme),
            ("sha1", &said.checksum_sha1, &actual.checksum_sha1),
            ("sha256", &said.checksum_sha256, &actual.checksum_sha256),
        ] {
            let said = said.clone().or_else(|| later(name));
            if let Some(actual) = actual
                && said.is_some_and(|said| said != *actual)
            {
                let name = name.to_ascii_uppercase();
                let message = format!("The {name} you specified did not match the calculated checksum.");
                return Err(S3Error::with_message(S3ErrorCode::BadDigest, message));
            }
        }
        Ok(())
    }
}

const PREFIX: &str = "x-amz-checksum-";

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
                "the emulator accepts objects of at most {largest} bytes, and {} bytes in all",
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
            modified: self.storage.inner.clock.now(),
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

/// Takes a body in, and returns its checksums as well; nothing stays of one that breaks off, or is not what was said of it.
pub(super) async fn write(storage: &Storage, body: Option<StreamingBlob>, said: &Said) -> S3Result<(Stored, Checksum)> {
    let sink = match storage.new_path() {
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
        storage,
        size: 0,
        sink,
        is_kept: false,
    };
    let begin = storage.inner.clock.now();
    let (mut tag, mut hasher) = (Tag::default(), said.hasher());
    let mut md5 = said.md5.as_ref().map(|_| Md5::new());
    if let Some(mut body) = body {
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| mismatch(error.as_ref()))?;
            tag.update(&chunk);
            hasher.update(&chunk);
            if let Some(md5) = &mut md5 {
                md5.update(&chunk);
            }
            incoming.write(&chunk).await?;
            if let Some(rate) = storage.options().bytes_per_second {
                let due = std::time::Duration::from_millis(incoming.size.saturating_mul(1000) / rate.max(1));
                let clock = &storage.inner.clock;
                clock.sleep_until(after(begin.min(clock.now()), due)).await;
            }
        }
    }
    let checksum = hasher.finalize();
    said.check(md5, &checksum)?;
    Ok((incoming.keep(tag.of_parts(1)).await?, checksum))
}

/// The signature covers the payload's hash and its length: s3s ends the stream with an error where they differ.
fn mismatch(error: &(dyn std::error::Error + 'static)) -> S3Error {
    let code = S3ErrorCode::from_bytes(b"XAmzContentSHA256Mismatch").unwrap_or(S3ErrorCode::InvalidRequest);
    let mut answer = S3Error::with_message(code, format!("The payload is not the one that was signed: {error}"));
    answer.set_status_code(StatusCode::BAD_REQUEST);
    answer
}

pub(super) fn internal(error: std::io::Error) -> S3Error {
    s3_error!(error, InternalError, "the emulator's storage failed")
}
