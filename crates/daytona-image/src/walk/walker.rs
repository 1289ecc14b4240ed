//! One thread's part of a walk.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::directory::{self, Directory, Entry};
use super::helpers::Helpers;
use super::{Excluded, Found, Selection, Walk, WalkProblem, Walked};
use crate::ignore::{Decision, Matches, Rule};
use crate::image::Links;

/// Walks directories, and asks other threads to help. Not by recursion: a tree may be deeper than a stack.
pub(super) struct Walker<'a> {
    walk: &'a Walk,
    /// The root without links.
    root: &'a Path,
    helpers: &'a Helpers,
    /// The directories being walked, without links, from the root down: a link to one of them never ends.
    open: Vec<PathBuf>,
    pub(super) result: Walked,
}

/// A directory that is to be walked.
struct Below {
    place: Place,
    /// Its path, without links.
    path: PathBuf,
    /// What it is called below the root.
    name: String,
    /// The rules that match it.
    matches: Matches,
}

/// How a directory is reached without a link.
enum Place {
    /// By its name in the directory in which it was found.
    Entry(OsString),
    /// By its path, from the root on.
    FromRoot,
}

/// Why a link is not followed.
enum Obstacle {
    /// The caller may choose to leave it out.
    Unsendable(WalkProblem),
    Unreadable(io::Error),
    Ignored(Rule),
}

/// A directory that is being walked.
struct Level {
    directory: Directory,
    name: String,
    below: std::vec::IntoIter<Below>,
    before: Count,
}

/// How much was found: of what is worth a word, and of empty directories.
struct Count {
    found: usize,
    empty: usize,
}

impl<'a> Walker<'a> {
    pub(super) fn new(walk: &'a Walk, root: &'a Path, helpers: &'a Helpers) -> Self {
        Self {
            walk,
            root,
            helpers,
            open: vec![root.to_owned()],
            result: Walked::default(),
        }
    }

    /// Walks the root.
    pub(super) fn root(&mut self, directory: Directory) {
        let root = Below {
            place: Place::FromRoot,
            path: self.root.to_owned(),
            name: String::new(),
            matches: Matches::default(),
        };
        self.tree(directory, root);
    }

    /// Begins somewhere below the root.
    pub(super) fn start(&mut self, root: &Directory, name: &str) {
        let rules = &self.walk.rules;
        let ends = name.match_indices('/').map(|(index, _)| index).chain([name.len()]);
        let matches = ends.fold(Matches::default(), |matches, end| rules.enter(&matches, &name[..end]));
        let decision = rules.decision(&matches);
        if decision.is_ignored() && !rules.may_except_below(&matches, name) {
            let rule = decision.rule().cloned();
            return self.exclude(name.to_owned(), rule);
        }
        let path = self.root.join(name);
        if let Err(error) = fs::symlink_metadata(&path) {
            let path = self.shown(name);
            return self.problem(match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => WalkProblem::NotFound { path },
                _ => WalkProblem::Unreadable { path, source: error },
            });
        }
        // Any of its components may be a link.
        if let Some(below) = self.link(&path, name.to_owned(), matches) {
            self.one(root, below);
        }
    }

    /// Walks a directory and all that is below it.
    fn tree(&mut self, directory: Directory, top: Below) {
        let mut levels = vec![self.enter(directory, top)];
        while let Some(level) = levels.last_mut() {
            let Some(below) = level.below.next() else {
                if let Some(level) = levels.pop() {
                    self.leave(level);
                }
                continue;
            };
            match self.open(&level.directory, &below) {
                Ok(directory) => levels.push(self.enter(directory, below)),
                Err(source) => self.unreadable(&below.name, source),
            }
        }
    }

    /// Walks a directory found in another one.
    fn one(&mut self, directory: &Directory, below: Below) {
        match self.open(directory, &below) {
            Ok(directory) => self.tree(directory, below),
            Err(source) => self.unreadable(&below.name, source),
        }
    }

    fn open(&self, directory: &Directory, below: &Below) -> io::Result<Directory> {
        directory::check_length(&below.path)?;
        match &below.place {
            Place::Entry(name) => directory.open(name),
            Place::FromRoot => {
                let path = below.path.strip_prefix(self.root).unwrap_or(&below.path);
                let (parent, last) = self.open_parent(path)?;
                parent.open(last)
            }
        }
    }

    /// Looks at all entries of a directory. Those that are directories are left, unless other threads have walked them.
    fn enter(&mut self, directory: Directory, this: Below) -> Level {
        let before = self.count();
        let Below {
            path, name, matches, ..
        } = this;
        self.open.push(path.clone());
        self.result.directories_read += 1;
        let mut below = Vec::new();
        match directory.names() {
            Ok(mut names) => {
                names.sort();
                for entry in names {
                    below.extend(self.entry(&directory, &path, &name, entry, &matches));
                }
            }
            Err(source) => self.unreadable(&name, source),
        }
        let below = self.share(&directory, below).into_iter();
        Level {
            directory,
            name,
            below,
            before,
        }
    }

    fn leave(&mut self, level: Level) {
        self.open.pop();
        // A directory of which everything is ignored is not worth a word.
        if self.count().found == level.before.found && !level.name.is_empty() && self.takes(&level.name) {
            self.result.empty.truncate(level.before.empty);
            self.result.empty.push(level.name);
        }
    }

    /// Whether what has this name is wanted.
    fn takes(&self, name: &str) -> bool {
        let name = name.trim_start_matches('/');
        self.walk.only.as_ref().is_none_or(|only| only.takes(name))
    }

    fn count(&self) -> Count {
        let Walked {
            files,
            excluded,
            empty,
            skipped,
            problems,
            ..
        } = &self.result;
        Count {
            found: files.len() + excluded.len() + skipped.len() + problems.len(),
            empty: empty.len(),
        }
    }

    /// Walks directories together with other threads, if there are any that are free. Returns what is still to be walked.
    fn share(&mut self, directory: &Directory, below: Vec<Below>) -> Vec<Below> {
        let Some(hired) = self.helpers.hire(below.len()) else {
            return below;
        };
        let (walk, root, helpers, open) = (self.walk, self.root, self.helpers, self.open.clone());
        let another = || Walker {
            walk,
            root,
            helpers,
            open: open.clone(),
            result: Walked::default(),
        };
        for other in hired.share(below, self, another, |walker, below| walker.one(directory, below)) {
            self.result.absorb(other.result);
        }
        Vec::new()
    }

    /// Looks at an entry of a directory; returns it if it is one itself.
    fn entry(
        &mut self,
        directory: &Directory,
        path: &Path,
        parent: &str,
        entry: OsString,
        matches: &Matches,
    ) -> Option<Below> {
        let Some(text) = entry.to_str() else {
            if !self.takes(&format!("{parent}/{}", entry.to_string_lossy())) {
                return None;
            }
            let path = self.shown(parent).join(entry);
            self.problem(WalkProblem::NotUnicode { path });
            return None;
        };
        let name = if parent.is_empty() {
            text.to_owned()
        } else {
            format!("{parent}/{text}")
        };
        let kind = directory.look(&entry);
        let may_hold = |only: &dyn Selection| matches!(kind, Ok(Entry::Directory)) && only.may_hold(&name);
        if !self.takes(&name) && !self.walk.only.as_deref().is_some_and(may_hold) {
            return None;
        }
        let matches = self.walk.rules.enter(matches, &name);
        let excluded = self.walk.rules.decision(&matches);
        if excluded.is_ignored() {
            let may_hold_exceptions =
                matches!(kind, Ok(Entry::Directory)) && self.walk.rules.may_except_below(&matches, &name);
            if !may_hold_exceptions {
                let rule = excluded.rule().cloned();
                self.exclude(name, rule);
                return None;
            }
        }
        let path = path.join(&entry);
        self.meanwhile(&path);
        match kind {
            Ok(Entry::Directory) => {
                let place = Place::Entry(entry);
                return Some(Below {
                    place,
                    path,
                    name,
                    matches,
                });
            }
            Ok(Entry::Link) => return self.link(&path, name, matches),
            Ok(kind) => self.resolved(kind, path, name, &matches),
            Err(source) => self.unreadable(&name, source),
        }
        None
    }

    /// What somebody else may do between two looks, in tests.
    #[cfg(test)]
    fn meanwhile(&self, path: &Path) {
        if let Some(meanwhile) = self.walk.meanwhile {
            meanwhile(path);
        }
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "the place of the seam")]
    fn meanwhile(&self, _path: &Path) {}

    /// Looks at a link; returns the directory that it leads to, if it does.
    fn link(&mut self, path: &Path, name: String, matches: Matches) -> Option<Below> {
        match self.follow(path, &name) {
            Ok((target, Entry::Directory)) => {
                return Some(Below {
                    place: Place::FromRoot,
                    path: target,
                    name,
                    matches,
                });
            }
            Ok((target, kind)) => self.resolved(kind, target, name, &matches),
            Err(Obstacle::Unsendable(problem)) => self.unsendable(problem),
            Err(Obstacle::Unreadable(source)) => self.unreadable(&name, source),
            Err(Obstacle::Ignored(rule)) => self.exclude(name, Some(rule)),
        }
        None
    }

    /// Where a link leads, and what is there.
    fn follow(&self, path: &Path, name: &str) -> Result<(PathBuf, Entry), Obstacle> {
        let shown = self.shown(name);
        let target = match fs::canonicalize(path) {
            Ok(target) => target,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Obstacle::Unsendable(WalkProblem::BrokenLink { path: shown }));
            }
            Err(error) if is_link_loop(&error) => {
                return Err(Obstacle::Unsendable(WalkProblem::LinkLoop { path: shown }));
            }
            Err(error) => return Err(Obstacle::Unreadable(error)),
        };
        self.meanwhile(&target);
        let Ok(below) = target.strip_prefix(self.root) else {
            return Err(Obstacle::Unsendable(WalkProblem::LinkEscape { path: shown, target }));
        };
        if self.open.contains(&target) {
            return Err(Obstacle::Unsendable(WalkProblem::LinkLoop { path: shown }));
        }
        // A link whose target is ignored counts as ignored.
        let target_name = below
            .to_str()
            .map(|below| below.replace(std::path::MAIN_SEPARATOR, "/"));
        let decision = target_name
            .as_deref()
            .filter(|target_name| *target_name != name)
            .map(|target_name| self.walk.rules.decide(target_name));
        if let Some(rule) = decision
            .filter(Decision::is_ignored)
            .and_then(|decision| decision.rule())
        {
            return Err(Obstacle::Ignored(rule.clone()));
        }
        let (parent, last) = self.open_parent(below).map_err(Obstacle::Unreadable)?;
        match parent.look(last).map_err(Obstacle::Unreadable)? {
            // Something was put in its place since.
            Entry::Link => Err(Obstacle::Unsendable(WalkProblem::BrokenLink { path: shown })),
            kind => Ok((target, kind)),
        }
    }

    /// The directory that holds a path below the root, reached without a link, and the path's last component.
    fn open_parent<'p>(&self, below: &'p Path) -> io::Result<(Directory, &'p OsStr)> {
        let mut directory = Directory::open_root(self.root)?;
        let mut names = below.components().filter_map(|component| match component {
            Component::Normal(name) => Some(name),
            _ => None,
        });
        let mut last = names.next().ok_or(io::ErrorKind::NotFound)?;
        for name in names {
            directory = directory.open(last)?;
            last = name;
        }
        Ok((directory, last))
    }

    /// Something that is neither a link nor a directory.
    fn resolved(&mut self, kind: Entry, path: PathBuf, name: String, matches: &Matches) {
        match kind {
            // A directory that was only entered for its exceptions.
            Entry::File { .. } if self.walk.rules.decision(matches).is_ignored() => {
                let rule = self.walk.rules.decision(matches).rule().cloned();
                self.exclude(name, rule);
            }
            Entry::File {
                is_executable,
                fingerprint,
            } => self.result.files.push(Found {
                name,
                source: path,
                is_executable,
                fingerprint,
            }),
            _ => {
                let path = self.shown(&name);
                self.unsendable(WalkProblem::SpecialFile { path });
            }
        }
    }

    fn exclude(&mut self, name: String, rule: Option<Rule>) {
        let path = self.root.join(&name);
        self.result
            .excluded
            .extend(rule.map(|rule| Excluded { name, path, rule }));
    }

    /// What the caller may choose to leave out.
    fn unsendable(&mut self, problem: WalkProblem) {
        match self.walk.links {
            Links::Follow => self.problem(problem),
            Links::Skip => self.result.skipped.push(problem),
        }
    }

    fn unreadable(&mut self, name: &str, source: io::Error) {
        let path = self.shown(name);
        self.problem(WalkProblem::Unreadable { path, source });
    }

    fn problem(&mut self, problem: WalkProblem) {
        self.result.problems.push(problem);
    }

    fn shown(&self, name: &str) -> PathBuf {
        if name.is_empty() {
            self.walk.shown.clone()
        } else {
            self.walk.shown.join(name)
        }
    }
}

/// Whether resolving a path met too many links.
fn is_link_loop(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
    }
    #[cfg(not(unix))]
    {
        let _ = error;
        false
    }
}
