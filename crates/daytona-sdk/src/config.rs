//! The settings of a client. Code takes precedence over the environment, and the environment over defaults.

mod builder;
mod environment;
mod settings;

pub use builder::DaytonaBuilder;
pub use environment::{
    ENV_ALL_PROXY, ENV_API_KEY, ENV_API_URL, ENV_HTTP_PROXY, ENV_HTTPS_PROXY, ENV_JWT_TOKEN, ENV_NO_PROXY,
    ENV_ORGANIZATION_ID, ENV_SERVER_URL, ENV_TARGET,
};

/// The largest request body that the service reads, in bytes; it answers larger ones with 404. Measured on server 0.190.0.
pub const MAX_REQUEST_BODY: usize = 100 * 1024;
