//! Tests of the public interface.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod arguments;
mod buildkit;
mod dockerfiles;
mod folders;
mod ignore;
mod methods;
mod moby;
mod reading;
mod sources;
mod support;
mod text;
mod variables;
mod vectors;
