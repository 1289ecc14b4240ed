//! The dependencies of a `pyproject.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::local::from_path;
use super::pip::{PipInstall, PipOptions, pip_options};
use super::requirement::{self, Requirement};
use crate::problem::ProblemKind;

/// A `pyproject.toml`, its groups of optional dependencies, and pip's options.
///
/// ```
/// use daytona_image::{Image, Pyproject};
///
/// let image = Image::debian_slim("3.12")
///     .pip_install_from_pyproject(Pyproject::new("pyproject.toml").optional(["gpu"]));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Pyproject {
    pub(crate) path: PathBuf,
    groups: Vec<String>,
    pub(super) options: PipOptions,
}

pip_options!(Pyproject);
from_path!(Pyproject);

impl Pyproject {
    /// The `pyproject.toml` at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            groups: Vec::new(),
            options: PipOptions::default(),
        }
    }

    /// Also installs the optional dependencies of these groups, which pip calls extras. Names are compared as in pip.
    ///
    /// A dependency on an extra of the project itself is replaced by the dependencies of that extra. The package index
    /// does not have the project, or has somebody else's of that name.
    pub fn optional<S: Into<String>>(mut self, groups: impl IntoIterator<Item = S>) -> Self {
        self.groups.extend(groups.into_iter().map(Into::into));
        self
    }

    /// The command for a file with this text, or `None` if there is nothing to install.
    pub(crate) fn command(&self, text: &str) -> Result<Option<String>, Vec<ProblemKind>> {
        let packages = self.packages(text).map_err(|problems| {
            let path = &self.path;
            let of_file = |problem| ProblemKind::InvalidPyproject {
                path: path.clone(),
                problem,
            };
            problems.into_iter().map(of_file).collect::<Vec<_>>()
        })?;
        PipInstall::with_options(packages, self.options.clone()).command()
    }

    fn packages(&self, text: &str) -> Result<Vec<String>, Vec<String>> {
        let file: PyprojectFile =
            toml::from_str(text).map_err(|error| vec![format!("it cannot be read: {}", one_line(error.message()))])?;
        let Some(project) = file.project else {
            return Err(vec!["it has no section `[project]`".to_owned()]);
        };
        let mut packages = match project.dependencies {
            Some(dependencies) => dependencies,
            None if project.dynamic.iter().any(|name| name == "dependencies") => {
                return Err(vec![
                    "its dependencies are dynamic: only the project's build backend knows them; name them with `pip_install`, or \
                     copy the project and install it with `run_commands`"
                        .to_owned(),
                ]);
            }
            None => return Err(vec!["it has no `dependencies` in its section `[project]`".to_owned()]),
        };
        let extras = Extras {
            name: requirement::normalized(&project.name.unwrap_or_default()),
            groups: project.optional_dependencies,
        };
        let mut problems = Vec::new();
        for group in &self.groups {
            match extras.group(group) {
                Some(group) => packages.extend(group.iter().cloned()),
                None => problems.push(unknown(group, &extras, &file.dependency_groups, &project.dynamic)),
            }
        }
        if problems.is_empty() {
            extras.expand(packages)
        } else {
            Err(problems)
        }
    }
}

/// The message for a group that does not exist.
fn unknown(group: &str, extras: &Extras, groups: &BTreeMap<String, toml::Value>, dynamic: &[String]) -> String {
    let is_same = |name: &&String| requirement::normalized(name) == requirement::normalized(group);
    if groups.keys().any(|name| is_same(&name)) {
        return format!(
            "`{group}` is in its section `[dependency-groups]`, which pip does not install with a project: list it in \
             `[project.optional-dependencies]`, or name the packages with `pip_install`"
        );
    }
    if dynamic.iter().any(|name| name == "optional-dependencies") {
        return format!(
            "it has no group `{group}`: its optional dependencies are dynamic, and only the build backend knows them"
        );
    }
    let names: Vec<String> = extras.groups.keys().map(|name| format!("`{name}`")).collect();
    let there = if names.is_empty() {
        "there is none".to_owned()
    } else {
        format!("there are {}", names.join(", "))
    };
    format!("it has no group `{group}` of optional dependencies: {there}")
}

/// The optional dependencies of a project, by the names that its other dependencies use for them.
struct Extras {
    /// Normalized; empty if the project has no name.
    name: String,
    groups: BTreeMap<String, Vec<String>>,
}

impl Extras {
    fn group(&self, name: &str) -> Option<&Vec<String>> {
        let name = requirement::normalized(name);
        let mut groups = self.groups.iter();
        groups
            .find(|(other, _)| requirement::normalized(other) == name)
            .map(|(_, group)| group)
    }

    /// Replaces dependencies on the project itself by those of its extras, until none is left.
    fn expand(&self, packages: Vec<String>) -> Result<Vec<String>, Vec<String>> {
        let mut expanded: Vec<String> = Vec::new();
        let mut problems = Vec::new();
        let mut seen = BTreeSet::new();
        let mut open: std::collections::VecDeque<String> = packages.into();
        while let Some(package) = open.pop_front() {
            let own = Requirement::parse(&package).filter(|read| !self.name.is_empty() && read.is_of(&self.name));
            let Some(own) = own else {
                if let Some(problem) = requirement::local_path(&package) {
                    problems.push(format!("its dependency `{package}` {problem}"));
                } else if !expanded.contains(&package) {
                    expanded.push(package);
                }
                continue;
            };
            for extra in own.extras {
                // An extra may name itself, or one that names it.
                if !seen.insert((requirement::normalized(extra), own.marker.to_owned())) {
                    continue;
                }
                match self.group(extra) {
                    Some(group) => {
                        let with_marker = |package: &String| requirement::with_marker(package, own.marker);
                        open.extend(group.iter().map(with_marker));
                    }
                    None => problems.push(format!(
                        "its dependency `{package}` names an extra that it does not have"
                    )),
                }
                if seen.len() > MOST_EXTRAS {
                    return Err(vec![format!("its extras lead to more than {MOST_EXTRAS} others")]);
                }
            }
        }
        if problems.is_empty() {
            Ok(expanded)
        } else {
            Err(problems)
        }
    }
}

/// Extras that refer to each other with markers could go on forever.
const MOST_EXTRAS: usize = 1_000;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct PyprojectFile {
    project: Option<Project>,
    #[serde(default)]
    dependency_groups: BTreeMap<String, toml::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Project {
    name: Option<String>,
    dependencies: Option<Vec<String>>,
    #[serde(default)]
    optional_dependencies: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    dynamic: Vec<String>,
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}
