//! Where requests come in.

mod admin;
mod api;
mod damage;
mod gateway;
pub(crate) mod listener;
mod log_host;
mod object_storage;
mod page;
pub(crate) mod service;
mod target;

pub(crate) use api::shown_sandbox;
