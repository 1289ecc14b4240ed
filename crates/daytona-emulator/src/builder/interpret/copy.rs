//! `COPY` and `ADD`: how files come into a stage.

use std::sync::Arc;

use super::budget::Budget;
use super::files::Files;
use super::origin::{Origin, Picked};
use super::planned::{CopyPlan, CopySource};
use super::rules::{BadRule, Rules};
use super::unpack;
use super::walk::{Selection, Taken, walk};
use crate::builder::content::Content;
use crate::builder::doubt::{Doubt, Unknown};
use crate::builder::path::{clean, join, last, parent};
use crate::builder::tree::{Attributes, Entry, File, Node, Owner};

/// How many files were copied. The texts of heredocs come from nowhere, and do not count.
pub(super) fn carry_out(
    plan: &CopyPlan,
    files: &mut Files,
    origin: &Origin<'_>,
    budget: &mut Budget,
) -> Result<usize, String> {
    if !plan.is_linked {
        return Copy::new(plan, files, origin, budget)?.all();
    }
    // The layer is made by itself, and laid over what is there.
    let mut layer = Files::default();
    let owner = plan.owner.as_ref().map(|owner| files.owner(owner)).transpose()?;
    let mut copy = Copy::new(plan, &mut layer, origin, budget)?;
    copy.owner = owner.flatten().or(copy.owner);
    let copied = copy.all()?;
    files.unknown.append(&mut layer.unknown);
    files.merge(layer.into_tree(), budget)?;
    Ok(copied)
}

/// One `COPY` or `ADD`.
struct Copy<'a> {
    plan: &'a CopyPlan,
    files: &'a mut Files,
    origin: &'a Origin<'a>,
    budget: &'a mut Budget,
    /// What `--chown` says.
    owner: Owner,
    /// Directories that are made on the way.
    folders: Attributes,
    excluded: Rules,
    copied: usize,
}

impl<'a> Copy<'a> {
    fn new(
        plan: &'a CopyPlan,
        files: &'a mut Files,
        origin: &'a Origin<'a>,
        budget: &'a mut Budget,
    ) -> Result<Self, String> {
        let owner = match &plan.owner {
            Some(owner) if !plan.is_linked => files.owner(owner)?,
            _ => None,
        };
        let excluded = excluded(plan)?;
        let mode = match &plan.chmod {
            Some(super::chmod::Chmod::Octal(mode)) => mode & 0o777,
            _ => 0o755,
        };
        Ok(Self {
            folders: Attributes::new(mode, owner.clone()),
            plan,
            files,
            origin,
            budget,
            owner,
            excluded,
            copied: 0,
        })
    }

    fn all(mut self) -> Result<usize, String> {
        self.folders.owner.clone_from(&self.owner);
        // All sources are looked at before the first is copied.
        let mut picked = Vec::new();
        for source in &self.plan.sources {
            picked.push(match source {
                CopySource::Path(path) => {
                    self.origin
                        .pick(path, self.plan.keeps_parents, &self.excluded, self.budget)?
                }
                CopySource::Remote(address) => Picked::Remote(address.clone()),
            });
        }
        for one in picked {
            self.one(one)?;
        }
        for (name, text) in &self.plan.heredocs {
            let content = Content::inline(text.as_bytes().to_vec());
            let attributes = Attributes::new(0o644, None);
            let file = Node::File(File {
                attributes,
                doubt: None,
                content,
            });
            let name = clean(name);
            let target = self.file_target(last(&name))?;
            self.put(&target, file)?;
        }
        Ok(self.copied)
    }

    fn one(&mut self, picked: Picked) -> Result<(), String> {
        match picked {
            Picked::Paths(paths) => {
                for path in paths {
                    self.path(&path)?;
                }
                Ok(())
            }
            Picked::Parents { roots, rules } => {
                for root in roots {
                    let target = self.folder_target()?;
                    self.folder(&root, &target, Some(&rules))?;
                }
                Ok(())
            }
            Picked::Unknown(path) => {
                let unknown = Unknown::Copied {
                    line: self.plan.line,
                    source: format!("{}:/{path}", self.origin.name),
                };
                let name = last(&path);
                let name = Some(name).filter(|name| !name.is_empty() && !super::glob::has_wildcards(name));
                self.unknown(name, unknown)
            }
            Picked::Remote(address) => self.remote(&address),
        }
    }

    /// A file, or what is in a directory.
    fn path(&mut self, path: &str) -> Result<(), String> {
        let origin = self.origin;
        let place = origin
            .tree
            .resolve("", path, true)
            .map_err(|astray| format!("/{path}: {astray}"))?;
        if origin.tree.is_directory(&place.path) {
            let target = self.folder_target()?;
            return self.folder(&place.path, &target, None);
        }
        let Some(entry) = origin.tree.get(&place.path) else {
            return Err(origin.missing(path));
        };
        if let (true, Node::File(file)) = (self.plan.unpacks, &entry.node)
            && let Some(archive) = unpack::open(&file.content, self.budget)?
        {
            self.copied += 1;
            let mut into = unpack::Target {
                plan: self.plan,
                files: self.files,
                budget: self.budget,
                owner: &self.owner,
                folders: &self.folders,
            };
            return unpack::unpack(&mut into, path, archive);
        }
        let target = self.file_target(last(path))?;
        self.entry(entry, &target)
    }

    /// What is in a directory; with `included`, only what is, and with the directories around it.
    fn folder(&mut self, root: &str, target: &str, included: Option<&Rules>) -> Result<(), String> {
        let origin = self.origin;
        let excluded = std::mem::take(&mut self.excluded);
        let selection = Selection {
            included,
            excluded: &excluded,
        };
        // The budget goes along with the walk, and comes back for each thing that is taken.
        let mut walked = std::mem::take(self.budget);
        let result = walk(origin.tree, root, selection, &mut walked, |budget, taken| {
            std::mem::swap(self.budget, budget);
            let result = self.taken(target, &taken, included.is_some());
            std::mem::swap(self.budget, budget);
            result
        });
        *self.budget = walked;
        self.excluded = excluded;
        result?;
        if !origin.is_closed {
            // There may be more in that directory than is known.
            self.files.unknown.push(Unknown::Copied {
                line: self.plan.line,
                source: format!("{}:/{root}", origin.name),
            });
        }
        Ok(())
    }

    /// Something in a directory.
    fn taken(&mut self, target: &str, taken: &Taken<'_, '_>, is_selected: bool) -> Result<(), String> {
        for (path, entry) in &taken.around {
            if let Node::Directory(attributes) = &entry.node {
                self.make_folder(&join(target, path), attributes, true)?;
            }
        }
        let to = join(target, taken.path);
        match &taken.entry.node {
            Node::Directory(attributes) => self.make_folder(&to, attributes, is_selected),
            _ => self.entry(taken.entry, &to),
        }
    }

    /// A directory gets what `--chmod` and `--chown` say. But one that was there gets only the mode of its source where
    /// patterns select.
    fn make_folder(&mut self, path: &str, attributes: &Attributes, is_selected: bool) -> Result<(), String> {
        let changed = self.changed(attributes, true);
        let there = match self.files.tree().node(path) {
            Some(Node::Directory(there)) if is_selected => Some(there.owner.clone()),
            _ => None,
        };
        let attributes = match there {
            Some(owner) => Attributes::new(attributes.mode, owner),
            None => changed,
        };
        self.files.make_folder(path, &attributes, self.budget)
    }

    /// What is not a directory.
    fn entry(&mut self, entry: &Entry, target: &str) -> Result<(), String> {
        let mut node = entry.node.clone();
        match &mut node {
            Node::File(file) => {
                self.copied += 1;
                file.doubt = file.doubt.take().or(self.origin.doubt(entry.runs));
                file.attributes = self.changed(&file.attributes, false);
            }
            Node::Special(attributes) => *attributes = self.changed(attributes, false),
            Node::Link { owner, .. } => *owner = self.owner.clone().or(owner.take()),
            Node::Directory(_) | Node::Unknown(_) => {}
        }
        self.put_as_it_is(target, node)
    }

    /// What `--chmod` and `--chown` make of something.
    fn changed(&self, attributes: &Attributes, is_directory: bool) -> Attributes {
        let chmod = self.plan.chmod.as_ref();
        let mode = chmod.map_or(attributes.mode, |chmod| chmod.apply(attributes.mode, is_directory));
        let owner = if self.plan.owner.is_some() {
            self.owner.clone()
        } else {
            attributes.owner.clone()
        };
        Attributes::new(mode, owner)
    }

    fn put(&mut self, target: &str, mut node: Node) -> Result<(), String> {
        if let Node::File(file) = &mut node {
            file.attributes = self.changed(&file.attributes, false);
        }
        self.put_as_it_is(target, node)
    }

    fn put_as_it_is(&mut self, target: &str, mut node: Node) -> Result<(), String> {
        let given = clean(&self.plan.target);
        if let Node::File(file) = &mut node {
            let is_named = self.plan.target.ends_with('/') || target != given;
            if self.plan.is_below_unknown_workdir {
                file.doubt.get_or_insert(Doubt::WorkdirOfBaseImage);
            } else if !is_named && !self.files.is_closed() && !self.files.is_certain(target) {
                file.doubt.get_or_insert(Doubt::TargetMayBeDirectory);
            }
        }
        self.files.replace(target, node, self.budget)
    }

    fn resolve(&self, path: &str) -> Result<String, String> {
        let place = self.files.tree().resolve("", path, true);
        Ok(place.map_err(|astray| format!("/{}: {astray}", clean(path)))?.path)
    }

    /// The directory that the target is or stands in is made.
    fn begin_target(&mut self) -> Result<String, String> {
        let target = self.plan.target.as_str();
        let above = if target.ends_with('/') { target } else { parent(target) };
        let above = self.resolve(above)?;
        self.files.make_folders(&above, &self.folders, self.budget)?;
        self.resolve(target)
    }

    /// Where the contents of a directory go.
    fn folder_target(&mut self) -> Result<String, String> {
        let target = self.begin_target()?;
        match self.files.tree().node(&target) {
            Some(Node::Directory(_)) => {}
            Some(_) if self.files.is_certain(&target) => {
                return Err(format!("cannot copy to non-directory: /{target}"));
            }
            _ => self.files.make_folders(&target, &self.folders, self.budget)?,
        }
        Ok(target)
    }

    /// Where a file of this name goes.
    fn file_target(&mut self, name: &str) -> Result<String, String> {
        let target = self.begin_target()?;
        let target = if self.files.tree().is_directory(&target) {
            join(&target, name)
        } else {
            target
        };
        self.files.make_folders(parent(&target), &self.folders, self.budget)?;
        Ok(target)
    }

    /// Something that nothing is known of comes to the target.
    fn unknown(&mut self, name: Option<&str>, unknown: Unknown) -> Result<(), String> {
        let target = self.resolve(&self.plan.target)?;
        let is_folder = self.plan.target.ends_with('/');
        self.files.put_unknown(&target, is_folder, name, unknown, self.budget)
    }

    fn remote(&mut self, address: &str) -> Result<(), String> {
        let unknown = Unknown::Added {
            line: self.plan.line,
            source: address.to_owned(),
        };
        let path = address.split(['?', '#']).next().unwrap_or(address);
        let path = path.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
        let name = path.map(|(_, path)| last(path)).unwrap_or_default();
        if super::copy_plan::is_git(address) || name.is_empty() {
            // Of many files, or of one without a name, the target is not known.
            self.files.unknown.push(unknown);
            return Ok(());
        }
        let target = self.file_target(name)?;
        self.files.put(&target, Node::Unknown(Arc::new(unknown)), self.budget)
    }
}

/// The rules of `--exclude`.
fn excluded(plan: &CopyPlan) -> Result<Rules, String> {
    Rules::new(&plan.excluded).map_err(|BadRule(reason)| format!("invalid excludepatterns: {reason}"))
}

/// A source that is not there.
#[derive(Debug, Clone)]
pub(super) struct Missing {
    pub(super) reason: String,
    /// Whether another source of the same instruction is there. BuildKit reads that one, and finds what is missing
    /// later than in an instruction of which nothing is there.
    pub(super) is_late: bool,
}

/// Whether all sources are there, as far as that is known.
pub(super) fn check(plan: &CopyPlan, origin: &Origin<'_>, budget: &mut Budget) -> Result<(), Missing> {
    let missing = |reason| Missing { reason, is_late: false };
    let excluded = excluded(plan).map_err(missing)?;
    let mut is_late = false;
    let mut reason = None;
    for source in &plan.sources {
        let CopySource::Path(path) = source else { continue };
        match origin.pick(path, plan.keeps_parents, &excluded, budget) {
            Ok(Picked::Paths(paths)) => is_late |= !paths.is_empty(),
            Ok(_) => is_late = true,
            Err(found) => reason = reason.or(Some(found)),
        }
    }
    match reason {
        Some(reason) => Err(Missing { reason, is_late }),
        None => Ok(()),
    }
}
