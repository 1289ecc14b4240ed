//! The seam to the network: an HTTP request in, an HTTP response with a stream of bytes out.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::{BoxBody, UnsyncBoxBody};
use http_body_util::{BodyExt, Full};

pub use daytona_context::BodyError;

use daytona_context::BoxError;

mod reqwest;
mod service;

pub(crate) use self::reqwest::ReqwestTransport;
pub use self::service::ServiceTransport;

/// The body of a request. Its size is exact.
pub type RequestBody = BoxBody<Bytes, BodyError>;

/// The body of a response, as it comes.
pub type ResponseBody = UnsyncBoxBody<Bytes, BodyError>;

/// Sends all HTTP requests: to the API, to the log host and to the object storage.
///
/// Implement it to use your own HTTP client. An implementation sends each request once and follows no redirect. It
/// keeps an idle connection for less than five seconds, because the service closes it after that time without notice.
///
/// ```
/// use std::sync::Arc;
///
/// use daytona_sdk::transport::{RequestBody, ResponseBody, Transport, TransportError};
/// use http::{Request, Response};
///
/// /// Counts what another transport sends.
/// #[derive(Debug)]
/// struct Counted(Arc<dyn Transport>);
///
/// #[async_trait::async_trait]
/// impl Transport for Counted {
///     async fn send(&self, request: Request<RequestBody>) -> Result<Response<ResponseBody>, TransportError> {
///         println!("{} {}", request.method(), request.uri().path());
///         self.0.send(request).await
///     }
/// }
/// ```
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// Sends one request and returns the response as soon as its headers are there.
    ///
    /// # Errors
    ///
    /// [`TransportError`], which says whether the request may have reached the server.
    async fn send(&self, request: Request<RequestBody>) -> Result<Response<ResponseBody>, TransportError>;
}

/// A request without an answer.
#[derive(Debug)]
pub struct TransportError {
    kind: TransportErrorKind,
    /// The proxy that the request went through.
    through: Option<String>,
    source: BoxError,
}

/// Kinds of [`TransportError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// No connection could be made: the request provably never left.
    Connect,
    /// The host's name cannot be resolved: the request provably never left.
    Unresolved,
    /// The connection broke: the request may have been carried out.
    Interrupted,
    /// The transport cannot send to such an address.
    Unsupported,
    /// The server's certificate is not trusted: nothing was sent.
    Untrusted,
}

impl TransportError {
    /// An error of this kind.
    pub fn new(kind: TransportErrorKind, source: impl Into<BoxError>) -> Self {
        Self {
            kind,
            through: None,
            source: source.into(),
        }
    }

    /// With the proxy that the request went through.
    pub(crate) fn through(mut self, proxy: String) -> Self {
        self.through = Some(proxy);
        self
    }

    /// Its kind.
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.kind {
            TransportErrorKind::Connect => "no connection could be made",
            TransportErrorKind::Unresolved => "the host cannot be found",
            TransportErrorKind::Interrupted => "the connection broke before the answer was there",
            TransportErrorKind::Unsupported => "the address cannot be used",
            TransportErrorKind::Untrusted => {
                "the server's certificate is not trusted (a private CA is given with `ca_certificate`)"
            }
        })?;
        match &self.through {
            Some(proxy) => write!(formatter, " through {proxy}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for TransportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let source: &(dyn std::error::Error + 'static) = self.source.as_ref();
        Some(source)
    }
}

/// A body whose bytes are all in memory.
pub(crate) fn full(bytes: Bytes) -> RequestBody {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}
