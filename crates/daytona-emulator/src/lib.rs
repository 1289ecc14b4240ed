#![doc = include_str!("../README.md")]

mod api;
mod builder;
mod clock;
mod emulator;
mod engine;
mod fault;
mod listener;
mod operation;
mod service;
mod storage;
mod world;

pub use clock::Clock;
pub use emulator::{Emulator, EmulatorBuilder, RequestRecord};
pub use fault::Fault;
pub use operation::Operation;
pub use service::{EmulatorService, ServiceError};
pub use storage::{StorageOptions, StoredObject};

/// An error of any kind, as it passes through bodies and streams.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of an answer.
pub type ResponseBody = http_body_util::combinators::UnsyncBoxBody<bytes::Bytes, BoxError>;
