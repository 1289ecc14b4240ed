//! The walk of a local folder: every file that would be sent, what is left out and why, and what cannot be sent.
//!
//! The folder is a boundary. Directories are opened relative to their parents and never through a link, so that a link which
//! is put in place of a directory during the walk leads nowhere. A link is followed with the folder as the root of everything:
//! an absolute target begins there, and `..` ends there. Files are not opened at all, special files least of all. The result
//! does not depend on the order in which the file system lists entries.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use crate::cancel::Cancellation;
use crate::ignore::{IgnoreRules, Rule};

mod budget;
mod directory;
mod fingerprint;
mod helpers;
mod names;
mod problem;
mod read;
mod remarks;
mod rules;
#[cfg(all(test, unix))]
mod tests;
mod walker;
mod within;

use budget::{Budget, Limits};
pub use budget::{MOST_ENTRIES, MOST_THROUGH_LINKS};
use directory::Directory;
pub use fingerprint::{Fingerprint, Identity};
use helpers::Helpers;
pub use problem::WalkProblem;
pub(crate) use problem::unreadable;
pub use read::{LARGEST_TEXT, ReadError, read_text};
pub use rules::{DOCKERIGNORE, read_rules};
use walker::{Root, Walker};

/// What to do with what cannot be sent below a folder: a link that leads out of it, to nothing, or back to a folder that it
/// lies in, and a FIFO, socket or device.
///
/// Other links are sent as what they lead to, under their own names: the service has no links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Links {
    /// It is left out, with one warning that lists all of it. It is an error nevertheless where it is named itself. The default.
    #[default]
    Skip,
    /// It is an error.
    Strict,
}

/// A walk of a folder, with its options.
///
/// ```
/// use daytona_image::ignore::IgnoreRules;
/// use daytona_image::walk::Walk;
///
/// # let folder = tempfile::tempdir()?;
/// # std::fs::write(folder.path().join("a.py"), "")?;
/// # std::fs::write(folder.path().join("a.pyc"), "")?;
/// let walked = Walk::new(folder.path()).rules(IgnoreRules::new(["*.pyc"])?).run();
/// assert_eq!(walked.files[0].name, "a.py");
/// assert_eq!(walked.excluded[0].name, "a.pyc");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Walk {
    root: PathBuf,
    /// The components of the path at which the walk begins.
    start: Vec<String>,
    cancellation: Cancellation,
    limits: Limits,
    settings: Settings,
}

/// What holds for all of a walk.
#[derive(Debug, Clone)]
struct Settings {
    shown: PathBuf,
    links: Links,
    rules: IgnoreRules,
    only: Option<Arc<dyn Selection>>,
    /// Called with a path after it was looked at and before it is opened.
    #[cfg(test)]
    meanwhile: Option<fn(&std::path::Path)>,
}

/// What a walk is after, where that is not all of a folder. Names are relative to the root and `/`-separated.
pub(crate) trait Selection: fmt::Debug + Send + Sync {
    /// Whether the file of this name is wanted, or all of the folder.
    fn takes(&self, name: &str) -> bool;

    /// Whether something below the folder of this name may be wanted. Links on the way to it are not followed.
    fn may_hold(&self, folder: &str) -> bool;
}

/// What a walk found.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Walked {
    /// The files, sorted by the bytes of their names.
    pub files: Vec<Found>,
    /// What the ignore rules left out, sorted by name. Of a directory that was not looked into only the directory itself.
    pub excluded: Vec<Excluded>,
    /// Directories below the root that are not ignored and have no file to send, but for those inside of another.
    pub empty: Vec<String>,
    /// What cannot be sent and was left out because of [`Links::Skip`].
    pub skipped: Vec<WalkProblem>,
    /// What cannot be sent and has to be.
    pub problems: Vec<WalkProblem>,
    /// How many directories were read.
    pub directories_read: usize,
}

/// A file that a walk found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// Its path below the root, `/`-separated.
    pub name: String,
    /// Where to read it: a path without links, as it was when the walk resolved them.
    pub source: PathBuf,
    /// Whether its owner may execute it.
    pub is_executable: bool,
    /// What it was like.
    pub fingerprint: Fingerprint,
}

/// Something that the ignore rules left out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Excluded {
    /// Its path below the root, `/`-separated.
    pub name: String,
    /// The local path itself.
    pub path: PathBuf,
    /// The rule that decided.
    pub rule: Rule,
    /// Whether the rule only matches the name that it has through a link. Docker would send it, as the link's target.
    pub by_link: bool,
}

impl Found {
    /// The one file at `source`, a path without links.
    pub(crate) fn one(source: PathBuf, name: String, metadata: &fs::Metadata) -> Self {
        Self {
            name,
            source,
            is_executable: fingerprint::is_executable(metadata),
            fingerprint: Fingerprint::of(metadata),
        }
    }

    /// Whether both are read from the same place and have the same mode, under whatever name.
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        self.source == other.source && self.is_executable == other.is_executable
    }
}

impl Walk {
    /// A walk of the folder at `root`. Links that lead to it are followed: to name it is to agree.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self {
            start: Vec::new(),
            cancellation: Cancellation::new(),
            limits: Limits::default(),
            settings: Settings {
                shown: root.clone(),
                links: Links::default(),
                rules: IgnoreRules::none(),
                only: None,
                #[cfg(test)]
                meanwhile: None,
            },
            root,
        }
    }

    /// Only what is at or below this path, relative to the root and `/`-separated; `..` ends at the root. Names stay relative to
    /// the root.
    pub fn below(mut self, path: impl AsRef<str>) -> Self {
        self.start = Vec::new();
        for name in path.as_ref().split('/') {
            match name {
                "" | "." => {}
                ".." => drop(self.start.pop()),
                name => self.start.push(name.to_owned()),
            }
        }
        self
    }

    /// Only what is selected.
    pub(crate) fn only(mut self, selection: impl Selection + 'static) -> Self {
        self.settings.only = Some(Arc::new(selection));
        self
    }

    /// What to do with what cannot be sent. Default: [`Links::Skip`].
    pub fn links(mut self, links: Links) -> Self {
        self.settings.links = links;
        self
    }

    /// What to leave out. Default: nothing.
    pub fn rules(mut self, rules: IgnoreRules) -> Self {
        self.settings.rules = rules;
        self
    }

    /// How the root is called in messages. Default: as it was given.
    pub fn shown_as(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.shown = path.into();
        self
    }

    /// Lets another thread stop the walk. What was found until then has [`WalkProblem::Cancelled`] among its problems.
    pub fn cancellation(mut self, cancellation: &Cancellation) -> Self {
        self.cancellation = cancellation.clone();
        self
    }

    /// Walks, with a thread for each core where there are many directories.
    pub fn run(&self) -> Walked {
        self.run_with(&Helpers::of_this_machine())
    }

    fn run_with(&self, helpers: &Helpers) -> Walked {
        let opened = fs::canonicalize(&self.root)
            .and_then(|path| Directory::open_root(&path).map(|directory| Root { path, directory }));
        let shown = &self.settings.shown;
        let root = match opened {
            Ok(root) => root,
            Err(source) => {
                let mut walked = Walked::default();
                let path = shown.clone();
                walked.problems.push(WalkProblem::Unreadable { path, source });
                return walked;
            }
        };
        let budget = Budget::new(self.limits, &self.cancellation);
        let mut walker = Walker::new(&self.settings, &root, helpers, &budget);
        walker.walk(&self.start);
        let mut result = walker.result;
        result.problems.extend(budget.problem(shown));
        result.files.sort_by(|one, other| one.name.cmp(&other.name));
        result.excluded.sort_by(|one, other| one.name.cmp(&other.name));
        result.empty.sort();
        result.skipped.sort_by(|one, other| one.path().cmp(&other.path()));
        result.problems.sort_by(|one, other| one.path().cmp(&other.path()));
        result
    }
}

impl Walked {
    /// Takes in what another thread has found.
    fn absorb(&mut self, other: Self) {
        self.files.extend(other.files);
        self.excluded.extend(other.excluded);
        self.empty.extend(other.empty);
        self.skipped.extend(other.skipped);
        self.problems.extend(other.problems);
        self.directories_read += other.directories_read;
    }
}
