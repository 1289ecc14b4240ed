//! What a walk found.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::fingerprint::{self, Fingerprint};
use super::problem::WalkProblem;
use crate::ignore::Rule;

/// What a walk found.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Walked {
    /// The files, sorted by the bytes of their names.
    pub files: Vec<Found>,
    /// What the ignore rules left out, sorted by name. Of a directory that was not looked into only the directory itself.
    pub excluded: Vec<Excluded>,
    /// Directories below the root that are not ignored and have no file to send, except those inside another one.
    pub empty: Vec<String>,
    /// Links, sorted by name: what they lead to is sent in their place, under their own names. Not those that were named.
    pub followed: Vec<String>,
    /// What cannot be sent and was left out because of [`Links::Skip`](super::Links::Skip).
    pub skipped: Vec<WalkProblem>,
    /// What cannot be sent and has to be.
    pub problems: Vec<WalkProblem>,
    /// Rules in which a backslash quotes a letter or digit, where a slash may be meant.
    pub doubtful_rules: Vec<Rule>,
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
    /// Whether its owner may execute it. On Windows, where files do not tell, always.
    pub is_executable: bool,
    /// Its permissions on this system, where it has any and nobody has set others. In the build it is 0755 or 0644.
    pub mode: Option<u32>,
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
    pub(crate) fn one(source: PathBuf, name: String, metadata: &fs::Metadata) -> io::Result<Self> {
        Ok(Self {
            fingerprint: Fingerprint::at(&source, metadata)?,
            name,
            source,
            is_executable: fingerprint::is_executable(fingerprint::mode(metadata)),
            mode: fingerprint::mode(metadata),
        })
    }

    /// Whether the build gives it other permissions than it has here, except for its group's right to write, which depends
    /// on the user's umask.
    pub(super) fn loses_mode(&self) -> bool {
        let canonical = if self.is_executable { 0o755 } else { 0o644 };
        self.mode.is_some_and(|mode| (mode ^ canonical) & !0o020 != 0)
    }

    /// Whether both are read from the same place and have the same mode, under whatever name.
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        self.source == other.source && self.is_executable == other.is_executable
    }
}

impl Walked {
    /// Takes in what another thread has found.
    pub(super) fn absorb(&mut self, other: Self) {
        self.files.extend(other.files);
        self.excluded.extend(other.excluded);
        self.empty.extend(other.empty);
        self.followed.extend(other.followed);
        self.skipped.extend(other.skipped);
        self.problems.extend(other.problems);
        self.directories_read += other.directories_read;
    }
}
