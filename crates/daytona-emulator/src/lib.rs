#![doc = include_str!("../README.md")]

mod account;
mod admin;
mod api;
mod body;
mod builder;
mod clock;
mod data_dir;
mod emulator;
mod engine;
mod fault;
mod gateway;
mod limit;
mod listener;
mod operation;
mod page;
mod range;
mod region;
mod script;
mod sender;
mod service;
mod storage;
mod world;

pub use account::{ApiKey, Organization, Permission, UserToken};
pub use builder::{BuildEngine, BuiltImage, Doubt, ImageFile, Lookup, Unknown};
pub use clock::Clock;
pub use emulator::{Emulator, EmulatorBuilder, RequestRecord};
pub use fault::Fault;
pub use limit::RateLimits;
pub use operation::Operation;
pub use region::Region;
pub use script::Script;
pub use service::{EmulatorService, ServiceError};
pub use storage::{StorageOptions, StoredObject};
pub use world::{ReadLag, SeededSnapshot};

/// An error of any kind, as it passes through bodies and streams.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of an answer.
pub type ResponseBody = http_body_util::combinators::UnsyncBoxBody<bytes::Bytes, BoxError>;
