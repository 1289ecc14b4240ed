//! Runs the examples as a user would, with good input and with bad.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod from_dockerfile;
mod quickstart;
mod small;
mod support;
