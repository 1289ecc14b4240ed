//! The plan: the Dockerfile's text, and every file that goes with it.

pub(crate) mod advice;
mod entrypoint;
mod layout;
mod raw;
mod render;
mod resolve;

use std::fmt;
use std::panic::Location;
use std::path::{Path, PathBuf};

use crate::cancel::Cancellation;
use crate::ignore::Rule;
use crate::image::Step;
use crate::problem::{PlanError, Problem, ProblemKind};
use crate::quote;
use crate::walk::{Fingerprint, WalkProblem, Walked};
use layout::Tree;
use render::{Line, Renderer};

/// What would be built and sent: the text of a Dockerfile, and all members of its build context.
///
/// A plan is fixed: what it lists is what is packed, and a file that changes afterwards is noticed when it is read.
#[derive(Debug, Clone, PartialEq)]
pub struct ImagePlan {
    dockerfile: String,
    members: Vec<Member>,
    excluded: Vec<ExcludedPath>,
    entrypoint: Vec<String>,
    warnings: Vec<PlanWarning>,
    /// Where paths were looked for, to explain further ones.
    options: PlanOptions,
}

/// What becomes of a local path.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Explanation<'a> {
    /// It, or what is in it, is sent as these members.
    Sent(Vec<&'a Member>),
    /// An ignore rule leaves it out.
    Excluded(&'a ExcludedPath),
    /// No step takes it.
    NotTaken,
}

/// A local file or directory that an ignore rule leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExcludedPath {
    /// Number of the step, counted from 1.
    pub step: usize,
    /// Its path below the folder of the step, `/`-separated. Of a directory that was not looked into only the directory.
    pub name: String,
    /// The local path itself.
    pub path: PathBuf,
    /// The rule that decided.
    pub rule: Rule,
}

impl ImagePlan {
    /// The text of the Dockerfile.
    pub fn dockerfile(&self) -> &str {
        &self.dockerfile
    }

    /// Every file of the context, sorted by the bytes of its name. Empty if the image needs no local files.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// What the service will start in a sandbox. It reads the Dockerfile's text by rules of its own; where Docker would start
    /// something else, a warning says so.
    pub fn entrypoint(&self) -> &[String] {
        &self.entrypoint
    }

    /// What the ignore rules leave out, and by which rule.
    pub fn excluded(&self) -> &[ExcludedPath] {
        &self.excluded
    }

    /// Bytes of all members together.
    pub fn total_size(&self) -> u64 {
        self.members.iter().map(Member::size).sum()
    }

    /// The largest members, the largest first.
    pub fn largest(&self, count: usize) -> Vec<&Member> {
        let mut members: Vec<&Member> = self.members.iter().collect();
        members.sort_by(|one, other| other.size().cmp(&one.size()).then_with(|| one.name.cmp(&other.name)));
        members.truncate(count);
        members
    }

    /// What becomes of a local path: sent, and under which names, or left out, and by which rule.
    ///
    /// The path is read as those of the steps were; a file that several steps send has several names. Looks at the file
    /// system to find out what the path leads to.
    pub fn explain(&self, path: impl AsRef<Path>) -> Explanation<'_> {
        let path = self
            .options
            .resolve(path.as_ref())
            .unwrap_or_else(|_| path.as_ref().to_owned());
        let path = std::fs::canonicalize(&path).unwrap_or(path);
        let sent: Vec<&Member> = self
            .members
            .iter()
            .filter(|member| member.source.starts_with(&path))
            .collect();
        if !sent.is_empty() {
            return Explanation::Sent(sent);
        }
        let excluded = self.excluded.iter().find(|excluded| path.starts_with(&excluded.path));
        excluded.map_or(Explanation::NotTaken, Explanation::Excluded)
    }

    /// What is allowed, but may surprise.
    pub fn warnings(&self) -> &[PlanWarning] {
        &self.warnings
    }
}

/// One file of the context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    name: String,
    source: PathBuf,
    executable: bool,
    fingerprint: Fingerprint,
}

impl Member {
    /// Its name in the context, `/`-separated.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The local file that it is read from.
    pub fn source(&self) -> &Path {
        &self.source
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.fingerprint.size()
    }

    /// Its mode in the context: 0755 if its owner may execute it, else 0644.
    pub fn mode(&self) -> u32 {
        if self.executable { 0o755 } else { 0o644 }
    }

    /// What the file was like when it was planned.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }
}

/// Where a plan looks for local files.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct PlanOptions {
    base_dir: Result<PathBuf, String>,
    home: Option<PathBuf>,
    warn_over: Option<u64>,
    cancellation: Cancellation,
}

impl PlanOptions {
    /// Lets another thread stop the plan: it then fails, and [`PlanError::is_cancelled`] says so.
    pub fn cancellation(mut self, cancellation: &Cancellation) -> Self {
        self.cancellation = cancellation.clone();
        self
    }

    /// Fails if the plan was stopped.
    pub(crate) fn check_stop(&self) -> Result<(), ProblemKind> {
        if self.cancellation.is_cancelled() {
            Err(WalkProblem::Cancelled.into())
        } else {
            Ok(())
        }
    }

    /// Warns of a context over this many bytes, with its largest files. Default: never.
    pub fn warn_over(mut self, bytes: u64) -> Self {
        self.warn_over = Some(bytes);
        self
    }

    /// The folder that relative paths start from. Default: the process's current folder.
    pub fn base_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.base_dir = Ok(folder.into());
        self
    }

    /// The folder that `~` stands for. Default: the home folder of the user.
    pub fn home(mut self, folder: impl Into<PathBuf>) -> Self {
        self.home = Some(folder.into());
        self
    }

    /// The folder that a path starts from.
    pub(crate) fn base_of(&self, path: &Path) -> Option<&Path> {
        let is_relative = !path.is_absolute() && !path.starts_with("~");
        self.base_dir.as_deref().ok().filter(|_| is_relative)
    }

    /// The path in full, by its spelling alone.
    pub(crate) fn resolve(&self, path: &Path) -> Result<PathBuf, ProblemKind> {
        if let Ok(rest) = path.strip_prefix("~") {
            let home = self
                .home
                .as_ref()
                .ok_or_else(|| ProblemKind::NoHome { path: path.to_owned() })?;
            return Ok(home.join(rest));
        }
        if path.is_absolute() {
            return Ok(path.to_owned());
        }
        let base = self
            .base_dir
            .as_ref()
            .map_err(|reason| ProblemKind::NoBaseDir { reason: reason.clone() })?;
        Ok(base.join(path))
    }
}

/// The process's current folder and the user's home folder.
impl Default for PlanOptions {
    fn default() -> Self {
        Self {
            base_dir: std::env::current_dir().map_err(|error| error.to_string()),
            home: std::env::home_dir(),
            warn_over: None,
            cancellation: Cancellation::new(),
        }
    }
}

/// Something in an image that is allowed, but may surprise.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlanWarning {
    /// Number of the step, counted from 1.
    pub step: usize,
    /// The method of [`Image`](crate::Image) that made the step.
    pub method: &'static str,
    /// Where it was called.
    pub location: &'static Location<'static>,
    /// What it is, in words.
    pub message: String,
}

impl fmt::Display for PlanWarning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "step {} ({} at {}): {}",
            self.step, self.method, self.location, self.message
        )
    }
}

impl ImagePlan {
    pub(crate) fn new(steps: &[Step], options: &PlanOptions) -> Result<Self, PlanError> {
        let mut renderer = Renderer::new(options);
        let mut planner = Planner {
            steps,
            options,
            lines: Vec::new(),
            remarks: Vec::new(),
            problems: Vec::new(),
        };
        for (index, step) in steps.iter().enumerate() {
            if let Err(kind) = options.check_stop() {
                planner.problem(index + 1, kind);
                break;
            }
            match renderer.lines(&step.instruction) {
                Ok(lines) => planner.lines.extend(lines.into_iter().map(|line| (index + 1, line))),
                Err(problems) => problems.into_iter().for_each(|kind| planner.problem(index + 1, kind)),
            }
            planner
                .remarks
                .extend(renderer.take_remarks().into_iter().map(|remark| (index + 1, remark)));
        }
        planner.finish(renderer.escape())
    }
}

/// Collects the lines of all steps and gives each local source its place in the one tree that the server makes.
struct Planner<'a> {
    steps: &'a [Step],
    options: &'a PlanOptions,
    lines: Vec<(usize, Line)>,
    remarks: Vec<(usize, String)>,
    problems: Vec<Problem>,
}

impl Planner<'_> {
    fn problem(&mut self, number: usize, kind: ProblemKind) {
        let step = &self.steps[number - 1];
        self.problems.push(Problem {
            step: number,
            method: step.method,
            location: step.location,
            kind,
        });
    }

    fn finish(mut self, escape: char) -> Result<ImagePlan, PlanError> {
        if !self.problems.is_empty() {
            return Err(PlanError::new(self.problems));
        }
        let mut tree = Tree::new(self.lines.iter().filter_map(|(_, line)| line.source()));
        // What cannot move has to be there first.
        for (number, line) in &self.lines {
            if let Some(raw) = line.raw() {
                tree.place_raw(*number, raw);
            }
        }
        let mut dockerfile = String::new();
        for (index, (number, line)) in self.lines.iter().enumerate() {
            match line {
                Line::Text(text) => dockerfile.extend([text, "\n"]),
                Line::Copy(copy) => {
                    let root = tree.place(*number, &copy.source);
                    let mut target = quote::copy_target(&copy.target, escape);
                    if let Some(name) = &copy.name {
                        target.push_str(&quote::copy_target_name(name, escape));
                    }
                    let words = copy_words(&root, &target, copy.prefers_plain, escape);
                    dockerfile.extend(["COPY ", &words, "\n"]);
                }
                Line::Raw(raw) => {
                    let is_last = index + 1 == self.lines.len();
                    dockerfile.push_str(if is_last {
                        &raw.text
                    } else {
                        raw.text_to_append_to(escape)
                    });
                    if !is_last && !dockerfile.ends_with('\n') {
                        dockerfile.push('\n');
                    }
                }
            }
        }
        let overlaps = tree.overlaps();
        let notes = self.notes(&tree, &dockerfile);
        let members = tree.members().map(|(name, found)| Member {
            name: name.to_owned(),
            source: found.source.clone(),
            executable: found.is_executable,
            fingerprint: found.fingerprint.clone(),
        });
        let members: Vec<Member> = members.collect();
        let excluded = self.excluded();
        if !overlaps.is_empty() {
            for (number, kind) in overlaps {
                self.problem(number, kind);
            }
            return Err(PlanError::new(self.problems));
        }
        let warnings = notes.into_iter().map(|(number, message)| {
            let step = &self.steps[number - 1];
            PlanWarning {
                step: number,
                method: step.method,
                location: step.location,
                message,
            }
        });
        Ok(ImagePlan {
            entrypoint: entrypoint::stored(&dockerfile),
            members,
            excluded,
            warnings: warnings.collect(),
            options: self.options.clone(),
            dockerfile,
        })
    }

    /// What may surprise, in the order of the steps.
    fn notes(&self, tree: &Tree<'_>, dockerfile: &str) -> Vec<(usize, String)> {
        let mut notes = self.remarks.clone();
        notes.extend(tree.displaced(dockerfile));
        notes.extend(tree.secrets());
        notes.extend(self.oversize(tree));
        for (number, line) in &self.lines {
            let own = line.source().map(|source| (source.last.as_str(), &source.walked));
            let walked = own.or(line.raw().map(|raw| ("", &raw.walked)));
            notes.extend(
                walked
                    .into_iter()
                    .flat_map(|(folder, walked)| surprises(folder, walked))
                    .map(|message| (*number, message)),
            );
            for (line, message) in line.raw().into_iter().flat_map(|raw| &raw.warnings) {
                notes.push((*number, format!("line {line}: {message}")));
            }
        }
        let surprise = entrypoint::surprise(dockerfile, &entrypoint::stored(dockerfile));
        notes.extend(surprise.map(|message| (self.steps.len(), message)));
        notes.sort_by_key(|(number, _)| *number);
        notes
    }

    /// A remark on a context over the size that the caller set, with its largest files.
    fn oversize(&self, tree: &Tree<'_>) -> Option<(usize, String)> {
        const SHOWN: usize = 5;
        let limit = self.options.warn_over?;
        let mut sizes: Vec<(u64, &str)> = tree
            .members()
            .map(|(name, found)| (found.fingerprint.size(), name))
            .collect();
        let total: u64 = sizes.iter().map(|(size, _)| size).sum();
        if total <= limit {
            return None;
        }
        sizes.sort_by(|one, other| other.cmp(one));
        let largest: Vec<String> = sizes
            .iter()
            .take(SHOWN)
            .map(|(size, name)| format!("`{name}` ({size})"))
            .collect();
        let message = format!(
            "the context has {total} bytes, over {limit}; its largest files: {}",
            largest.join(", ")
        );
        Some((self.steps.len(), message))
    }

    fn excluded(&self) -> Vec<ExcludedPath> {
        let mut excluded = Vec::new();
        for (number, line) in &self.lines {
            let walked = line
                .source()
                .map(|source| &source.walked)
                .or(line.raw().map(|raw| &raw.walked));
            for found in walked.into_iter().flat_map(|walked| &walked.excluded) {
                excluded.push(ExcludedPath {
                    step: *number,
                    name: found.name.clone(),
                    path: found.path.clone(),
                    rule: found.rule.clone(),
                });
            }
        }
        excluded
    }
}

/// The words of a `COPY` of `root` to `target`.
fn copy_words(root: &str, target: &str, prefers_plain: bool, escape: char) -> String {
    if root.is_empty() {
        return quote::ascii_json_form(&[".", target]);
    }
    if prefers_plain && quote::is_plain_copy_source(root) {
        return format!("{root} {target}");
    }
    quote::ascii_json_form(&[quote::copy_source(root, escape).as_str(), target])
}

/// What may surprise in a folder that was walked.
fn surprises(folder: &str, walked: &Walked) -> impl Iterator<Item = String> {
    let below = move |name: &str| match folder {
        "" => name.to_owned(),
        folder => format!("{folder}/{name}"),
    };
    let empty = walked
        .empty
        .iter()
        .map(move |name| format!("the empty folder `{}` does not reach the build", below(name)));
    let skipped = walked.skipped.iter().map(|problem| format!("left out: {problem}"));
    empty.chain(skipped)
}
