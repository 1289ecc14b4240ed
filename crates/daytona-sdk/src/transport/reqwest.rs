//! The transport over sockets.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use reqwest::{Client, ClientBuilder};

use super::{BodyError, RequestBody, ResponseBody, Transport, TransportError, TransportErrorKind};
use crate::error::{Error, ErrorKind};
use crate::network::{Network, Proxy};
use crate::text::with_causes;

/// The service closes a connection without notice when it has been idle for five seconds.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

#[derive(Debug)]
pub(crate) struct ReqwestTransport {
    client: Client,
    network: Arc<Network>,
    /// The reason why https addresses cannot be used, if there is one.
    tls_problem: Option<String>,
}

impl ReqwestTransport {
    /// # Errors
    ///
    /// Kind `Config` for an invalid certificate. Missing CA certificates of the system are an error only when an https
    /// address is used, and an unusable proxy only when it would be used.
    pub(crate) fn new(connect_timeout: Duration, stall_timeout: Duration, network: Network) -> Result<Self, Error> {
        let network = Arc::new(network);
        let builder = || {
            let builder = with_stall_timeout(Client::builder(), stall_timeout)
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(connect_timeout)
                .pool_idle_timeout(IDLE_TIMEOUT)
                // HTTP/2 would send a whole upload over one connection. On a long line that is a fraction of what
                // several connections carry, and logs and polls would wait behind it.
                .http1_only();
            if network.proxies.is_empty() {
                return builder;
            }
            builder.proxy(reqwest_proxy(Arc::clone(&network)))
        };
        let error = match with_certificates(builder(), &network)?.build() {
            Ok(client) => {
                return Ok(Self {
                    client,
                    network,
                    tls_problem: None,
                });
            }
            Err(error) => error,
        };
        let install = if cfg!(target_os = "linux") {
            "install the system's (`ca-certificates`), or "
        } else {
            ""
        };
        let problem = format!(
            "https needs CA certificates, which cannot be loaded ({}): {install}give the client its own with `ca_certificate`",
            with_causes(&error.without_url())
        );
        let client = without_tls(builder())
            .build()
            .map_err(|error| Error::new(ErrorKind::Config, problem.clone()).with_source(error.without_url()))?;
        Ok(Self {
            client,
            network,
            tls_problem: Some(problem),
        })
    }

    fn proxy_for(&self, uri: &Uri) -> Option<&Proxy> {
        self.network.proxy_for(uri.scheme_str()?, uri.host()?, uri.port_u16())
    }

    /// The reason why https addresses cannot be used, if there is one.
    pub(crate) fn tls_problem(&self) -> Option<&str> {
        self.tls_problem.as_deref()
    }
}

/// No lower layer ends a connection before the caller's limits do. By default the client sets a timeout of 30 seconds.
/// On a line with a small window the system counts it from the first byte that did not fit, although other bytes pass
/// all the time.
fn with_stall_timeout(builder: ClientBuilder, limit: Duration) -> ClientBuilder {
    // Probes keep the connection open in routers on the way, and end it only after the limit.
    let builder = builder
        .tcp_keepalive_interval((limit / 64).clamp(Duration::from_secs(15), Duration::from_hours(1)))
        .tcp_keepalive_retries(100);
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    let builder = builder.tcp_user_timeout(None::<Duration>);
    builder
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

/// A client that trusts no CA, for http addresses.
#[cfg(feature = "rustls")]
fn without_tls(builder: ClientBuilder) -> ClientBuilder {
    builder.tls_certs_only([])
}

#[cfg(not(feature = "rustls"))]
fn without_tls(builder: ClientBuilder) -> ClientBuilder {
    builder
}

/// What happened to a request that has no answer.
fn kind_of(error: &reqwest::Error) -> TransportErrorKind {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        #[cfg(feature = "rustls")]
        if let Some(rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
            return TransportErrorKind::Untrusted;
        }
        // The connector has no type for it.
        if error.to_string() == "dns error" {
            return TransportErrorKind::Unresolved;
        }
        // An I/O error hides what it wraps from the chain of sources.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    if error.is_connect() {
        TransportErrorKind::Connect
    } else if error.is_builder() {
        TransportErrorKind::Unsupported
    } else {
        TransportErrorKind::Interrupted
    }
}

/// We decide which proxy a request uses, because reqwest matches neither `*` for addresses nor ports.
fn reqwest_proxy(network: Arc<Network>) -> reqwest::Proxy {
    reqwest::Proxy::custom(move |url| {
        let proxy = network.proxy_for(url.scheme(), url.host_str()?, url.port())?;
        proxy.address().ok().cloned()
    })
}

#[async_trait]
impl Transport for ReqwestTransport {
    async fn send(&self, request: Request<RequestBody>) -> Result<Response<ResponseBody>, TransportError> {
        if request.uri().scheme_str() == Some("https")
            && let Some(problem) = &self.tls_problem
        {
            return Err(TransportError::new(TransportErrorKind::Unsupported, problem.clone()));
        }
        let proxy = self.proxy_for(request.uri());
        if let Some(Err(problem)) = proxy.map(Proxy::address) {
            return Err(TransportError::new(TransportErrorKind::Unsupported, problem));
        }
        let unsupported =
            |error: reqwest::Error| TransportError::new(TransportErrorKind::Unsupported, error.without_url());
        let request = reqwest::Request::try_from(request.map(reqwest::Body::wrap)).map_err(unsupported)?;
        let response = self.client.execute(request).await.map_err(|error| {
            let error = TransportError::new(kind_of(&error), error.without_url());
            match proxy {
                Some(proxy) => error.through(proxy.to_string()),
                None => error,
            }
        })?;
        let response: Response<reqwest::Body> = response.into();
        Ok(response.map(|body| body.map_err(|error| BodyError::new(error.without_url())).boxed_unsync()))
    }
}
