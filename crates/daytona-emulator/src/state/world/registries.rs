//! Which images need credentials, and whether there are some.

use super::World;
use super::jobs::full_name;
use super::registry::begins;
use crate::builder::Images;

/// How an image is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// By its full name, before the pull.
    Inspected,
    /// By the name as it was given.
    Pulled,
}

impl World {
    /// Whether the registry refuses an image, as the service asks for it without credentials. It picks them by the name that it asks
    /// for: for a pull the given one, so that `team/app:1` is looked up with the credentials for `docker.io` and pulled without.
    pub(super) fn lacks_credentials(&self, organization: &str, image: &str, asked: Asked) -> bool {
        let full = full_name(image);
        let named = match asked {
            Asked::Inspected => full.as_str(),
            Asked::Pulled => image,
        };
        self.is_private(&full) && !self.has_registry(organization, named)
    }

    /// The first image of a build that a registry refuses. The runner gets the credentials of all the organization's
    /// registries where a stage begins with an image that names its host, and else none.
    pub(super) fn refused_image(&self, organization: &str, images: &Images) -> Option<String> {
        let names_host = |(image, is_base): (&String, &bool)| *is_base && full_name(image) == *image;
        let has_credentials = images.iter().any(names_host);
        let is_refused = |image: &&String| {
            let full = full_name(image);
            self.is_private(&full) && !(has_credentials && self.has_registry(organization, &full))
        };
        images.keys().find(is_refused).cloned()
    }

    fn is_private(&self, full_name: &str) -> bool {
        self.private_images.iter().any(|start| begins(full_name, start))
    }

    /// Whether one of the organization's registries has credentials for an image of this name.
    fn has_registry(&self, organization: &str, image: &str) -> bool {
        let mut registries = self.registries.iter();
        registries.any(|registry| registry.organization == organization && registry.is_for(image))
    }
}
