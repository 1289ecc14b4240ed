//! Which images need credentials, and whether there are some.

use super::World;
use super::jobs::full_name;
use super::registry::{Registry, begins};

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
        if !self.private_images.iter().any(|start| begins(&full, start)) {
            return false;
        }
        let named = match asked {
            Asked::Inspected => full.as_str(),
            Asked::Pulled => image,
        };
        let own = |registry: &&Registry| registry.organization == organization;
        !self
            .registries
            .iter()
            .filter(own)
            .any(|registry| registry.is_for(named))
    }

    /// The first of the images that a build begins with which a registry refuses. The runner gets the credentials of all the
    /// organization's registries where one of the images names its host, and else none.
    pub(super) fn refused_parent(&self, organization: &str, images: &[String]) -> Option<String> {
        let names_host = |image: &String| full_name(image) == *image;
        let asked = if images.iter().any(names_host) {
            Asked::Inspected
        } else {
            Asked::Pulled
        };
        let refused = |image: &&String| self.lacks_credentials(organization, image, asked);
        images.iter().find(refused).cloned()
    }
}
