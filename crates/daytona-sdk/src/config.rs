//! How a client is set up: from code, and from the environment.
//!
//! This is the only place that reads environment variables.

use std::sync::Arc;
use std::time::Duration;

use daytona_api::DEFAULT_API_URL;
use daytona_context::ObjectStorage;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::client::{Credentials, Daytona, Settings};
use crate::clock::{Clock, TokioClock};
use crate::error::{Error, ErrorKind};
use crate::transport::{ReqwestTransport, Transport};

/// Variable with the API key.
pub const ENV_API_KEY: &str = "DAYTONA_API_KEY";
/// Variable with a JWT, for callers without an API key.
pub const ENV_JWT_TOKEN: &str = "DAYTONA_JWT_TOKEN";
/// Variable with the id of the organization that a JWT is used for.
pub const ENV_ORGANIZATION_ID: &str = "DAYTONA_ORGANIZATION_ID";
/// Variable with the base address of the API.
pub const ENV_API_URL: &str = "DAYTONA_API_URL";
/// Variable with the region that snapshots are created in.
pub const ENV_TARGET: &str = "DAYTONA_TARGET";

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an answer may take to begin. The address of a build log can take 30 seconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_mins(1);

/// Sets up a [`Daytona`] client.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct DaytonaBuilder {
    api_key: Option<SecretString>,
    jwt_token: Option<SecretString>,
    organization_id: Option<String>,
    api_url: Option<String>,
    target: Option<String>,
    connect_timeout: Option<Duration>,
    attempt_timeout: Option<Duration>,
    transport: Option<Arc<dyn Transport>>,
    clock: Option<Arc<dyn Clock>>,
    object_storage: Option<Arc<dyn ObjectStorage>>,
}

impl DaytonaBuilder {
    /// Settings from the environment: the variables whose names are the `ENV_…` constants. What is set in code afterwards
    /// takes precedence. An empty variable counts as not set.
    pub fn from_env() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this module is where the environment is read")]
        Self::from_variables(|name| std::env::var(name).ok())
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| {
            variable(name)
                .map(|value| value.trim().to_owned())
                .filter(|value| !value.is_empty())
        };
        let api_key = set(ENV_API_KEY).map(SecretString::from);
        Self {
            // As in the official SDKs, a key in the environment makes a token there irrelevant.
            jwt_token: set(ENV_JWT_TOKEN).filter(|_| api_key.is_none()).map(SecretString::from),
            api_key,
            organization_id: set(ENV_ORGANIZATION_ID),
            api_url: set(ENV_API_URL),
            target: set(ENV_TARGET),
            ..Self::default()
        }
    }

    /// The API key to authenticate with. Replaces a token that was set before.
    pub fn api_key(mut self, key: impl Into<SecretString>) -> Self {
        self.api_key = Some(key.into());
        self.jwt_token = None;
        self
    }

    /// The JWT to authenticate with; it needs an [`organization_id`](Self::organization_id). Replaces a key that was set
    /// before.
    pub fn jwt_token(mut self, token: impl Into<SecretString>) -> Self {
        self.jwt_token = Some(token.into());
        self.api_key = None;
        self
    }

    /// The organization that a JWT is used for. An API key has its own.
    pub fn organization_id(mut self, id: impl Into<String>) -> Self {
        self.organization_id = Some(id.into());
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

    /// How long a connection may take to be made. Default: 10 seconds. A transport of one's own has its own.
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

    /// Sends requests in another way than over sockets of its own.
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Goes by another time than tokio's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Stores build contexts in another way than with the service's temporary S3 credentials.
    pub fn object_storage(mut self, storage: impl ObjectStorage + 'static) -> Self {
        self.object_storage = Some(Arc::new(storage));
        self
    }

    /// Whether there is an API key or a token.
    pub fn has_credentials(&self) -> bool {
        self.api_key.is_some() || self.jwt_token.is_some()
    }

    /// The client.
    ///
    /// # Errors
    ///
    /// An [`Error`] of kind `Config` that names the setting: no credentials, a token without an organization, an address
    /// that is none, https without TLS.
    pub fn build(self) -> Result<Daytona, Error> {
        let api_url = api_url(self.api_url.as_deref().unwrap_or(DEFAULT_API_URL))?;
        let credentials = match (self.api_key, self.jwt_token, self.organization_id) {
            (Some(key), _, _) => Credentials::ApiKey(header_safe(&key, "the API key")?),
            (None, Some(token), Some(organization)) => Credentials::Jwt {
                token: header_safe(&token, "the JWT")?,
                organization,
            },
            (None, Some(_), None) => {
                return Err(config(format!(
                    "a JWT needs an organization: set {ENV_ORGANIZATION_ID} or call `organization_id`"
                )));
            }
            (None, None, _) => {
                return Err(config(format!(
                    "no credentials: set {ENV_API_KEY}, or {ENV_JWT_TOKEN} and {ENV_ORGANIZATION_ID}, or call `api_key`"
                )));
            }
        };
        let transport = match self.transport {
            Some(transport) => transport,
            None => {
                if api_url.starts_with("https:") && !cfg!(feature = "rustls") {
                    let message =
                        format!("`{api_url}` needs TLS, which this build is without: turn on the feature `rustls`");
                    return Err(config(message));
                }
                let timeout = self.connect_timeout.unwrap_or(CONNECT_TIMEOUT);
                let transport = ReqwestTransport::new(timeout)
                    .map_err(|error| config("TLS could not be set up".to_owned()).with_source(error))?;
                Arc::new(transport)
            }
        };
        Ok(Daytona::new(Settings {
            api_url,
            credentials,
            target: self.target,
            attempt_timeout: self.attempt_timeout.unwrap_or(ATTEMPT_TIMEOUT),
            transport,
            clock: self.clock.unwrap_or_else(|| Arc::new(TokioClock::new())),
            object_storage: self.object_storage,
        }))
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
