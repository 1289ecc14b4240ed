#![doc = include_str!("../README.md")]

mod decode;
mod generated;
mod lenient;
mod operation;
mod secret;
mod webhook;

pub use decode::DecodeError;
pub use generated::*;
pub use operation::{Operation, RequestError};

/// Base address of the hosted service, used where no other is configured.
pub const DEFAULT_API_URL: &str = "https://app.daytona.io/api";

/// Header that names the organization, for callers that authenticate with a JWT. Ignored by the server for API keys.
pub const ORGANIZATION_HEADER: &str = "X-Daytona-Organization-ID";

/// Header that names the client library.
pub const SOURCE_HEADER: &str = "X-Daytona-Source";

/// Header that carries the version of the client library.
pub const SDK_VERSION_HEADER: &str = "X-Daytona-SDK-Version";
