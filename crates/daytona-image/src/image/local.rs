//! Options of local folders.

use std::path::{Path, PathBuf};

/// A local folder to copy into the image, with options.
///
/// ```
/// use daytona_image::{Image, Links, LocalDir};
///
/// let image = Image::base("alpine:3.20").add_local_dir(LocalDir::new("app").links(Links::Skip), "/app");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct LocalDir {
    pub(crate) path: PathBuf,
    pub(crate) links: Links,
    pub(crate) ignore: Vec<String>,
}

/// What to do with links, and with what else cannot be sent, below a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Links {
    /// Links inside the folder are sent as their content; broken links, links that leave the folder or loop, and special
    /// files are errors. The default.
    #[default]
    Follow,
    /// As `Follow`, but what would be an error is left out with a warning.
    Skip,
}

impl LocalDir {
    /// The folder at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            links: Links::default(),
            ignore: Vec::new(),
        }
    }

    /// Leaves out what these patterns match, by [Docker's rules](crate::ignore) and relative to the folder. They come after
    /// those of the folder's own `.dockerignore`, which apply in any case, and so have the last word.
    pub fn ignore<S: Into<String>>(mut self, patterns: impl IntoIterator<Item = S>) -> Self {
        self.ignore.extend(patterns.into_iter().map(Into::into));
        self
    }

    /// What to do with links. Default: [`Links::Follow`].
    pub fn links(mut self, links: Links) -> Self {
        self.links = links;
        self
    }
}

impl From<&str> for LocalDir {
    fn from(path: &str) -> Self {
        Self::new(path)
    }
}

impl From<String> for LocalDir {
    fn from(path: String) -> Self {
        Self::new(path)
    }
}

impl From<&String> for LocalDir {
    fn from(path: &String) -> Self {
        Self::new(path)
    }
}

impl From<&Path> for LocalDir {
    fn from(path: &Path) -> Self {
        Self::new(path)
    }
}

impl From<PathBuf> for LocalDir {
    fn from(path: PathBuf) -> Self {
        Self::new(path)
    }
}

impl From<&PathBuf> for LocalDir {
    fn from(path: &PathBuf) -> Self {
        Self::new(path)
    }
}
