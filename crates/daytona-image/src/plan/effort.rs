//! What a plan may spend on comparing names with patterns.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::cancel::Cancellation;
use crate::problem::ProblemKind;
use crate::walk::WalkProblem;

/// How many comparisons a plan may make: twice fifty patterns that could match any of half a million files.
const MOST_COMPARISONS: usize = 50_000_000;

/// A comparison takes up to this many steps, or counts as several. A pattern with many stars may look at each byte of the
/// name once for each byte of its own.
const STEPS_OF_ONE: usize = 4096;

/// What one plan has spent. It ends, too, when the plan is cancelled.
#[derive(Debug)]
pub(super) struct Effort {
    comparisons: AtomicUsize,
    most: usize,
    stop: Cancellation,
}

impl Effort {
    pub(super) fn new(stop: &Cancellation) -> Self {
        Self::with_most(MOST_COMPARISONS, stop)
    }

    pub(super) fn with_most(most: usize, stop: &Cancellation) -> Self {
        Self {
            comparisons: AtomicUsize::new(0),
            most,
            stop: stop.clone(),
        }
    }

    /// Counts the comparison of a pattern and a name of this many bytes. `false` if it must not be made.
    pub(super) fn spend(&self, pattern: usize, name: usize) -> bool {
        let count = 1 + pattern.saturating_mul(name) / STEPS_OF_ONE;
        !self.is_over() && self.comparisons.fetch_add(count, Ordering::Relaxed) < self.most
    }

    /// Whether nothing more may be compared.
    pub(super) fn is_over(&self) -> bool {
        self.stop.is_cancelled() || self.comparisons.load(Ordering::Relaxed) > self.most
    }

    /// Why the plan has to end, if it has to.
    pub(super) fn problem(&self) -> Option<ProblemKind> {
        if self.stop.is_cancelled() {
            return Some(WalkProblem::Cancelled.into());
        }
        self.is_over().then(|| ProblemKind::Dockerfile {
            problem:
                "too many patterns are compared with too many files: copy directories instead, or leave files out with \
                      `.dockerignore`"
                    .to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use tempfile::TempDir;

    use super::*;
    use crate::PlanOptions;
    use crate::dockerfile::followed::Taking;
    use crate::dockerfile::sources::Wanted;
    use crate::plan::context_root::ContextRoot;
    use crate::plan::files::{Finder, Taken};

    /// A folder of files with these names.
    fn folder(names: impl IntoIterator<Item = String>) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        folder
    }

    /// A line for each pattern.
    fn takings(patterns: impl IntoIterator<Item = String>) -> Vec<Taking> {
        let taking = |(line, pattern)| Taking {
            part: 0,
            line,
            sources: vec![Wanted::Glob(pattern)],
            sets_mode: false,
            keeps_links: false,
        };
        (1..).zip(patterns).map(taking).collect()
    }

    /// What is taken of a folder, and the problems, with their lines.
    fn find(folder: &TempDir, takings: &[Taking], effort: &Arc<Effort>) -> (Taken, Vec<(Option<usize>, String)>) {
        let options = PlanOptions::default().base_dir(folder.path());
        let takings: Vec<&Taking> = takings.iter().collect();
        let mut finder = Finder::open(&options, effort, &ContextRoot::default(), &takings).unwrap();
        finder.take_all(&takings);
        let found = finder.finish();
        let shown = |(line, problem): (Option<usize>, ProblemKind)| (line, problem.to_string());
        (found.taken, found.problems.into_iter().map(shown).collect())
    }

    #[test]
    fn a_name_is_compared_only_with_patterns_that_begin_like_it() {
        const MANY: usize = 200;
        let folder = folder((0..MANY).map(|index| format!("{index}-file")));
        let takings = takings((0..MANY).map(|index| format!("{index}-*")));
        let effort = Arc::new(Effort::new(&Cancellation::new()));
        let (taken, problems) = find(&folder, &takings, &effort);
        assert_eq!(problems, []);
        assert_eq!(taken.walked.files.len(), MANY);
        // Each file in the walk, and again for its pattern.
        assert_eq!(effort.comparisons.load(Ordering::Relaxed), 2 * MANY);
    }

    #[test]
    fn what_costs_too_much_is_refused_where_it_does() {
        let folder = folder((0..100).map(|index| format!("{index}.a")));
        let takings = takings(["*.a", "*.b", "*.c"].map(str::to_owned));
        // All files for all patterns in the walk, and once more for the first pattern.
        let effort = Effort::with_most(4 * 100, &Cancellation::new());
        let (_, problems) = find(&folder, &takings, &Arc::new(effort));
        let [(Some(2), problem)] = problems.as_slice() else {
            panic!("{problems:?}")
        };
        assert!(problem.contains("too many patterns"), "{problem}");
    }

    #[test]
    fn a_cancelled_search_ends_between_two_patterns_of_one_walk() {
        let folder = folder(["a.a".to_owned()]);
        let takings = takings(["*.a", "*.b"].map(str::to_owned));
        let stop = Cancellation::new();
        let effort = Arc::new(Effort::new(&stop));
        let options = PlanOptions::default().base_dir(folder.path());
        let takings: Vec<&Taking> = takings.iter().collect();
        let mut finder = Finder::open(&options, &effort, &ContextRoot::default(), &takings).unwrap();
        finder.take_all(&takings[..1]);
        stop.cancel();
        finder.take_all(&takings[1..]);
        let found = finder.finish();
        let is_cancelled = |kind: &ProblemKind| matches!(kind, ProblemKind::Walk(WalkProblem::Cancelled));
        assert!(
            found
                .problems
                .iter()
                .any(|(line, kind)| *line == Some(2) && is_cancelled(kind))
        );
        assert_eq!(found.taken.walked.files.len(), 1);
    }
}
