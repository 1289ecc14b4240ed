//! Tests of the facade, on the emulator.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod create;
mod dockerfiles;
mod ensure;
mod errors;
mod flow;
mod listing;
mod logs;
mod one_tree;
mod schedules;
mod secrets;
mod service;
mod support;
mod time;
