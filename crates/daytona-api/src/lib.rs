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

/// Base address of the hosted service. Use it unless another address is configured.
pub const DEFAULT_API_URL: &str = "https://app.daytona.io/api";

/// The header that names the organization. Send it with a JWT. With an API key the server ignores it.
pub const ORGANIZATION_HEADER: &str = "X-Daytona-Organization-ID";

/// The header that names the client library.
pub const SOURCE_HEADER: &str = "X-Daytona-Source";

/// The header that carries the version of the client library.
pub const SDK_VERSION_HEADER: &str = "X-Daytona-SDK-Version";
