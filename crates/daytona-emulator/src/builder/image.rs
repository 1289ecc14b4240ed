//! What is known about an image without running anything.

use std::collections::BTreeMap;
use std::io::{self, Read};

use super::content::Content;
use super::doubt::{Doubt, Unknown};
use super::path::clean;
use super::tree::{Node, Tree};

/// An image, as far as it follows from its Dockerfile and its context: no step was run, and no base image was looked at.
///
/// What `RUN` steps and base images may have made is *unknown*, and [`lookup`](Self::lookup) says so instead of guessing.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct BuiltImage {
    /// Everything that is known, by path without the leading slash.
    pub(super) nodes: BTreeMap<String, Known>,
    /// The steps that may have put anything anywhere, in the order of the build.
    pub(super) unknown: Vec<Unknown>,
    /// The variables that `ENV` sets.
    pub env: BTreeMap<String, String>,
    /// The working directory, if the Dockerfile sets one.
    pub workdir: Option<String>,
    /// The user, if the Dockerfile sets one.
    pub user: Option<String>,
    /// The entrypoint as Docker would start it, if the Dockerfile sets one. The service stores another one: see the
    /// snapshot.
    pub entrypoint: Option<Vec<String>>,
    /// The command as Docker would start it, if the Dockerfile sets one.
    pub cmd: Option<Vec<String>>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Ports, as written.
    pub exposed: Vec<String>,
}

/// What an image has at a path.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Lookup<'a> {
    /// A file.
    File(&'a ImageFile),
    /// A directory.
    Directory,
    /// A link, and the path that it holds.
    Link(&'a str),
    /// A named pipe or a device.
    Special,
    /// Unknown. This is the last step that may have put something there.
    Unknown(&'a Unknown),
    /// Nothing.
    Absent,
}

/// A file of an image.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ImageFile {
    /// Its path, with a leading slash.
    pub path: String,
    /// Its permissions.
    pub mode: u32,
    /// User and group, as numbers if they follow from the Dockerfile, else as `--chown` names them. `None` for root.
    pub owner: Option<String>,
    /// A reason why the file may be different in the real image.
    pub doubt: Option<Doubt>,
    content: Content,
}

impl ImageFile {
    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.content.size()
    }

    /// Its bytes.
    ///
    /// # Errors
    ///
    /// If the archive that contains them cannot be read.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.content.reader()?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Something that is known to be at a path.
#[derive(Debug, Clone)]
pub(super) enum Known {
    File(ImageFile),
    Directory,
    Link(String),
    Special,
    Unknown(Unknown),
}

impl BuiltImage {
    /// Takes over what a stage made. `runs` are the lines of its `RUN` steps: they may have changed what was there before.
    pub(super) fn set_files(&mut self, tree: Tree, runs: &[usize]) {
        let known = tree.into_entries().map(|(path, entry)| {
            let known = match entry.node {
                Node::File(file) => {
                    let line = runs.get(entry.runs).copied();
                    Known::File(ImageFile {
                        path: format!("/{path}"),
                        mode: file.attributes.mode,
                        owner: file.attributes.owner.map(|owner| owner.to_string()),
                        doubt: file.doubt.or(line.map(|line| Doubt::RunAfter { line })),
                        content: file.content,
                    })
                }
                Node::Directory(_) => Known::Directory,
                Node::Link { target, .. } => Known::Link(target.to_string()),
                Node::Special(_) => Known::Special,
                Node::Unknown(unknown) => Known::Unknown(unknown.as_ref().clone()),
            };
            (path, known)
        });
        self.nodes = known.collect();
    }

    /// What is at a path. Does not follow links.
    pub fn lookup(&self, path: &str) -> Lookup<'_> {
        let path = clean(path);
        match self.nodes.get(path.as_str()) {
            Some(Known::File(file)) => return Lookup::File(file),
            Some(Known::Directory) => return Lookup::Directory,
            Some(Known::Link(target)) => return Lookup::Link(target),
            Some(Known::Special) => return Lookup::Special,
            Some(Known::Unknown(unknown)) => return Lookup::Unknown(unknown),
            None if path.is_empty() => return Lookup::Directory,
            None => {}
        }
        // Everything below an unknown path is unknown.
        let mut parents = path.match_indices('/').map(|(index, _)| &path[..index]);
        let unknown = parents.find_map(|parent| match self.nodes.get(parent) {
            Some(Known::Unknown(unknown)) => Some(unknown),
            _ => None,
        });
        let unknown = unknown.or(self.unknown.last());
        unknown.map_or(Lookup::Absent, Lookup::Unknown)
    }

    /// The file at a path, if it is known to be there.
    pub fn file(&self, path: &str) -> Option<&ImageFile> {
        match self.lookup(path) {
            Lookup::File(file) => Some(file),
            _ => None,
        }
    }

    /// All known files, sorted by path.
    pub fn files(&self) -> impl Iterator<Item = &ImageFile> {
        self.nodes.values().filter_map(|node| match node {
            Known::File(file) => Some(file),
            _ => None,
        })
    }

    /// The steps that may have put more into the image, in the order of the build. Empty if everything is known, as for
    /// `FROM scratch` without a `RUN`.
    pub fn unknown(&self) -> &[Unknown] {
        &self.unknown
    }

    /// Paths where something is, but nothing else is known.
    pub fn unknown_paths(&self) -> impl Iterator<Item = (String, &Unknown)> {
        self.nodes.iter().filter_map(|(path, node)| match node {
            Known::Unknown(unknown) => Some((format!("/{path}"), unknown)),
            _ => None,
        })
    }
}
