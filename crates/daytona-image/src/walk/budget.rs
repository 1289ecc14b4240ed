//! What bounds a walk, whatever the tree.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::problem::WalkProblem;
use super::within::Steps;
use crate::cancel::Cancellation;

/// The most files and directories in a context, including those that are left out.
pub const MOST_ENTRIES: usize = 1_000_000;

/// How many of them may be reached through links. Each counts once for every path to it, and a few links make many paths.
pub const MOST_THROUGH_LINKS: usize = 100_000;

/// How many components of paths may be looked up for links.
const MOST_LINK_STEPS: usize = 5_000_000;

/// What a walk may take, on all of its threads together.
#[derive(Debug)]
pub(super) struct Budget<'a> {
    entries: AtomicUsize,
    through_links: AtomicUsize,
    link_steps: AtomicUsize,
    limits: Limits,
    cancellation: &'a Cancellation,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) entries: usize,
    pub(super) through_links: usize,
    pub(super) link_steps: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: MOST_ENTRIES,
            through_links: MOST_THROUGH_LINKS,
            link_steps: MOST_LINK_STEPS,
        }
    }
}

impl<'a> Budget<'a> {
    pub(super) fn new(limits: Limits, cancellation: &'a Cancellation) -> Self {
        Self {
            entries: AtomicUsize::new(0),
            through_links: AtomicUsize::new(0),
            link_steps: AtomicUsize::new(0),
            limits,
            cancellation,
        }
    }

    /// Takes an entry; `false` if there is no room for it.
    pub(super) fn take(&self, is_through_link: bool) -> bool {
        let entries = self.entries.fetch_add(1, Ordering::Relaxed);
        if is_through_link {
            self.through_links.fetch_add(1, Ordering::Relaxed);
        }
        entries < self.limits.entries && !self.is_over()
    }

    /// More names of one directory need not be read: there is no room for them.
    pub(super) fn most_names(&self) -> usize {
        self.limits.entries + 1
    }

    /// Whether the walk has to end.
    pub(super) fn is_over(&self) -> bool {
        self.cancellation.is_cancelled()
            || self.entries.load(Ordering::Relaxed) > self.limits.entries
            || self.through_links.load(Ordering::Relaxed) > self.limits.through_links
            || self.link_steps.load(Ordering::Relaxed) > self.limits.link_steps
    }

    /// Why the walk had to end, if it had to. `path` is how its root is called.
    pub(super) fn problem(&self, path: &std::path::Path) -> Option<WalkProblem> {
        let over = |taken: &AtomicUsize, limit| taken.load(Ordering::Relaxed) > limit;
        let path = path.to_owned();
        if self.cancellation.is_cancelled() {
            Some(WalkProblem::Cancelled)
        } else if over(&self.through_links, self.limits.through_links) || over(&self.link_steps, self.limits.link_steps)
        {
            let limit = self.limits.through_links;
            Some(WalkProblem::TooManyThroughLinks { path, limit })
        } else if over(&self.entries, self.limits.entries) {
            let limit = self.limits.entries;
            Some(WalkProblem::TooManyEntries { path, limit })
        } else {
            None
        }
    }
}

impl Steps for Budget<'_> {
    fn step(&self) -> io::Result<()> {
        self.link_steps.fetch_add(1, Ordering::Relaxed);
        if self.is_over() {
            Err(io::ErrorKind::Interrupted.into())
        } else {
            Ok(())
        }
    }
}
