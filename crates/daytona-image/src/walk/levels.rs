//! The directories on the way down a tree, of which only some stay open.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use super::directory::Directory;
use super::names::Names;

/// How many directories of a path stay open. Others are opened again when the walk comes back to them.
const OPEN: usize = 16;

/// A directory that is to be walked.
pub(super) struct Below {
    pub(super) place: Place,
    /// Its path below the root, without links.
    pub(super) path: PathBuf,
    pub(super) names: Names,
}

/// How a directory is reached without a link.
pub(super) enum Place {
    /// By its name in the directory in which it was found.
    Entry(OsString),
    /// By its path, from the root on.
    FromRoot,
}

/// A directory that is being walked.
pub(super) struct Level {
    /// `None` while it is closed.
    pub(super) directory: Option<Directory>,
    pub(super) path: PathBuf,
    pub(super) name: String,
    pub(super) is_ignored: bool,
    pub(super) below: std::vec::IntoIter<Below>,
    pub(super) before: Count,
}

/// How much was found of what would not let a directory be empty, and of empty ones.
pub(super) struct Count {
    pub(super) files: usize,
    pub(super) empty: usize,
}

/// The directories being walked, each in the one before.
pub(super) struct Levels(Vec<Level>);

impl Levels {
    pub(super) fn new(top: Level) -> Self {
        Self(vec![top])
    }

    pub(super) fn last_mut(&mut self) -> Option<&mut Level> {
        self.0.last_mut()
    }

    pub(super) fn pop(&mut self) -> Option<Level> {
        self.0.pop()
    }

    /// Goes down into a directory, and closes one far above.
    pub(super) fn push(&mut self, level: Level) {
        self.0.push(level);
        if let Some(index) = self.0.len().checked_sub(OPEN + 1) {
            self.0[index].directory = None;
        }
    }

    /// The last directory. If it was closed, it is opened again, and so are those above it on the way, as they will be
    /// needed next.
    pub(super) fn open_last(&mut self, root: &Directory) -> io::Result<Option<&Directory>> {
        if let Some(level) = self.0.last()
            && level.directory.is_none()
        {
            let path = level.path.clone();
            self.reopen(root, &path)?;
        }
        Ok(self.0.last().and_then(|level| level.directory.as_ref()))
    }

    fn reopen(&mut self, root: &Directory, path: &Path) -> io::Result<()> {
        let first = self.0.len().saturating_sub(OPEN);
        let levels = &mut self.0[first..];
        let mut keep = |directory: Directory, path: &Path| {
            let level = levels.iter_mut().find(|level| level.path == path);
            if let Some(level) = level
                && level.directory.is_none()
            {
                level.directory = Some(directory);
            }
        };
        let mut at = PathBuf::new();
        let mut directory = root.open(OsStr::new("."))?;
        for name in path {
            let next = directory.open(name)?;
            keep(directory, &at);
            at.push(name);
            directory = next;
        }
        keep(directory, &at);
        Ok(())
    }
}
