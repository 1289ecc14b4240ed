//! The address of a bucket, and the credentials for it.

use std::fmt;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::storage::{StorageError, StorageErrorKind};

/// The region to sign for if neither the service nor the address names one.
const DEFAULT_REGION: &str = "us-east-1";

/// The address of a bucket, and the credentials for it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct S3Config {
    /// The address of the storage. Without a scheme, https is used. A path in it is kept.
    pub endpoint: String,
    /// Bucket.
    pub bucket: String,
    /// The region to sign for. Without one it is the region of an AWS address, or else `us-east-1`.
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

/// Provides new credentials when the old ones have expired.
///
/// ```
/// use daytona_context::StorageError;
/// use daytona_context::s3::{CredentialProvider, S3Config};
///
/// /// Asks a service of your own for credentials.
/// #[derive(Debug)]
/// struct Vault;
///
/// #[async_trait::async_trait]
/// impl CredentialProvider for Vault {
///     async fn credentials(&self) -> Result<S3Config, StorageError> {
///         let (key, secret) = ("access-key", "secret-key"); // the service's answer
///         Ok(S3Config::new("https://s3.example", "contexts", key, secret))
///     }
/// }
/// ```
#[async_trait]
pub trait CredentialProvider: fmt::Debug + Send + Sync {
    /// Returns the address and the current credentials.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if there are no new credentials. If the error is [temporary](StorageError::is_retryable), the
    /// provider is asked again, within the budget of the request that needs them.
    async fn credentials(&self) -> Result<S3Config, StorageError>;
}

/// A configuration that can be signed and sent: what comes from outside was looked at before anything is made of it.
#[derive(Debug, Clone)]
pub(super) struct CheckedConfig {
    pub(super) endpoint: Url,
    pub(super) bucket: String,
    pub(super) region: String,
    pub(super) access_key: SecretString,
    pub(super) secret_key: SecretString,
    pub(super) session_token: Option<SecretString>,
}

impl CheckedConfig {
    pub(super) fn new(config: &S3Config) -> Result<Self, StorageError> {
        let endpoint = endpoint(&config.endpoint)?;
        let bucket = config.bucket.trim().to_owned();
        if bucket.is_empty() {
            return Err(refused("the bucket has no name".to_owned()));
        }
        if !bucket.bytes().all(|byte| byte.is_ascii_graphic()) || bucket.contains('/') || matches!(&*bucket, "." | "..")
        {
            return Err(refused(format!("{bucket:?} is not the name of a bucket")));
        }
        // The SDK would send other requests for these, to other hosts.
        if bucket.starts_with("arn:") || bucket.ends_with("--x-s3") {
            return Err(refused(format!(
                "the bucket {bucket:?} is one of a kind that is not supported: name an ordinary bucket"
            )));
        }
        let region = match config.region.as_deref().map(str::trim) {
            Some(region) if !region.is_empty() => {
                if !is_region(region) {
                    return Err(refused(format!("{region:?} is not a region")));
                }
                region.to_owned()
            }
            _ => region_of_host(&endpoint).unwrap_or_else(|| DEFAULT_REGION.to_owned()),
        };
        let session_token = config.session_token.as_ref();
        Ok(Self {
            endpoint,
            bucket,
            region,
            access_key: secret(&config.access_key, "access key")?,
            secret_key: secret(&config.secret_key, "secret key")?,
            session_token: session_token.map(|token| secret(token, "session token")).transpose()?,
        })
    }

    /// A text in which none of the secrets stands.
    pub(super) fn redacted(&self, text: String) -> String {
        let secrets = [
            Some(&self.secret_key),
            self.session_token.as_ref(),
            Some(&self.access_key),
        ];
        secrets
            .into_iter()
            .flatten()
            .fold(text, |text, secret| match secret.expose_secret() {
                "" => text,
                secret => text.replace(secret, "…"),
            })
    }
}

/// Whether a text can be a region: it stands in a header and in what is signed.
pub(super) fn is_region(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=64).contains(&text.len()) && text.bytes().all(is_plain)
}

/// A secret as a header can carry it. White space around it, such as the line feed of a file, is not part of it.
fn secret(secret: &SecretString, name: &str) -> Result<SecretString, StorageError> {
    let trimmed = secret.expose_secret().trim();
    if trimmed.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(trimmed.into());
    }
    let message = format!("the {name} holds white space, control or non-ASCII characters, which cannot be sent");
    Err(refused(message))
}

fn refused(message: String) -> StorageError {
    StorageError::new(StorageErrorKind::Refused).with_code(None, Some(message))
}

/// The address with a scheme, and a slash at its end: without it the bucket's name would be glued to the path.
fn endpoint(text: &str) -> Result<Url, StorageError> {
    let text = text.trim();
    let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
    let full = format!("{scheme}://{}/", rest.trim_end_matches('/'));
    // Somebody may have written a password before the host.
    let shown = text
        .rsplit_once('@')
        .map_or_else(|| text.to_owned(), |(_, host)| format!("…@{host}"));
    let wrong = |problem: String| refused(format!("{shown:?} is not the address of an object storage: {problem}"));
    let url = Url::parse(&full).map_err(|error| wrong(error.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        let problem = "it names a user: give the access key and the secret key in the configuration instead";
        return Err(wrong(problem.to_owned()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("it has a query or a fragment".to_owned()));
    }
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        scheme => Err(wrong(format!("its scheme `{scheme}` is neither http nor https"))),
    }
}

/// `eu-west-1` of `s3.eu-west-1.amazonaws.com`.
fn region_of_host(endpoint: &Url) -> Option<String> {
    let host = endpoint.host_str()?;
    // The second is that of the regions in China.
    let service = [".amazonaws.com", ".amazonaws.com.cn"]
        .iter()
        .find_map(|domain| host.strip_suffix(domain))?;
    let labels: Vec<&str> = service.split('.').collect();
    match labels.as_slice() {
        ["s3" | "s3-fips", region] | [_, "s3", region] | ["s3", "dualstack", region] => Some((*region).to_owned()),
        _ => None,
    }
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
        let refused = endpoint("https://user:pass-word@h").unwrap_err().to_string();
        assert!(
            refused.contains("names a user") && !refused.contains("pass-word"),
            "{refused}"
        );
        for nothing in ["", "/", "http://", "https:///"] {
            assert!(endpoint(nothing).is_err(), "{nothing}");
        }
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
        assert_eq!(
            region("https://s3.cn-north-1.amazonaws.com.cn").as_deref(),
            Some("cn-north-1")
        );
        assert_eq!(region("https://s3.amazonaws.com"), None);
        assert_eq!(region("http://minio:9000"), None);
    }
}
