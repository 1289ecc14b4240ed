//! The walk of a local directory. It finds every file to send, what is left out and why, and what cannot be sent.
//!
//! The directory is a boundary. Directories are opened relative to their parents and never through a link, so a link
//! that replaces a directory during the walk leads nowhere. A link is followed as if the directory were the root of the
//! file system: an absolute target begins there, and `..` stops there. No file is opened, in particular no special
//! file. The result does not depend on the order in which the file system lists entries.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use crate::cancel::Cancellation;
use crate::ignore::IgnoreRules;

mod budget;
mod directory;
mod fingerprint;
mod found;
mod helpers;
mod levels;
mod link;
mod names;
mod problem;
mod read;
mod remarks;
mod rules;
mod settings;
mod spelling;
#[cfg(all(test, unix))]
mod tests;
mod walker;
#[cfg(windows)]
mod windows;
mod within;

use budget::{Budget, Limits};
pub use budget::{MOST_ENTRIES, MOST_THROUGH_LINKS};
use directory::Directory;
pub use fingerprint::{Fingerprint, Identity};
pub use found::{Excluded, Found, Walked};
use helpers::Helpers;
pub(crate) use problem::unreadable;
pub use problem::{WalkProblem, shown};
pub use read::{LARGEST_TEXT, ReadError, is_in_use, read_text};
pub use rules::{DOCKERIGNORE, read_rules};
pub use settings::Links;
pub(crate) use settings::Selection;
use settings::Settings;
use walker::{Root, Walker};

/// A walk of a directory, with its options.
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
    /// The components of the path where the walk begins.
    start: Vec<String>,
    cancellation: Cancellation,
    limits: Limits,
    settings: Settings,
}

impl Walk {
    /// A walk of the directory at `root`. Links that lead to it are followed, because the caller named them.
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

    /// Only what is at or below this path, which is relative to the root and `/`-separated. `..` stops at the root.
    /// Names stay relative to the root.
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

    /// Only the selected files.
    pub(crate) fn only(mut self, selection: Arc<impl Selection + 'static>) -> Self {
        self.settings.only = Some(selection);
        self
    }

    /// What to do with links and files that cannot be sent. Default: [`Links::Skip`].
    pub fn links(mut self, links: Links) -> Self {
        self.settings.links = links;
        self
    }

    /// The files to leave out. Default: none.
    pub fn rules(mut self, rules: IgnoreRules) -> Self {
        self.settings.rules = rules;
        self
    }

    /// The name of the root in messages. Default: as it was given.
    pub fn shown_as(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.shown = path.into();
        self
    }

    /// Lets another thread stop the walk. The result then has [`WalkProblem::Cancelled`] among its problems.
    pub fn cancellation(mut self, cancellation: &Cancellation) -> Self {
        self.cancellation = cancellation.clone();
        self
    }

    /// Walks, with a thread for each core if there are many directories.
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
        let rules = self.settings.rules.rules().iter();
        result.doubtful_rules = rules.filter(|rule| rule.is_divided_by_backslash()).cloned().collect();
        result.files.sort_by(|one, other| one.name.cmp(&other.name));
        result.excluded.sort_by(|one, other| one.name.cmp(&other.name));
        result.empty.sort();
        result.followed.sort();
        result.skipped.sort_by(|one, other| one.path().cmp(&other.path()));
        result.problems.sort_by(|one, other| one.path().cmp(&other.path()));
        result
    }
}
