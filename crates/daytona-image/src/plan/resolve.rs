//! From a path as the caller wrote it to the files that it stands for.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use crate::ignore::IgnoreRules;
use crate::image::LocalDir;
use crate::image::archive_name::{Place, place};
use crate::plan::PlanOptions;
use crate::problem::ProblemKind;
use crate::walk::{DOCKERIGNORE, Found, ReadError, Walk, WalkProblem, Walked, read_rules, read_text};

/// A local file or directory, ready to be placed in the context.
#[derive(Debug)]
pub(crate) struct Source {
    /// Where its spelling would place it.
    pub(crate) place: Place,
    /// Last component of its path; empty for a directory such as `.` or `/`.
    pub(crate) last: String,
    /// What there is to send. For a file the one name is empty.
    pub(crate) walked: Walked,
}

/// A local file.
pub(crate) fn file(options: &PlanOptions, path: &Path) -> Result<Source, Vec<ProblemKind>> {
    let (source, metadata) = locate(options, path)?;
    if metadata.is_dir() {
        return Err(vec![ProblemKind::NotAFile { path: path.to_owned() }]);
    }
    if !metadata.is_file() {
        return Err(vec![WalkProblem::SpecialFile { path: path.to_owned() }.into()]);
    }
    let found = Found::one(source, String::new(), &metadata).map_err(|source| {
        let path = path.to_owned();
        vec![ProblemKind::Unreadable { path, source }]
    })?;
    let walked = Walked {
        files: vec![found],
        ..Walked::default()
    };
    named(path, walked)
}

/// A local directory and all that is to be sent of it.
pub(crate) fn folder(options: &PlanOptions, dir: &LocalDir) -> Result<Source, Vec<ProblemKind>> {
    let path = &dir.path;
    let (source, metadata) = locate(options, path)?;
    if !metadata.is_dir() {
        return Err(vec![ProblemKind::NotAFolder { path: path.clone() }]);
    }
    let rules = rules(&source, dir)?;
    let walked = Walk::new(source)
        .shown_as(path)
        .links(dir.links)
        .rules(rules)
        .cancellation(options.stop())
        .run();
    if !walked.problems.is_empty() {
        return Err(walked.problems.into_iter().map(ProblemKind::Walk).collect());
    }
    if walked.files.is_empty() {
        let path = path.clone();
        let rule = walked.excluded.into_iter().next().map(|excluded| excluded.rule);
        return Err(vec![match rule {
            Some(rule) => ProblemKind::EverythingIgnored { path, rule },
            None => ProblemKind::NothingToCopy { path },
        }]);
    }
    named(path, walked)
}

/// The rules of the directory's own `.dockerignore`, and then those that were given in code.
fn rules(folder: &Path, dir: &LocalDir) -> Result<IgnoreRules, Vec<ProblemKind>> {
    let given = IgnoreRules::new(&dir.ignore).map_err(|error| vec![WalkProblem::InvalidPattern { error }.into()])?;
    let shown = dir.path.join(DOCKERIGNORE);
    let own = read_rules(folder, Path::new(DOCKERIGNORE), &shown)
        .map_err(|problem| vec![problem.into()])?
        .unwrap_or_default();
    Ok(own.and(&given))
}

fn named(path: &Path, walked: Walked) -> Result<Source, Vec<ProblemKind>> {
    let not_unicode = || vec![WalkProblem::NotUnicode { path: path.to_owned() }.into()];
    let last = path.file_name().unwrap_or_default().to_str().ok_or_else(not_unicode)?;
    Ok(Source {
        // A path that is not UTF-8 further up does not show in a neutral place.
        place: place(path).unwrap_or(Place::Neutral),
        last: if last == "~" { String::new() } else { last.to_owned() },
        walked,
    })
}

/// A Dockerfile, by a path without links, and its text. Where it is a link it may lead to another file of its
/// directory, as in BuildKit, and not out of it.
pub(crate) fn dockerfile(options: &PlanOptions, path: &Path) -> Result<(PathBuf, String), Vec<ProblemKind>> {
    if path.as_os_str().is_empty() {
        return Err(vec![ProblemKind::Empty { what: "the path" }]);
    }
    let full = options.resolve(path).map_err(|problem| vec![problem])?;
    let (Some(folder), Some(name)) = (full.parent(), full.file_name()) else {
        return Err(vec![ProblemKind::NotADockerfile { path: path.to_owned() }]);
    };
    let text = read_text(folder, Path::new(name)).map_err(|error| {
        let path = path.to_owned();
        vec![match error {
            ReadError::NotFound => ProblemKind::NotFound {
                base: options.base_of(&path).map(Path::to_owned),
                path,
            },
            ReadError::Folder => ProblemKind::NotADockerfile { path },
            error => WalkProblem::Unread { path, error }.into(),
        }]
    })?;
    Ok((fs::canonicalize(&full).unwrap_or(full), text))
}

/// The text of a small file that was named.
pub(crate) fn text(options: &PlanOptions, path: &Path) -> Result<String, Vec<ProblemKind>> {
    let (full, _) = locate(options, path)?;
    let (Some(folder), Some(name)) = (full.parent(), full.file_name()) else {
        return Err(vec![ProblemKind::NotAFile { path: path.to_owned() }]);
    };
    read_text(folder, Path::new(name)).map_err(|error| {
        let path = path.to_owned();
        vec![WalkProblem::Unread { path, error }.into()]
    })
}

/// What the path leads to: naming it is the consent to follow its links.
pub(crate) fn locate(options: &PlanOptions, path: &Path) -> Result<(PathBuf, Metadata), Vec<ProblemKind>> {
    if path.as_os_str().is_empty() {
        return Err(vec![ProblemKind::Empty { what: "the path" }]);
    }
    let full = options.resolve(path).map_err(|problem| vec![problem])?;
    let found =
        fs::canonicalize(&full).and_then(|source| fs::symlink_metadata(&source).map(|metadata| (source, metadata)));
    found.map_err(|source| {
        let path = path.to_owned();
        vec![match (source.kind(), fs::symlink_metadata(&full)) {
            (io::ErrorKind::NotFound, Ok(_)) => WalkProblem::BrokenLink { path }.into(),
            (io::ErrorKind::NotFound, Err(_)) => ProblemKind::NotFound {
                base: options.base_of(&path).map(Path::to_owned),
                path,
            },
            _ => ProblemKind::Unreadable { path, source },
        }]
    })
}

impl Source {
    /// The one file of a walk, by the path that it was named with.
    pub(crate) fn of_file(path: &Path, last: &str, walked: Walked) -> Self {
        Self {
            place: place(path).unwrap_or(Place::Neutral),
            last: last.to_owned(),
            walked,
        }
    }

    /// Gives all files this mode, as far as the context has modes.
    pub(crate) fn with_mode(mut self, mode: Option<u32>) -> Self {
        if let Some(mode) = mode {
            for found in &mut self.walked.files {
                found.is_executable = mode & 0o100 != 0;
                found.mode = None;
            }
        }
        self
    }

    /// The members with their names below `root`.
    pub(crate) fn below(&self, root: &str) -> impl Iterator<Item = (String, &Found)> {
        let root = root.to_owned();
        self.walked.files.iter().map(move |found| {
            let name = match (root.as_str(), found.name.as_str()) {
                (root, "") => root.to_owned(),
                ("", name) => name.to_owned(),
                (root, name) => format!("{root}/{name}"),
            };
            (name, found)
        })
    }
}
