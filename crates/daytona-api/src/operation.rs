//! The trait of all operations: from a value to a request, and from an answer to a value.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, Request};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{DecodeError, Permission};

/// One operation of the API, as a value.
///
/// The implementations are generated. An operation carries no credentials: add the headers before you send the request.
///
/// # Examples
///
/// A client that works with every operation, on top of any function that sends a request:
///
/// ```
/// use daytona_api::{DEFAULT_API_URL, Health, Operation};
/// use http::{HeaderValue, Request, Response};
///
/// fn call<O: Operation>(
///     operation: &O,
///     key: &str,
///     send: impl Fn(Request<bytes::Bytes>) -> std::io::Result<Response<Vec<u8>>>,
/// ) -> Result<O::Output, Box<dyn std::error::Error>> {
///     let mut request = operation.to_request(DEFAULT_API_URL)?;
///     if !O::PUBLIC {
///         let mut value = HeaderValue::try_from(format!("Bearer {key}"))?;
///         value.set_sensitive(true);
///         request.headers_mut().insert(http::header::AUTHORIZATION, value);
///     }
///     let response = send(request)?;
///     if !response.status().is_success() {
///         return Err(format!("{} was answered with {}", O::ID, response.status()).into());
///     }
///     Ok(O::decode(response.body())?)
/// }
///
/// let health = call(&Health::new(), "key", |request| {
///     assert_eq!(request.uri(), "https://app.daytona.io/api/health");
///     assert!(request.headers().get("authorization").is_none());
///     Ok(Response::new(br#"{"status": "ok"}"#.to_vec()))
/// })?;
/// assert_eq!(health.status.as_deref(), Some("ok"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Operation {
    /// What a successful answer holds.
    type Output;

    /// Id of the operation in the contract, such as `createSnapshot`.
    const ID: &'static str;

    /// HTTP method.
    const METHOD: Method;

    /// Path template relative to the base address, such as `/snapshots/{id}`. Use it in spans and metrics, where the path
    /// itself would give a new name for every snapshot.
    const TEMPLATE: &'static str;

    /// Whether the operation works without credentials. Do not send any to it.
    const PUBLIC: bool = false;

    /// Whether carrying out the operation twice has the same effect as carrying it out once, so that a client may repeat it
    /// when the answer was lost.
    ///
    /// This is true of every `GET` and `DELETE`, and of [`DeactivateSnapshot`](crate::DeactivateSnapshot), which is a `POST`.
    const IDEMPOTENT: bool;

    /// How long the server may hold its answer back on purpose, or `None` if it answers at once. Wait longer than this
    /// before you give up.
    const ANSWERS_WITHIN: Option<Duration> = None;

    /// The permissions that an API key needs. Any one of them is enough. An empty list means that every valid key will do.
    ///
    /// The server answers 403 to a key that lacks them, and does not say which ones it wants.
    const PERMISSIONS: &'static [Permission] = &[];

    /// Returns the path relative to the base address. Each parameter is percent-encoded and fills one segment.
    fn path(&self) -> String;

    /// Returns the query without the question mark, or `None` if no parameter is set.
    fn query(&self) -> Option<String> {
        None
    }

    /// Returns the JSON body, or `None` if the operation has none.
    ///
    /// # Errors
    ///
    /// Returns an error if the value cannot be written as JSON.
    fn body(&self) -> Result<Option<Bytes>, serde_json::Error> {
        Ok(None)
    }

    /// Reads the body of a successful answer.
    ///
    /// # Errors
    ///
    /// Returns a [`DecodeError`] if the body is not JSON, or if a required field is missing or of the wrong kind.
    fn decode(body: &[u8]) -> Result<Self::Output, DecodeError>;

    /// Builds the request for the API at `base`, such as [`DEFAULT_API_URL`](crate::DEFAULT_API_URL). Slashes at the end of
    /// `base` do not matter.
    ///
    /// # Errors
    ///
    /// Returns a [`RequestError`] if a parameter cannot be part of a path, if `base` is not an address, or if the body cannot
    /// be written as JSON.
    fn to_request(&self, base: &str) -> Result<Request<Bytes>, RequestError> {
        let path = self.path();
        if path
            .split('/')
            .skip(1)
            .any(|segment| matches!(segment, "" | "." | ".."))
        {
            return Err(RequestError::Segment {
                operation: Self::ID,
                path,
            });
        }
        let mut uri = format!("{}{path}", base.trim_end_matches('/'));
        if let Some(query) = self.query() {
            uri.push('?');
            uri.push_str(&query);
        }
        let request = Request::builder()
            .method(Self::METHOD)
            .uri(uri)
            .header(ACCEPT, "application/json");
        let request = match self.body()? {
            Some(body) => request.header(CONTENT_TYPE, "application/json").body(body),
            None => request.body(Bytes::new()),
        };
        request.map_err(|source| RequestError::Address {
            base: base.to_owned(),
            source,
        })
    }
}

/// An operation that cannot be turned into a request.
///
/// ```
/// use daytona_api::{GetSnapshot, Operation, RequestError};
///
/// let error = GetSnapshot::new("..").to_request("https://app.daytona.io/api").unwrap_err();
/// assert!(matches!(error, RequestError::Segment { operation: "getSnapshot", .. }));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// A parameter is empty, `.` or `..`. As a segment of the path it would address something else.
    #[error("{operation}: an id or name in the path `{path}` is empty, `.` or `..`, which no request can address")]
    Segment {
        /// Id of the operation.
        operation: &'static str,
        /// The path that would have been requested.
        path: String,
    },
    /// The base address is not one.
    #[error("`{base}` is not an address that requests can be sent to")]
    Address {
        /// The base address.
        base: String,
        /// What is wrong with it.
        #[source]
        source: http::Error,
    },
    /// The body cannot be written as JSON.
    #[error("the request cannot be written as JSON")]
    Body(#[from] serde_json::Error),
}

/// All characters except those that RFC 3986 calls unreserved.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Encodes `value` as one segment of a path, or as a value in a query.
pub(crate) fn encode(value: &str) -> String {
    utf8_percent_encode(value, SEGMENT).to_string()
}

/// Builds a query from the parameters that are set.
#[derive(Debug, Default)]
pub(crate) struct Query(String);

impl Query {
    pub(crate) fn set(&mut self, name: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            if !self.0.is_empty() {
                self.0.push('&');
            }
            self.0.push_str(name);
            self.0.push('=');
            self.0.push_str(&encode(&value.to_string()));
        }
    }

    pub(crate) fn finish(self) -> Option<String> {
        (!self.0.is_empty()).then_some(self.0)
    }
}
