//! Object storage that speaks S3, by aws-sdk-s3.
//!
//! Plain framing: path style, an exact `Content-Length`, no checksum headers or trailers, the region verbatim, the
//! payload signed with its own SHA-256 so that the store itself refuses other bytes. Least privilege: only `HEAD` and
//! `PUT` of exact keys. Nothing is read from `AWS_*` variables, profiles or instance metadata.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use aws_credential_types::Credentials;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, IdentityCache, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    StalledStreamProtectionConfig,
};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use futures_util::TryStreamExt;
use http_body::Frame;
use http_body_util::StreamBody;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::payload::Payload;
use crate::storage::{Head, ObjectStorage, StorageError, StorageErrorKind};

mod connector;
mod signing;

pub use connector::{HttpClient, RequestBody};

/// Region that is signed with where the service names none and the address shows none.
const DEFAULT_REGION: &str = "us-east-1";

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

/// A bucket of an S3 store.
#[derive(Clone)]
pub struct S3Storage {
    client: aws_sdk_s3::Client,
    bucket: String,
}

impl fmt::Debug for S3Storage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("S3Storage")
            .field("bucket", &self.bucket)
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
        let endpoint = endpoint(&config.endpoint)?;
        let region = config.region.clone().filter(|region| !region.is_empty());
        let region = region
            .or_else(|| region_of_host(&endpoint))
            .unwrap_or_else(|| DEFAULT_REGION.to_owned());
        let credentials = Credentials::new(
            config.access_key.expose_secret(),
            config.secret_key.expose_secret(),
            config
                .session_token
                .as_ref()
                .map(|token| token.expose_secret().to_owned()),
            None,
            "daytona",
        );
        let sdk_config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region))
            .endpoint_url(endpoint.as_str())
            .force_path_style(true)
            .credentials_provider(credentials)
            .identity_cache(IdentityCache::no_cache())
            .http_client(connector::over(http))
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .interceptor(signing::NothingAmbient)
            .build();
        Ok(Self {
            client: aws_sdk_s3::Client::from_conf(sdk_config),
            bucket: config.bucket.clone(),
        })
    }
}

#[async_trait]
impl ObjectStorage for S3Storage {
    async fn head(&self, key: &str) -> Result<Head, StorageError> {
        match self.client.head_object().bucket(&self.bucket).key(key).send().await {
            Ok(object) => {
                let size = object.content_length().and_then(|size| u64::try_from(size).ok());
                Ok(size.map_or(Head::Unknown, |size| Head::Stored { size }))
            }
            Err(error) => match error.raw_response().map(|response| response.status().as_u16()) {
                Some(404) => Ok(Head::Missing),
                // Wrong credentials would be refused for the upload too; an answer to HEAD has no body that says more.
                None | Some(401) => Err(storage_error(error)),
                // A store that does not let one look, or fails at it: only the upload decides.
                Some(_) => Ok(Head::Unknown),
            },
        }
    }

    async fn put(&self, key: &str, payload: Payload) -> Result<(), StorageError> {
        let size = i64::try_from(payload.size())
            .map_err(|error| StorageError::new(StorageErrorKind::Refused).with_source(error))?;
        let digest = payload.digest();
        let body = ByteStream::new(SdkBody::retryable(move || sdk_body(&payload)));
        let request = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_length(size)
            .body(body);
        let signed = request.customize().interceptor(signing::PayloadHash(digest));
        signed.send().await.map(|_| ()).map_err(storage_error)
    }
}

fn sdk_body(payload: &Payload) -> SdkBody {
    let frames = StreamBody::new(payload.chunks().map_ok(Frame::data));
    SdkBody::from_body_1_x(connector::Sized::new(frames, payload.size()))
}

/// The address with a scheme, and a slash at its end: without it the bucket's name would be glued to the path.
fn endpoint(text: &str) -> Result<Url, StorageError> {
    let text = text.trim_end_matches('/');
    let full = if text.contains("://") {
        format!("{text}/")
    } else {
        format!("https://{text}/")
    };
    let wrong = |problem: String| {
        let message = format!("`{text}` is no address of an object storage: {problem}");
        StorageError::new(StorageErrorKind::Refused).with_code(None, Some(message))
    };
    let url = Url::parse(&full).map_err(|error| wrong(error.to_string()))?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        scheme => Err(wrong(format!("its scheme `{scheme}` is neither http nor https"))),
    }
}

/// `eu-west-1` of `s3.eu-west-1.amazonaws.com`.
fn region_of_host(endpoint: &Url) -> Option<String> {
    let labels: Vec<&str> = endpoint
        .host_str()?
        .strip_suffix(".amazonaws.com")?
        .split('.')
        .collect();
    match labels.as_slice() {
        ["s3" | "s3-fips", region] | [_, "s3", region] | ["s3", "dualstack", region] => Some((*region).to_owned()),
        _ => None,
    }
}

fn storage_error<E>(error: SdkError<E, HttpResponse>) -> StorageError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let Some(response) = error.raw_response() else {
        return StorageError::new(StorageErrorKind::Connection).with_source(error);
    };
    let status = response.status().as_u16();
    let (code, message) = (
        error.code().map(ToOwned::to_owned),
        error.message().map(ToOwned::to_owned),
    );
    let kind = match status {
        401 | 403 => StorageErrorKind::AccessDenied,
        429 => StorageErrorKind::RateLimited,
        503 if code.as_deref() == Some("SlowDown") => StorageErrorKind::RateLimited,
        500.. => StorageErrorKind::Unavailable,
        _ => StorageErrorKind::Refused,
    };
    StorageError::new(kind).with_status(status).with_code(code, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_gets_a_scheme_and_keeps_its_path() {
        let text = |address| endpoint(address).map(String::from).unwrap();
        assert_eq!(text("s3.example.com"), "https://s3.example.com/");
        assert_eq!(text("http://127.0.0.1:9000"), "http://127.0.0.1:9000/");
        assert_eq!(text("https://h/base/"), "https://h/base/");
        assert!(endpoint("ftp://h").unwrap_err().to_string().contains("`ftp`"));
        assert!(endpoint("").is_err());
    }

    #[test]
    fn the_region_of_an_aws_address_is_known() {
        let region = |address| region_of_host(&endpoint(address).unwrap());
        assert_eq!(
            region("https://s3.eu-west-1.amazonaws.com").as_deref(),
            Some("eu-west-1")
        );
        assert_eq!(
            region("https://bucket.s3.ap-south-1.amazonaws.com").as_deref(),
            Some("ap-south-1")
        );
        assert_eq!(region("https://s3.amazonaws.com"), None);
        assert_eq!(region("http://minio:9000"), None);
    }
}
