//! Circles between the modules of a crate: modules that use each other, directly or round a corner.
//!
//! A module is a file; modules that stand in it belong to it. One uses another where its code names something that the
//! other defines: in a private `use`, or by a path, in macros and attributes too. Imports and re-exports are followed
//! to the definition. So a parent that declares its children and re-exports from them uses none of them, and a child
//! that takes a sibling from its parent's re-export uses the sibling. What a method call reaches is not seen, as its
//! type is not known here, and test code is left out.
//!
//! Circles that are still allowed stand in `circles.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::tools;

mod attributes;
mod code;
mod graph;
mod names;
mod tokens;
mod tree;

use graph::Graph;
use tree::Tree;

/// Where allowed circles stand.
pub(super) const ALLOWED: &str = "xtask/circles.toml";

/// Allowed circles of each crate, each by its modules.
pub(super) type Allowed = BTreeMap<String, Vec<BTreeSet<String>>>;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the packages of the workspace: {0}")]
    Packages(io::Error),
    #[error(transparent)]
    Modules(#[from] tree::Error),
    #[error("there is no crate `{0}` in the workspace")]
    NoCrate(String),
}

/// What is wrong in the whole workspace.
pub(super) fn check(workspace: &Path, allowed: &Allowed) -> Result<Vec<String>, Error> {
    let targets = targets(workspace)?;
    let unknown = allowed
        .keys()
        .filter(|name| !targets.iter().any(|target| target.name == **name));
    let mut findings: Vec<String> = unknown
        .map(|name| format!("{ALLOWED}: there is no crate `{name}`"))
        .collect();
    for target in &targets {
        findings.extend(Circles::of(target, workspace)?.findings(allowed));
    }
    Ok(findings)
}

/// Every circle of one crate, or of all, with every line that makes it.
pub(super) fn report(workspace: &Path, package: Option<&str>) -> Result<String, Error> {
    let mut text = String::new();
    for target in targets(workspace)? {
        if package.is_none_or(|package| target.is_of(package)) {
            text += &Circles::of(&target, workspace)?.report();
        }
    }
    match package {
        Some(package) if text.is_empty() => Err(Error::NoCrate(package.to_owned())),
        _ => Ok(text),
    }
}

/// The libraries and programs of the workspace, examples too. Tests are none.
fn targets(workspace: &Path) -> Result<Vec<Target>, Error> {
    let mut found = Vec::new();
    for package in tools::packages(workspace).map_err(Error::Packages)? {
        let targets = || package["targets"].as_array().into_iter().flatten();
        let (package, has_library) = (&package["name"], targets().any(is_library));
        let package = package.as_str().unwrap_or_default();
        for target in targets().filter(|target| !is_of_kind(target, &["test", "bench"])) {
            let name = target["name"].as_str().unwrap_or_default();
            let is_alone = !has_library && name == package;
            found.push(Target {
                name: if is_alone || is_library(target) {
                    package.to_owned()
                } else {
                    format!("{package}/{name}")
                },
                root: PathBuf::from(target["src_path"].as_str().unwrap_or_default()),
            });
        }
    }
    Ok(found)
}

fn is_library(target: &Value) -> bool {
    is_of_kind(target, &["lib", "proc-macro", "rlib", "cdylib", "staticlib", "dylib"])
}

fn is_of_kind(target: &Value, kinds: &[&str]) -> bool {
    let mut is = target["kind"].as_array().into_iter().flatten();
    is.any(|kind| kinds.iter().any(|wanted| kind == wanted))
}

/// A library or a program, and the file that it begins with.
#[derive(Debug)]
struct Target {
    /// The package's name, for a program beside a library `package/program`.
    name: String,
    root: PathBuf,
}

impl Target {
    fn is_of(&self, package: &str) -> bool {
        let rest = self.name.strip_prefix(package);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// The circles of one target.
#[derive(Debug)]
struct Circles {
    target: String,
    graph: Graph,
    /// Name and path of each module.
    files: Vec<(String, PathBuf)>,
    /// Each a set of modules that all reach each other.
    components: Vec<BTreeSet<usize>>,
}

impl Circles {
    fn of(target: &Target, workspace: &Path) -> Result<Self, Error> {
        let tree = Tree::read(&target.root)?;
        let graph = names::graph(&tree);
        let components = graph.components();
        let files = tree.files.into_iter().map(|file| {
            let path = file.path.strip_prefix(workspace).map(Path::to_owned);
            (file.name, path.unwrap_or(file.path))
        });
        Ok(Self {
            target: target.name.clone(),
            graph,
            files: files.collect(),
            components,
        })
    }

    /// What breaks the rule: circles that are not allowed, and allowed ones that are not there.
    fn findings(&self, allowed: &Allowed) -> Vec<String> {
        let allowed = allowed.get(&self.target).map_or(&[][..], Vec::as_slice);
        let found: Vec<BTreeSet<String>> = self.components.iter().map(|component| self.names(component)).collect();
        let mut findings = Vec::new();
        for (component, names) in self.components.iter().zip(&found) {
            if !allowed.contains(names) {
                findings.push(self.describe(component, Some(1)));
            }
        }
        for gone in allowed.iter().filter(|names| !found.contains(*names)) {
            let names = listed(gone);
            let target = &self.target;
            findings.push(format!(
                "{ALLOWED}: {target} has no circle of exactly {names} any more: shorten the list"
            ));
        }
        findings
    }

    /// All circles, with every line that makes them.
    fn report(&self) -> String {
        let mut text = format!("{}: {} circles\n", self.target, self.components.len());
        for component in &self.components {
            let _ = writeln!(text, "\n{}", self.describe(component, None));
        }
        text
    }

    fn names(&self, modules: &BTreeSet<usize>) -> BTreeSet<String> {
        modules.iter().map(|module| self.files[*module].0.clone()).collect()
    }

    /// A component with this many of its circles; all of them have all lines.
    fn describe(&self, component: &BTreeSet<usize>, most: Option<usize>) -> String {
        let names = listed(&self.names(component));
        let mut text = format!("circle of {} modules in {}: {names}", component.len(), self.target);
        let cycles = self.graph.cycles(component);
        for cycle in cycles.iter().take(most.unwrap_or(usize::MAX)) {
            let mut way: Vec<&str> = cycle.iter().map(|module| self.files[*module].0.as_str()).collect();
            way.extend(way.first().copied());
            let _ = write!(text, "\n    {}", way.join(" → "));
            for (from, to) in cycle.iter().zip(cycle.iter().cycle().skip(1)) {
                let (path, user) = (&self.files[*from].1, &self.files[*to].0);
                let places: Vec<_> = self.graph.places(*from, *to).collect();
                for place in places.iter().take(most.unwrap_or(usize::MAX)) {
                    let _ = write!(
                        text,
                        "\n      {}:{}: `{}` is of {user}",
                        path.display(),
                        place.line,
                        place.path
                    );
                }
                if let Some(more) = most
                    .map(|most| places.len().saturating_sub(most))
                    .filter(|more| *more > 0)
                {
                    let _ = write!(text, " ({more} more)");
                }
            }
        }
        text
    }
}

fn listed(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
