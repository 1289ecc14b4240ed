//! Tests of the public interface.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod dockerfiles;
mod folders;
mod ignore;
mod methods;
mod moby;
mod text;
mod vectors;
