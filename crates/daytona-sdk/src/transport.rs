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

/// The body of a request. Its size is known exactly.
pub type RequestBody = BoxBody<Bytes, BodyError>;

/// The body of a response, as a stream of bytes.
pub type ResponseBody = UnsyncBoxBody<Bytes, BodyError>;

/// Sends all HTTP requests: to the API, to the log host and to the object storage.
///
/// Implement it to use your own HTTP client. An implementation must send each request once, and must not follow
/// redirects. It must close an idle connection after less than five seconds, because after five seconds the service
/// closes it without notice.
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
///     async fn send(
///         &self,
///         request: Request<RequestBody>,
///     ) -> Result<Response<ResponseBody>, TransportError> {
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

/// Why a request got no answer.
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
    /// The connection could not be made, so the request was not sent.
    Connect,
    /// The host's name cannot be resolved, so the request was not sent.
    Unresolved,
    /// The connection broke. The server may have carried out the request.
    Interrupted,
    /// The transport does not support the address.
    Unsupported,
    /// The server's certificate is not trusted. The request was not sent.
    Untrusted,
}

impl TransportError {
    /// Makes an error of this kind.
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

    /// The kind of the error.
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.kind {
            TransportErrorKind::Connect => "no connection could be made",
            TransportErrorKind::Unresolved => "the host cannot be found",
            TransportErrorKind::Interrupted => "the connection broke before the answer came",
            TransportErrorKind::Unsupported => "the address cannot be used",
            TransportErrorKind::Untrusted => {
                "the server's certificate is not trusted (set a private CA with `ca_certificate`)"
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
