//! Tests of the facade, on the emulator.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(feature = "blocking")]
mod blocking;
#[cfg(unix)]
mod buildkit;
mod calls;
mod capture;
mod create;
#[cfg(unix)]
mod differential;
mod dockerfiles;
mod ensure;
mod errors;
mod flow;
mod hostile;
mod in_use;
mod listing;
mod logs;
mod one_tree;
mod ownership;
mod races;
mod registries;
mod schedules;
mod secrets;
mod service;
mod settings;
mod sockets;
mod stat_index;
mod support;
mod sweep;
mod time;
#[cfg(feature = "rustls")]
mod tls;
mod traces;
mod verify;
mod waiting;
