//! Options for local files and directories.

use std::path::{Path, PathBuf};

use crate::walk::Links;

/// A local directory to copy into the image, with options.
///
/// ```
/// use daytona_image::{Image, Links, LocalDir};
///
/// let image = Image::base("alpine:3.20")
///     .add_local_dir(LocalDir::new("app").links(Links::Strict), "/app");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct LocalDir {
    pub(crate) path: PathBuf,
    pub(crate) links: Links,
    pub(crate) ignore: Vec<String>,
    pub(crate) owner: Owner,
}

/// A local file to copy into the image, with options.
///
/// ```
/// use daytona_image::{Image, LocalFile};
///
/// let image = Image::base("alpine:3.20").add_local_file(
///     LocalFile::new("key.pem").chown("app:app").chmod(0o600),
///     "/app/",
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct LocalFile {
    pub(crate) path: PathBuf,
    pub(crate) owner: Owner,
}

/// The owner and the mode of the copies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Owner {
    pub(crate) chown: Option<String>,
    pub(crate) chmod: Option<u32>,
}

impl LocalFile {
    /// The file at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            owner: Owner::default(),
        }
    }
}

/// The options that files and directories share.
macro_rules! owner_options {
    ($name:ident) => {
        impl $name {
            /// Sets the owner of the copy: a name or an id, optionally with a group after a colon. Default: root.
            ///
            /// A `RUN chown` in a later step would double the size of the files that it changes.
            pub fn chown(mut self, owner: impl Into<String>) -> Self {
                self.owner.chown = Some(owner.into());
                self
            }

            /// Sets the mode of the copy, such as `0o755`. Default: 0755 for a file that its owner may execute, else
            /// 0644.
            ///
            /// As with Docker's `COPY --chmod`, a mode other than 0755 and 0644 also applies to copied directories.
            pub fn chmod(mut self, mode: u32) -> Self {
                self.owner.chmod = Some(mode);
                self
            }
        }
    };
}

owner_options!(LocalDir);
owner_options!(LocalFile);

impl LocalDir {
    /// The directory at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            links: Links::default(),
            ignore: Vec::new(),
            owner: Owner::default(),
        }
    }

    /// Leaves out the files that these patterns match, by [Docker's rules](crate::ignore), relative to the directory.
    /// They come after the rules of the directory's own `.dockerignore`, which always apply. So they take precedence.
    pub fn ignore<S: Into<String>>(mut self, patterns: impl IntoIterator<Item = S>) -> Self {
        self.ignore.extend(patterns.into_iter().map(Into::into));
        self
    }

    /// What to do with links that cannot be followed, and with special files. Default: [`Links::Skip`].
    pub fn links(mut self, links: Links) -> Self {
        self.links = links;
        self
    }
}

/// The usual types for a path.
macro_rules! from_path {
    ($name:ident) => {
        impl From<&str> for $name {
            fn from(path: &str) -> Self {
                Self::new(path)
            }
        }

        impl From<String> for $name {
            fn from(path: String) -> Self {
                Self::new(path)
            }
        }

        impl From<&String> for $name {
            fn from(path: &String) -> Self {
                Self::new(path)
            }
        }

        impl From<&Path> for $name {
            fn from(path: &Path) -> Self {
                Self::new(path)
            }
        }

        impl From<PathBuf> for $name {
            fn from(path: PathBuf) -> Self {
                Self::new(path)
            }
        }

        impl From<&PathBuf> for $name {
            fn from(path: &PathBuf) -> Self {
                Self::new(path)
            }
        }
    };
}
pub(super) use from_path;

from_path!(LocalDir);
from_path!(LocalFile);
