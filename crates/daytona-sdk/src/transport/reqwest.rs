//! The transport over sockets.

use std::time::Duration;

use async_trait::async_trait;
use http::{Request, Response};
use http_body_util::BodyExt;
use reqwest::{Client, ClientBuilder};
use secrecy::ExposeSecret;

use super::{BodyError, RequestBody, ResponseBody, Transport, TransportError, TransportErrorKind};
use crate::config::{Network, Proxy, Scope};
use crate::error::{Error, ErrorKind, with_causes};

/// The service closes a connection that was idle for five seconds without a word.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

#[derive(Debug)]
pub(crate) struct ReqwestTransport {
    client: Client,
    /// Why https addresses cannot be used, if they cannot.
    tls_problem: Option<String>,
}

impl ReqwestTransport {
    /// # Errors
    ///
    /// Kind `Config` for a proxy or a certificate that is none. That the system has no CA certificates is no error before an
    /// https address is used.
    pub(crate) fn new(connect_timeout: Duration, stall_timeout: Duration, network: &Network) -> Result<Self, Error> {
        let builder = || -> Result<ClientBuilder, Error> {
            let mut builder = with_stall_timeout(Client::builder(), stall_timeout)
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(connect_timeout)
                .pool_idle_timeout(IDLE_TIMEOUT);
            for proxy in &network.proxies {
                builder = builder.proxy(reqwest_proxy(proxy, network.except.as_deref())?);
            }
            Ok(builder)
        };
        let error = match with_certificates(builder()?, network)?.build() {
            Ok(client) => {
                return Ok(Self {
                    client,
                    tls_problem: None,
                });
            }
            Err(error) => error,
        };
        let problem = format!(
            "https needs CA certificates, which cannot be loaded ({}): install the system's (`ca-certificates`), or \
             give the client its own with `ca_certificate`",
            with_causes(&error.without_url())
        );
        let client = without_tls(builder()?)
            .build()
            .map_err(|error| Error::new(ErrorKind::Config, problem.clone()).with_source(error.without_url()))?;
        Ok(Self {
            client,
            tls_problem: Some(problem),
        })
    }

    /// Why https addresses cannot be used, if they cannot.
    pub(crate) fn tls_problem(&self) -> Option<&str> {
        self.tls_problem.as_deref()
    }
}

/// The system ends a connection whose peer acknowledges nothing for so long. By default the client sets 30 seconds, after which
/// no caller's limit would count any more.
fn with_stall_timeout(builder: ClientBuilder, limit: Duration) -> ClientBuilder {
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    {
        // It counts milliseconds in 32 bits.
        builder.tcp_user_timeout(limit.min(Duration::from_hours(24)))
    }
    #[cfg(not(any(target_os = "android", target_os = "fuchsia", target_os = "linux")))]
    {
        let _ = limit;
        builder
    }
}

#[cfg(feature = "rustls")]
fn with_certificates(mut builder: ClientBuilder, network: &Network) -> Result<ClientBuilder, Error> {
    let wrong = || Error::new(ErrorKind::Config, "a CA certificate is none in PEM format");
    for pem in &network.ca_certificates {
        let certificates =
            reqwest::Certificate::from_pem_bundle(pem).map_err(|error| wrong().with_source(error.without_url()))?;
        if certificates.is_empty() {
            return Err(wrong());
        }
        builder = builder.tls_certs_merge(certificates);
    }
    Ok(builder)
}

#[cfg(not(feature = "rustls"))]
fn with_certificates(builder: ClientBuilder, network: &Network) -> Result<ClientBuilder, Error> {
    if network.ca_certificates.is_empty() {
        return Ok(builder);
    }
    let message = "a CA certificate needs TLS, which this build is without: turn on the feature `rustls`";
    Err(Error::new(ErrorKind::Config, message))
}

/// A client that trusts nobody, for http addresses.
#[cfg(feature = "rustls")]
fn without_tls(builder: ClientBuilder) -> ClientBuilder {
    builder.tls_certs_only([])
}

#[cfg(not(feature = "rustls"))]
fn without_tls(builder: ClientBuilder) -> ClientBuilder {
    builder
}

/// Whether the server's certificate was refused, which trying again does not change.
#[cfg(feature = "rustls")]
fn is_untrusted(error: &reqwest::Error) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
            return true;
        }
        // An I/O error hides what it wraps from the chain of sources.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    false
}

#[cfg(not(feature = "rustls"))]
fn is_untrusted(_: &reqwest::Error) -> bool {
    false
}

fn reqwest_proxy(proxy: &Proxy, except: Option<&str>) -> Result<reqwest::Proxy, Error> {
    let address = proxy.address.expose_secret();
    let made = match proxy.scope {
        Scope::Http => reqwest::Proxy::http(address),
        Scope::Https => reqwest::Proxy::https(address),
        Scope::All => reqwest::Proxy::all(address),
    };
    // Its source would show the address, which may hold a password.
    let made = made.map_err(|_| Error::new(ErrorKind::Config, "the proxy's address cannot be used"))?;
    Ok(made.no_proxy(except.and_then(reqwest::NoProxy::from_string)))
}

#[async_trait]
impl Transport for ReqwestTransport {
    async fn send(&self, request: Request<RequestBody>) -> Result<Response<ResponseBody>, TransportError> {
        if request.uri().scheme_str() == Some("https")
            && let Some(problem) = &self.tls_problem
        {
            return Err(TransportError::new(TransportErrorKind::Unsupported, problem.clone()));
        }
        let unsupported =
            |error: reqwest::Error| TransportError::new(TransportErrorKind::Unsupported, error.without_url());
        let request = reqwest::Request::try_from(request.map(reqwest::Body::wrap)).map_err(unsupported)?;
        let response = self.client.execute(request).await.map_err(|error| {
            let kind = if is_untrusted(&error) {
                TransportErrorKind::Untrusted
            } else if error.is_connect() {
                TransportErrorKind::Connect
            } else if error.is_builder() {
                TransportErrorKind::Unsupported
            } else {
                TransportErrorKind::Interrupted
            };
            TransportError::new(kind, error.without_url())
        })?;
        let response: Response<reqwest::Body> = response.into();
        Ok(response.map(|body| body.map_err(|error| BodyError::new(error.without_url())).boxed_unsync()))
    }
}
