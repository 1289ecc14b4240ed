//! The walk of a local folder: every file that would be sent, and what cannot be.
//!
//! The folder is a boundary. A link is followed only if its target, resolved by the file system, lies inside; special
//! files are never opened. The result does not depend on the order in which the file system lists entries.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::local::Links;
use crate::problem::ProblemKind;

/// A file as the walk found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Path below the root, `/`-separated.
    pub(crate) name: String,
    /// Where to read it: a path without links, as it was when the walk resolved them.
    pub(crate) source: PathBuf,
    pub(crate) executable: bool,
    pub(crate) fingerprint: Fingerprint,
}

impl Found {
    /// Whether both are read from the same place, under whatever name.
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

/// What tells whether a file is still the one that was planned, without reading it.
///
/// Taken from the file's metadata: size, time of the last modification, and on Unix the inode and the time of the last
/// status change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    size: u64,
    modified: Option<SystemTime>,
    /// Inode, and seconds and nanoseconds of the status change.
    identity: Option<(u64, i64, i64)>,
}

impl Fingerprint {
    /// The fingerprint of a file with this metadata.
    pub fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let identity = {
            use std::os::unix::fs::MetadataExt;
            Some((metadata.ino(), metadata.ctime(), metadata.ctime_nsec()))
        };
        #[cfg(not(unix))]
        let identity = None;
        Self {
            size: metadata.len(),
            modified: metadata.modified().ok(),
            identity,
        }
    }

    /// Size of the file in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

/// What a walk found.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    /// Sorted by the bytes of the name.
    pub(crate) files: Vec<Found>,
    /// Folders below the root in which there is no file, without those inside of another.
    pub(crate) empty: Vec<String>,
    /// What was left out because the caller said so.
    pub(crate) skipped: Vec<ProblemKind>,
    pub(crate) problems: Vec<ProblemKind>,
}

/// Walks the folder `root`, a path without links. Messages show paths below `shown`, as the caller wrote it.
pub(crate) fn walk(root: &Path, shown: &Path, links: Links) -> Walked {
    let mut walker = Walker {
        root,
        shown,
        links,
        open: vec![root.to_owned()],
        walked: Walked::default(),
    };
    walker.folder(root, "");
    let mut result = walker.walked;
    result.files.sort_by(|one, other| one.name.cmp(&other.name));
    result.empty.sort();
    result
}

/// The one file at `source`, a path without links.
pub(crate) fn file(source: &Path, metadata: &Metadata, name: String) -> Found {
    Found {
        name,
        source: source.to_owned(),
        executable: is_executable(metadata),
        fingerprint: Fingerprint::of(metadata),
    }
}

struct Walker<'a> {
    root: &'a Path,
    shown: &'a Path,
    links: Links,
    /// The folders being walked, without links, from the root down: a link to one of them never ends.
    open: Vec<PathBuf>,
    walked: Walked,
}

impl Walker<'_> {
    /// Walks a folder; `name` is its path below the root.
    fn folder(&mut self, path: &Path, name: &str) {
        let before = self.walked.files.len();
        let empty_before = self.walked.empty.len();
        let problems_before = self.walked.problems.len();
        match read_names(path) {
            Ok(names) => names.iter().for_each(|entry| self.entry(path, name, entry)),
            Err(source) => self.problem(ProblemKind::Unreadable {
                path: self.shown(name),
                source,
            }),
        }
        let found_nothing = self.walked.files.len() == before && self.walked.problems.len() == problems_before;
        if found_nothing && !name.is_empty() {
            self.walked.empty.truncate(empty_before);
            self.walked.empty.push(name.to_owned());
        }
    }

    fn entry(&mut self, folder: &Path, folder_name: &str, entry: &OsStr) {
        let path = folder.join(entry);
        let Some(entry) = entry.to_str() else {
            let path = self.shown(folder_name).join(entry);
            return self.problem(ProblemKind::NotUnicode { path });
        };
        let name = if folder_name.is_empty() {
            entry.to_owned()
        } else {
            format!("{folder_name}/{entry}")
        };
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_symlink() => self.link(&path, name),
            Ok(metadata) => self.resolved(&path, name, &metadata),
            Err(source) => self.problem(ProblemKind::Unreadable {
                path: self.shown(&name),
                source,
            }),
        }
    }

    fn link(&mut self, path: &Path, name: String) {
        let shown = self.shown(&name);
        let target = match fs::canonicalize(path) {
            Ok(target) => target,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return self.unsendable(ProblemKind::BrokenLink { path: shown });
            }
            Err(error) if is_link_loop(&error) => return self.unsendable(ProblemKind::LinkLoop { path: shown }),
            Err(source) => return self.problem(ProblemKind::Unreadable { path: shown, source }),
        };
        if !target.starts_with(self.root) {
            return self.unsendable(ProblemKind::LinkEscape { path: shown, target });
        }
        if self.open.contains(&target) {
            return self.unsendable(ProblemKind::LinkLoop { path: shown });
        }
        match fs::symlink_metadata(&target) {
            Ok(metadata) => self.resolved(&target, name, &metadata),
            Err(source) => self.problem(ProblemKind::Unreadable { path: shown, source }),
        }
    }

    /// Something that is no link.
    fn resolved(&mut self, path: &Path, name: String, metadata: &Metadata) {
        if metadata.is_dir() {
            self.open.push(path.to_owned());
            self.folder(path, &name);
            self.open.pop();
        } else if metadata.is_file() {
            self.walked.files.push(file(path, metadata, name));
        } else {
            let path = self.shown(&name);
            self.unsendable(ProblemKind::SpecialFile { path });
        }
    }

    /// What the caller may choose to leave out.
    fn unsendable(&mut self, problem: ProblemKind) {
        match self.links {
            Links::Follow => self.problem(problem),
            Links::Skip => self.walked.skipped.push(problem),
        }
    }

    fn problem(&mut self, problem: ProblemKind) {
        self.walked.problems.push(problem);
    }

    fn shown(&self, name: &str) -> PathBuf {
        if name.is_empty() {
            self.shown.to_owned()
        } else {
            self.shown.join(name)
        }
    }
}

/// The names in a folder, sorted, so that problems are reported in the same order everywhere.
fn read_names(folder: &Path) -> io::Result<Vec<std::ffi::OsString>> {
    let mut names = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

/// Whether resolving a path met too many links.
fn is_link_loop(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        // `io::ErrorKind::FilesystemLoop` is not stable; the number is the same on Linux, and another on the BSDs.
        const ELOOP: i32 = if cfg!(any(target_os = "macos", target_os = "ios", target_os = "freebsd")) {
            62
        } else {
            40
        };
        error.raw_os_error() == Some(ELOOP)
    }
    #[cfg(not(unix))]
    {
        let _ = error;
        false
    }
}

fn is_executable(metadata: &Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        metadata.permissions().mode() & 0o100 != 0
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        false
    }
}
