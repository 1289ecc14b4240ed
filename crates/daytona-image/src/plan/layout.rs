//! The one tree into which the server merges all that is sent.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use crate::escape;
use crate::image::archive_name::{NEUTRAL, Place, RESERVED, covers, is_taken};
use crate::plan::advice;
use crate::plan::effort::Effort;
use crate::plan::files::Taken;
use crate::plan::resolve::Source;
use crate::problem::ProblemKind;
use crate::walk::{Found, read_text};

/// Gives each local source its place, so that one name has one content and no `COPY` takes in what another step brought.
///
/// What the caller's own lines copy stays where it is, as they cannot be rewritten; it has to be there first.
pub(crate) struct Tree<'a> {
    /// Whether all sources are the root of the context, with the same files: then nothing else can be taken in.
    is_all_one: bool,
    /// The root of each placed source.
    roots: HashMap<String, usize>,
    /// Each member, and the step that brought it first.
    members: BTreeMap<String, (usize, &'a Found)>,
    /// Members of the root whose name means something to the server, and the step that brought them.
    reserved: Vec<(usize, String, &'a Found)>,
    raws: Vec<(usize, &'a Taken)>,
    /// The files that Dockerfiles were read from, and what these hold.
    dockerfiles: Vec<&'a (PathBuf, String)>,
    effort: &'a Effort,
}

impl<'a> Tree<'a> {
    /// An empty tree for these sources and Dockerfiles.
    pub(crate) fn new(
        mut sources: impl Iterator<Item = &'a Source>,
        dockerfiles: impl Iterator<Item = &'a (PathBuf, String)>,
        effort: &'a Effort,
    ) -> Self {
        let first = sources.next();
        Self {
            is_all_one: first.is_some_and(|first| {
                sources.all(|source| source.place == first.place && source.walked.files == first.walked.files)
            }),
            roots: HashMap::new(),
            members: BTreeMap::new(),
            reserved: Vec::new(),
            raws: Vec::new(),
            dockerfiles: dockerfiles.collect(),
            effort,
        }
    }

    /// Puts in what lines of the caller's own copy, under the names that they have there.
    pub(crate) fn place_raw(&mut self, number: usize, raw: &'a Taken) {
        for found in &raw.walked.files {
            self.members.entry(found.name.clone()).or_insert((number, found));
        }
        self.reserved
            .extend(raw.reserved.iter().map(|found| (number, found.name.clone(), found)));
        self.is_all_one &= raw.wants.is_empty();
        self.raws.push((number, raw));
    }

    /// Puts the source into the tree and returns the path that `COPY` has to name.
    pub(crate) fn place(&mut self, number: usize, source: &'a Source) -> String {
        let root = match &source.place {
            Place::Own(root) if self.has_room(root, source) => root.clone(),
            _ if source.last.is_empty() => format!("{NEUTRAL}/{number}"),
            _ => format!("{NEUTRAL}/{number}/{}", source.last),
        };
        for (name, found) in source.below(&root) {
            if RESERVED.contains(&name.as_str()) {
                self.reserved.push((number, name, found));
            } else {
                self.members.entry(name).or_insert((number, found));
            }
        }
        self.roots.entry(root.clone()).or_insert(number);
        root
    }

    /// Whether the source can be at `root` without meeting another one.
    fn has_room(&self, root: &str, source: &Source) -> bool {
        if root.is_empty() {
            // `COPY .` takes in everything: it has to be the only one. A directory of a reserved name would clash with the
            // server's own file.
            let is_clash = |found: &Found| RESERVED.iter().any(|name| found.name.starts_with(&format!("{name}/")));
            return self.is_all_one && !source.walked.files.iter().any(is_clash);
        }
        if is_taken(root) {
            return false;
        }
        let own: HashMap<String, &Found> = source.below(root).collect();
        // What is there already below this root must be ours too.
        let mut below = self
            .members
            .range(root.to_owned()..)
            .take_while(|(name, _)| name.starts_with(root));
        let takes_in_others = below.any(|(name, (_, found))| {
            covers(root, name) && !own.get(name).is_some_and(|mine| mine.is_same_file(found))
        });
        // And what we bring must not add to what another step copies.
        let is_copied = ancestors(root).any(|ancestor| self.roots.contains_key(ancestor));
        let is_copied_by_raw = |name: &str| self.raws.iter().any(|(_, raw)| raw.wants.covers(name, self.effort));
        let adds = own.iter().any(|(name, found)| {
            let is_there = self
                .members
                .get(name)
                .is_some_and(|(_, there)| there.is_same_file(found));
            !is_there && (is_copied || is_copied_by_raw(name))
        });
        !takes_in_others && !adds
    }

    /// What the tree holds, sorted by the bytes of the names.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, &'a Found)> {
        self.members.iter().map(|(name, (_, found))| (name.as_str(), *found))
    }

    /// The step and a message for what looks like a secret, once for each directory that is known for them.
    pub(crate) fn secrets(&self) -> Vec<(usize, String)> {
        const SHOWN: usize = 10;
        let mut parts: Vec<(usize, &str)> = Vec::new();
        for (name, (number, _)) in &self.members {
            let part = advice::secret_part(name).map(|part| (*number, part));
            parts.extend(part.filter(|part| parts.last() != Some(part)));
        }
        let message = |part: &str| {
            format!("`{part}` looks like a secret: leave it out with `.dockerignore` unless it has to be sent")
        };
        parts
            .iter()
            .take(SHOWN)
            .map(|(number, part)| (*number, message(part)))
            .collect()
    }

    /// A message on a tree of more bytes than this, with its largest files.
    pub(crate) fn oversize(&self, limit: u64) -> Option<String> {
        const SHOWN: usize = 5;
        let members = self.members();
        let mut sizes: Vec<(u64, &str)> = members.map(|(name, found)| (found.fingerprint.size(), name)).collect();
        let total: u64 = sizes.iter().map(|(size, _)| size).sum();
        if total <= limit {
            return None;
        }
        sizes.sort_by(|one, other| other.cmp(one));
        let largest: Vec<String> = sizes
            .iter()
            .take(SHOWN)
            .map(|(size, name)| format!("`{}` ({size})", escape::text(name)))
            .collect();
        Some(format!(
            "the context has {total} bytes, over {limit}; its largest files: {}",
            largest.join(", ")
        ))
    }

    /// The steps whose own lines would copy what another step brought, or that have another content under its name.
    pub(crate) fn overlaps(&self) -> Vec<(usize, ProblemKind)> {
        let mut problems = Vec::new();
        for (number, raw) in &self.raws {
            let own: HashMap<&str, &Found> = raw
                .walked
                .files
                .iter()
                .map(|found| (found.name.as_str(), found))
                .collect();
            let overlap = self.members.iter().find(|(name, (other, found))| {
                let mine = own.get(name.as_str());
                let is_other = other != number && !mine.is_some_and(|mine| mine.is_same_file(found));
                is_other && (mine.is_some() || raw.wants.covers(name, self.effort))
            });
            if let Some((name, (other, _))) = overlap {
                let problem = ProblemKind::ContextsOverlap {
                    other: *other,
                    name: name.clone(),
                };
                problems.push((*number, problem));
            }
        }
        problems
    }

    /// The step and a message for each file that its name keeps out of the tree, and for the generated Dockerfile that
    /// takes its place. A Dockerfile that is the generated one to the byte is not missed.
    pub(crate) fn displaced(&self, dockerfile: &str) -> Vec<(usize, String)> {
        let mut notes = Vec::new();
        for (number, name, found) in &self.reserved {
            let is_dockerfile = name == RESERVED[0];
            if is_dockerfile && self.is_text(found, dockerfile) {
                continue;
            }
            let what = if is_dockerfile {
                "the generated Dockerfile replaces it"
            } else {
                "it is left out"
            };
            let message = format!(
                "`{name}` has a special meaning at the root of a build context, so {what}; copy its directory with its own path to keep it"
            );
            notes.push((*number, message));
        }
        for (number, raw) in &self.raws {
            let brought = |(other, name, _): &(usize, String, &Found)| other == number && name == RESERVED[0];
            if raw.wants.covers(RESERVED[0], self.effort) && !self.reserved.iter().any(brought) {
                let message =
                    "it also copies the generated Dockerfile, which the service puts at the root of the context";
                notes.push((*number, message.to_owned()));
            }
        }
        notes
    }

    /// Whether the file of this name at the root is the generated Dockerfile.
    pub(crate) fn is_generated(&self, name: &str, dockerfile: &str) -> bool {
        let mut found = self.reserved.iter().filter(|(_, other, _)| other == name);
        name == RESERVED[0] && found.any(|(_, _, found)| self.is_text(found, dockerfile))
    }

    /// Whether a file holds this text. One that was read as a Dockerfile is not read again, and no other is if its size
    /// tells.
    fn is_text(&self, found: &Found, text: &str) -> bool {
        if let Some((_, held)) = self.dockerfiles.iter().find(|(path, _)| *path == found.source) {
            return held == text;
        }
        let (Some(folder), Some(name)) = (found.source.parent(), found.source.file_name()) else {
            return false;
        };
        found.fingerprint.size() == text.len() as u64
            && read_text(folder, Path::new(name)).is_ok_and(|held| held == text)
    }
}

/// The path and the directories above it, from the longest to the shortest, without the root.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| path.rsplit_once('/').map(|(parent, _)| parent))
}
