//! What is set: in code, in the environment, and in files.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use daytona_context::ObjectStorage;
use secrecy::SecretString;

use super::environment::{
    self, ENV_ALL_PROXY, ENV_API_KEY, ENV_API_URL, ENV_HTTP_PROXY, ENV_HTTPS_PROXY, ENV_JWT_TOKEN, ENV_NO_PROXY,
    ENV_ORGANIZATION_ID, ENV_TARGET,
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

    /// Base address of the API. Default: `https://app.daytona.io/api`. A slash at its end does not matter; a host outside of ASCII is
    /// used in its punycode form. It holds no user, password or query.
    pub fn api_url(mut self, url: impl Into<String>) -> Self {
        self.api_url = Some(Address(url.into()));
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

    /// How long a request to the API may take until its answer begins, and the answer until it is there, each besides the time that
    /// its bytes take on a line of 1 KiB a second. Default: 60 seconds. Uploads and logs are not bound by it.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = Some(timeout);
        self
    }

    /// How long an upload may make no progress before it is given up and the request sent again. A slow line that makes some
    /// progress now and then does not count as stalled. Default: 60 seconds.
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

    /// Bytes of a request's body above which it is refused before it is sent. Default: [`MAX_REQUEST_BODY`](super::MAX_REQUEST_BODY); for a server that
    /// takes more.
    pub fn max_request_body(mut self, bytes: usize) -> Self {
        self.max_request_body = Some(bytes);
        self
    }

    /// The proxy for all requests: those to the API, to the log host and to object storage. An http or https address, which
    /// may hold a user and a password: `http://user:password@host:port`, or just `host:port`. Takes precedence over the
    /// environment's.
    pub fn proxy(mut self, address: impl Into<SecretString>) -> Self {
        self.proxy = Some(address.into());
        self
    }

    /// Hosts that are asked without a proxy, separated by commas: names, which stand for their subdomains too, IP addresses, and
    /// networks such as `10.0.0.0/8`; `*` is every host. Names and addresses may have a port. Takes precedence over the
    /// environment's.
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

    /// Settings from the environment: the variables whose names are the `ENV_…` constants. What is set in code afterwards
    /// takes precedence. An empty variable counts as not set.
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
            api_url: set(ENV_API_URL).map(Address),
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

    /// Sets what is not set yet. Neither the address of the API nor a proxy: these decide where the key goes.
    fn fill(&mut self, set: impl Fn(&str) -> Option<String>) {
        if !self.has_credentials() {
            self.api_key = set(ENV_API_KEY).map(SecretString::from);
            // As in the official SDKs, a key makes a token irrelevant.
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
            if set(ENV_API_URL).is_some() {
                tracing::warn!(path = %path.display(), "{ENV_API_URL} is not taken from a file: set it in code or in the environment");
            }
            self.fill(set);
        }
        Ok(())
    }
}

/// An address as it was given: it may hold a password where none belongs.
#[derive(Clone)]
pub(super) struct Address(pub(super) String);

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        shown(&self.0).fmt(formatter)
    }
}

/// Proxies that environment variables name, each with the variable. Their addresses may hold credentials.
#[derive(Debug, Clone, Default)]
pub(super) struct EnvironmentProxies {
    pub(super) http: Option<(&'static str, SecretString)>,
    pub(super) https: Option<(&'static str, SecretString)>,
    pub(super) all: Option<(&'static str, SecretString)>,
    pub(super) except: Option<String>,
}
