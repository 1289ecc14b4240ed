//! The context of an image: a list of archives.

use daytona_image::ImagePlan;

use crate::archive::Archive;

/// All files that an image needs, as the list of archives that the service merges into one tree.
///
/// An image without local files has none.
#[derive(Debug, Clone)]
pub struct Context {
    archives: Vec<Archive>,
}

impl Context {
    /// The context of a plan.
    pub fn of_plan(plan: &ImagePlan) -> Self {
        let members = plan.members();
        Self {
            archives: if members.is_empty() {
                Vec::new()
            } else {
                vec![Archive::new(members)]
            },
        }
    }

    /// The archives, in the order in which their hashes belong into the request.
    pub fn archives(&self) -> &[Archive] {
        &self.archives
    }

    /// Bytes of all archives together.
    pub fn size(&self) -> u64 {
        self.archives.iter().map(Archive::size).sum()
    }
}
