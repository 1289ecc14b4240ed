//! Who uses whom: every path is followed, through imports and re-exports, to the module that defines what it names.

use std::collections::BTreeSet;

use super::graph::{Graph, Place};
use super::tree::Tree;

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Module(usize),
    /// Something that this module defines.
    Item(usize),
}

/// The files of a target, and which uses which. A re-export alone is no use: what is re-exported and mentioned beside it is.
pub(super) fn graph(tree: &Tree) -> Graph {
    let mut graph = Graph::new(tree.files.len());
    for (index, module) in tree.modules.iter().enumerate() {
        let imports = || module.code.imports.iter().filter(|import| import.is_private);
        let is_imported = |name: &str| imports().any(|import| import.name.as_deref() == Some(name));
        let imports = imports().map(|import| (&import.path, import.line));
        // The import of a name says it all.
        let mentions = module.code.mentions.iter();
        let mentions = mentions.filter(|mention| !matches!(&mention.path[..], [name] if is_imported(name)));
        let mentions = mentions.map(|mention| (&mention.path, mention.line));
        for (path, line) in imports.chain(mentions) {
            for target in Names::new(tree).path(index, path) {
                let Target::Item(definer) = target else { continue };
                let (from, to) = (module.file, tree.modules[definer].file);
                if from != to {
                    graph.add(
                        from,
                        to,
                        Place {
                            line,
                            path: path.join("::"),
                        },
                    );
                }
            }
        }
    }
    graph
}

/// One search for a name. It remembers where it was, since imports may lead round.
struct Names<'tree> {
    tree: &'tree Tree,
    visited: BTreeSet<(usize, String, bool)>,
}

impl<'tree> Names<'tree> {
    fn new(tree: &'tree Tree) -> Self {
        let visited = BTreeSet::new();
        Self { tree, visited }
    }

    /// What a path names where `module` says it. Nothing, if that is another crate's.
    fn path(&mut self, module: usize, path: &[String]) -> BTreeSet<Target> {
        let mut segments = path.iter();
        let mut found = match segments.next().map(String::as_str) {
            None | Some("Self") => return BTreeSet::new(),
            Some("crate") => BTreeSet::from([Target::Module(0)]),
            Some("self") => BTreeSet::from([Target::Module(module)]),
            Some("super") => self.parent(module),
            Some(name) => self.name(module, name, true).unwrap_or_default(),
        };
        for segment in segments {
            let modules = modules(&found);
            // What follows the name of an item belongs to it.
            if modules.is_empty() {
                break;
            }
            found.clear();
            for module in modules {
                found.extend(match segment.as_str() {
                    "super" => self.parent(module),
                    "self" => BTreeSet::from([Target::Module(module)]),
                    // A macro may have made it.
                    name => self
                        .name(module, name, false)
                        .unwrap_or_else(|| BTreeSet::from([Target::Item(module)])),
                });
            }
        }
        found
    }

    fn parent(&self, module: usize) -> BTreeSet<Target> {
        self.tree.modules[module]
            .parent
            .map(Target::Module)
            .into_iter()
            .collect()
    }

    /// What a name stands for in a module; `None` if the module has no such name. `from_inside` sees the imports of its functions too.
    fn name(&mut self, module: usize, name: &str, from_inside: bool) -> Option<BTreeSet<Target>> {
        if !self.visited.insert((module, name.to_owned(), from_inside)) {
            return None;
        }
        let (this, tree) = (&self.tree.modules[module], self.tree);
        let mut found = BTreeSet::new();
        let mut is_known = false;
        if this.code.items.contains(name) {
            found.insert(Target::Item(module));
        }
        found.extend(
            this.children
                .get(name)
                .into_iter()
                .flatten()
                .copied()
                .map(Target::Module),
        );
        if module == 0 {
            let exporters = tree.modules.iter().enumerate();
            let exporters = exporters.filter(|(_, module)| module.code.exported_macros.contains(name));
            found.extend(exporters.map(|(module, _)| Target::Item(module)));
        }
        let imports = || {
            this.code
                .imports
                .iter()
                .filter(|import| from_inside || !import.is_local)
        };
        for import in imports().filter(|import| import.name.as_deref() == Some(name)) {
            is_known = true;
            found.extend(self.path(module, &import.path));
        }
        is_known |= !found.is_empty();
        if is_known {
            return Some(found);
        }
        for import in imports().filter(|import| import.name.is_none()) {
            let sources = self.path(module, &import.path);
            // All that another crate has may come through here.
            is_known |= sources.is_empty();
            for source in sources {
                match source {
                    Target::Module(from) => {
                        if let Some(brought) = self.name(from, name, false) {
                            is_known = true;
                            found.extend(brought);
                        }
                    }
                    // The variants of an enum, which are not looked at: whoever names one of them here means it.
                    Target::Item(definer) if !from_inside => {
                        is_known = true;
                        found.insert(Target::Item(definer));
                    }
                    Target::Item(_) => {}
                }
            }
        }
        is_known.then_some(found)
    }
}

fn modules(targets: &BTreeSet<Target>) -> Vec<usize> {
    let modules = targets.iter().filter_map(|target| match target {
        Target::Module(module) => Some(*module),
        Target::Item(_) => None,
    });
    modules.collect()
}
