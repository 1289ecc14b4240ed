//! Where `COPY` takes from: the context, or another stage.

use super::budget::Budget;
use super::files::Files;
use super::glob::{self, BadPattern, Glob};
use super::rules::{BadRule, Rules};
use super::walk::{Selection, is_below, walk};
use crate::builder::doubt::Doubt;
use crate::builder::path::{clean, join};
use crate::builder::tree::{Astray, Node, Tree};

/// Where sources come from.
pub(super) struct Origin<'a> {
    pub(super) name: &'a str,
    pub(super) tree: &'a Tree,
    /// Whether what is not found is not there.
    pub(super) is_closed: bool,
    /// The stage, if it is one.
    pub(super) files: Option<&'a Files>,
}

/// What a source means.
#[derive(Debug)]
pub(super) enum Picked {
    Paths(Vec<String>),
    /// Of directories what the rules match, with the directories around it.
    Parents {
        roots: Vec<String>,
        rules: Rules,
    },
    /// Something in a stage or an image of which not everything is known.
    Unknown(String),
    Remote(String),
}

impl Origin<'_> {
    pub(super) fn missing(&self, path: &str) -> String {
        let shown = format!("/{path}");
        format!(
            "failed to calculate checksum of ref emulator::{}: {shown:?}: not found",
            self.name
        )
    }

    /// Why a file of the stage may be another by now.
    pub(super) fn doubt(&self, runs: usize) -> Option<Doubt> {
        self.files.and_then(|files| files.doubt(runs))
    }

    /// Finds what a source means. Where it is not there, BuildKit finds that before it copies anything.
    pub(super) fn pick(
        &self,
        source: &str,
        keeps_parents: bool,
        excluded: &Rules,
        budget: &mut Budget,
    ) -> Result<Picked, String> {
        if keeps_parents {
            return self.pick_parents(source, excluded, budget);
        }
        let path = clean(source);
        let Some(paths) = self.paths(&path, budget)? else {
            return self.not_found(path);
        };
        if !excluded.is_empty() {
            for path in &paths {
                let Ok(place) = self.tree.resolve("", path, true) else {
                    continue;
                };
                let mut below = self.tree.below(&place.path);
                if !below.any(|(_, entry)| matches!(entry.node, Node::Link { .. })) {
                    continue;
                }
                let selection = Selection {
                    included: None,
                    excluded,
                };
                self.check(&place.path, selection, budget)?;
            }
        }
        if paths.is_empty() && !self.is_closed {
            return Ok(Picked::Unknown(path));
        }
        Ok(Picked::Paths(paths))
    }

    /// Whether there is something at a path, links followed.
    pub(super) fn find(&self, path: &str) -> Result<bool, String> {
        match self.tree.resolve("", path, true) {
            Ok(place) => Ok(place.path.is_empty() || self.tree.node(&place.path).is_some()),
            Err(Astray::TooManyLinks) => Err(format!("failed to calculate checksum of /{path}: too many links")),
            Err(Astray::NotADirectory | Astray::TooLong) => Ok(false),
        }
    }

    fn not_found(&self, path: String) -> Result<Picked, String> {
        if self.is_closed {
            Err(self.missing(&path))
        } else {
            Ok(Picked::Unknown(path))
        }
    }

    /// The paths that a source means, if it is there. A pattern may match nothing, but the directory before it has to
    /// be there.
    fn paths(&self, path: &str, budget: &mut Budget) -> Result<Option<Vec<String>>, String> {
        if !glob::has_wildcards(path) {
            return Ok(self.find(path)?.then(|| vec![path.to_owned()]));
        }
        let (fixed, pattern) = glob::split_wildcards(path);
        let glob = Glob::new(&pattern).map_err(|bad: BadPattern| format!("{bad}: {path:?}"))?;
        if !self.find(&fixed)? {
            return Ok(None);
        }
        let root = self.resolve(&fixed)?;
        let mut matched: Vec<String> = Vec::new();
        let mut last: Option<String> = None;
        for (name, _) in self.tree.below(&root) {
            budget.look(8)?;
            if last.as_ref().is_some_and(|last| is_below(&name, last)) || !glob.matches_for(&name, budget)? {
                continue;
            }
            let found = join(&root, &name);
            if !self.find(&found)? {
                return if self.is_closed {
                    Err(self.missing(&found))
                } else {
                    Ok(None)
                };
            }
            matched.push(found);
            last = Some(name);
        }
        Ok(Some(matched))
    }

    fn resolve(&self, path: &str) -> Result<String, String> {
        let place = self.tree.resolve("", path, true);
        Ok(place.map_err(|astray| format!("/{path}: {astray}"))?.path)
    }

    /// Where `--exclude` decides what is taken, a link that leads nowhere is not found. How much is taken.
    fn check(&self, root: &str, selection: Selection<'_>, budget: &mut Budget) -> Result<usize, String> {
        let mut count = 0;
        walk(self.tree, root, selection, budget, |_, taken| {
            count += 1;
            if let Node::Link { .. } = taken.entry.node
                && !selection.excluded.is_empty()
                && self.is_closed
            {
                let path = join(root, taken.path);
                if !self.find(&path)? {
                    return Err(self.missing(&path));
                }
            }
            Ok(())
        })?;
        Ok(count)
    }

    /// What `--parents` takes: all of a source is kept, or what comes after `/./`.
    fn pick_parents(&self, source: &str, excluded: &Rules, budget: &mut Budget) -> Result<Picked, String> {
        let (root, pattern) = source.split_once("/./").unwrap_or(("", source));
        let (root, pattern) = (clean(root), clean(pattern));
        let shown = join(&root, &pattern);
        let rules = Rules::new([&pattern]).map_err(|BadRule(reason)| format!("invalid includepatterns: {reason}"))?;
        let is_fixed = !glob::has_wildcards(&pattern);
        // A link that is the root itself is no directory, where a certain path in it is looked for.
        if is_fixed && matches!(self.tree.node(&root), Some(Node::Link { .. })) {
            return self.not_found(shown);
        }
        let Some(roots) = self.paths(&root, budget)? else {
            return self.not_found(shown);
        };
        let roots: Vec<String> = roots.iter().map(|root| self.resolve(root)).collect::<Result<_, _>>()?;
        for root in &roots {
            let selection = Selection {
                included: Some(&rules),
                excluded,
            };
            let count = self.check(root, selection, budget)?;
            if is_fixed && count == 0 {
                return self.not_found(shown);
            }
        }
        if !is_fixed && !self.is_closed {
            return Ok(Picked::Unknown(shown));
        }
        Ok(Picked::Parents { roots, rules })
    }
}
