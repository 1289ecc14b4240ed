//! Tests of archives and of pushing them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod archive;
mod list;
mod push;
mod stores;
mod support;
