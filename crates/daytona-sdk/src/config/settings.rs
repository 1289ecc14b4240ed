//! Checks the settings and completes them.

use std::sync::Arc;
use std::time::Duration;

use daytona_api::DEFAULT_API_URL;
use http::{HeaderValue, Uri};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::MAX_REQUEST_BODY;
use super::builder::DaytonaBuilder;
use super::environment::{ENV_API_KEY, ENV_JWT_TOKEN, ENV_ORGANIZATION_ID, config};
use crate::address::shown;
use crate::api_client::Settings;
use crate::auth::Credentials;
use crate::clock::TokioClock;
use crate::error::Error;
use crate::network::{Except, Network, Proxy, Scope};
use crate::transport::{ReqwestTransport, Transport};

#[cfg(test)]
mod tests;

/// How long making a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an answer may take. The request for the address of a build log can take 30 seconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_mins(1);

/// How long an upload may make no progress.
const STALL_TIMEOUT: Duration = Duration::from_mins(1);

/// The server ends a build after 120 minutes. This leaves time for the upload before it and the last looks after it.
const OPERATION_TIMEOUT: Duration = Duration::from_mins(130);

impl DaytonaBuilder {
    /// The checked settings.
    pub(crate) fn settings(mut self) -> Result<Settings, Error> {
        self.fill_from_files()?;
        let given = self.api_url.as_ref().map_or(DEFAULT_API_URL, |address| &address.0);
        let api_url = api_url(given)?;
        for (limit, name) in [
            (self.connect_timeout, "connect_timeout"),
            (self.attempt_timeout, "attempt_timeout"),
            (self.stall_timeout, "stall_timeout"),
            (self.operation_timeout, "operation_timeout"),
        ] {
            if limit.is_some_and(|limit| limit.is_zero()) {
                return Err(config(format!("`{name}` is zero: nothing could be done in that time")));
            }
        }
        let credentials = self.credentials()?;
        let (transport, secrets) = self.open_transport(&api_url)?;
        Ok(Settings {
            api_url: api_url.as_str().trim_end_matches('/').to_owned(),
            credentials,
            secrets,
            target: self.target,
            attempt_timeout: self.attempt_timeout.unwrap_or(ATTEMPT_TIMEOUT),
            #[cfg(feature = "s3")]
            stall_timeout: self.stall_timeout.unwrap_or(STALL_TIMEOUT),
            operation_timeout: self.operation_timeout.unwrap_or(OPERATION_TIMEOUT),
            max_request_body: self.max_request_body.unwrap_or(MAX_REQUEST_BODY),
            transport,
            clock: self.clock.unwrap_or_else(|| Arc::new(TokioClock::new())),
            object_storage: self.object_storage,
        })
    }

    fn credentials(&self) -> Result<Credentials, Error> {
        if let Some(key) = &self.api_key {
            return Ok(Credentials::ApiKey(header_safe(key, "the API key")?));
        }
        if !self.has_credentials() {
            return Err(config(format!(
                "no credentials: set {ENV_API_KEY}, or {ENV_JWT_TOKEN} and {ENV_ORGANIZATION_ID}, or call `api_key`"
            )));
        }
        let organization = self.organization_id.as_deref().map(str::trim).unwrap_or_default();
        if organization.is_empty() {
            return Err(config(format!(
                "a JWT needs an organization: set {ENV_ORGANIZATION_ID} or call `organization_id`"
            )));
        }
        let organization = HeaderValue::try_from(organization)
            .map_err(|_| config("the id of the organization contains invalid characters"))?;
        if let Some(provider) = &self.token_provider {
            let provider = Arc::clone(provider);
            return Ok(Credentials::Provided { provider, organization });
        }
        let token = self.jwt_token.clone().unwrap_or_default();
        Ok(Credentials::Jwt {
            token: header_safe(&token, "the JWT")?,
            organization,
        })
    }

    /// The transport, and the secrets that it uses.
    fn open_transport(&self, api_url: &Url) -> Result<(Arc<dyn Transport>, Vec<SecretString>), Error> {
        if let Some(transport) = &self.transport {
            let excluded = [
                (self.proxy.is_some() || self.no_proxy.is_some(), "a proxy"),
                (!self.ca_certificates.is_empty(), "a CA certificate"),
                (self.connect_timeout.is_some(), "a connect timeout"),
            ];
            if let Some((_, what)) = excluded.iter().find(|(is_set, _)| *is_set) {
                return Err(config(format!(
                    "a custom transport is set together with {what}: set it on the transport instead"
                )));
            }
            return Ok((Arc::clone(transport), Vec::new()));
        }
        let is_https = api_url.scheme() == "https";
        if is_https && !cfg!(feature = "rustls") {
            let message = format!("`{api_url}` needs TLS, which is off in this build: turn on the feature `rustls`");
            return Err(config(message));
        }
        let network = self.network(api_url)?;
        let passwords = network.proxies.iter().filter_map(Proxy::password).collect();
        let timeout = self.connect_timeout.unwrap_or(CONNECT_TIMEOUT);
        let stall_timeout = self.stall_timeout.unwrap_or(STALL_TIMEOUT);
        let transport = ReqwestTransport::new(timeout, stall_timeout, network)?;
        if is_https && let Some(problem) = transport.tls_problem() {
            return Err(config(format!("`{api_url}` cannot be reached: {problem}")));
        }
        Ok((Arc::new(transport), passwords))
    }

    fn network(&self, api_url: &Url) -> Result<Network, Error> {
        let environment = &self.environment_proxies;
        let named = [
            (&environment.http, Scope::Http),
            (&environment.https, Scope::Https),
            (&environment.all, Scope::All),
        ];
        let proxies: Vec<_> = match &self.proxy {
            Some(address) => vec![Proxy::new(address, Scope::All, "DaytonaBuilder::proxy")],
            None => named
                .into_iter()
                .filter_map(|(proxy, scope)| {
                    let (name, address) = proxy.as_ref()?;
                    Some(Proxy::new(address, scope, name))
                })
                .collect(),
        };
        if self.no_proxy.is_some() && proxies.is_empty() {
            return Err(config("`no_proxy` is set without a proxy: call `proxy` too"));
        }
        let except = match (&self.no_proxy, &environment.except) {
            (Some(hosts), _) => match Except::parse(hosts) {
                (except, unknown) if unknown.is_empty() => except,
                (_, unknown) => {
                    let message = format!(
                        "`no_proxy` has `{}`, which is not a host: give names, addresses and networks, separated by commas",
                        unknown.join("`, `")
                    );
                    return Err(config(message));
                }
            },
            (None, Some(hosts)) => {
                let (except, unknown) = Except::parse(hosts);
                if !unknown.is_empty() {
                    tracing::warn!(?unknown, "entries of `no_proxy` that are not hosts are ignored");
                }
                except
            }
            (None, None) => Except::default(),
        };
        let network = Network {
            proxies,
            except,
            ca_certificates: self.ca_certificates.clone(),
        };
        // A proxy that is set in code must be right even if it is not used. One from the environment, which others may
        // have set, must be right only if it is used.
        let proxy = match &self.proxy {
            Some(_) => network.proxies.first(),
            None => network.proxy_for(api_url.scheme(), api_url.host_str().unwrap_or_default(), api_url.port()),
        };
        match proxy.map(Proxy::address) {
            Some(Err(problem)) => Err(config(problem)),
            _ => Ok(network),
        }
    }
}

/// The address, if requests can be sent to it.
fn api_url(text: &str) -> Result<Url, Error> {
    let trimmed = text.trim();
    let wrong = |problem: &str| {
        config(format!(
            "`{}` cannot be the address of the API: {problem}; the hosted one is {DEFAULT_API_URL}",
            shown(trimmed)
        ))
    };
    // The parser silently drops some of them.
    if trimmed.contains(|character: char| character.is_whitespace() || character.is_control()) {
        return Err(wrong("it contains a space or a control character"));
    }
    if !trimmed.contains("://") {
        return Err(wrong("it does not begin with https:// or http://"));
    }
    let url = Url::parse(trimmed).map_err(|error| wrong(&error.to_string()))?;
    match url.scheme() {
        "http" | "https" if !url.has_host() => Err(wrong("it has no host")),
        "http" | "https" if !url.username().is_empty() || url.password().is_some() => {
            Err(wrong("it contains a user or a password; set the key with `api_key`"))
        }
        "http" | "https" if url.query().is_some() || url.fragment().is_some() => {
            Err(wrong("it has a query or fragment"))
        }
        "http" | "https" => match url.as_str().parse::<Uri>() {
            Ok(_) => Ok(url),
            Err(error) => Err(wrong(&error.to_string())),
        },
        scheme => Err(wrong(&format!("its scheme is `{scheme}`, not http or https"))),
    }
}

/// A secret that can be sent in a header.
fn header_safe(secret: &SecretString, what: &str) -> Result<SecretString, Error> {
    let text = secret.expose_secret().trim();
    if text.is_empty() {
        return Err(config(format!("{what} is empty")));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(config(format!("{what} contains spaces or other invalid characters")));
    }
    Ok(SecretString::from(text))
}
