//! What every operation can do: turn itself into a request, and read its answer.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, Request};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{DecodeError, Permission};

/// One operation of the API, as a value.
///
/// The implementors are generated. None of them carries credentials: whoever sends the request adds the headers.
pub trait Operation {
    /// What a success answers with.
    type Output;

    /// The operation's id in the contract, such as `createSnapshot`.
    const ID: &'static str;

    /// HTTP method.
    const METHOD: Method;

    /// Path template relative to the base address, such as `/snapshots/{id}`: a name for spans and metrics that does not
    /// grow with the data.
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

    /// Path relative to the base address. Each parameter is one percent-encoded segment, whatever is in it.
    fn path(&self) -> String;

    /// Query without the question mark, or `None` if no parameter is set.
    fn query(&self) -> Option<String> {
        None
    }

    /// JSON body, or `None` if the operation has none.
    ///
    /// # Errors
    ///
    /// If the value cannot be written as JSON.
    fn body(&self) -> Result<Option<Bytes>, serde_json::Error> {
        Ok(None)
    }

    /// Reads the body of a successful answer.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if it is not JSON or lacks what the operation promises.
    fn decode(body: &[u8]) -> Result<Self::Output, DecodeError>;

    /// The request for an API at `base`, such as [`DEFAULT_API_URL`](crate::DEFAULT_API_URL); slashes at its end do not
    /// matter.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if a parameter cannot be addressed or the base is not an address.
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
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// A parameter is empty, `.` or `..`: as a path segment it would address something else.
    #[error("{operation}: the path `{path}` has a segment that is empty or made of dots, which cannot be addressed")]
    Segment {
        /// Id of the operation.
        operation: &'static str,
        /// The path that would have been requested.
        path: String,
    },
    /// The base address is none.
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

/// Everything but the characters that RFC 3986 calls unreserved.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// `value` as one segment of a path, or as a value of a query.
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
