//! A finished plan, and the questions that it answers.

use std::path::{Path, PathBuf};

use super::member::Member;
use super::options::PlanOptions;
use super::warning::PlanWarning;
use crate::ignore::Rule;

/// What would be built and sent: the text of a Dockerfile, and all members of its build context.
///
/// A plan does not change. Exactly the members that it lists are packed. A file that changes later is noticed when it
/// is read.
///
/// ```
/// use daytona_image::Image;
///
/// let plan = Image::base("alpine:3.20").run_commands("apk add git").plan()?;
/// assert_eq!(plan.dockerfile(), "FROM alpine:3.20\nRUN apk add git\n");
/// for member in plan.members() {
///     println!("{:>10}  {}", member.size(), member.name());
/// }
/// for warning in plan.warnings() {
///     eprintln!("{warning}");
/// }
/// # Ok::<(), daytona_image::PlanError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ImagePlan {
    pub(super) dockerfile: String,
    pub(super) members: Vec<Member>,
    pub(super) excluded: Vec<ExcludedPath>,
    pub(super) entrypoint: Vec<String>,
    pub(super) warnings: Vec<PlanWarning>,
    /// The directories of the plan, to explain further paths.
    pub(super) options: PlanOptions,
}

/// What happens to a local path.
///
/// ```
/// use daytona_image::{Explanation, ImagePlan};
///
/// fn explain(plan: &ImagePlan, path: &str) {
///     match plan.explain(path) {
///         Explanation::Sent(members) => println!("sent as {}", members[0].name()),
///         Explanation::Excluded(excluded) => println!("excluded by {}", excluded.rule),
///         _ => println!("no step copies it"),
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Explanation<'a> {
    /// The path, or its content, is sent as these members.
    Sent(Vec<&'a Member>),
    /// An ignore rule excludes it.
    Excluded(&'a ExcludedPath),
    /// No step copies it.
    NotTaken,
}

/// A local file or directory that an ignore rule excludes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExcludedPath {
    /// Number of the step, counted from 1.
    pub step: usize,
    /// Its path relative to the directory of the step, `/`-separated. If the walk did not enter a directory, only the
    /// directory is listed.
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

    /// The command that the service will start in a sandbox. The service reads the Dockerfile by its own rules. If
    /// Docker would start something else, a warning says so.
    pub fn entrypoint(&self) -> &[String] {
        &self.entrypoint
    }

    /// The paths that the ignore rules exclude, with the deciding rule.
    pub fn excluded(&self) -> &[ExcludedPath] {
        &self.excluded
    }

    /// The total size of all members in bytes.
    pub fn total_size(&self) -> u64 {
        self.members.iter().map(Member::size).sum()
    }

    /// The largest members, the largest first.
    pub fn largest(&self, count: usize) -> Vec<&Member> {
        let mut members: Vec<&Member> = self.members.iter().collect();
        members.sort_by(|one, other| other.size().cmp(&one.size()).then_with(|| one.name().cmp(other.name())));
        members.truncate(count);
        members
    }

    /// Explains what happens to a local path: it is sent, and under which names, or it is left out, and by which rule.
    ///
    /// The path is resolved like those of the steps. A file that several steps send has several names. This looks at
    /// the file system to see what the path leads to.
    pub fn explain(&self, path: impl AsRef<Path>) -> Explanation<'_> {
        let path = self
            .options
            .resolve(path.as_ref())
            .unwrap_or_else(|_| path.as_ref().to_owned());
        let path = std::fs::canonicalize(&path).unwrap_or(path);
        let sent: Vec<&Member> = self
            .members
            .iter()
            .filter(|member| member.source().starts_with(&path))
            .collect();
        if !sent.is_empty() {
            return Explanation::Sent(sent);
        }
        let excluded = self.excluded.iter().find(|excluded| path.starts_with(&excluded.path));
        excluded.map_or(Explanation::NotTaken, Explanation::Excluded)
    }

    /// What is allowed, but may surprise you.
    pub fn warnings(&self) -> &[PlanWarning] {
        &self.warnings
    }
}
