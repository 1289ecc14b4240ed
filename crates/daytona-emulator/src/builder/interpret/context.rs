//! What a client sends of a context: what the build asks for, without what its ignore rules exclude.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::budget::Budget;
use super::course::Failure;
use super::glob::{self, Glob};
use super::planned::{Action, CopySource, Plan, Source};
use super::rules::{BadRule, Rules, ignore_patterns};
use super::walk::{Selection, walk};
use crate::builder::path::{clean, join, last, parent};
use crate::builder::tree::{Node, Tree};

/// What an ignore file may be large.
const LARGEST_IGNORE_FILE: u64 = 1024 * 1024;

/// The context as the build sees it. The ignore file of the Dockerfile counts before the one of the context.
pub(super) fn sent<'a>(
    tree: &'a Tree,
    dockerfile: &str,
    plans: &[Option<Plan>],
    budget: &mut Budget,
) -> Result<Cow<'a, Tree>, Failure> {
    // None of what is wrong here has a line.
    let failed = |reason: String| Failure { line: None, reason };
    check_heredocs(plans).map_err(failed)?;
    let bad = |BadRule(reason)| failed(format!("failed to load build context: {reason}"));
    let patterns = excluded(tree, dockerfile).map_err(failed)?;
    check_header(&patterns).map_err(failed)?;
    let excluded = Rules::new(patterns).map_err(bad)?;
    let asked = asked(plans);
    let included = if asked.contains("") {
        None
    } else {
        let asked: Vec<String> = asked.into_iter().collect();
        check_header(&asked).map_err(failed)?;
        let found = follow_links(tree, &asked, budget).map_err(failed)?;
        if found.contains("") {
            None
        } else {
            Some(Rules::new(&found).map_err(bad)?)
        }
    };
    if included.is_none() && excluded.is_empty() {
        return Ok(Cow::Borrowed(tree));
    }
    let kept = filtered(tree, included.as_ref(), &excluded, budget);
    kept.map(Cow::Owned).map_err(failed)
}

/// The patterns of the ignore file.
fn excluded(tree: &Tree, dockerfile: &str) -> Result<Vec<String>, String> {
    let own = format!("{dockerfile}.dockerignore");
    let file = [own.as_str(), ".dockerignore"]
        .into_iter()
        .find_map(|name| match tree.node(name) {
            Some(Node::File(file)) => Some(file),
            _ => None,
        });
    let Some(file) = file else { return Ok(Vec::new()) };
    let text = file.content.text(LARGEST_IGNORE_FILE);
    Ok(ignore_patterns(
        &text.map_err(|error| format!("failed to read the ignore file: {error}"))?,
    ))
}

/// What the instructions ask the context for; the empty path is all of it.
fn asked(plans: &[Option<Plan>]) -> BTreeSet<String> {
    let mut asked = BTreeSet::new();
    for step in plans.iter().flatten().flat_map(|plan| &plan.steps) {
        match &step.action {
            Action::Copy(copy) if copy.from == Source::Context => {
                let paths = copy.sources.iter().filter_map(|source| match source {
                    CopySource::Path(path) => Some(clean(path)),
                    CopySource::Remote(_) => None,
                });
                asked.extend(paths);
            }
            Action::Run(run) => {
                let mounts = run.mounts.iter().filter(|mount| mount.from == Source::Context);
                asked.extend(mounts.map(|mount| mount.path.clone()));
            }
            _ => {}
        }
    }
    asked
}

/// Lists of paths and patterns go into the header of a request, which holds no control characters. One with other letters
/// than ASCII is encoded, and may hold everything.
fn check_header(texts: &[String]) -> Result<(), String> {
    let bad = texts
        .iter()
        .find(|text| text.contains(|character: char| character.is_ascii_control()));
    match bad {
        Some(bad) if texts.iter().all(|text| text.is_ascii()) => Err(format!(
            "failed to load build context: {bad:?} contains value with non-printable ASCII characters"
        )),
        _ => Ok(()),
    }
}

/// The file of a heredoc is made in an empty directory.
fn check_heredocs(plans: &[Option<Plan>]) -> Result<(), String> {
    for step in plans.iter().flatten().flat_map(|plan| &plan.steps) {
        let Action::Copy(copy) = &step.action else { continue };
        for (name, _) in &copy.heredocs {
            if clean(name).contains('/') {
                return Err(format!("open /{}: no such file or directory", clean(name)));
            }
        }
    }
    Ok(())
}

/// The paths that are asked for, and what links among them lead to.
fn follow_links(tree: &Tree, asked: &[String], budget: &mut Budget) -> Result<BTreeSet<String>, String> {
    let mut found = BTreeSet::new();
    let mut open: Vec<String> = asked.iter().rev().cloned().collect();
    'paths: while let Some(path) = open.pop() {
        let mut current = String::new();
        let mut rest = path.as_str();
        loop {
            let (name, after) = rest.split_once('/').unwrap_or((rest, ""));
            current = join(&current, name);
            let targets = links(tree, &current, budget)?;
            if (after.is_empty() || !targets.is_empty()) && !found.insert(current.clone()) {
                continue 'paths;
            }
            if !targets.is_empty() {
                open.extend(targets.iter().rev().map(|target| clean(&join(target, after))));
                continue 'paths;
            }
            if after.is_empty() {
                continue 'paths;
            }
            rest = after;
        }
    }
    Ok(found)
}

/// Where the links lead that a path means: it may end in a pattern.
fn links(tree: &Tree, path: &str, budget: &mut Budget) -> Result<Vec<String>, String> {
    let name = last(path);
    let folder = parent(path);
    budget.look(8)?;
    let target = |path: &str| match tree.node(path) {
        Some(Node::Link { target, .. }) if target.starts_with('/') => Some(clean(target)),
        Some(Node::Link { target, .. }) => Some(clean(&format!("{}/{target}", parent(path)))),
        _ => None,
    };
    if !glob::has_wildcards(name) {
        return Ok(target(path).into_iter().collect());
    }
    let Ok(glob) = Glob::new(name) else {
        return Ok(Vec::new());
    };
    let mut targets = Vec::new();
    for (name, entry) in tree.below(folder) {
        budget.look(1)?;
        if matches!(entry.node, Node::Link { .. }) && !name.contains('/') && glob.matches_for(&name, budget)? {
            targets.extend(target(&join(folder, &name)));
        }
    }
    Ok(targets)
}

/// What is included, without what is excluded. The directories around what stays stay too.
pub(super) fn filtered(
    tree: &Tree,
    included: Option<&Rules>,
    excluded: &Rules,
    budget: &mut Budget,
) -> Result<Tree, String> {
    let mut kept = Tree::default();
    walk(tree, "", Selection { included, excluded }, budget, |_, taken| {
        for (path, entry) in taken.around {
            kept.insert(&path, entry.node.clone(), 0);
        }
        kept.insert(taken.path, taken.entry.node.clone(), 0);
        Ok(())
    })?;
    Ok(kept)
}
