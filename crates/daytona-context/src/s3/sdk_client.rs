//! The SDK's client, with nothing of its own will: no retries, no timeouts, no caches, no checksums, no environment.

use std::sync::Arc;

use aws_credential_types::Credentials;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, IdentityCache, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    StalledStreamProtectionConfig,
};
use secrecy::ExposeSecret;

use super::config::CheckedConfig;
use super::connector::{self, HttpClient};
use super::signing;
use super::skew::Skew;

pub(super) fn sdk_client(config: &CheckedConfig, http: &Arc<dyn HttpClient>, skew: &Skew) -> aws_sdk_s3::Client {
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
        .region(Region::new(config.region.clone()))
        .endpoint_url(config.endpoint.as_str())
        .force_path_style(true)
        .credentials_provider(credentials)
        .identity_cache(IdentityCache::no_cache())
        .http_client(connector::over(Arc::clone(http)))
        // Ours is told, and is given up where it does not help.
        .disable_clock_skew_correction(true)
        .time_source(skew.clone())
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .interceptor(signing::NothingAmbient)
        .build();
    aws_sdk_s3::Client::from_conf(sdk_config)
}
