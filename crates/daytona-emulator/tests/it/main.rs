//! The emulator, asked by plain HTTP requests.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accounts;
mod admin;
mod answers;
mod bodies;
mod classes;
mod damage;
mod description;
mod faults;
mod http;
mod image;
mod images;
mod kept;
#[cfg(unix)]
mod killed;
mod life;
mod neighbours;
mod neighbours_sandboxes;
mod numbers;
mod page;
mod presigned;
mod program;
mod registries;
mod replay;
mod s3;
mod scripts;
mod signature;
mod socket;
mod states;
mod support;
#[cfg(windows)]
mod windows;
