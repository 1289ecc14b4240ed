//! What a walk cannot send, or cannot end for.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::read::{ReadError, is_in_use};
use super::spelling;
use crate::escape;
use crate::ignore::IgnoreError;

/// Something that a walk cannot send, or that keeps it from its end.
#[derive(Debug)]
#[non_exhaustive]
pub enum WalkProblem {
    /// A path that does not exist.
    NotFound {
        /// The path.
        path: PathBuf,
    },
    /// A path that the disk knows under another spelling only. The builder's disk would not find it.
    OtherSpelling {
        /// The path, as it was written.
        path: PathBuf,
        /// How its last name is spelled on the disk.
        exists_as: String,
    },
    /// A file or directory that cannot be read.
    Unreadable {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A link whose target is outside the directory that was named.
    LinkEscape {
        /// The link.
        path: PathBuf,
        /// Where it leads, as it says itself.
        target: PathBuf,
    },
    /// A link whose target does not exist.
    BrokenLink {
        /// The link.
        path: PathBuf,
    },
    /// A link to one of the directories that it lies in, or to itself.
    LinkLoop {
        /// The link.
        path: PathBuf,
    },
    /// A FIFO, socket or device.
    SpecialFile {
        /// The path.
        path: PathBuf,
    },
    /// A name that is not UTF-8: it would not survive on its way.
    NotUnicode {
        /// The path.
        path: PathBuf,
    },
    /// A small file that cannot be read as text.
    Unread {
        /// The path.
        path: PathBuf,
        /// Why.
        error: ReadError,
    },
    /// An ignore rule that cannot be obeyed.
    InvalidPattern {
        /// Which, where, and why.
        error: IgnoreError,
    },
    /// More files and directories than a context may have.
    TooManyEntries {
        /// The directory that was walked.
        path: PathBuf,
        /// As many may be in it.
        limit: usize,
    },
    /// Links that lead to more files and directories than a context may have through them.
    TooManyThroughLinks {
        /// The directory that was walked.
        path: PathBuf,
        /// As many may be reached through links.
        limit: usize,
    },
    /// The walk was [cancelled](crate::Cancellation).
    Cancelled,
}

impl WalkProblem {
    /// The path that it is about, if it is about one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::NotFound { path }
            | Self::OtherSpelling { path, .. }
            | Self::Unreadable { path, .. }
            | Self::LinkEscape { path, .. }
            | Self::BrokenLink { path }
            | Self::LinkLoop { path }
            | Self::SpecialFile { path }
            | Self::NotUnicode { path }
            | Self::Unread { path, .. }
            | Self::TooManyEntries { path, .. }
            | Self::TooManyThroughLinks { path, .. } => Some(path),
            Self::InvalidPattern { .. } | Self::Cancelled => None,
        }
    }
}

impl fmt::Display for WalkProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self
            .path()
            .map_or_else(String::new, |path| format!("`{}`", escape::path(path)));
        match self {
            Self::NotFound { .. } => write!(formatter, "{shown} does not exist: check the spelling"),
            Self::OtherSpelling { exists_as, .. } if spelling::is_decomposed(exists_as) => write!(
                formatter,
                "{shown} exists as `{}`, written with combining characters: rename it, as the build would not find it",
                escape::text(exists_as)
            ),
            Self::OtherSpelling { exists_as, .. } => write!(
                formatter,
                "{shown} exists as `{}`: write it so, as the case of letters counts where the image is built",
                escape::text(exists_as)
            ),
            Self::Unreadable { source, .. } => unreadable(formatter, &shown, source),
            Self::LinkEscape { target, .. } => write!(
                formatter,
                "the link {shown} leads out of the folder that was named, to `{}`",
                escape::path(target)
            ),
            Self::BrokenLink { .. } => write!(formatter, "the link {shown} leads to nothing"),
            Self::LinkLoop { .. } => write!(formatter, "the link {shown} leads back to a folder that it lies in"),
            Self::SpecialFile { .. } => write!(formatter, "{shown} is a FIFO, socket or device, which cannot be sent"),
            Self::NotUnicode { .. } => write!(
                formatter,
                "the name {shown} is not UTF-8 and would not survive: rename it"
            ),
            Self::Unread { error, .. } => write!(formatter, "{shown} {error}"),
            Self::InvalidPattern { error } => error.fmt(formatter),
            Self::TooManyEntries { limit, .. } => write!(
                formatter,
                "{shown} holds more than {limit} files and folders: leave out what is not needed, with `.dockerignore` or a \
                 narrower path"
            ),
            Self::TooManyThroughLinks { limit, .. } => write!(
                formatter,
                "links in {shown} lead to more than {limit} files and folders, as each is there once for every way to it: leave \
                 the links out with `.dockerignore`"
            ),
            Self::Cancelled => formatter.write_str("it was cancelled"),
        }
    }
}

impl std::error::Error for WalkProblem {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { source, .. } => Some(source),
            Self::Unread { error, .. } => Some(error),
            Self::InvalidPattern { error } => Some(error),
            _ => None,
        }
    }
}

/// A path as messages show it: with its control characters escaped, and without the mark `\\?\` of paths that Windows
/// takes to the letter.
pub fn shown(path: &Path) -> impl fmt::Display + use<> {
    escape::path(path)
}

/// The same words for whatever cannot be read.
pub(crate) fn unreadable(formatter: &mut fmt::Formatter<'_>, shown: &str, source: &io::Error) -> fmt::Result {
    if is_in_use(source) {
        write!(
            formatter,
            "{shown} cannot be read, as another program has it open: close it there"
        )
    } else if source.kind() == io::ErrorKind::PermissionDenied {
        write!(formatter, "{shown} cannot be read ({source}): check its permissions")
    } else {
        write!(formatter, "{shown} cannot be read: {source}")
    }
}
