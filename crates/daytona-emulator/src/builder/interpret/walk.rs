//! Goes through a directory with rules about what is taken.

use super::budget::Budget;
use super::rules::{Matched, Rules};
use crate::builder::tree::{Entry, Tree};

/// What is taken of a directory.
#[derive(Clone, Copy)]
pub(super) struct Selection<'a> {
    /// Only what these match; all, if there are none.
    pub(super) included: Option<&'a Rules>,
    pub(super) excluded: &'a Rules,
}

/// Something that is taken.
pub(super) struct Taken<'a, 't> {
    /// From the beginning of the walk.
    pub(super) path: &'a str,
    pub(super) entry: &'t Entry,
    /// Directories around it that are not taken for themselves, the outermost first. Each comes once.
    pub(super) around: Vec<(String, &'t Entry)>,
}

/// A directory that is being gone through.
struct Frame<'t> {
    path: String,
    entry: &'t Entry,
    included: Matched,
    excluded: Matched,
    /// Whether it was taken, or came with something in it.
    is_taken: bool,
}

/// Calls `take` for everything in a directory that is taken; directories come before what is in them.
pub(super) fn walk<'t>(
    tree: &'t Tree,
    root: &str,
    selection: Selection<'_>,
    budget: &mut Budget,
    mut take: impl FnMut(&mut Budget, Taken<'_, 't>) -> Result<(), String>,
) -> Result<(), String> {
    let Selection { included, excluded } = selection;
    let mut frames: Vec<Frame<'t>> = Vec::new();
    let top = Matched::default();
    for (path, entry) in tree.below(root) {
        budget.look(8)?;
        while frames.last().is_some_and(|frame| !is_below(&path, &frame.path)) {
            frames.pop();
        }
        let above = frames.last();
        let is_folder = entry.node.is_directory();
        let (is_in, matched_in) = match included {
            Some(rules) => rules.matches(&path, is_folder, above.map_or(&top, |frame| &frame.included), budget)?,
            None => (true, Matched::default()),
        };
        let (is_out, matched_out) = if excluded.is_empty() {
            (false, Matched::default())
        } else {
            excluded.matches(&path, is_folder, above.map_or(&top, |frame| &frame.excluded), budget)?
        };
        let is_taken = is_in && !is_out;
        if is_taken {
            let mut around = Vec::new();
            for frame in frames.iter_mut().filter(|frame| !frame.is_taken) {
                frame.is_taken = true;
                around.push((frame.path.clone(), frame.entry));
            }
            take(
                budget,
                Taken {
                    path: &path,
                    entry,
                    around,
                },
            )?;
        }
        if is_folder {
            frames.push(Frame {
                path,
                entry,
                included: matched_in,
                excluded: matched_out,
                is_taken,
            });
        }
    }
    Ok(())
}

/// Whether a path is in a directory.
pub(super) fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}
