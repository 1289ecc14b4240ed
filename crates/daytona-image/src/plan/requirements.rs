//! A requirements file, and the files that it names.

use std::collections::HashSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::escape;
use crate::image::Requirements;
use crate::image::requirements::{Named, REQUIREMENTS_FOLDER, REQUIREMENTS_TARGET, named};
use crate::plan::PlanOptions;
use crate::plan::resolve::{self, Source};
use crate::problem::ProblemKind;
use crate::walk::{Walk, read_text};

/// How deep requirements files may be nested.
const DEEPEST: usize = 32;

/// The most files that a requirements file may name, directly or not.
const MOST_FILES: usize = 1_000;

/// A requirements file and what it names.
pub(crate) struct Collected {
    /// Each file, and its name below the directory that all of them go to; the first one is the file itself.
    pub(crate) files: Vec<(Source, String)>,
}

impl Collected {
    /// Where the file itself goes in the image.
    pub(crate) fn target(&self) -> String {
        match self.files.as_slice() {
            [(_, name), _, ..] => format!("{REQUIREMENTS_FOLDER}/{name}"),
            _ => REQUIREMENTS_TARGET.to_owned(),
        }
    }
}

/// Finds the files.
pub(crate) fn collect(options: &PlanOptions, requirements: &Requirements) -> Result<Collected, Vec<ProblemKind>> {
    let path = &requirements.path;
    let main = resolve::file(options, path)?;
    let text = resolve::text(options, path)?;
    let full = options.resolve(path).map_err(|problem| vec![problem])?;
    let folder = full.parent().map(fs::canonicalize).transpose();
    let (Ok(Some(root)), Some(shown)) = (folder, path.parent()) else {
        return Err(vec![ProblemKind::NotAFile { path: path.clone() }]);
    };
    let mut collector = Collector {
        root,
        shown: shown.to_owned(),
        seen: HashSet::new(),
        found: Vec::new(),
        problems: Vec::new(),
    };
    let name = main.last.clone();
    collector.visit(&name, &text);
    if !collector.problems.is_empty() {
        return Err(collector.problems);
    }
    let mut files = vec![(main, name)];
    for name in collector.found {
        files.push((collector_source(&collector.root, &collector.shown, &name)?, name));
    }
    Ok(Collected { files })
}

/// A file that another one names, ready to be placed.
fn collector_source(root: &Path, shown: &Path, name: &str) -> Result<Source, Vec<ProblemKind>> {
    let mut walked = Walk::new(root).shown_as(shown).below(name).run();
    if !walked.problems.is_empty() {
        return Err(walked.problems.into_iter().map(ProblemKind::Walk).collect());
    }
    for found in &mut walked.files {
        found.name.clear();
    }
    Ok(Source::of_file(&shown.join(name), name, walked))
}

struct Collector {
    /// The directory of the file itself, which no other may leave.
    root: PathBuf,
    shown: PathBuf,
    seen: HashSet<String>,
    /// Their paths below the root, in the order in which they are named.
    found: Vec<String>,
    problems: Vec<ProblemKind>,
}

/// A file whose lines are being followed.
struct Open {
    name: String,
    lines: std::vec::IntoIter<(usize, Named)>,
}

impl Collector {
    /// Follows a file, and what it names.
    fn visit(&mut self, name: &str, text: &str) {
        self.seen.insert(name.to_owned());
        let mut open = vec![Open {
            name: name.to_owned(),
            lines: named(text).into_iter(),
        }];
        while let Some(file) = open.last_mut() {
            let Some((line, found)) = file.lines.next() else {
                open.pop();
                continue;
            };
            let here = file.name.clone();
            match found {
                Named::Problem(problem) => self.problem(&here, line, problem),
                Named::File(value) => {
                    let next = self
                        .name_of(&here, &value)
                        .and_then(|name| self.follow(&open, name, &value));
                    match next {
                        Ok(next) => open.extend(next),
                        Err(problem) => self.problem(&here, line, problem),
                    }
                }
            }
        }
    }

    /// The path below the root of what a file names.
    fn name_of(&self, file: &str, value: &str) -> Result<String, String> {
        let outside = || {
            format!(
                "`{value}` lies outside of the folder `{}`, of which files are sent: move it there, or name the file above both",
                escape::path(&self.shown)
            )
        };
        // On Windows a path without a drive begins at a root, too, and one with a drive need not begin at its root.
        let begins_elsewhere = |path: &Path| {
            let first = path.components().next();
            matches!(first, Some(Component::RootDir | Component::Prefix(_)))
        };
        if begins_elsewhere(Path::new(value)) || value.to_ascii_lowercase().starts_with("file:") {
            return Err(outside());
        }
        if cfg!(windows) && value.contains('\\') {
            return Err(format!(
                "`{value}` would not be found where the image is built: there the parts of a path are divided by `/`"
            ));
        }
        let mut names: Vec<&str> = file.split('/').collect();
        names.pop();
        for name in value.split('/') {
            match name {
                "" | "." => {}
                ".." => drop(names.pop().ok_or_else(outside)?),
                name => names.push(name),
            }
        }
        Ok(names.join("/"))
    }

    /// Opens a file that was named, unless its lines are known.
    fn follow(&mut self, open: &[Open], name: String, value: &str) -> Result<Option<Open>, String> {
        if open.iter().any(|file| file.name == name) {
            return Err(format!("`{value}` names this file again: pip would never end"));
        }
        if open.len() >= DEEPEST {
            return Err(format!(
                "`{value}` is the last of more than {DEEPEST} files that name each other"
            ));
        }
        if !self.seen.insert(name.clone()) {
            return Ok(None);
        }
        if self.found.len() >= MOST_FILES {
            return Err(format!("with `{value}` there are more than {MOST_FILES} files"));
        }
        let text = read_text(&self.root, Path::new(&name)).map_err(|error| format!("`{value}` {error}"))?;
        self.found.push(name.clone());
        Ok(Some(Open {
            name,
            lines: named(&text).into_iter(),
        }))
    }

    fn problem(&mut self, file: &str, line: usize, problem: String) {
        let path = self.shown.join(file);
        self.problems.push(ProblemKind::Requirements { path, line, problem });
    }
}
