//! The files of a stage that is followed, and how they change.

use std::sync::Arc;

use super::budget::Budget;
use crate::builder::doubt::{Doubt, Unknown};
use crate::builder::path::join;
use crate::builder::tree::{Attributes, File, Node, Owner, Tree};

/// What a stage holds so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Files {
    tree: Arc<Tree>,
    /// What may have put anything anywhere.
    pub(super) unknown: Vec<Unknown>,
    /// The lines of `RUN` steps: each may have changed what was there before.
    pub(super) runs: Vec<usize>,
}

impl Files {
    /// Nothing is known but that there is something.
    pub(super) fn unknown(unknown: Unknown) -> Self {
        Self {
            unknown: vec![unknown],
            ..Self::default()
        }
    }

    pub(super) fn tree(&self) -> &Tree {
        &self.tree
    }

    pub(super) fn into_tree(self) -> Tree {
        Arc::unwrap_or_clone(self.tree)
    }

    /// Stages share what they have in common. A tree that is copied because of that is paid for.
    fn tree_mut(&mut self, budget: &mut Budget) -> Result<&mut Tree, String> {
        if Arc::strong_count(&self.tree) > 1 {
            budget.files(self.tree.len())?;
        }
        Ok(Arc::make_mut(&mut self.tree))
    }

    /// Whether it is known what is not there.
    pub(super) fn is_closed(&self) -> bool {
        self.unknown.is_empty()
    }

    /// Why a file may have changed since it was put there, this many `RUN` steps ago.
    pub(super) fn doubt(&self, runs: usize) -> Option<Doubt> {
        let line = self.runs.get(runs).copied();
        line.map(|line| Doubt::RunAfter { line })
    }

    /// Whether what is at a path is there for certain: no `RUN` came after it.
    pub(super) fn is_certain(&self, path: &str) -> bool {
        let entry = self.tree.get(path);
        entry.is_some_and(|entry| entry.runs == self.runs.len() && !matches!(entry.node, Node::Unknown(_)))
    }

    pub(super) fn put(&mut self, path: &str, node: Node, budget: &mut Budget) -> Result<(), String> {
        budget.files(1 + path.len() / 256)?;
        let runs = self.runs.len();
        self.tree_mut(budget)?.insert(path, node, runs);
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &str, budget: &mut Budget) -> Result<(), String> {
        self.tree_mut(budget)?.remove(path);
        Ok(())
    }

    /// Makes a directory and all above it. Those that are there stay as they are.
    pub(super) fn make_folders(
        &mut self,
        path: &str,
        attributes: &Attributes,
        budget: &mut Budget,
    ) -> Result<(), String> {
        let ends = path.match_indices('/').map(|(end, _)| end);
        for end in ends.chain([path.len()]) {
            let folder = &path[..end];
            let is_there = match self.tree.node(folder) {
                _ if folder.is_empty() => true,
                None => false,
                Some(Node::Directory(_) | Node::Unknown(_)) => true,
                Some(_) if !self.is_certain(folder) => false,
                Some(_) => return Err(format!("mkdir /{folder}: not a directory")),
            };
            if !is_there {
                self.put(folder, Node::Directory(attributes.clone()), budget)?;
            }
        }
        Ok(())
    }

    /// Puts a file, a link or something special at a path, in place of what is there.
    pub(super) fn replace(&mut self, path: &str, node: Node, budget: &mut Budget) -> Result<(), String> {
        if self.tree.is_directory(path) {
            if path.is_empty() || self.is_certain(path) {
                return Err(format!("cannot replace to directory /{path} with file"));
            }
            self.remove(path, budget)?;
        }
        self.put(path, node, budget)
    }

    /// Makes one directory, or gives these attributes to the one that is there.
    pub(super) fn make_folder(
        &mut self,
        path: &str,
        attributes: &Attributes,
        budget: &mut Budget,
    ) -> Result<(), String> {
        match self.tree.node(path) {
            _ if path.is_empty() => Ok(()),
            Some(Node::Unknown(_)) => Ok(()),
            None | Some(Node::Directory(_)) => self.put(path, Node::Directory(attributes.clone()), budget),
            Some(_) if !self.is_certain(path) => self.put(path, Node::Directory(attributes.clone()), budget),
            Some(_) => Err(format!("cannot copy to non-directory: /{path}")),
        }
    }

    /// Lays another tree over this one, as `--link` does: what it holds replaces what is here, but directories merge.
    pub(super) fn merge(&mut self, upper: Tree, budget: &mut Budget) -> Result<(), String> {
        for (path, entry) in upper.into_entries() {
            if !entry.node.is_directory() || !self.tree.is_directory(&path) {
                self.remove(&path, budget)?;
            }
            self.put(&path, entry.node, budget)?;
        }
        Ok(())
    }

    /// User and group as numbers, by the files of the stage where they are names.
    pub(super) fn owner(&self, text: &str) -> Result<Owner, String> {
        let (user, group) = text.split_once(':').unwrap_or((text, ""));
        let (mut uid, mut gid) = (0, 0);
        if let Ok(number) = user.parse::<u32>() {
            (uid, gid) = (number, number);
        } else if !user.is_empty() {
            match self.named("etc/passwd", user) {
                Some(fields) => (uid, gid) = (id(fields.get(2)), id(fields.get(3))),
                None if self.is_closed() => {
                    return Err(format!(
                        "unable to find user {user}: no matching entries in passwd file"
                    ));
                }
                None => return Ok(Some(text.into())),
            }
        }
        if let Ok(number) = group.parse::<u32>() {
            gid = number;
        } else if !group.is_empty() {
            match self.named("etc/group", group) {
                Some(fields) => gid = id(fields.get(2)),
                None if self.is_closed() => {
                    return Err(format!(
                        "unable to find group {group}: no matching entries in group file"
                    ));
                }
                None => return Ok(Some(text.into())),
            }
        }
        Ok(((uid, gid) != (0, 0)).then(|| format!("{uid}:{gid}").into()))
    }

    /// The fields of a line that begins with a name.
    fn named(&self, path: &str, name: &str) -> Option<Vec<String>> {
        const LARGEST: u64 = 1024 * 1024;
        let place = self.tree.resolve("", path, true).ok()?;
        let Some(Node::File(File {
            content, doubt: None, ..
        })) = self.tree.node(&place.path)
        else {
            return None;
        };
        let text = content.text(LARGEST).ok()?;
        let mut lines = text.lines().map(|line| line.split(':'));
        let fields = lines.find_map(|mut fields| (fields.next() == Some(name)).then_some(fields))?;
        Some([name].into_iter().chain(fields).map(ToOwned::to_owned).collect())
    }

    /// Where something that nothing is known of may have come to.
    pub(super) fn put_unknown(
        &mut self,
        target: &str,
        is_folder: bool,
        name: Option<&str>,
        unknown: Unknown,
        budget: &mut Budget,
    ) -> Result<(), String> {
        let is_folder = is_folder || target.is_empty() || self.tree.is_directory(target) || self.tree.has_below(target);
        let path = if is_folder {
            // It may be a file with that name, or a directory whose contents come here.
            self.unknown.push(unknown.clone());
            match name {
                Some(name) => join(target, name),
                None => return Ok(()),
            }
        } else {
            target.to_owned()
        };
        if is_folder && self.tree.node(&path).is_some() {
            return Ok(());
        }
        self.put(&path, Node::Unknown(Arc::new(unknown)), budget)
    }
}

fn id(field: Option<&String>) -> u32 {
    field.and_then(|field| field.parse().ok()).unwrap_or_default()
}
