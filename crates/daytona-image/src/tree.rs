//! The one tree into which the server merges all that is sent.

use std::collections::{BTreeMap, HashMap};

use crate::archive_name::{NEUTRAL, Place, RESERVED, covers, is_taken};
use crate::resolve::Source;
use crate::walk::Found;

/// Gives each local source its place, so that one name has one content and no `COPY` takes in what another step brought.
pub(crate) struct Tree<'a> {
    /// Whether all sources are the root of the context, with the same files: then nothing else can be taken in.
    is_all_one: bool,
    /// The root of each placed source, and its members there.
    roots: HashMap<String, Vec<&'a Source>>,
    members: BTreeMap<String, &'a Found>,
    /// Members of the root whose name means something to the server, and the step that brought them.
    reserved: Vec<(usize, String, &'a Found)>,
}

impl<'a> Tree<'a> {
    /// An empty tree for these sources.
    pub(crate) fn new(mut sources: impl Iterator<Item = &'a Source>) -> Self {
        let first = sources.next();
        Self {
            is_all_one: first.is_some_and(|first| {
                sources.all(|source| source.place == first.place && source.walked.files == first.walked.files)
            }),
            roots: HashMap::new(),
            members: BTreeMap::new(),
            reserved: Vec::new(),
        }
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
                self.members.insert(name, found);
            }
        }
        self.roots.entry(root.clone()).or_default().push(source);
        root
    }

    /// Whether the source can be at `root` without meeting another one.
    fn has_room(&self, root: &str, source: &Source) -> bool {
        if root.is_empty() {
            // `COPY .` takes in everything: it has to be the only one. A folder of a reserved name would clash with the
            // server's own file.
            let is_clash = |found: &Found| RESERVED.iter().any(|name| found.name.starts_with(&format!("{name}/")));
            return self.is_all_one && !source.walked.files.iter().any(is_clash);
        }
        if is_taken(root) {
            return false;
        }
        let own: HashMap<String, &Found> = source.below(root).collect();
        // What is there already below this root must be ours too.
        let below = self
            .members
            .range(root.to_owned()..)
            .take_while(|(name, _)| name.starts_with(root));
        let takes_in_others = below
            .filter(|(name, _)| covers(root, name))
            .any(|(name, found)| !own.get(name).is_some_and(|mine| mine.is_same_file(found)));
        // And what we bring must not add to what an earlier step copies.
        let mut ancestors = ancestors(root)
            .filter_map(|ancestor| self.roots.get(ancestor))
            .flatten();
        let is_taken_in = ancestors.next().is_some()
            && own
                .iter()
                .any(|(name, found)| !self.members.get(name).is_some_and(|there| there.is_same_file(found)));
        !takes_in_others && !is_taken_in
    }

    /// What the tree holds, sorted by the bytes of the names.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, &'a Found)> {
        self.members.iter().map(|(name, found)| (name.as_str(), *found))
    }

    /// The step and a message for each file that its name keeps out of the tree. A Dockerfile that is the generated one
    /// to the byte is not missed.
    pub(crate) fn displaced(&self, dockerfile: &str) -> Vec<(usize, String)> {
        let mut notes = Vec::new();
        for (number, name, found) in &self.reserved {
            let generated = name == "Dockerfile";
            if generated && std::fs::read(&found.source).is_ok_and(|bytes| bytes == dockerfile.as_bytes()) {
                continue;
            }
            let what = if generated {
                "the generated Dockerfile takes its place"
            } else {
                "it is left out"
            };
            let message = format!(
                "`{name}` means something at the root of a build context, so {what}; \
                 copy its folder by a path of its own to keep it"
            );
            notes.push((*number, message));
        }
        notes
    }
}

/// The path and the folders above it, from the longest to the shortest, without the root.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| path.rsplit_once('/').map(|(parent, _)| parent))
}
