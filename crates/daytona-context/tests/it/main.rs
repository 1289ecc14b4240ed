//! Tests of archives and of pushing them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(feature = "s3")]
mod answers;
mod archive;
#[cfg(target_os = "linux")]
mod dropped;
mod export;
mod hashes;
#[cfg(unix)]
mod index;
mod layout;
#[cfg(feature = "s3")]
mod line;
mod list;
#[cfg(feature = "s3")]
mod outages;
mod push;
#[cfg(feature = "s3")]
mod refusals;
#[cfg(feature = "s3")]
mod s3;
#[cfg(feature = "s3")]
mod script;
#[cfg(feature = "http-client")]
mod socket;
mod stores;
mod support;
#[cfg(unix)]
mod trees;
#[cfg(windows)]
mod windows;
