//! What is recorded of a request.

use std::fmt;
use std::time::Duration;

use http::Method;
use jiff::Timestamp;

use super::operation::Operation;

/// A request that was answered.
///
/// ```
/// use daytona_emulator::{Emulator, Operation};
///
/// /// How often the client under test has asked for a snapshot.
/// fn polls(emulator: &Emulator) -> usize {
///     let requests = emulator.requests();
///     requests.iter().filter(|one| one.operation == Operation::GetSnapshot).count()
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestRecord {
    /// The operation.
    pub operation: Operation,
    /// The HTTP method.
    pub method: Method,
    /// The path and query.
    pub address: String,
    /// The status of the answer; `None` if the connection was broken.
    pub status: Option<u16>,
    /// When it was answered, on the emulator's clock.
    pub time: Timestamp,
    /// The time from the request to the body of the answer.
    pub took: Duration,
}

impl fmt::Display for RequestRecord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self
            .status
            .map_or_else(|| "---".to_owned(), |status| status.to_string());
        let milliseconds = self.took.as_secs_f64() * 1e3;
        write!(
            formatter,
            "{status} {milliseconds:8.1} ms  {} {}",
            self.method, self.address
        )
    }
}
