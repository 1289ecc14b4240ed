//! What the service knows, and what changes it.

pub(crate) mod account;
pub(crate) mod control;
pub(crate) mod core;
pub(crate) mod fault;
pub(crate) mod limit;
pub(crate) mod log_stream;
pub(crate) mod region;
pub(crate) mod remembered;
pub(crate) mod sandbox_script;
pub(crate) mod saved;
pub(crate) mod script;
mod settle;
pub(crate) mod world;
