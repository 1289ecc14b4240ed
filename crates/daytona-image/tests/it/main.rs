//! Tests of the public interface.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod arguments;
mod bounds;
mod buildkit;
#[cfg(unix)]
mod buildkit_context;
mod buildkit_ignore;
mod dockerfiles;
mod folders;
#[cfg(all(unix, not(target_vendor = "apple")))]
mod hostile;
mod ignore;
mod methods;
mod moby;
#[cfg(target_os = "linux")]
mod opens;
mod options;
mod properties;
mod public;
mod reading;
mod requirements;
mod sources;
mod support;
mod targets;
mod text;
mod variables;
mod vectors;
#[cfg(windows)]
mod windows;
