//! The way to the network: proxies and CA certificates, for the API, the logs and object storage alike.

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{config, environment};
use crate::error::Error;

/// Proxies that environment variables name. Their addresses may hold credentials.
#[derive(Debug, Clone, Default)]
pub(super) struct EnvironmentProxies {
    pub(super) http: Option<SecretString>,
    pub(super) https: Option<SecretString>,
    pub(super) all: Option<SecretString>,
    pub(super) except: Option<String>,
}

/// Which addresses a proxy is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Http,
    Https,
    All,
}

/// A proxy whose address was found to be one.
#[derive(Debug, Clone)]
pub(crate) struct Proxy {
    pub(crate) scope: Scope,
    pub(crate) address: SecretString,
}

/// How connections are made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Network {
    pub(crate) proxies: Vec<Proxy>,
    /// Hosts without a proxy, separated by commas.
    pub(crate) except: Option<String>,
    /// Certificates of CAs beside the system's, as PEM.
    pub(crate) ca_certificates: Vec<Vec<u8>>,
}

impl EnvironmentProxies {
    pub(super) fn is_empty(&self) -> bool {
        self.http.is_none() && self.https.is_none() && self.all.is_none()
    }

    pub(super) fn proxies(&self) -> Result<Vec<Proxy>, Error> {
        let named = [
            (&self.http, Scope::Http, environment::ENV_HTTP_PROXY),
            (&self.https, Scope::Https, environment::ENV_HTTPS_PROXY[0]),
            (&self.all, Scope::All, environment::ENV_ALL_PROXY[0]),
        ];
        let proxies = named.into_iter().filter_map(|(address, scope, name)| {
            let address = address.as_ref()?;
            Some(proxy(address, scope, &format!("the proxy of `{name}`")))
        });
        proxies.collect()
    }
}

/// A proxy, if its address is one. The address itself is not shown: it may hold a password.
pub(super) fn proxy(address: &SecretString, scope: Scope, what: &str) -> Result<Proxy, Error> {
    let text = address.expose_secret().trim();
    // As other programs take it, an address without a scheme is http.
    let text = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let url = Url::parse(&text).map_err(|error| config(format!("{what} is no address: {error}")))?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(Proxy {
            scope,
            address: text.into(),
        }),
        "http" | "https" => Err(config(format!("{what} has no host"))),
        scheme => Err(config(format!("{what} is a `{scheme}` address, not http or https"))),
    }
}
