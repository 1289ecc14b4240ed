//! The emulator, asked by plain HTTP requests.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod faults;
mod life;
mod replay;
mod support;
