//! Requests and answers, whoever they are for: bodies, addresses, senders, operations, and what is remembered of them.

pub(crate) mod address;
pub(crate) mod body;
pub(crate) mod error;
pub(crate) mod operation;
pub(crate) mod record;
pub(crate) mod sender;
