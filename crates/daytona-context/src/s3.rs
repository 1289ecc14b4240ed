//! Object storage that speaks S3, by aws-sdk-s3.
//!
//! Plain framing: path style, an exact `Content-Length`, no checksum headers or trailers, the region verbatim, the
//! payload signed with its own SHA-256 so that the store itself refuses other bytes. Least privilege: only `HEAD` and
//! `PUT` of exact keys. Nothing is read from `AWS_*` variables, profiles or instance metadata.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use http_body::Frame;
use http_body_util::StreamBody;
use secrecy::SecretString;

use crate::payload::Payload;
use crate::storage::{Head, ObjectStorage, StorageError, StorageErrorKind};

mod client;
mod connector;
mod failure;
#[cfg(feature = "http-client")]
mod http_client;
mod retry;
mod signing;

use client::client;
use failure::{Failure, failure, is_expired};
use retry::Activity;

pub use connector::{HttpClient, RequestBody};
#[cfg(feature = "http-client")]
pub use http_client::DefaultHttpClient;
pub use retry::RetryPolicy;

/// Where and how to reach a bucket.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct S3Config {
    /// Address of the storage; without a scheme, https is meant. A path in it is kept.
    pub endpoint: String,
    /// Bucket.
    pub bucket: String,
    /// Region to sign with. Without one, that of an AWS address, else `us-east-1`.
    pub region: Option<String>,
    /// Access key id.
    pub access_key: SecretString,
    /// Secret access key.
    pub secret_key: SecretString,
    /// Session token of temporary credentials.
    pub session_token: Option<SecretString>,
}

impl S3Config {
    /// A bucket and the credentials for it.
    pub fn new(
        endpoint: impl Into<String>,
        bucket: impl Into<String>,
        access_key: impl Into<SecretString>,
        secret_key: impl Into<SecretString>,
    ) -> Self {
        Self {
            endpoint: endpoint.into(),
            bucket: bucket.into(),
            region: None,
            access_key: access_key.into(),
            secret_key: secret_key.into(),
            session_token: None,
        }
    }
}

/// Gives new credentials when the old ones are no longer good.
#[async_trait]
pub trait RefreshCredentials: fmt::Debug + Send + Sync {
    /// Where and how to reach the bucket now.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if there are no new credentials to be had.
    async fn refresh(&self) -> Result<S3Config, StorageError>;
}

/// A bucket of an S3 store. Clones share their credentials.
#[derive(Clone)]
pub struct S3Storage {
    shared: Arc<Shared>,
    refresh: Option<Arc<dyn RefreshCredentials>>,
    retry: RetryPolicy,
    on_retry: Option<OnRetry>,
}

type OnRetry = Arc<dyn Fn(&StorageError) + Send + Sync>;

struct Shared {
    http: Arc<dyn HttpClient>,
    state: Mutex<State>,
    /// Held while credentials are fetched, once for all who need them.
    refreshing: tokio::sync::Mutex<()>,
}

/// What requests are signed with at the moment.
#[derive(Clone)]
struct State {
    client: aws_sdk_s3::Client,
    config: S3Config,
    /// Counts the changes.
    generation: u64,
    is_region_corrected: bool,
    /// Refreshes since a request was accepted.
    refreshes: usize,
}

/// Refreshes in a row: credentials that are refused as soon as they are given out would otherwise never end.
const MOST_REFRESHES: usize = 3;

/// Parts that are sent at once.
const PARALLEL_PARTS: usize = 4;

/// Bytes of a frame: small enough that on a slow line one is taken before the line counts as dead.
const FRAME: usize = 64 * 1024;

impl fmt::Debug for S3Storage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("S3Storage")
            .field("bucket", &self.shared.state().config.bucket)
            .finish_non_exhaustive()
    }
}

impl S3Storage {
    /// The bucket of `config`, reached through `http`.
    ///
    /// # Errors
    ///
    /// [`StorageError`] of kind `Refused` if the endpoint is no address.
    pub fn new(config: &S3Config, http: Arc<dyn HttpClient>) -> Result<Self, StorageError> {
        let state = State {
            client: client(config, &http)?,
            config: config.clone(),
            generation: 0,
            is_region_corrected: false,
            refreshes: 0,
        };
        Ok(Self {
            shared: Arc::new(Shared {
                http,
                state: Mutex::new(state),
                refreshing: tokio::sync::Mutex::new(()),
            }),
            refresh: None,
            retry: RetryPolicy::default(),
            on_retry: None,
        })
    }

    /// Gets new credentials here when the store says that they have expired, in the middle of an upload too.
    #[must_use]
    pub fn refresh_with(mut self, refresh: Arc<dyn RefreshCredentials>) -> Self {
        self.refresh = Some(refresh);
        self
    }

    /// How often requests are sent, and when they count as stalled.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Called with the failure before a request is sent again.
    #[must_use]
    pub fn on_retry(mut self, callback: impl Fn(&StorageError) + Send + Sync + 'static) -> Self {
        self.on_retry = Some(Arc::new(callback));
        self
    }

    /// Sends a request until it succeeds, as often as it makes sense.
    async fn call<T, F>(&self, is_readable: impl Fn() -> bool, request: impl Fn(State) -> F) -> Result<T, StorageError>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let shared = &self.shared;
        let mut attempt = 0;
        loop {
            let state = shared.state().clone();
            let generation = state.generation;
            let failure = match request(state).await {
                Ok(done) => {
                    shared.state().refreshes = 0;
                    return Ok(done);
                }
                Err(failure) => failure,
            };
            // The store is not to blame.
            if !is_readable() {
                return Err(failure.error);
            }
            if let Some(region) = &failure.region
                && shared.correct_region(region, generation)?
            {
                continue;
            }
            if is_expired(&failure.error) && self.renew(generation).await? {
                continue;
            }
            attempt += 1;
            if !failure.error.is_retryable() || attempt >= self.retry.attempts {
                return Err(failure.error.with_attempts(attempt));
            }
            let wait = RetryPolicy::wait(attempt - 1);
            tracing::debug!(error = %failure.error, ?wait, "a request to object storage is sent again");
            if let Some(on_retry) = &self.on_retry {
                on_retry(&failure.error);
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Fetches credentials, once for all whose are the same. Whether there is anything new to try.
    async fn renew(&self, generation: u64) -> Result<bool, StorageError> {
        let Some(refresh) = &self.refresh else { return Ok(false) };
        let shared = &self.shared;
        let _alone = shared.refreshing.lock().await;
        {
            let mut state = shared.state();
            if state.generation != generation {
                return Ok(true);
            }
            if state.refreshes >= MOST_REFRESHES {
                return Ok(false);
            }
            state.refreshes += 1;
        }
        tracing::debug!("the credentials of object storage have expired");
        let mut config = refresh.refresh().await?;
        let mut state = shared.state();
        if state.is_region_corrected {
            config.region.clone_from(&state.config.region);
        }
        state.client = client(&config, &shared.http)?;
        state.config = config;
        state.generation += 1;
        Ok(true)
    }

    /// Sends a request, and gives it up when nothing of it moves. The SDK's futures are large: they come in a box.
    async fn send<T, E>(
        &self,
        activity: &Activity,
        request: Pin<Box<impl Future<Output = Result<T, SdkError<E, HttpResponse>>>>>,
    ) -> Result<T, Failure>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let sent = activity.watch(self.retry.stall, request).await;
        sent.map_err(StorageError::from)?.map_err(failure)
    }

    async fn put_whole(&self, key: &str, payload: &Payload) -> Result<(), StorageError> {
        let size = size(payload)?;
        let request = |state: State| async move {
            let activity = Activity::new();
            let request = state
                .client
                .put_object()
                .bucket(&state.config.bucket)
                .key(key)
                .content_length(size)
                .body(body(payload, &activity));
            let signed = request.customize().interceptor(signing::PayloadHash(payload.digest()));
            self.send(&activity, Box::pin(signed.send())).await.map(drop)
        };
        self.call(|| !payload.is_unreadable(), request).await
    }

    /// The parts of a large object, some at once. Nothing is visible before all are there.
    async fn put_parts(&self, key: &str, parts: Vec<Payload>) -> Result<(), StorageError> {
        let begin = |state: State| async move {
            let request = state
                .client
                .create_multipart_upload()
                .bucket(&state.config.bucket)
                .key(key);
            let begun = self.send(&Activity::new(), Box::pin(request.send())).await?;
            Ok(begun.upload_id.unwrap_or_default())
        };
        let id = self.call(|| true, begin).await?;
        let sent = self.send_parts(key, &id, parts).await;
        if sent.is_err() {
            // The policy may not allow it, and the first error is the one that counts.
            let state = self.shared.state().clone();
            let abort = state
                .client
                .abort_multipart_upload()
                .bucket(&state.config.bucket)
                .key(key)
                .upload_id(&id);
            if let Err(failure) = self.send(&Activity::new(), Box::pin(abort.send())).await {
                tracing::debug!(error = %failure.error, "the parts that were sent stay behind");
            }
        }
        sent
    }

    async fn send_parts(&self, key: &str, id: &str, parts: Vec<Payload>) -> Result<(), StorageError> {
        let sends = (1..)
            .zip(parts)
            .map(|(number, part)| async move { self.put_part(key, id, number, &part).await });
        let done: Vec<CompletedPart> = stream::iter(sends).buffered(PARALLEL_PARTS).try_collect().await?;
        let whole = CompletedMultipartUpload::builder().set_parts(Some(done)).build();
        let complete = |state: State| {
            let request = state
                .client
                .complete_multipart_upload()
                .bucket(&state.config.bucket)
                .key(key)
                .upload_id(id);
            let request = request.multipart_upload(whole.clone());
            async move { self.send(&Activity::new(), Box::pin(request.send())).await.map(drop) }
        };
        self.call(|| true, complete).await
    }

    async fn put_part(&self, key: &str, id: &str, number: i32, part: &Payload) -> Result<CompletedPart, StorageError> {
        let size = size(part)?;
        let request = |state: State| async move {
            let activity = Activity::new();
            let request = state
                .client
                .upload_part()
                .bucket(&state.config.bucket)
                .key(key)
                .upload_id(id)
                .part_number(number)
                .content_length(size)
                .body(body(part, &activity));
            let signed = request.customize().interceptor(signing::PayloadHash(part.digest()));
            let tag = self.send(&activity, Box::pin(signed.send())).await?.e_tag;
            Ok(CompletedPart::builder().part_number(number).set_e_tag(tag).build())
        };
        self.call(|| !part.is_unreadable(), request).await
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Signs for the region that the store names, once. Whether there is anything new to try.
    fn correct_region(&self, region: &str, generation: u64) -> Result<bool, StorageError> {
        let mut state = self.state();
        if state.generation != generation {
            return Ok(true);
        }
        if state.is_region_corrected || state.config.region.as_deref() == Some(region) {
            return Ok(false);
        }
        tracing::debug!(region, "the store wants another region");
        state.config.region = Some(region.to_owned());
        state.client = client(&state.config, &self.http)?;
        state.is_region_corrected = true;
        state.generation += 1;
        Ok(true)
    }
}

#[async_trait]
impl ObjectStorage for S3Storage {
    async fn head(&self, key: &str) -> Result<Head, StorageError> {
        let request = |state: State| async move {
            let request = state.client.head_object().bucket(&state.config.bucket).key(key);
            let sent = Activity::new()
                .watch(self.retry.stall, request.send())
                .await
                .map_err(StorageError::from)?;
            match sent {
                Ok(object) => {
                    let size = object.content_length().and_then(|size| u64::try_from(size).ok());
                    Ok(size.map_or(Head::Unknown, |size| Head::Stored { size }))
                }
                Err(error) => match error.raw_response().map(|response| response.status().as_u16()) {
                    Some(404) => Ok(Head::Missing),
                    // Wrong credentials would be refused for the upload too; an answer to HEAD has no body that says more.
                    None | Some(401) => Err(failure(error)),
                    // A store that does not let one look, or fails at it: only the upload decides.
                    Some(_) => Ok(Head::Unknown),
                },
            }
        };
        self.call(|| true, request).await
    }

    async fn put(&self, key: &str, payload: Payload) -> Result<(), StorageError> {
        let parts = payload.parts();
        if parts.is_empty() {
            self.put_whole(key, &payload).await
        } else {
            self.put_parts(key, parts).await
        }
    }
}

fn size(payload: &Payload) -> Result<i64, StorageError> {
    i64::try_from(payload.size()).map_err(|error| StorageError::new(StorageErrorKind::Refused).with_source(error))
}

/// A body that notes when something of it is taken.
fn body(payload: &Payload, activity: &Activity) -> ByteStream {
    let (payload, activity) = (payload.clone(), activity.clone());
    ByteStream::new(SdkBody::retryable(move || sdk_body(&payload, &activity)))
}

fn sdk_body(payload: &Payload, activity: &Activity) -> SdkBody {
    let activity = activity.clone();
    let pieces = payload
        .chunks()
        .map_ok(|chunk| stream::iter(pieces(chunk).map(Ok::<_, crate::BodyError>)))
        .try_flatten();
    let frames = StreamBody::new(pieces.map_ok(move |piece| {
        activity.note();
        Frame::data(piece)
    }));
    SdkBody::from_body_1_x(connector::Sized::new(frames, payload.size()))
}

fn pieces(mut chunk: Bytes) -> impl Iterator<Item = Bytes> + Send + Sync {
    std::iter::from_fn(move || (!chunk.is_empty()).then(|| chunk.split_to(FRAME.min(chunk.len()))))
}
