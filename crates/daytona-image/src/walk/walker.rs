//! One thread's part of a walk.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use super::budget::Budget;
use super::directory::{self, Directory, Entry};
use super::found::{Excluded, Walked};
use super::helpers::Helpers;
use super::levels::{Below, Count, Level, Levels, Place};
use super::names::Names;
use super::problem::WalkProblem;
use super::settings::{Links, Selection, Settings};
use super::spelling::{self, Spelling};
use super::within;
use crate::ignore::Rule;

/// The root of a walk.
#[derive(Debug)]
pub(super) struct Root {
    /// Its path without links.
    pub(super) path: PathBuf,
    pub(super) directory: Directory,
}

/// Walks directories, and asks other threads to help. Not by recursion: a tree may be deeper than a stack.
pub(super) struct Walker<'a> {
    pub(super) settings: &'a Settings,
    pub(super) root: &'a Root,
    helpers: &'a Helpers,
    pub(super) budget: &'a Budget<'a>,
    /// The directories being walked, from the root down and without links: a link to one of them never ends.
    pub(super) open: Vec<PathBuf>,
    pub(super) result: Walked,
}

/// How an entry was come to.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Reason {
    /// It lies in a directory that is walked.
    Found,
    /// It is on the way to what was named.
    OnTheWay,
    /// It was named.
    Named,
}

impl<'a> Walker<'a> {
    pub(super) fn new(settings: &'a Settings, root: &'a Root, helpers: &'a Helpers, budget: &'a Budget<'a>) -> Self {
        Self {
            settings,
            root,
            helpers,
            budget,
            open: Vec::new(),
            result: Walked::default(),
        }
    }

    /// Walks what is at these components of a path.
    pub(super) fn walk(&mut self, start: &[String]) {
        let mut this = Below {
            place: Place::FromRoot,
            path: PathBuf::new(),
            names: Names::default(),
        };
        let mut above = self.root.directory.open(OsStr::new("."));
        for (index, name) in start.iter().enumerate() {
            let directory = match above.and_then(|above| self.open(&above, &this)) {
                Ok(directory) => directory,
                Err(source) => return self.unreadable(&this.names.name, source),
            };
            let is_last = index + 1 == start.len();
            let reason = if is_last { Reason::Named } else { Reason::OnTheWay };
            let Some(below) = self.entry(&directory, &this, OsString::from(name), reason) else {
                return;
            };
            self.open.push(std::mem::take(&mut this.path));
            this = below;
            above = Ok(directory);
        }
        match above {
            Ok(above) => self.one(&above, this),
            Err(source) => self.unreadable("", source),
        }
    }

    /// Walks a directory and all that is below it.
    fn tree(&mut self, directory: Directory, top: Below) {
        let mut levels = Levels::new(self.enter(directory, top));
        while let Some(level) = levels.last_mut() {
            let Some(below) = level.below.next() else {
                if let Some(level) = levels.pop() {
                    self.leave(level);
                }
                continue;
            };
            if self.budget.is_over() {
                return;
            }
            let opened = match levels.open_last(&self.root.directory) {
                Ok(Some(directory)) => self.open(directory, &below),
                Ok(None) => continue,
                Err(source) => Err(source),
            };
            match opened {
                Ok(directory) => levels.push(self.enter(directory, below)),
                Err(source) => self.unreadable(&below.names.name, source),
            }
        }
    }

    /// Walks a directory found in another one.
    fn one(&mut self, directory: &Directory, below: Below) {
        match self.open(directory, &below) {
            Ok(directory) => self.tree(directory, below),
            Err(source) => self.unreadable(&below.names.name, source),
        }
    }

    fn open(&self, directory: &Directory, below: &Below) -> io::Result<Directory> {
        directory::check_length(self.root.path.as_os_str().len() + 1 + below.path.as_os_str().len())?;
        directory::check_length(below.names.name.len())?;
        match &below.place {
            Place::Entry(name) => directory.open(name),
            Place::FromRoot => within::open(&self.root.directory, &below.path),
        }
    }

    /// Looks at all entries of a directory. Those that are directories are left, unless other threads have walked them.
    fn enter(&mut self, directory: Directory, this: Below) -> Level {
        let before = self.count();
        self.open.push(this.path.clone());
        self.result.directories_read += 1;
        let mut below = Vec::new();
        match directory.names(self.budget.most_names()) {
            Ok(mut names) => {
                names.sort();
                for name in names {
                    if self.budget.is_over() {
                        break;
                    }
                    below.extend(self.entry(&directory, &this, name, Reason::Found));
                }
            }
            Err(source) => self.unreadable(&this.names.name, source),
        }
        let below = self.share(&directory, below).into_iter();
        Level {
            directory: Some(directory),
            path: this.path,
            is_ignored: this.names.is_ignored,
            name: this.names.name,
            below,
            before,
        }
    }

    fn leave(&mut self, level: Level) {
        self.open.pop();
        // Docker makes every directory that is not ignored, whatever is in it.
        let has_files = self.result.files.len() > level.before.files;
        if !has_files && !level.name.is_empty() && !level.is_ignored && self.takes(&level.name) {
            self.result.empty.truncate(level.before.empty);
            self.result.empty.push(level.name);
        }
    }

    /// Whether what has this name is wanted.
    fn takes(&self, name: &str) -> bool {
        self.settings.only.as_ref().is_none_or(|only| only.takes(name))
    }

    fn count(&self) -> Count {
        Count {
            files: self.result.files.len(),
            empty: self.result.empty.len(),
        }
    }

    /// Walks directories together with other threads, if there are any that are free. Returns what is still to be walked.
    fn share(&mut self, directory: &Directory, below: Vec<Below>) -> Vec<Below> {
        let Some(hired) = self.helpers.hire(below.len()) else {
            return below;
        };
        let (settings, root, helpers, budget, open) =
            (self.settings, self.root, self.helpers, self.budget, self.open.clone());
        let another = || Walker {
            open: open.clone(),
            ..Walker::new(settings, root, helpers, budget)
        };
        for other in hired.share(below, self, another, |walker, below| walker.one(directory, below)) {
            self.result.absorb(other.result);
        }
        Vec::new()
    }

    /// Looks at an entry of a directory; returns it if it is to be walked itself.
    fn entry(&mut self, directory: &Directory, parent: &Below, entry: OsString, reason: Reason) -> Option<Below> {
        let text = entry.to_string_lossy();
        let name = parent.names.name_of(&text);
        let is_taken = reason != Reason::Found || self.takes(&name);
        let may_hold = |only: &dyn Selection| only.may_hold(&name);
        if !is_taken && !self.settings.only.as_deref().is_some_and(may_hold) {
            return None;
        }
        if !self.budget.take(parent.names.is_through_link()) {
            return None;
        }
        let decided = parent.names.decide(&self.settings.rules, &text);
        // A link lies where it lies: only what a directory is entered for can be excepted from this.
        let is_pruned = decided.is_ignored() && !decided.may_except_below(&self.settings.rules);
        if is_pruned && reason == Reason::Found {
            self.exclude(name, decided.decision(), decided.is_by_link());
            return None;
        }
        if entry.to_str().is_none() {
            if is_taken {
                let path = self.shown(&parent.names.name).join(entry);
                self.problem(WalkProblem::NotUnicode { path });
            }
            return None;
        }
        if reason != Reason::Found && !self.is_spelled(directory, &entry, &name) {
            return None;
        }
        let kind = match directory.look(&entry) {
            Ok(kind) => kind,
            Err(source) => {
                let path = self.shown(&name);
                self.problem(match source.kind() {
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory if reason != Reason::Found => {
                        WalkProblem::NotFound { path }
                    }
                    _ => WalkProblem::Unreadable { path, source },
                });
                return None;
            }
        };
        let path = parent.path.join(&entry);
        self.meanwhile(&path);
        match kind {
            Entry::Directory if is_pruned && reason != Reason::OnTheWay => {
                self.exclude(name, decided.decision(), decided.is_by_link());
                None
            }
            Entry::Directory => Some(Below {
                place: Place::Entry(entry),
                path,
                names: decided.into_names(name),
            }),
            _ if !is_taken => None,
            _ if decided.is_ignored() => {
                self.exclude(name, decided.decision(), decided.is_by_link());
                None
            }
            Entry::Link => {
                let names = decided.into_names(name);
                self.link(parent, &entry, names, reason)
            }
            kind => {
                self.resolved(kind, path, name, reason);
                None
            }
        }
    }

    /// Whether what was named has this very name on the disk; else it is a problem.
    fn is_spelled(&mut self, directory: &Directory, entry: &OsStr, name: &str) -> bool {
        let path = self.shown(name);
        match spelling::of(directory, entry, self.budget.most_names()) {
            Ok(Spelling::Exact) => return true,
            Ok(Spelling::Other(other)) => {
                let exists_as = other.to_string_lossy().into_owned();
                self.problem(WalkProblem::OtherSpelling { path, exists_as });
            }
            Ok(Spelling::Missing) => self.problem(WalkProblem::NotFound { path }),
            Err(source) => self.unreadable(name, source),
        }
        false
    }

    /// What somebody else may do between two looks, in tests.
    #[cfg(test)]
    pub(super) fn meanwhile(&self, path: &Path) {
        if let Some(meanwhile) = self.settings.meanwhile {
            meanwhile(&self.root.path.join(path));
        }
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "the place of the seam")]
    pub(super) fn meanwhile(&self, _path: &Path) {}

    pub(super) fn exclude(&mut self, name: String, rule: Option<Rule>, by_link: bool) {
        let path = self.root.path.join(&name);
        self.result.excluded.extend(rule.map(|rule| Excluded {
            name,
            path,
            rule,
            by_link,
        }));
    }

    /// What is left out, unless it was named, or nothing may be.
    pub(super) fn unsendable(&mut self, problem: WalkProblem, reason: Reason) {
        if reason == Reason::Found && self.settings.links == Links::Skip {
            self.result.skipped.push(problem);
        } else {
            self.problem(problem);
        }
    }

    pub(super) fn unreadable(&mut self, name: &str, source: io::Error) {
        // What the budget has to say comes once, at the end.
        if !self.budget.is_over() {
            let path = self.shown(name);
            self.problem(WalkProblem::Unreadable { path, source });
        }
    }

    pub(super) fn problem(&mut self, problem: WalkProblem) {
        self.result.problems.push(problem);
    }

    pub(super) fn shown(&self, name: &str) -> PathBuf {
        if name.is_empty() {
            self.settings.shown.clone()
        } else {
            self.settings.shown.join(name)
        }
    }
}
