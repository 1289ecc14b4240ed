//! How a client is set up: code over the environment over defaults.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use daytona_api::DEFAULT_API_URL;
use daytona_context::ObjectStorage;
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::api_client::Settings;
use crate::auth::{Credentials, TokenProvider};
use crate::clock::{Clock, TokioClock};
use crate::error::{Error, ErrorKind};
use crate::transport::{ReqwestTransport, Transport};

mod environment;
mod proxy;

pub use environment::{
    ENV_ALL_PROXY, ENV_API_KEY, ENV_API_URL, ENV_HTTP_PROXY, ENV_HTTPS_PROXY, ENV_JWT_TOKEN, ENV_NO_PROXY,
    ENV_ORGANIZATION_ID, ENV_TARGET,
};
pub(crate) use proxy::{Network, Proxy, Scope};

use proxy::EnvironmentProxies;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an answer may take. The address of a build log can take 30 seconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_mins(1);

/// How long the connection of an upload may take nothing of what is there to take.
const STALL_TIMEOUT: Duration = Duration::from_mins(1);

/// The server ends a build after 120 minutes; this leaves room for what comes before and after.
const OPERATION_TIMEOUT: Duration = Duration::from_mins(130);

/// Bytes of a request's body that the service reads at the most; a larger one it pretends not to know the route of. Measured on
/// server 0.190.0.
pub const MAX_REQUEST_BODY: usize = 100 * 1024;

/// Sets up a [`Daytona`] client.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct DaytonaBuilder {
    api_key: Option<SecretString>,
    jwt_token: Option<SecretString>,
    token_provider: Option<Arc<dyn TokenProvider>>,
    organization_id: Option<String>,
    env_files: Vec<PathBuf>,
    api_url: Option<String>,
    target: Option<String>,
    connect_timeout: Option<Duration>,
    attempt_timeout: Option<Duration>,
    stall_timeout: Option<Duration>,
    operation_timeout: Option<Duration>,
    max_request_body: Option<usize>,
    proxy: Option<SecretString>,
    no_proxy: Option<String>,
    environment_proxies: EnvironmentProxies,
    ca_certificates: Vec<Vec<u8>>,
    transport: Option<Arc<dyn Transport>>,
    clock: Option<Arc<dyn Clock>>,
    object_storage: Option<Arc<dyn ObjectStorage>>,
}

impl DaytonaBuilder {
    /// The API key to authenticate with. Replaces a token that was set before.
    pub fn api_key(mut self, key: impl Into<SecretString>) -> Self {
        self.api_key = Some(key.into());
        self.jwt_token = None;
        self.token_provider = None;
        self
    }

    /// The JWT to authenticate with; it needs an [`organization_id`](Self::organization_id). Replaces a key that was set
    /// before.
    pub fn jwt_token(mut self, token: impl Into<SecretString>) -> Self {
        self.jwt_token = Some(token.into());
        self.api_key = None;
        self.token_provider = None;
        self
    }

    /// Where a JWT comes from that has an end: asked before each request. It needs an
    /// [`organization_id`](Self::organization_id). Replaces a key or token that was set before.
    pub fn token_provider(mut self, provider: impl TokenProvider) -> Self {
        self.token_provider = Some(Arc::new(provider));
        self.api_key = None;
        self.jwt_token = None;
        self
    }

    /// The organization that a JWT is used for. An API key has its own, whatever is set here.
    pub fn organization_id(mut self, id: impl Into<String>) -> Self {
        self.organization_id = Some(id.into());
        self
    }

    /// A file of lines `NAME=value`, such as `.env`, from which credentials and the target are taken where neither code nor
    /// environment set them. Of several files the first counts. Never the address of the API, and never a proxy: a file that
    /// happens to lie in the working folder must not decide where the key goes. Default: no file is read.
    pub fn env_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.env_files.push(path.into());
        self
    }

    /// Base address of the API. Default: `https://app.daytona.io/api`. A slash at its end does not matter.
    pub fn api_url(mut self, url: impl Into<String>) -> Self {
        self.api_url = Some(url.into());
        self
    }

    /// The region that snapshots are created in unless they say another. Default: the organization's.
    pub fn target(mut self, region: impl Into<String>) -> Self {
        self.target = Some(region.into());
        self
    }

    /// How long a connection may take to be made. Default: 10 seconds.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// How long a request to the API may take until its answer is there. Default: 60 seconds. Uploads and logs are not
    /// bound by it.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = Some(timeout);
        self
    }

    /// How long the connection of an upload may take nothing of what there is to send before it is given up and the request
    /// sent again. A slow line that takes a little now and then is no stall. Default: 60 seconds.
    pub fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.stall_timeout = Some(timeout);
        self
    }

    /// How long an operation that waits may take in all, unless it says so itself: creation, ensuring, activation. Default:
    /// 130 minutes, as the server ends a build at 120.
    pub fn operation_timeout(mut self, timeout: Duration) -> Self {
        self.operation_timeout = Some(timeout);
        self
    }

    /// Bytes of a request's body above which it is refused before it is sent. Default: [`MAX_REQUEST_BODY`]; for a server that
    /// takes more.
    pub fn max_request_body(mut self, bytes: usize) -> Self {
        self.max_request_body = Some(bytes);
        self
    }

    /// The proxy for all requests: those to the API, to the log host and to object storage. An http or https address, which
    /// may hold a user and a password. Takes precedence over the environment's.
    pub fn proxy(mut self, address: impl Into<SecretString>) -> Self {
        self.proxy = Some(address.into());
        self
    }

    /// Hosts that are asked without a proxy: names, which stand for their subdomains too, addresses and networks, separated by
    /// commas; `*` is every host. Takes precedence over the environment's.
    pub fn no_proxy(mut self, hosts: impl Into<String>) -> Self {
        self.no_proxy = Some(hosts.into());
        self
    }

    /// Certificates of authorities to trust beside the system's, in PEM format, one or several. Can be called again.
    pub fn ca_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca_certificates.push(pem.into());
        self
    }

    /// Sends requests in another way than over sockets of its own. Proxies, certificates and the time to connect are then the
    /// transport's own affair: setting them here too is an error.
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Goes by another time than tokio's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Stores build contexts in another way than with the service's temporary S3 credentials: in a folder or in memory
    /// ([`context`](crate::context) has both), or as you like.
    pub fn object_storage(mut self, storage: impl ObjectStorage + 'static) -> Self {
        self.object_storage = Some(Arc::new(storage));
        self
    }

    /// Whether there is an API key or a token.
    pub fn has_credentials(&self) -> bool {
        self.api_key.is_some() || self.jwt_token.is_some() || self.token_provider.is_some()
    }

    /// The settings, checked.
    pub(crate) fn settings(mut self) -> Result<Settings, Error> {
        self.fill_from_files()?;
        let api_url = api_url(self.api_url.as_deref().unwrap_or(DEFAULT_API_URL))?;
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
        let transport = self.open_transport(&api_url)?;
        Ok(Settings {
            api_url,
            credentials,
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
            .map_err(|_| config("the id of the organization holds characters that no id has".to_owned()))?;
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

    fn open_transport(&self, api_url: &str) -> Result<Arc<dyn Transport>, Error> {
        if let Some(transport) = &self.transport {
            let excluded = [
                (self.proxy.is_some() || self.no_proxy.is_some(), "a proxy"),
                (!self.ca_certificates.is_empty(), "a CA certificate"),
                (self.connect_timeout.is_some(), "a time to connect"),
            ];
            if let Some((_, what)) = excluded.iter().find(|(is_set, _)| *is_set) {
                return Err(config(format!(
                    "a transport of one's own and {what}: set it where the transport is made"
                )));
            }
            return Ok(Arc::clone(transport));
        }
        if api_url.starts_with("https:") && !cfg!(feature = "rustls") {
            let message = format!("`{api_url}` needs TLS, which this build is without: turn on the feature `rustls`");
            return Err(config(message));
        }
        let timeout = self.connect_timeout.unwrap_or(CONNECT_TIMEOUT);
        let stall_timeout = self.stall_timeout.unwrap_or(STALL_TIMEOUT);
        let transport = ReqwestTransport::new(timeout, stall_timeout, &self.network()?)?;
        if api_url.starts_with("https:")
            && let Some(problem) = transport.tls_problem()
        {
            return Err(config(format!("`{api_url}` cannot be reached: {problem}")));
        }
        Ok(Arc::new(transport))
    }

    fn network(&self) -> Result<Network, Error> {
        let proxies = match &self.proxy {
            Some(address) => vec![proxy::proxy(address, Scope::All, "the proxy")?],
            None => self.environment_proxies.proxies()?,
        };
        if self.no_proxy.is_some() && self.proxy.is_none() && self.environment_proxies.is_empty() {
            return Err(config("`no_proxy` without a proxy: call `proxy` too".to_owned()));
        }
        Ok(Network {
            proxies,
            except: self
                .no_proxy
                .clone()
                .or_else(|| self.environment_proxies.except.clone()),
            ca_certificates: self.ca_certificates.clone(),
        })
    }
}

fn config(message: String) -> Error {
    Error::new(ErrorKind::Config, message)
}

/// The address without a slash at its end.
fn api_url(text: &str) -> Result<String, Error> {
    let trimmed = text.trim().trim_end_matches('/');
    let wrong = |problem: &str| {
        config(format!(
            "`{trimmed}` cannot be the address of the API: {problem}; the hosted one is {DEFAULT_API_URL}"
        ))
    };
    let url = Url::parse(trimmed).map_err(|error| wrong(&error.to_string()))?;
    match url.scheme() {
        "http" | "https" if !url.has_host() => Err(wrong("it has no host")),
        "http" | "https" if !url.username().is_empty() || url.password().is_some() => {
            Err(wrong("it holds credentials"))
        }
        "http" | "https" if url.query().is_some() || url.fragment().is_some() => {
            Err(wrong("it has a query or fragment"))
        }
        "http" | "https" => Ok(trimmed.to_owned()),
        scheme => Err(wrong(&format!("its scheme is `{scheme}`, not http or https"))),
    }
}

/// A secret that can stand in a header.
fn header_safe(secret: &SecretString, what: &str) -> Result<SecretString, Error> {
    let text = secret.expose_secret().trim();
    if text.is_empty() {
        return Err(config(format!("{what} is empty")));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(config(format!("{what} holds blanks or characters that no key has")));
    }
    Ok(SecretString::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(variables: &[(&str, &str)]) -> DaytonaBuilder {
        DaytonaBuilder::from_variables(|name| {
            let variable = variables.iter().find(|(other, _)| *other == name);
            variable.map(|(_, value)| (*value).to_owned())
        })
    }

    fn error(builder: DaytonaBuilder) -> String {
        builder.build().unwrap_err().to_string()
    }

    #[test]
    fn code_takes_precedence_over_the_environment() {
        let builder = from(&[
            (ENV_API_URL, "http://env/api"),
            (ENV_API_KEY, "key"),
            (ENV_TARGET, "eu"),
        ]);
        let client = builder.api_url("http://code/api///").build().unwrap();
        assert_eq!(client.settings().api_url, "http://code/api");
        assert_eq!(client.settings().target.as_deref(), Some("eu"));
    }

    #[test]
    fn credentials_have_to_be_whole() {
        assert!(error(from(&[])).contains(ENV_API_KEY));
        assert!(error(from(&[(ENV_API_KEY, " ")])).contains("no credentials"));
        assert!(error(from(&[(ENV_JWT_TOKEN, "jwt")])).contains(ENV_ORGANIZATION_ID));
        assert!(error(DaytonaBuilder::default().api_key("a b")).contains("the API key holds"));
        assert!(
            from(&[(ENV_JWT_TOKEN, "jwt"), (ENV_ORGANIZATION_ID, "org")])
                .build()
                .is_ok()
        );
        // A key makes the token irrelevant, whole or not.
        assert!(from(&[(ENV_JWT_TOKEN, "jwt"), (ENV_API_KEY, "key")]).build().is_ok());
    }

    #[test]
    fn an_address_that_is_none_is_named() {
        for (address, part) in [
            ("app.daytona.io/api", "app.daytona.io/api"),
            ("ftp://h/api", "`ftp`"),
            ("https://user:pass@h/api", "credentials"),
            ("https://h/api?x=1", "query"),
        ] {
            let message = error(DaytonaBuilder::default().api_key("key").api_url(address));
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn no_secret_shows() {
        let builder = from(&[(ENV_API_KEY, "dtn_secret")]);
        assert!(!format!("{builder:?}").contains("dtn_secret"));
        assert!(!format!("{:?}", builder.build().unwrap()).contains("dtn_secret"));
    }
}
