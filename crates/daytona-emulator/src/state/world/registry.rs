//! The record of a registry with private images.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Registry {
    pub(crate) id: String,
    pub(crate) organization: String,
    pub(crate) name: String,
    /// Without a slash at its end.
    pub(crate) url: String,
    pub(crate) username: String,
    pub(crate) password: String,
    pub(crate) project: Option<String>,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Registry")
            .field("name", &self.name)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Registry {
    /// Whether its credentials are for an image: the image's name begins with the address, followed by a slash or a
    /// colon.
    pub(super) fn is_for(&self, image: &str) -> bool {
        let address = self.url.split_once("://").map_or(self.url.as_str(), |(_, rest)| rest);
        begins(image, address)
    }
}

/// Whether the name of an image begins with this, followed by a slash or a colon.
pub(super) fn begins(image: &str, start: &str) -> bool {
    image
        .strip_prefix(start)
        .is_some_and(|rest| rest.starts_with(['/', ':']))
}
