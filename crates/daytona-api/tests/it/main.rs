//! Tests of the generated types and operations.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod decoding;
mod recorded;
mod requests;
mod webhooks;
