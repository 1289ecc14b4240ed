//! The walk of a local folder: every file that would be sent, what is left out and why, and what cannot be sent.
//!
//! The folder is a boundary. Directories are opened relative to their parents and never through a link, so that a link which
//! is put in place of a directory during the walk leads nowhere. A link is followed only if its target, resolved by the file
//! system, lies inside. Files are not opened at all, special files least of all. The result does not depend on the order in
//! which the file system lists entries.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use crate::ignore::{IgnoreRules, Rule};
use crate::image::Links;

mod directory;
mod fingerprint;
mod helpers;
mod problem;
mod read;
mod rules;
#[cfg(all(test, unix))]
mod tests;
mod walker;
mod within;

use directory::Directory;
pub use fingerprint::{Fingerprint, Identity};
use helpers::Helpers;
pub use problem::WalkProblem;
pub(crate) use problem::unreadable;
pub use read::{LARGEST_TEXT, ReadError, read_text};
pub use rules::{DOCKERIGNORE, read_rules};
use walker::Walker;

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
    shown: PathBuf,
    links: Links,
    rules: IgnoreRules,
    start: String,
    only: Option<Arc<dyn Selection>>,
    /// Called with a path after it was looked at and before it is opened.
    #[cfg(test)]
    meanwhile: Option<fn(&std::path::Path)>,
}

/// What a walk is after, where that is not all of a folder. Names are relative to the root and `/`-separated.
pub(crate) trait Selection: std::fmt::Debug + Send + Sync {
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
    /// Directories below the root without any file to send, but for those inside of another.
    pub empty: Vec<String>,
    /// What was left out because of [`Links::Skip`].
    pub skipped: Vec<WalkProblem>,
    /// What cannot be sent.
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

    /// Whether both are read from the same place, under whatever name.
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Walk {
    /// A walk of the folder at `root`. Links that lead to it are followed: to name it is to agree.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self {
            shown: root.clone(),
            root,
            links: Links::default(),
            rules: IgnoreRules::none(),
            start: String::new(),
            only: None,
            #[cfg(test)]
            meanwhile: None,
        }
    }

    /// Only what is at or below this path, relative to the root and `/`-separated. Names stay relative to the root.
    pub fn below(mut self, path: impl Into<String>) -> Self {
        self.start = path.into();
        self
    }

    /// Only what is selected.
    pub(crate) fn only(mut self, selection: impl Selection + 'static) -> Self {
        self.only = Some(Arc::new(selection));
        self
    }

    /// What to do with links. Default: [`Links::Follow`].
    pub fn links(mut self, links: Links) -> Self {
        self.links = links;
        self
    }

    /// What to leave out. Default: nothing.
    pub fn rules(mut self, rules: IgnoreRules) -> Self {
        self.rules = rules;
        self
    }

    /// How the root is called in messages. Default: as it was given.
    pub fn shown_as(mut self, path: impl Into<PathBuf>) -> Self {
        self.shown = path.into();
        self
    }

    /// Walks, with a thread for each core where there are many directories.
    pub fn run(&self) -> Walked {
        self.run_with(&Helpers::of_this_machine())
    }

    fn run_with(&self, helpers: &Helpers) -> Walked {
        let opened = fs::canonicalize(&self.root)
            .and_then(|root| Directory::open_root(&root).map(|directory| (root, directory)));
        let (root, directory) = match opened {
            Ok(opened) => opened,
            Err(source) => {
                let mut walked = Walked::default();
                let path = self.shown.clone();
                walked.problems.push(WalkProblem::Unreadable { path, source });
                return walked;
            }
        };
        let mut walker = Walker::new(self, &root, helpers);
        if self.start.is_empty() {
            walker.root(directory);
        } else {
            walker.start(&directory, &self.start);
        }
        let mut result = walker.result;
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
