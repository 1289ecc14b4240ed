//! The files that instructions take from a build context.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::PlanOptions;
use super::context_root::ContextRoot;
use super::effort::Effort;
use super::patterns::Patterns;
use super::want::{Want, Wants};
use crate::dockerfile::followed::Taking;
use crate::dockerfile::sources::Wanted;
use crate::escape;
use crate::image::archive_name::RESERVED;
use crate::problem::ProblemKind;
use crate::walk::{Found, Walk, WalkProblem, Walked};

/// The files that were taken from a build context.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// The files, under their names in the context.
    pub(crate) walked: Walked,
    /// Files at the root that have special names.
    pub(crate) reserved: Vec<Found>,
    /// Special names that an instruction copies, each with its line.
    pub(crate) named: Vec<(usize, String)>,
    /// Everything that was wanted.
    pub(crate) wants: Wants,
}

/// What decides which files a source of an instruction means, and what is reported about them.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Source {
    wanted: Wanted,
    sets_mode: bool,
    keeps_links: bool,
}

/// What was found for a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Files,
    Nothing,
    /// There is a problem, which was reported.
    Refused,
}

impl Outcome {
    fn of(files: &[Found]) -> Self {
        if files.is_empty() { Self::Nothing } else { Self::Files }
    }
}

/// A pattern that nothing matches.
struct Unmatched {
    line: usize,
    wanted: Wanted,
    /// Whether another source of the same instruction has files.
    is_alternative: bool,
}

/// Finds the files that all instructions of one part copy. Problems and warnings have their lines.
pub(crate) struct Finder {
    /// The walk of all of the context.
    walk: Walk,
    /// The name of the context in messages.
    shown: PathBuf,
    effort: Arc<Effort>,
    files: BTreeMap<String, Found>,
    patterns: Patterns,
    outcomes: HashMap<Source, Outcome>,
    unmatched: Vec<Unmatched>,
    wants: Vec<Want>,
    taken: Taken,
    pub(crate) problems: Vec<(Option<usize>, ProblemKind)>,
    pub(crate) warnings: Vec<(usize, String)>,
}

impl Finder {
    /// Opens the build context of these instructions.
    pub(super) fn open(
        options: &PlanOptions,
        effort: &Arc<Effort>,
        context: &ContextRoot,
        takings: &[&Taking],
    ) -> Result<Self, Vec<ProblemKind>> {
        Ok(Self {
            walk: context.walk(options)?,
            shown: context.path.clone(),
            effort: Arc::clone(effort),
            files: BTreeMap::new(),
            patterns: Patterns::new(context.path.clone(), takings, effort),
            outcomes: HashMap::new(),
            unmatched: Vec::new(),
            wants: Vec::new(),
            taken: Taken::default(),
            problems: Vec::new(),
            warnings: Vec::new(),
        })
    }

    fn problem(&mut self, line: usize, problem: String) {
        self.problems.push((Some(line), ProblemKind::Dockerfile { problem }));
    }

    /// Finds the files that the instructions copy.
    pub(super) fn take_all(&mut self, takings: &[&Taking]) {
        for taking in takings {
            self.take(taking);
            if let Some(problem) = self.effort.problem() {
                return self.problems.push((Some(taking.line), problem));
            }
        }
    }

    fn take(&mut self, taking: &Taking) {
        let mut has_files = false;
        let mut unmatched = Vec::new();
        for wanted in &taking.sources {
            if self.effort.is_over() {
                return;
            }
            let source = Source {
                wanted: wanted.clone(),
                sets_mode: taking.sets_mode,
                keeps_links: taking.keeps_links,
            };
            let known = self.outcomes.get(&source).copied();
            let outcome = known.unwrap_or_else(|| self.find(wanted, taking));
            has_files |= outcome == Outcome::Files;
            if known.is_none() && outcome == Outcome::Nothing && wanted.is_pattern() {
                unmatched.push(wanted.clone());
            }
            self.outcomes.insert(source, outcome);
        }
        self.unmatched.extend(unmatched.into_iter().map(|wanted| Unmatched {
            line: taking.line,
            wanted,
            is_alternative: has_files,
        }));
    }

    fn find(&mut self, wanted: &Wanted, taking: &Taking) -> Outcome {
        let line = taking.line;
        let want = match Want::new(wanted) {
            Ok(want) => want,
            Err(error) => {
                let path = wanted.path();
                let hint = if path.starts_with('[') {
                    "; it begins like a JSON list, but is not one"
                } else {
                    ""
                };
                self.problem(line, format!("the source `{}`: {error}{hint}", escape::text(&path)));
                return Outcome::Refused;
            }
        };
        let outcome = match wanted {
            Wanted::Path(path) => self.path(&want, path, taking),
            Wanted::Glob(_) | Wanted::Parents { .. } => self.pattern(&want, taking),
        };
        self.wants.push(want);
        outcome
    }

    /// What was found for a path.
    fn path(&mut self, want: &Want, path: &str, taking: &Taking) -> Outcome {
        let line = taking.line;
        let mut walked = self.walk.clone().below(path).run();
        if taking.sets_mode {
            walked.files.iter_mut().for_each(|found| found.mode = None);
        }
        if taking.keeps_links && walked.files.iter().any(|found| !found.source.ends_with(&found.name)) {
            walked.followed.push(path.to_owned());
        }
        if let Some(problem) = self.refusal(want, path, &walked) {
            self.problem(line, problem);
            return Outcome::Refused;
        }
        walked.files.retain(|found| want.covers(&found.name));
        if RESERVED.contains(&path) {
            self.taken.named.push((line, path.to_owned()));
        }
        let outcome = Outcome::of(&walked.files);
        if outcome == Outcome::Nothing && walked.problems.is_empty() {
            self.report_empty(line, path, &walked);
        }
        self.absorb(line, walked);
        outcome
    }

    /// Why a path cannot be a source, if it cannot.
    fn refusal(&self, want: &Want, path: &str, walked: &Walked) -> Option<String> {
        let text = escape::text(path);
        let is_missing = |problem: &WalkProblem| matches!(problem, WalkProblem::NotFound { .. });
        if walked.problems.iter().any(is_missing) {
            let hint = if path.contains('\\') {
                "; separate directories with `/`"
            } else {
                ""
            };
            return Some(format!(
                "the source `{text}` is not in the build context `{}`: check its spelling, or the context directory{hint}",
                shown(&self.shown)
            ));
        }
        // What cannot be sent is left out, but not where it is all that was asked for.
        let named = self.shown.join(path);
        let is_named = |problem: &&WalkProblem| !path.is_empty() && problem.path() == Some(&named);
        if let Some(problem) = walked.skipped.iter().find(is_named) {
            return Some(format!("the source `{text}` cannot be sent: {problem}"));
        }
        (!want.is_asked_for(path)).then(|| {
            format!(
                "the source `{text}` is not found by BuildKit, which reads it once as a path and once as a pattern: put the \
                 special characters of the name into classes, such as `[!]`, or `[\\\\]` in the JSON form for a backslash"
            )
        })
    }

    /// Reports that a path has no file.
    fn report_empty(&mut self, line: usize, path: &str, walked: &Walked) {
        let first = walked.excluded.first().map(|excluded| excluded.rule.to_string());
        let text = escape::text(path);
        match (path, first) {
            ("", Some(rule)) => {
                let warning = format!("everything in `.` is left out, first by the ignore rule {rule}");
                self.warnings.push((line, warning));
            }
            ("", None) => self.warnings.push((line, "there is no file in `.`".to_owned())),
            (_, Some(rule)) => self.problem(
                line,
                format!("the source `{text}` is left out of the build context by the ignore rule {rule}"),
            ),
            (_, None) => self.problem(
                line,
                format!(
                    "the source `{text}` is a directory without a file, and would not reach the build: put a file into it, or \
                     create it with `RUN mkdir -p …`"
                ),
            ),
        }
    }

    /// What was found for a pattern.
    fn pattern(&mut self, want: &Want, taking: &Taking) -> Outcome {
        let directory = want.wanted().fixed();
        if let Some(group) = self.patterns.begin(&directory) {
            let walked = self.walk.clone().below(&directory).only(Arc::clone(&group)).run();
            let rest = self.patterns.keep(&directory, &group, walked);
            self.absorb(taking.line, rest);
        }
        let (mut files, problems) = self.patterns.matched(want);
        let problems = problems.into_iter().map(ProblemKind::Walk);
        self.problems
            .extend(problems.map(|problem| (Some(taking.line), problem)));
        let mut skipped = self.taken.walked.skipped.iter();
        if files.is_empty()
            && let Some(problem) = skipped.find(|problem| self.patterns.is_of(want, problem))
        {
            let pattern = escape::text(&want.wanted().path()).to_string();
            let problem = format!("the pattern `{pattern}` matches only files that cannot be sent: {problem}");
            self.problem(taking.line, problem);
            return Outcome::Refused;
        }
        if taking.sets_mode {
            for found in &mut files {
                found.mode = None;
            }
        }
        let outcome = Outcome::of(&files);
        self.absorb_files(files);
        outcome
    }

    fn absorb(&mut self, line: usize, walked: Walked) {
        let problems = walked.problems.into_iter();
        self.problems
            .extend(problems.map(|problem| (Some(line), ProblemKind::Walk(problem))));
        let all = &mut self.taken.walked;
        all.skipped.extend(walked.skipped);
        all.empty.extend(walked.empty);
        all.followed.extend(walked.followed);
        all.directories_read += walked.directories_read;
        all.excluded.extend(walked.excluded);
        all.doubtful_rules = walked.doubtful_rules;
        self.absorb_files(walked.files);
    }

    fn absorb_files(&mut self, files: Vec<Found>) {
        for found in files {
            // Whoever takes it without a mode of its own loses the one that it has.
            let keeps_mode = self.files.get(&found.name).is_some_and(|before| before.mode.is_some());
            if !keeps_mode {
                self.files.insert(found.name.clone(), found);
            }
        }
    }

    /// Whether something at or below this path was taken.
    fn has_taken(&self, path: &str) -> bool {
        let below = format!("{path}/");
        let first = self.files.range(below.clone()..).next();
        path.is_empty() || self.files.contains_key(path) || first.is_some_and(|(name, _)| name.starts_with(&below))
    }

    /// Everything that was found.
    pub(crate) fn finish(mut self) -> Finished {
        for unmatched in std::mem::take(&mut self.unmatched) {
            let line = unmatched.line;
            let required = unmatched.wanted.required();
            let pattern = escape::text(&unmatched.wanted.path()).to_string();
            if !self.has_taken(required) {
                let problem = format!(
                    "the pattern `{pattern}` matches no file, because no file below `{}` is sent: the build would not find it",
                    escape::text(required)
                );
                self.problem(line, problem);
            } else if !unmatched.is_alternative {
                self.warnings
                    .push((line, format!("the pattern `{pattern}` matches no file")));
            }
        }
        self.taken.wants = Wants::new(self.wants);
        for name in RESERVED {
            self.taken.reserved.extend(self.files.remove(name));
        }
        let walked = &mut self.taken.walked;
        walked.excluded.sort_by(|one, other| one.name.cmp(&other.name));
        walked.excluded.dedup();
        walked.empty.sort();
        walked.empty.dedup();
        // What is left out is told as such.
        walked.followed.retain(|name| !RESERVED.contains(&name.as_str()));
        walked.followed.sort();
        walked.followed.dedup();
        walked.skipped.sort_by(|one, other| one.path().cmp(&other.path()));
        walked.skipped.dedup_by(|one, other| one.path() == other.path());
        walked.files = self.files.into_values().collect();
        Finished {
            taken: self.taken,
            problems: self.problems,
            warnings: self.warnings,
        }
    }
}

/// What a [`Finder`] has found.
pub(crate) struct Finished {
    pub(crate) taken: Taken,
    pub(crate) problems: Vec<(Option<usize>, ProblemKind)>,
    pub(crate) warnings: Vec<(usize, String)>,
}

fn shown(path: &Path) -> String {
    if path.as_os_str().is_empty() {
        ".".to_owned()
    } else {
        escape::path(path).to_string()
    }
}
