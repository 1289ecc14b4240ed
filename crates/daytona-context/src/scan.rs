//! A directory that becomes a context.

use std::path::{Path, PathBuf};

use daytona_image::Links;
use daytona_image::walk::{DOCKERIGNORE, Walk, Walked, read_rules};

use crate::error::ScanError;

/// A directory for [`Context::scan`](crate::Context::scan), with options.
///
/// ```
/// use daytona_context::{Context, Links, Scan};
///
/// # let folder = tempfile::tempdir()?;
/// # std::fs::write(folder.path().join("main.py"), "print()")?;
/// let context = Context::scan(Scan::new(folder.path()).links(Links::Strict))?;
/// assert_eq!(context.archives().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Scan {
    folder: PathBuf,
    links: Links,
}

impl Scan {
    /// Scans the directory at this path.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            links: Links::default(),
        }
    }

    /// What to do with links that cannot be followed, and with special files. Default: [`Links::Skip`].
    pub fn links(mut self, links: Links) -> Self {
        self.links = links;
        self
    }

    pub(crate) fn walk(&self) -> Result<Walked, ScanError> {
        let folder = &self.folder;
        let rules = read_rules(folder, Path::new(DOCKERIGNORE), &folder.join(DOCKERIGNORE))
            .map_err(|problem| ScanError::new(vec![problem]))?
            .unwrap_or_default();
        let walked = Walk::new(folder).rules(rules).links(self.links).run();
        if walked.problems.is_empty() {
            Ok(walked)
        } else {
            Err(ScanError::new(walked.problems))
        }
    }
}

impl<P: AsRef<Path> + ?Sized> From<&P> for Scan {
    fn from(folder: &P) -> Self {
        Self::new(folder.as_ref())
    }
}

impl From<PathBuf> for Scan {
    fn from(folder: PathBuf) -> Self {
        Self::new(folder)
    }
}

impl From<String> for Scan {
    fn from(folder: String) -> Self {
        Self::new(folder)
    }
}
