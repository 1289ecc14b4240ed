//! The settings from code, from the environment, and from files.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use daytona_context::ObjectStorage;
use secrecy::SecretString;

use super::environment::{
    self, ENV_ALL_PROXY, ENV_API_KEY, ENV_API_URL, ENV_HTTP_PROXY, ENV_HTTPS_PROXY, ENV_JWT_TOKEN, ENV_NO_PROXY,
    ENV_ORGANIZATION_ID, ENV_SERVER_URL, ENV_TARGET,
};
use crate::address::shown;
use crate::auth::TokenProvider;
use crate::clock::Clock;
use crate::error::Error;
use crate::transport::Transport;

/// Sets up a [`Daytona`](crate::Daytona) client.
///
/// ```
/// use daytona_sdk::Daytona;
/// use std::time::Duration;
///
/// let daytona = Daytona::builder()
///     .api_key("dtn_0123456789abcdef")
///     .api_url("https://daytona.example/api")
///     .proxy("http://proxy.example:3128")
///     .connect_timeout(Duration::from_secs(5))
///     .build()?;
/// # Ok::<(), daytona_sdk::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct DaytonaBuilder {
    pub(super) api_key: Option<SecretString>,
    pub(super) jwt_token: Option<SecretString>,
    pub(super) token_provider: Option<Arc<dyn TokenProvider>>,
    pub(super) organization_id: Option<String>,
    pub(super) env_files: Vec<PathBuf>,
    pub(super) api_url: Option<Address>,
    pub(super) target: Option<String>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) attempt_timeout: Option<Duration>,
    pub(super) stall_timeout: Option<Duration>,
    pub(super) operation_timeout: Option<Duration>,
    pub(super) max_request_body: Option<usize>,
    pub(super) proxy: Option<SecretString>,
    pub(super) no_proxy: Option<String>,
    pub(super) environment_proxies: EnvironmentProxies,
    pub(super) ca_certificates: Vec<Vec<u8>>,
    pub(super) transport: Option<Arc<dyn Transport>>,
    pub(super) clock: Option<Arc<dyn Clock>>,
    pub(super) object_storage: Option<Arc<dyn ObjectStorage>>,
}

impl DaytonaBuilder {
    /// The API key to authenticate with. Replaces a token that was set before.
    pub fn api_key(mut self, key: impl Into<SecretString>) -> Self {
        self.api_key = Some(key.into());
        self.jwt_token = None;
        self.token_provider = None;
        self
    }

    /// The JWT to authenticate with. It needs an [`organization_id`](Self::organization_id). Replaces a key that was
    /// set before.
    pub fn jwt_token(mut self, token: impl Into<SecretString>) -> Self {
        self.jwt_token = Some(token.into());
        self.api_key = None;
        self.token_provider = None;
        self
    }

    /// Provides JWTs that expire. The client asks it before each request. It needs an
    /// [`organization_id`](Self::organization_id). Replaces a key or token that was set before.
    pub fn token_provider(mut self, provider: impl TokenProvider) -> Self {
        self.token_provider = Some(Arc::new(provider));
        self.api_key = None;
        self.jwt_token = None;
        self
    }

    /// The organization that a JWT is used for. An API key always uses its own organization.
    pub fn organization_id(mut self, id: impl Into<String>) -> Self {
        self.organization_id = Some(id.into());
        self
    }

    /// A file of lines `NAME=value`, such as `.env`. The client takes credentials and the target from it if neither
    /// code nor the environment sets them. If you name several files, the first that has a value counts. The address of
    /// the API and proxies are never read from a file: a file that happens to be in the working directory must not
    /// decide where the key goes. Default: no file is read.
    pub fn env_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.env_files.push(path.into());
        self
    }

    /// Base address of the API. Default: `https://app.daytona.io/api`. A slash at the end does not matter. A host that
    /// is not ASCII is sent as punycode. A user, password or query is an error.
    pub fn api_url(mut self, url: impl Into<String>) -> Self {
        self.api_url = Some(Address(url.into()));
        self
    }

    /// The region for snapshots that name none. Default: the organization's.
    pub fn target(mut self, region: impl Into<String>) -> Self {
        self.target = Some(region.into());
        self
    }

    /// The time limit for making a connection. Default: 10 seconds.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// How long to wait until the answer to a request begins, and then again until it is complete. Each wait is
    /// extended by the time that its bytes take at 1 KiB per second. Uploads and logs have no such limit. Default: 60
    /// seconds.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = Some(timeout);
        self
    }

    /// How long an upload may make no progress before its request is given up and sent again. A slow line that makes
    /// some progress does not count as stalled. Default: 60 seconds.
    pub fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.stall_timeout = Some(timeout);
        self
    }

    /// The time limit for a whole call that waits (`create`, `ensure`, `wait`, `capture`, `activate(…).wait()`), unless
    /// the call sets its own. Default: 130 minutes, because the server ends a build after 120.
    pub fn operation_timeout(mut self, timeout: Duration) -> Self {
        self.operation_timeout = Some(timeout);
        self
    }

    /// The largest request body in bytes. A larger one is refused before it is sent. Set it for a server that accepts
    /// more. Default: [`MAX_REQUEST_BODY`](super::MAX_REQUEST_BODY).
    pub fn max_request_body(mut self, bytes: usize) -> Self {
        self.max_request_body = Some(bytes);
        self
    }

    /// The proxy for all requests to the API, to the log host and to object storage. It is an http or https address,
    /// with or without user and password (`http://user:password@host:port`), or just `host:port`. It takes precedence
    /// over the environment's.
    pub fn proxy(mut self, address: impl Into<SecretString>) -> Self {
        self.proxy = Some(address.into());
        self
    }

    /// Hosts that are reached without a proxy, separated by commas. An entry is a name (which includes its subdomains),
    /// an IP address, a network such as `10.0.0.0/8`, or `*` for every host. Names and addresses may have a port. It
    /// takes precedence over the environment's.
    pub fn no_proxy(mut self, hosts: impl Into<String>) -> Self {
        self.no_proxy = Some(hosts.into());
        self
    }

    /// CA certificates to trust in addition to the system's, in PEM format, one or several. You can call it more than
    /// once.
    pub fn ca_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca_certificates.push(pem.into());
        self
    }

    /// Sends requests with your own transport instead of the built-in one. Proxies, certificates and the connect
    /// timeout are then up to that transport, so setting them here as well is an error.
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Uses another clock. Default: tokio's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Stores build contexts in your own storage instead of the service's S3 storage. [`context`](crate::context) has
    /// storages in a directory and in memory.
    pub fn object_storage(mut self, storage: impl ObjectStorage + 'static) -> Self {
        self.object_storage = Some(Arc::new(storage));
        self
    }

    /// Whether there is an API key or a token.
    pub fn has_credentials(&self) -> bool {
        self.api_key.is_some() || self.jwt_token.is_some() || self.token_provider.is_some()
    }

    /// Takes settings from the environment, from the variables that the constants `ENV_…` name. What you set in code
    /// afterwards takes precedence. An empty variable counts as not set.
    pub fn from_env() -> Self {
        Self::from_variables(environment::variable)
    }

    pub(super) fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| {
            variable(name)
                .map(|value| value.trim().to_owned())
                .filter(|value| !value.is_empty())
        };
        let first = |names: &[&'static str]| names.iter().find_map(|name| Some((*name, set(name)?)));
        let proxy = |names: &[&'static str]| first(names).map(|(name, value)| (name, SecretString::from(value)));
        let mut builder = Self {
            api_url: set(ENV_API_URL).or_else(|| set(ENV_SERVER_URL)).map(Address),
            environment_proxies: EnvironmentProxies {
                http: proxy(&[ENV_HTTP_PROXY]),
                https: proxy(&ENV_HTTPS_PROXY),
                all: proxy(&ENV_ALL_PROXY),
                except: first(&ENV_NO_PROXY).map(|(_, hosts)| hosts),
            },
            ..Self::default()
        };
        builder.fill(set);
        builder
    }

    /// Sets what is not set yet, except the address of the API and proxies: these decide where the key goes.
    fn fill(&mut self, set: impl Fn(&str) -> Option<String>) {
        if !self.has_credentials() {
            self.api_key = set(ENV_API_KEY).map(SecretString::from);
            // As in the official SDKs, a token is ignored if there is a key.
            self.jwt_token = set(ENV_JWT_TOKEN)
                .filter(|_| self.api_key.is_none())
                .map(SecretString::from);
        }
        self.organization_id = self.organization_id.take().or_else(|| set(ENV_ORGANIZATION_ID));
        self.target = self.target.take().or_else(|| set(ENV_TARGET));
    }

    /// Sets what is not set yet from the files that were named.
    pub(super) fn fill_from_files(&mut self) -> Result<(), Error> {
        for path in std::mem::take(&mut self.env_files) {
            let variables = environment::read(&path)?;
            let set = |name: &str| {
                let found = variables.iter().rfind(|(other, _)| other == name)?;
                Some(found.1.trim().to_owned()).filter(|value| !value.is_empty())
            };
            for name in [ENV_API_URL, ENV_SERVER_URL]
                .into_iter()
                .filter(|name| set(name).is_some())
            {
                tracing::warn!(path = %path.display(), "{name} is not taken from a file: set it in code or in the environment");
            }
            self.fill(set);
        }
        Ok(())
    }
}

/// The address as it was given. It may hold a password by mistake.
#[derive(Clone)]
pub(super) struct Address(pub(super) String);

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        shown(&self.0).fmt(formatter)
    }
}

/// Proxies from environment variables, each with its variable. Their addresses may hold credentials.
#[derive(Debug, Clone, Default)]
pub(super) struct EnvironmentProxies {
    pub(super) http: Option<(&'static str, SecretString)>,
    pub(super) https: Option<(&'static str, SecretString)>,
    pub(super) all: Option<(&'static str, SecretString)>,
    pub(super) except: Option<String>,
}
