//! The walk of a local folder: every file that would be sent, what is left out and why, and what cannot be sent.
//!
//! The folder is a boundary. Directories are opened relative to their parents and never through a link, so that a link which
//! is put in place of a directory during the walk leads nowhere. A link is followed only if its target, resolved by the file
//! system, lies inside. Files are not opened at all, special files least of all. The result does not depend on the order in
//! which the file system lists entries.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::ignore::{Decision, IgnoreRules, Matches, Rule};
use crate::local::Links;
use crate::problem::ProblemKind;

mod directory;
mod fingerprint;
#[cfg(all(test, unix))]
mod tests;

use directory::{Directory, Entry};
pub use fingerprint::Fingerprint;

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
    /// Called with a path after it was looked at and before it is opened.
    #[cfg(test)]
    meanwhile: Option<fn(&Path)>,
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
    pub skipped: Vec<ProblemKind>,
    /// What cannot be sent.
    pub problems: Vec<ProblemKind>,
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
            #[cfg(test)]
            meanwhile: None,
        }
    }

    /// Only what is at or below this path, relative to the root and `/`-separated. Names stay relative to the root.
    pub fn below(mut self, path: impl Into<String>) -> Self {
        self.start = path.into();
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

    /// Walks.
    pub fn run(&self) -> Walked {
        let mut walked = Walked::default();
        let opened = fs::canonicalize(&self.root)
            .and_then(|root| Directory::open_root(&root).map(|directory| (root, directory)));
        let (root, directory) = match opened {
            Ok(opened) => opened,
            Err(source) => {
                let path = self.shown.clone();
                walked.problems.push(ProblemKind::Unreadable { path, source });
                return walked;
            }
        };
        let mut walker = Walker {
            walk: self,
            root: &root,
            open: vec![root.clone()],
            result: walked,
        };
        if self.start.is_empty() {
            walker.directory(&directory, &root, "", &Matches::default());
        } else {
            walker.start(&self.start);
        }
        let mut result = walker.result;
        result.files.sort_by(|one, other| one.name.cmp(&other.name));
        result.excluded.sort_by(|one, other| one.name.cmp(&other.name));
        result.empty.sort();
        result
    }
}

struct Walker<'a> {
    walk: &'a Walk,
    /// The root without links.
    root: &'a Path,
    /// The directories being walked, without links, from the root down: a link to one of them never ends.
    open: Vec<PathBuf>,
    result: Walked,
}

impl Walker<'_> {
    /// Begins somewhere below the root.
    fn start(&mut self, name: &str) {
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
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ProblemKind::NotFound { path, base: None },
                _ => ProblemKind::Unreadable { path, source: error },
            });
        }
        // Any of its components may be a link.
        self.link(&path, name.to_owned(), &matches);
    }

    /// Walks a directory; `name` is its path below the root, `matches` the rules that match it.
    fn directory(&mut self, directory: &Directory, path: &Path, name: &str, matches: &Matches) {
        let before = (
            self.result.files.len(),
            self.result.problems.len(),
            self.result.skipped.len(),
        );
        let empty_before = self.result.empty.len();
        let excluded_before = self.result.excluded.len();
        self.result.directories_read += 1;
        match directory.names() {
            Ok(mut names) => {
                names.sort();
                for entry in names {
                    self.entry(directory, path, name, &entry, matches);
                }
            }
            Err(source) => self.problem(ProblemKind::Unreadable {
                path: self.shown(name),
                source,
            }),
        }
        let after = (
            self.result.files.len(),
            self.result.problems.len(),
            self.result.skipped.len(),
        );
        // A directory of which everything is ignored is not worth a word.
        if after == before && self.result.excluded.len() == excluded_before && !name.is_empty() {
            self.result.empty.truncate(empty_before);
            self.result.empty.push(name.to_owned());
        }
    }

    fn entry(&mut self, directory: &Directory, path: &Path, parent: &str, entry: &OsStr, matches: &Matches) {
        let Some(text) = entry.to_str() else {
            let path = self.shown(parent).join(entry);
            return self.problem(ProblemKind::NotUnicode { path });
        };
        let name = if parent.is_empty() {
            text.to_owned()
        } else {
            format!("{parent}/{text}")
        };
        let matches = self.walk.rules.enter(matches, &name);
        let excluded = self.walk.rules.decision(&matches);
        let kind = directory.look(entry);
        if excluded.is_ignored() {
            let may_hold_exceptions =
                matches!(kind, Ok(Entry::Directory)) && self.walk.rules.may_except_below(&matches, &name);
            if !may_hold_exceptions {
                let rule = excluded.rule().cloned();
                return self.exclude(name, rule);
            }
        }
        let path = path.join(entry);
        self.meanwhile(&path);
        match kind {
            Ok(Entry::Link) => self.link(&path, name, &matches),
            Ok(kind) => self.resolved(kind, || directory.open(entry), path, name, &matches),
            Err(source) => self.problem(ProblemKind::Unreadable {
                path: self.shown(&name),
                source,
            }),
        }
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

    fn link(&mut self, path: &Path, name: String, matches: &Matches) {
        let shown = self.shown(&name);
        let target = match fs::canonicalize(path) {
            Ok(target) => target,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return self.unsendable(ProblemKind::BrokenLink { path: shown });
            }
            Err(error) if is_link_loop(&error) => return self.unsendable(ProblemKind::LinkLoop { path: shown }),
            Err(source) => return self.problem(ProblemKind::Unreadable { path: shown, source }),
        };
        self.meanwhile(&target);
        let Ok(below) = target.strip_prefix(self.root) else {
            return self.unsendable(ProblemKind::LinkEscape { path: shown, target });
        };
        if self.open.contains(&target) {
            return self.unsendable(ProblemKind::LinkLoop { path: shown });
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
            let rule = rule.clone();
            return self.exclude(name, Some(rule));
        }
        match self.open_parent(below) {
            Ok((parent, last)) => match parent.look(last) {
                // Something was put in its place since.
                Ok(Entry::Link) => self.unsendable(ProblemKind::BrokenLink { path: shown }),
                Ok(kind) => self.resolved(kind, || parent.open(last), target.clone(), name, matches),
                Err(source) => self.problem(ProblemKind::Unreadable { path: shown, source }),
            },
            Err(source) => self.problem(ProblemKind::Unreadable { path: shown, source }),
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

    /// Something that is no link.
    fn resolved(
        &mut self,
        kind: Entry,
        open: impl FnOnce() -> io::Result<Directory>,
        path: PathBuf,
        name: String,
        matches: &Matches,
    ) {
        match kind {
            Entry::Directory => match open() {
                Ok(directory) => {
                    self.open.push(path.clone());
                    self.directory(&directory, &path, &name, matches);
                    self.open.pop();
                }
                Err(source) => self.problem(ProblemKind::Unreadable {
                    path: self.shown(&name),
                    source,
                }),
            },
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
            Entry::Link | Entry::Special => {
                let path = self.shown(&name);
                self.unsendable(ProblemKind::SpecialFile { path });
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
    fn unsendable(&mut self, problem: ProblemKind) {
        match self.walk.links {
            Links::Follow => self.problem(problem),
            Links::Skip => self.result.skipped.push(problem),
        }
    }

    fn problem(&mut self, problem: ProblemKind) {
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
