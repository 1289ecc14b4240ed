//! The SDK's client, with nothing of its own will: no retries, no time-outs, no caches, no checksums, no environment.

use std::sync::Arc;

use aws_credential_types::Credentials;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, IdentityCache, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    StalledStreamProtectionConfig,
};
use secrecy::ExposeSecret;
use url::Url;

use super::connector::HttpClient;
use super::{S3Config, connector, signing};
use crate::storage::{StorageError, StorageErrorKind};

/// Region that is signed with where the service names none and the address shows none.
const DEFAULT_REGION: &str = "us-east-1";

pub(super) fn client(config: &S3Config, http: &Arc<dyn HttpClient>) -> Result<aws_sdk_s3::Client, StorageError> {
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
        .http_client(connector::over(Arc::clone(http)))
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .interceptor(signing::NothingAmbient)
        .build();
    Ok(aws_sdk_s3::Client::from_conf(sdk_config))
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
