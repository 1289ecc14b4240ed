#![doc = include_str!("../README.md")]

mod base;
mod builder;
mod emulator;
mod options;
mod server;
mod state;
mod storage;
mod wire;

pub use base::clock::Clock;
pub use builder::{BuildEngine, BuiltImage, Doubt, ImageFile, Lookup, Unknown};
pub use emulator::Emulator;
pub use options::EmulatorBuilder;
pub use server::service::EmulatorService;
pub use state::account::{ApiKey, Organization, Permission, UserToken};
pub use state::fault::Fault;
pub use state::limit::RateLimits;
pub use state::region::Region;
pub use state::sandbox_script::SandboxScript;
pub use state::script::Script;
pub use state::world::{ReadLag, SeededSnapshot};
pub use storage::{StorageOptions, StoredObject};
pub use wire::error::ServiceError;
pub use wire::operation::Operation;
pub use wire::record::RequestRecord;

/// An error of any kind, as it passes through bodies and streams.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a response.
pub type ResponseBody = http_body_util::combinators::UnsyncBoxBody<bytes::Bytes, BoxError>;
