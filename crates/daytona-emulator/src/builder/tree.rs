//! A tree of files: the context of a build, or the files of a stage.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use super::content::Content;
use super::doubt::{Doubt, Unknown};

/// How many links a path may lead through.
const MOST_LINKS: usize = 255;

/// How long a path may be, as on Linux.
const LONGEST_PATH: usize = 4096;

/// Files, directories and links by their paths. The root is always there.
///
/// Paths have no leading slash. They are kept with NUL in place of the slash, so that what is in a directory follows it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tree {
    entries: BTreeMap<Arc<str>, Entry>,
}

/// Something in a tree.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) node: Node,
    /// How many `RUN` steps came before it.
    pub(crate) runs: usize,
}

#[derive(Debug, Clone)]
pub(crate) enum Node {
    File(File),
    Directory(Attributes),
    Link {
        target: Arc<str>,
        owner: Owner,
    },
    /// A named pipe or a device.
    Special(Attributes),
    Unknown(Arc<Unknown>),
}

/// User and group, as numbers or as they were written; `None` is root.
pub(crate) type Owner = Option<Arc<str>>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub(crate) mode: u32,
    pub(crate) owner: Owner,
}

impl Attributes {
    pub(crate) fn new(mode: u32, owner: Owner) -> Self {
        Self { mode, owner }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) attributes: Attributes,
    pub(crate) doubt: Option<Doubt>,
    pub(crate) content: Content,
}

impl Node {
    pub(crate) fn is_directory(&self) -> bool {
        matches!(self, Self::Directory(_))
    }
}

/// Why a path cannot be resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Astray {
    NotADirectory,
    TooManyLinks,
    TooLong,
}

impl fmt::Display for Astray {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotADirectory => "not a directory",
            Self::TooManyLinks => "too many links",
            Self::TooLong => "file name too long",
        })
    }
}

/// Where a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) path: String,
    /// Whether the way goes through something that is not known.
    pub(crate) is_unknown: bool,
}

fn key(path: &str) -> Cow<'_, str> {
    if path.contains('\0') {
        Cow::Owned(path.replace('\0', "\u{fffd}").replace('/', "\0"))
    } else if path.contains('/') {
        Cow::Owned(path.replace('/', "\0"))
    } else {
        Cow::Borrowed(path)
    }
}

impl Tree {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn get(&self, path: &str) -> Option<&Entry> {
        self.entries.get(key(path).as_ref())
    }

    pub(crate) fn node(&self, path: &str) -> Option<&Node> {
        self.get(path).map(|entry| &entry.node)
    }

    /// Whether it is the root, or a directory.
    pub(crate) fn is_directory(&self, path: &str) -> bool {
        path.is_empty() || self.node(path).is_some_and(Node::is_directory)
    }

    pub(crate) fn insert(&mut self, path: &str, node: Node, runs: usize) {
        self.entries.insert(key(path).into(), Entry { node, runs });
    }

    /// Removes what is at a path and below it.
    pub(crate) fn remove(&mut self, path: &str) {
        let key = key(path);
        self.entries.remove(key.as_ref());
        let below: Vec<Arc<str>> = self.range(&key).map(|(path, _)| Arc::clone(path)).collect();
        for path in below {
            self.entries.remove(&path);
        }
    }

    /// Everything below a path, by its path from there on; a directory comes before what is in it.
    pub(crate) fn below(&self, path: &str) -> impl Iterator<Item = (String, &Entry)> {
        let key = key(path);
        let start = if key.is_empty() { 0 } else { key.len() + 1 };
        self.range(&key)
            .map(move |(path, entry)| (path[start..].replace('\0', "/"), entry))
    }

    pub(crate) fn has_below(&self, path: &str) -> bool {
        let key = key(path);
        self.range(&key).next().is_some()
    }

    fn range(&self, key: &str) -> impl Iterator<Item = (&Arc<str>, &Entry)> + use<'_> {
        let start = if key.is_empty() {
            String::new()
        } else {
            format!("{key}\0")
        };
        self.entries
            .range::<str, _>((Bound::Included(start.as_str()), Bound::Unbounded))
            .take_while(move |(path, _)| path.starts_with(&start))
    }

    /// Everything, by its path.
    pub(crate) fn into_entries(self) -> impl Iterator<Item = (String, Entry)> {
        let entries = self.entries.into_iter();
        entries.map(|(path, entry)| (path.replace('\0', "/"), entry))
    }

    /// Follows the links of a path below a directory, which they cannot leave. What is not there is part of the result.
    pub(crate) fn resolve(&self, root: &str, path: &str, follows_last: bool) -> Result<Place, Astray> {
        let mut place = Place {
            path: root.to_owned(),
            is_unknown: false,
        };
        let mut links = 0;
        // The names that are left, the next one last.
        let mut names: Vec<String> = Vec::new();
        push_names(&mut names, path);
        while let Some(name) = names.pop() {
            if name == ".." {
                let parent = place.path.rfind('/').unwrap_or(0);
                if place.path != root {
                    place.path.truncate(parent);
                }
                continue;
            }
            let before = place.path.len();
            if before > 0 {
                place.path.push('/');
            }
            place.path.push_str(&name);
            if place.path.len() > LONGEST_PATH {
                return Err(Astray::TooLong);
            }
            match self.node(&place.path) {
                Some(Node::Link { target, .. }) if follows_last || !names.is_empty() => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(Astray::TooManyLinks);
                    }
                    place
                        .path
                        .truncate(if target.starts_with('/') { root.len() } else { before });
                    push_names(&mut names, target);
                }
                Some(Node::File(_) | Node::Special(_) | Node::Link { .. }) if !names.is_empty() => {
                    return Err(Astray::NotADirectory);
                }
                Some(Node::Unknown(_)) => place.is_unknown = true,
                _ => {}
            }
        }
        Ok(place)
    }
}

fn push_names(names: &mut Vec<String>, path: &str) {
    let new = path.split('/').filter(|name| !name.is_empty() && *name != ".");
    names.extend(new.rev().map(ToOwned::to_owned));
}
