//! What is known of an image without having run anything.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use crate::storage::Blob;

/// An image, as far as it follows from its Dockerfile and its context: no step was run, and no base image was looked at.
///
/// What `RUN` steps and base images may have made is *unknown*, and [`lookup`](Self::lookup) says so instead of guessing.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct BuiltImage {
    /// Files and directories by their path without the leading slash.
    pub(super) nodes: BTreeMap<Arc<str>, Node>,
    /// What may have put anything anywhere, in the order of the build.
    pub(super) unknown: Vec<Unknown>,
    /// Variables that were set with `ENV`.
    pub env: BTreeMap<String, String>,
    /// The working directory, if the Dockerfile sets one.
    pub workdir: Option<String>,
    /// The user, if the Dockerfile sets one.
    pub user: Option<String>,
    /// The entrypoint as Docker would start it, if the Dockerfile sets one. The service stores another: see the snapshot.
    pub entrypoint: Option<Vec<String>>,
    /// The command as Docker would start it, if the Dockerfile sets one.
    pub cmd: Option<Vec<String>>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Ports, as they were written.
    pub exposed: Vec<String>,
}

/// Something that the emulator cannot know without running it or looking into it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unknown {
    /// What an image from a registry holds.
    BaseImage {
        /// Its name.
        image: String,
    },
    /// What a `RUN` step made.
    Run {
        /// Its line in the Dockerfile.
        line: usize,
    },
    /// What `ADD` got from another place, or out of an archive that the emulator cannot read.
    Added {
        /// Its line in the Dockerfile.
        line: usize,
        /// Where it came from.
        source: String,
    },
    /// What `COPY --from` found where nothing is known.
    Copied {
        /// Its line in the Dockerfile.
        line: usize,
        /// The stage or image, and the path in it.
        source: String,
    },
}

impl fmt::Display for Unknown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BaseImage { image } => write!(formatter, "what the image {image} holds"),
            Self::Run { line } => write!(formatter, "what RUN in line {line} made"),
            Self::Added { line, source } => write!(formatter, "what ADD in line {line} took from {source}"),
            Self::Copied { line, source } => write!(formatter, "what line {line} copied from {source}"),
        }
    }
}

/// What is at a path of an image.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Lookup<'a> {
    /// A file.
    File(&'a ImageFile),
    /// A directory.
    Directory,
    /// Something may be there or not, and this is the last step that may have put it there.
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
    /// What `--chown` said.
    pub owner: Option<String>,
    /// A reason why this may not be what is in the real image.
    pub doubt: Option<Doubt>,
    content: Content,
}

/// A reason why a file may be different in the real image.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Doubt {
    /// A `RUN` step came after it, which may have changed it.
    RunAfter {
        /// The line of the step.
        line: usize,
    },
    /// The target may be a directory of the base image, and the file in it.
    TargetMayBeDirectory,
    /// The target is below the working directory of the base image, and not known; it is shown below the root.
    WorkdirOfBaseImage,
    /// `--chmod` has a form that the emulator does not read.
    Mode,
}

impl fmt::Display for Doubt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RunAfter { line } => write!(formatter, "RUN in line {line} may have changed it"),
            Self::TargetMayBeDirectory => formatter.write_str("its path may be a directory of the base image"),
            Self::WorkdirOfBaseImage => formatter.write_str("it is below the working directory of the base image"),
            Self::Mode => formatter.write_str("its mode was given in a form that the emulator does not read"),
        }
    }
}

impl ImageFile {
    pub(super) fn new(path: &str, mode: u32, owner: Option<String>, content: Content) -> Self {
        Self {
            path: format!("/{path}"),
            mode,
            owner,
            doubt: None,
            content,
        }
    }

    pub(super) fn content(&self) -> &Content {
        &self.content
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.content.size
    }

    /// Its bytes.
    ///
    /// # Errors
    ///
    /// If the archive that holds them cannot be read.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.content.reader()?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl BuiltImage {
    /// What is at a path.
    pub fn lookup(&self, path: &str) -> Lookup<'_> {
        let path = super::assemble::clean(path);
        match self.nodes.get(path.as_str()) {
            Some(Node::File(file)) => return Lookup::File(file),
            Some(Node::Directory) => return Lookup::Directory,
            Some(Node::Unknown(unknown)) => return Lookup::Unknown(unknown),
            None if path.is_empty() || self.has_below(&path) => return Lookup::Directory,
            None => {}
        }
        // Below something unknown everything is.
        let parents = path.match_indices('/').map(|(index, _)| &path[..index]);
        for parent in parents {
            if let Some(Node::Unknown(unknown)) = self.nodes.get(parent) {
                return Lookup::Unknown(unknown);
            }
        }
        self.unknown.last().map_or(Lookup::Absent, Lookup::Unknown)
    }

    /// The file at a path, if one is known to be there.
    pub fn file(&self, path: &str) -> Option<&ImageFile> {
        match self.lookup(path) {
            Lookup::File(file) => Some(file),
            _ => None,
        }
    }

    /// All files that are known, sorted by their paths.
    pub fn files(&self) -> impl Iterator<Item = &ImageFile> {
        self.nodes.values().filter_map(|node| match node {
            Node::File(file) => Some(file),
            _ => None,
        })
    }

    /// What may have put more into the image, in the order of the build. Empty if everything is known, as for
    /// `FROM scratch` without a `RUN`.
    pub fn unknown(&self) -> &[Unknown] {
        &self.unknown
    }

    /// Paths of which only this is known: that something is there.
    pub fn unknown_paths(&self) -> impl Iterator<Item = (String, &Unknown)> {
        self.nodes.iter().filter_map(|(path, node)| match node {
            Node::Unknown(unknown) => Some((format!("/{path}"), unknown)),
            _ => None,
        })
    }

    pub(super) fn has_below(&self, path: &str) -> bool {
        below(&self.nodes, path).next().is_some()
    }

    /// Whether it is known what is not there.
    pub(super) fn is_closed(&self) -> bool {
        self.unknown.is_empty()
    }
}

/// What is below a path, of a map by paths; below the empty path everything is.
pub(super) fn below<'a, K: Ord + Borrow<str>, V>(
    map: &'a BTreeMap<K, V>,
    path: &str,
) -> impl Iterator<Item = (&'a K, &'a V)> {
    let start = if path.is_empty() {
        String::new()
    } else {
        format!("{path}/")
    };
    map.range::<str, _>((Bound::Included(start.as_str()), Bound::Unbounded))
        .take_while(move |(name, _)| (*name).borrow().starts_with(start.as_str()))
}

#[derive(Debug, Clone)]
pub(super) enum Node {
    File(ImageFile),
    Directory,
    Unknown(Unknown),
}

/// Bytes that are in memory, or a piece of an object.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    blob: Blob,
    offset: u64,
    size: u64,
}

impl Content {
    pub(crate) fn inline(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            size: bytes.len() as u64,
            blob: Blob::Memory(bytes),
            offset: 0,
        }
    }

    pub(crate) fn stored(blob: Blob, offset: u64, size: u64) -> Self {
        Self { blob, offset, size }
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn parts(&self) -> (&Blob, u64, u64) {
        (&self.blob, self.offset, self.size)
    }

    pub(crate) fn reader(&self) -> io::Result<io::Take<Box<dyn Read + Send>>> {
        Ok(self.blob.reader(self.offset)?.take(self.size))
    }
}
