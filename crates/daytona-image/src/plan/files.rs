//! The files that instructions take from a build context.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{MAIN_SEPARATOR, Path, PathBuf};
use std::sync::Arc;

use super::want::{Group, Want};
use super::{PlanOptions, resolve};
use crate::cancel::Cancellation;
use crate::dockerfile::followed::Taking;
use crate::dockerfile::sources::Wanted;
use crate::escape;
use crate::ignore::IgnoreRules;
use crate::image::archive_name::{RESERVED, covers};
use crate::image::dockerfile_source::ContextDir;
use crate::problem::ProblemKind;
use crate::walk::{DOCKERIGNORE, Found, Links, Walk, WalkProblem, Walked, read_rules};

/// Where a build context is, as the caller wrote it.
#[derive(Debug, Clone, Default)]
pub(crate) struct ContextRoot {
    pub(crate) path: PathBuf,
    /// Ignore rules that come before those of the directory.
    pub(crate) own_rules: Option<PathBuf>,
    pub(crate) dir: ContextDir,
}

/// What was taken from a build context.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// The files, under their names in the context.
    pub(crate) walked: Walked,
    /// Files at the root whose names mean something there.
    pub(crate) reserved: Vec<Found>,
    /// Names of that kind that an instruction asks for, with its line.
    pub(crate) named: Vec<(usize, String)>,
    /// Everything that was wanted.
    pub(crate) wants: Vec<Want>,
}

/// What was found for a want.
#[derive(Debug, Default, Clone, Copy)]
struct Outcome {
    has_files: bool,
}

/// Finds the files of all takings of one part. Problems and warnings come with their lines.
pub(crate) struct Finder {
    root: PathBuf,
    shown: PathBuf,
    rules: IgnoreRules,
    links: Links,
    stop: Cancellation,
    files: BTreeMap<String, Found>,
    /// The patterns that are still to be looked for, by the directories that they begin with.
    patterns: HashMap<String, Vec<Want>>,
    /// The files of those that were looked for, and problems that are still to be told of the first pattern that has them.
    walks: HashMap<String, (Vec<Found>, Vec<WalkProblem>)>,
    /// By what is wanted, and whether a mode is set.
    outcomes: HashMap<(Wanted, bool), Outcome>,
    /// Patterns that nothing matched: their lines, and whether another source of the same instruction did.
    unmatched: Vec<(usize, Wanted, bool)>,
    taken: Taken,
    pub(crate) problems: Vec<(Option<usize>, ProblemKind)>,
    pub(crate) warnings: Vec<(usize, String)>,
}

impl Finder {
    /// Opens a build context.
    pub(crate) fn open(options: &PlanOptions, context: &ContextRoot) -> Result<Self, Vec<ProblemKind>> {
        let shown = if context.path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            &context.path
        };
        let (root, metadata) = resolve::locate(options, shown)?;
        if !metadata.is_dir() {
            return Err(vec![ProblemKind::NotAFolder { path: shown.to_owned() }]);
        }
        Ok(Self {
            rules: rules(options, context)?,
            links: context.dir.links,
            stop: options.stop().clone(),
            root,
            shown: context.path.clone(),
            files: BTreeMap::new(),
            patterns: HashMap::new(),
            walks: HashMap::new(),
            outcomes: HashMap::new(),
            unmatched: Vec::new(),
            taken: Taken::default(),
            problems: Vec::new(),
            warnings: Vec::new(),
        })
    }

    fn problem(&mut self, line: usize, problem: String) {
        self.problems.push((Some(line), ProblemKind::Dockerfile { problem }));
    }

    /// Finds what the instructions take.
    pub(crate) fn take_all(&mut self, takings: &[&Taking]) {
        let sources = takings.iter().flat_map(|taking| &taking.sources);
        let patterns: HashSet<&Wanted> = sources.filter(|wanted| wanted.is_pattern()).collect();
        for want in patterns.into_iter().filter_map(|wanted| Want::new(wanted).ok()) {
            self.patterns.entry(want.wanted().fixed()).or_default().push(want);
        }
        for taking in takings {
            self.take(taking);
        }
    }

    fn take(&mut self, taking: &Taking) {
        let mut any = false;
        let mut unmatched = Vec::new();
        for wanted in &taking.sources {
            let key = (wanted.clone(), taking.sets_mode);
            if let Some(outcome) = self.outcomes.get(&key) {
                any |= outcome.has_files;
                continue;
            }
            let outcome = self.find(wanted, taking);
            any |= outcome.has_files;
            if !outcome.has_files && wanted.is_pattern() {
                unmatched.push(wanted.clone());
            }
            self.outcomes.insert(key, outcome);
        }
        self.unmatched
            .extend(unmatched.into_iter().map(|wanted| (taking.line, wanted, any)));
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
                return Outcome { has_files: true };
            }
        };
        let outcome = match wanted {
            Wanted::Path(path) => self.path(&want, path, taking),
            Wanted::Glob(_) | Wanted::Parents { .. } => self.pattern(&want, taking),
        };
        self.taken.wants.push(want);
        outcome
    }

    fn walk(&self, start: &str) -> Walk {
        Walk::new(&self.root)
            .shown_as(&self.shown)
            .rules(self.rules.clone())
            .links(self.links)
            .cancellation(&self.stop)
            .below(start)
    }

    /// What was found for a path.
    fn path(&mut self, want: &Want, path: &str, taking: &Taking) -> Outcome {
        let line = taking.line;
        let mut walked = self.walk(path).run();
        if taking.sets_mode {
            walked.files.iter_mut().for_each(|found| found.mode = None);
        }
        if taking.keeps_links && walked.files.iter().any(|found| !found.source.ends_with(&found.name)) {
            walked.followed.push(path.to_owned());
        }
        let named = self.shown.join(path);
        let is_missing = |problem: &WalkProblem| matches!(problem, WalkProblem::NotFound { .. });
        if walked.problems.iter().any(is_missing) {
            let hint = if path.contains('\\') {
                "; separate directories with `/`"
            } else {
                ""
            };
            let problem = format!(
                "the source `{}` is not in the build context `{}`: check its spelling, or the context directory{hint}",
                escape::text(path),
                shown(&self.shown)
            );
            self.problem(line, problem);
            return Outcome { has_files: true };
        }
        // What cannot be sent is left out, but not where it is all that was asked for.
        let is_named = |problem: &WalkProblem| !path.is_empty() && problem.path() == Some(&named);
        if let Some(problem) = walked.skipped.iter().find(|problem| is_named(problem)) {
            let problem = format!("the source `{}` cannot be sent: {problem}", escape::text(path));
            self.problem(line, problem);
            return Outcome { has_files: true };
        }
        if !want.is_asked_for(path) {
            let problem = format!(
                "the source `{}` is not found by BuildKit, which reads it once as a path and once as a pattern: put the special \
                 characters of the name into classes, such as `[!]`, or `[\\\\]` in the JSON form for a backslash",
                escape::text(path)
            );
            self.problem(line, problem);
            return Outcome { has_files: true };
        }
        walked.files.retain(|found| want.covers(&found.name));
        if RESERVED.contains(&path) {
            self.taken.named.push((line, path.to_owned()));
        }
        let has_files = !walked.files.is_empty();
        if !has_files && walked.problems.is_empty() {
            let first = walked.excluded.first().map(|excluded| excluded.rule.to_string());
            match (path, first) {
                ("", Some(rule)) => {
                    let warning = format!("everything in `.` is left out, first by the ignore rule {rule}");
                    self.warnings.push((line, warning));
                }
                ("", None) => self.warnings.push((line, "there is no file in `.`".to_owned())),
                (_, Some(rule)) => self.problem(
                    line,
                    format!(
                        "the source `{}` is left out of the build context by the ignore rule {rule}",
                        escape::text(path)
                    ),
                ),
                (_, None) => self.problem(
                    line,
                    format!(
                        "the source `{}` is a directory without a file, and would not reach the build: put a file into it, or create \
                         it with `RUN mkdir -p …`",
                        escape::text(path)
                    ),
                ),
            }
        }
        self.absorb(line, walked);
        Outcome { has_files }
    }

    /// What was found for a pattern.
    fn pattern(&mut self, want: &Want, taking: &Taking) -> Outcome {
        let fixed = want.wanted().fixed();
        if let Some(wants) = self.patterns.remove(&fixed) {
            self.walk_for(&fixed, wants, taking.line);
        }
        let Some((found, problems)) = self.walks.remove(&fixed) else {
            return Outcome::default();
        };
        let (own, others): (Vec<_>, Vec<_>) = problems.into_iter().partition(|problem| self.is_of(want, problem));
        let own = own.into_iter().map(ProblemKind::Walk);
        self.problems.extend(own.map(|problem| (Some(taking.line), problem)));
        let mut files: Vec<Found> = found.iter().filter(|found| want.covers(&found.name)).cloned().collect();
        self.walks.insert(fixed, (found, others));
        let mut skipped = self.taken.walked.skipped.iter();
        if files.is_empty()
            && let Some(problem) = skipped.find(|problem| self.is_of(want, problem))
        {
            let pattern = escape::text(&want.wanted().path()).to_string();
            let problem = format!("the pattern `{pattern}` matches only files that cannot be sent: {problem}");
            self.problem(taking.line, problem);
            return Outcome { has_files: true };
        }
        if taking.sets_mode {
            for found in &mut files {
                found.mode = None;
            }
        }
        let has_files = !files.is_empty();
        self.absorb_files(files);
        Outcome { has_files }
    }

    /// Walks a directory for the patterns that begin with it.
    fn walk_for(&mut self, fixed: &str, wants: Vec<Want>, line: usize) {
        let group = Arc::new(Group::new(wants));
        let mut walked = self.walk(fixed).only(Arc::clone(&group)).run();
        // The directory may be missing.
        walked
            .problems
            .retain(|problem| !matches!(problem, WalkProblem::NotFound { .. }));
        // BuildKit follows a link that is itself a source.
        let is_below = |want: &Want, name: &str| want.covers(name) && !want.wanted().names(name);
        walked
            .followed
            .retain(|name| group.wants().iter().any(|want| is_below(want, name)));
        let files = std::mem::take(&mut walked.files);
        let (own, others): (Vec<_>, Vec<_>) = std::mem::take(&mut walked.problems)
            .into_iter()
            .partition(|problem| group.wants().iter().any(|want| self.is_of(want, problem)));
        self.walks.insert(fixed.to_owned(), (files, own));
        walked.problems = others;
        self.absorb(line, walked);
    }

    /// Whether a problem is with something that is wanted.
    fn is_of(&self, want: &Want, problem: &WalkProblem) -> bool {
        let name = problem.path().and_then(|path| path.strip_prefix(&self.shown).ok());
        let name = name.map(|name| name.to_string_lossy().replace(MAIN_SEPARATOR, "/"));
        name.is_some_and(|name| want.covers(&name))
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

    /// What was found, all together.
    pub(crate) fn finish(mut self) -> Finished {
        for (line, wanted, has_other) in std::mem::take(&mut self.unmatched) {
            let fixed = wanted.required();
            let pattern = escape::text(&wanted.path()).to_string();
            if fixed.is_empty() || self.files.keys().any(|name| covers(fixed, name)) {
                if !has_other {
                    self.warnings
                        .push((line, format!("the pattern `{pattern}` matches no file")));
                }
            } else {
                let problem = format!(
                    "the pattern `{pattern}` matches no file, because no file below `{}` is sent: the build would not find it",
                    escape::text(fixed)
                );
                self.problem(line, problem);
            }
        }
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

/// The ignore rules of a context: those beside the Dockerfile or else those of the directory, and those that were given
/// in code.
fn rules(options: &PlanOptions, context: &ContextRoot) -> Result<IgnoreRules, Vec<ProblemKind>> {
    let candidates = context
        .own_rules
        .clone()
        .into_iter()
        .chain([context.path.join(DOCKERIGNORE)]);
    let mut rules = IgnoreRules::none();
    for candidate in candidates {
        let full = options.resolve(&candidate).map_err(|problem| vec![problem])?;
        let (Some(folder), Some(name)) = (full.parent(), full.file_name()) else {
            continue;
        };
        let found = read_rules(folder, Path::new(name), &candidate).map_err(|problem| vec![problem.into()])?;
        if let Some(found) = found {
            rules = found;
            break;
        }
    }
    let given =
        IgnoreRules::new(&context.dir.ignore).map_err(|error| vec![WalkProblem::InvalidPattern { error }.into()])?;
    Ok(rules.and(&given))
}

fn shown(path: &Path) -> String {
    if path.as_os_str().is_empty() {
        ".".to_owned()
    } else {
        escape::path(path).to_string()
    }
}
