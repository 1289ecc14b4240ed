//! Object storage that speaks S3, by aws-sdk-s3.
//!
//! Requests are plain: path style, an exact `Content-Length`, no checksum headers or trailers, and the region as it was
//! given. The payload is signed with its own SHA-256, so that the store itself refuses other bytes. Only few
//! permissions are needed: `HEAD` and `PUT` of exact keys, the upload of one large object in parts, and a `GET` of one
//! byte if `HEAD` is refused without a reason. Nothing is read from `AWS_*` variables, profiles or instance metadata.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::payload::Payload;
use crate::storage::{Head, MultipartUpload, ObjectStorage, StorageError};

mod body;
mod config;
mod connector;
#[cfg(feature = "http-client")]
mod default_http;
mod failure;
mod line;
mod refusals;
mod requests;
mod retry;
mod sdk_client;
mod session;
mod signing;
mod skew;
mod unacknowledged;
mod upload;

use session::Session;

pub use config::{CredentialProvider, S3Config};
pub use connector::{HttpClient, HttpError, RequestBody};
#[cfg(feature = "http-client")]
pub use default_http::DefaultHttpClient;
pub use retry::{Retry, RetryPolicy};

/// A bucket of an S3 store. Clones share their credentials.
///
/// ```
/// # #[cfg(feature = "http-client")]
/// # fn main() -> Result<(), daytona_context::BoxError> {
/// use std::sync::Arc;
///
/// use daytona_context::s3::{DefaultHttpClient, RetryPolicy, S3Config, S3Storage};
///
/// let endpoint = "http://127.0.0.1:9000";
/// let config = S3Config::new(endpoint, "contexts", "access-key", "secret-key");
/// let storage = S3Storage::new(&config, Arc::new(DefaultHttpClient::new()?))?
///     .retry(RetryPolicy::default().attempts(6));
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "http-client"))]
/// # fn main() {}
/// ```
#[derive(Clone)]
pub struct S3Storage {
    session: Session,
}

impl fmt::Debug for S3Storage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("S3Storage")
            .field("bucket", &self.session.bucket())
            .finish_non_exhaustive()
    }
}

impl S3Storage {
    /// The bucket of `config`, reached through `http`.
    ///
    /// # Errors
    ///
    /// [`StorageError`] of kind `Refused` if the endpoint is not an address, if there is no bucket, or if a value holds
    /// characters that cannot be sent, such as line feeds.
    pub fn new(config: &S3Config, http: Arc<dyn HttpClient>) -> Result<Self, StorageError> {
        Ok(Self {
            session: Session::new(config, http)?,
        })
    }

    /// Gets new credentials here when the store says that they have expired, in the middle of an upload too.
    #[must_use]
    pub fn credential_provider(mut self, provider: Arc<dyn CredentialProvider>) -> Self {
        self.session.set_provider(provider);
        self
    }

    /// How often requests are sent, and when they count as stalled.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.session.set_policy(policy);
        self
    }

    /// Called before a request is sent again because of a failure, and once when this machine's clock is found to be wrong.
    #[must_use]
    pub fn on_retry(mut self, callback: impl Fn(&Retry<'_>) + Send + Sync + 'static) -> Self {
        self.session.set_on_retry(Arc::new(callback));
        self
    }
}

#[async_trait]
impl ObjectStorage for S3Storage {
    async fn head(&self, key: &str) -> Result<Head, StorageError> {
        requests::head(&self.session, key).await
    }

    /// One request up to 5 GiB, which is what S3 takes in one; a larger payload is read once more to hash its parts.
    async fn put(&self, key: &str, payload: Payload) -> Result<(), StorageError> {
        if payload.size() > requests::MAX_PUT {
            return upload::put_in_parts(&self.session, key, &payload, upload::PART).await;
        }
        requests::put(&self.session, key, &payload).await
    }

    async fn start_multipart(&self, key: &str, size: u64) -> Result<Option<Box<dyn MultipartUpload>>, StorageError> {
        let upload = upload::Upload::start(&self.session, key, size).await?;
        Ok(Some(Box::new(upload)))
    }
}
