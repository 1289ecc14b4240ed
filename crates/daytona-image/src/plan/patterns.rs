//! The patterns among the sources of a build context, and the files that they match.

use std::collections::{HashMap, HashSet};
use std::path::{MAIN_SEPARATOR, PathBuf};
use std::sync::Arc;

use super::effort::Effort;
use super::want::{Group, Want};
use crate::dockerfile::followed::Taking;
use crate::dockerfile::sources::Wanted;
use crate::walk::{Found, WalkProblem, Walked};

/// The patterns of one part. A directory is walked once for all patterns that begin with it.
pub(super) struct Patterns {
    /// The name of the context in messages.
    shown: PathBuf,
    effort: Arc<Effort>,
    /// The patterns that are still to be looked for, by the directories that they begin with.
    waiting: HashMap<String, Vec<Want>>,
    /// What the walks of these directories found.
    walks: HashMap<String, Shared>,
}

/// What a walk for several patterns found.
struct Shared {
    /// Sorted by their names.
    files: Vec<Found>,
    /// Those that are still to be told of, each of the first pattern that it has to do with.
    problems: Vec<WalkProblem>,
}

impl Patterns {
    pub(super) fn new(shown: PathBuf, takings: &[&Taking], effort: &Arc<Effort>) -> Self {
        let sources = takings.iter().flat_map(|taking| &taking.sources);
        let mut seen: HashSet<&Wanted> = HashSet::new();
        let patterns = sources.filter(|wanted| wanted.is_pattern() && seen.insert(wanted));
        let mut waiting: HashMap<String, Vec<Want>> = HashMap::new();
        for want in patterns.filter_map(|wanted| Want::new(wanted).ok()) {
            waiting.entry(want.wanted().fixed()).or_default().push(want);
        }
        Self {
            shown,
            effort: Arc::clone(effort),
            waiting,
            walks: HashMap::new(),
        }
    }

    /// The patterns that begin with this directory, unless it was walked for them.
    pub(super) fn begin(&mut self, directory: &str) -> Option<Arc<Group>> {
        let wants = self.waiting.remove(directory)?;
        Some(Arc::new(Group::new(wants, &self.effort)))
    }

    /// Keeps the files that a walk found for patterns, and the problems with these. Returns the rest.
    pub(super) fn keep(&mut self, directory: &str, group: &Group, mut walked: Walked) -> Walked {
        let wants = &group.wants;
        let problems = std::mem::take(&mut walked.problems).into_iter();
        let (own, others): (Vec<_>, Vec<_>) = problems
            // The directory may be missing.
            .filter(|problem| !matches!(problem, WalkProblem::NotFound { .. }))
            .partition(|problem| {
                self.name_of(problem)
                    .is_some_and(|name| wants.covers(&name, &self.effort))
            });
        walked.problems = others;
        // BuildKit follows a link that is itself a source.
        walked.followed.retain(|name| {
            let mut covering = wants.covering(name, &self.effort);
            covering.any(|want| !want.wanted().names(name))
        });
        let shared = Shared {
            files: std::mem::take(&mut walked.files),
            problems: own,
        };
        self.walks.insert(directory.to_owned(), shared);
        walked
    }

    /// The files that a pattern matches, and the problems with what it matches, unless they were told of before.
    pub(super) fn matched(&mut self, want: &Want) -> (Vec<Found>, Vec<WalkProblem>) {
        let Some(mut shared) = self.walks.remove(&want.wanted().fixed()) else {
            return Default::default();
        };
        let (own, others) = shared
            .problems
            .into_iter()
            .partition(|problem| self.is_of(want, problem));
        shared.problems = others;
        let start = want.wanted().literal_start();
        let first = shared.files.partition_point(|found| found.name.as_str() < start);
        let possible = shared.files[first..].iter();
        let files = possible
            .take_while(|found| found.name.starts_with(start) && !self.effort.is_over())
            .filter(|found| want.covers_within(&found.name, &self.effort))
            .cloned()
            .collect();
        self.walks.insert(want.wanted().fixed(), shared);
        (files, own)
    }

    /// Whether a problem is with something that a pattern matches.
    pub(super) fn is_of(&self, want: &Want, problem: &WalkProblem) -> bool {
        self.name_of(problem)
            .is_some_and(|name| want.covers_within(&name, &self.effort))
    }

    fn name_of(&self, problem: &WalkProblem) -> Option<String> {
        let name = problem.path()?.strip_prefix(&self.shown).ok()?;
        Some(name.to_string_lossy().replace(MAIN_SEPARATOR, "/"))
    }
}
