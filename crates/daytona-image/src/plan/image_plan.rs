//! A plan that is made, and what it tells of itself.

use std::path::{Path, PathBuf};

use super::member::Member;
use super::options::PlanOptions;
use super::warning::PlanWarning;
use crate::ignore::Rule;

/// What would be built and sent: the text of a Dockerfile, and all members of its build context.
///
/// A plan is fixed: what it lists is what is packed, and a file that changes afterwards is noticed when it is read.
#[derive(Debug, Clone, PartialEq)]
pub struct ImagePlan {
    pub(super) dockerfile: String,
    pub(super) members: Vec<Member>,
    pub(super) excluded: Vec<ExcludedPath>,
    pub(super) entrypoint: Vec<String>,
    pub(super) warnings: Vec<PlanWarning>,
    /// Where paths were looked for, to explain further ones.
    pub(super) options: PlanOptions,
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
        members.sort_by(|one, other| other.size().cmp(&one.size()).then_with(|| one.name().cmp(other.name())));
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
            .filter(|member| member.source().starts_with(&path))
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
