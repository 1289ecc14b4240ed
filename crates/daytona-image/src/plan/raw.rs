//! Lines of a Dockerfile that are the caller's own, and the files that they take from their context.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::dockerfile::glob;
use crate::dockerfile::stages::{Need, Remarks, Scope};
use crate::dockerfile::{self, Dockerfile, SyntaxError};
use crate::ignore::IgnoreRules;
use crate::image::archive_name::RESERVED;
use crate::image::dockerfile_source::{ContextDir, DockerfileCommands, DockerfileSource, Origin};
use crate::plan::PlanOptions;
use crate::plan::resolve;
use crate::problem::ProblemKind;
use crate::walk::{self, DOCKERIGNORE, Found, Walk, WalkProblem, Walked};

/// A part of the Dockerfile that cannot be rewritten.
#[derive(Debug)]
pub(crate) struct Raw {
    /// Its text; lines end in a line feed.
    pub(crate) text: String,
    /// What it takes from the context.
    pub(crate) needs: Vec<Need>,
    /// The files of the context that it takes, under their names there.
    pub(crate) walked: Walked,
    /// What may surprise.
    pub(crate) warnings: Remarks,
    /// Files at the root whose names mean something there.
    pub(crate) reserved: Vec<Found>,
    /// Whether its last line asks for one more.
    pub(crate) ends_continued: bool,
}

impl Raw {
    /// The text, such that lines can be appended to it: an escape character at its end would glue them to it.
    pub(crate) fn text_to_append_to(&self, escape: char) -> &str {
        if self.ends_continued {
            self.text.trim_end().strip_suffix(escape).unwrap_or(&self.text)
        } else {
            &self.text
        }
    }
}

type Problems = Vec<ProblemKind>;

/// A Dockerfile from a file or a text, which may only stand first.
pub(crate) fn from_dockerfile(
    options: &PlanOptions,
    source: &DockerfileSource,
    scope: &mut Scope,
) -> Result<Raw, Problems> {
    let (text, folder, own_rules) = match &source.origin {
        Origin::Text(text) => (text.clone(), PathBuf::new(), None),
        Origin::Path(path) => {
            let (full, metadata) = resolve::locate(options, path)?;
            if metadata.is_dir() {
                return Err(vec![ProblemKind::NotADockerfile { path: path.clone() }]);
            }
            let text = fs::read(&full).map_err(|source| unreadable(path, source))?;
            let text = String::from_utf8(text).map_err(|_| vec![ProblemKind::NotText { path: path.clone() }])?;
            let mut own_rules = path.as_os_str().to_owned();
            own_rules.push(".dockerignore");
            let folder = path.parent().map(Path::to_owned).unwrap_or_default();
            (text, folder, Some(PathBuf::from(own_rules)))
        }
    };
    let text = dockerfile::normalize(&text);
    let parsed = Dockerfile::parse(&text).map_err(|error| vec![syntax(error)])?;
    scope.escape = parsed.escape();
    let context = source.context.path.clone().unwrap_or(folder);
    raw(
        options,
        text,
        &parsed,
        &context,
        &source.context,
        own_rules.as_deref(),
        scope,
    )
}

/// Lines somewhere in a Dockerfile.
pub(crate) fn commands(
    options: &PlanOptions,
    commands: &DockerfileCommands,
    scope: &mut Scope,
) -> Result<Raw, Problems> {
    let mut text = dockerfile::normalize(&commands.lines.join("\n"));
    text.push('\n');
    if text.contains('\0') {
        return Err(ProblemKind::one_line("a line", "\0").into_iter().collect());
    }
    let parsed = Dockerfile::parse_part(&text, scope.escape).map_err(|error| vec![syntax(error)])?;
    let context = commands.context.path.clone().unwrap_or_default();
    raw(options, text, &parsed, &context, &commands.context, None, scope)
}

fn raw(
    options: &PlanOptions,
    mut text: String,
    parsed: &Dockerfile,
    context: &Path,
    dir: &ContextDir,
    own_rules: Option<&Path>,
    scope: &mut Scope,
) -> Result<Raw, Problems> {
    if !text.ends_with('\n') {
        text.push('\n');
    }
    let followed = scope.follow(parsed);
    let mut problems: Problems = followed
        .problems
        .into_iter()
        .map(|(line, problem)| ProblemKind::Dockerfile { line, problem })
        .collect();
    let mut raw = Raw {
        text,
        walked: Walked::default(),
        warnings: followed.warnings,
        reserved: Vec::new(),
        ends_continued: parsed.ends_continued(),
        needs: followed.needs,
    };
    // A context that is named has to be there; one that is not, only if something is taken from it.
    if dir.path.is_some() || !raw.needs.is_empty() {
        match open_context(options, context, dir, own_rules) {
            Ok(root) => collect(&root, &mut raw, &mut problems),
            Err(more) => problems.extend(more),
        }
    }
    if problems.is_empty() { Ok(raw) } else { Err(problems) }
}

/// The root of a context, and the rules that apply in it.
struct ContextRoot {
    path: PathBuf,
    shown: PathBuf,
    rules: IgnoreRules,
}

fn open_context(
    options: &PlanOptions,
    context: &Path,
    dir: &ContextDir,
    own_rules: Option<&Path>,
) -> Result<ContextRoot, Problems> {
    let shown = if context.as_os_str().is_empty() {
        Path::new(".")
    } else {
        context
    };
    let (path, metadata) = resolve::locate(options, shown)?;
    if !metadata.is_dir() {
        return Err(vec![ProblemKind::NotAFolder { path: shown.to_owned() }]);
    }
    let candidates = own_rules
        .map(Path::to_owned)
        .into_iter()
        .chain([context.join(DOCKERIGNORE)]);
    let mut rules = IgnoreRules::none();
    for candidate in candidates {
        let full = options.resolve(&candidate).map_err(|problem| vec![problem])?;
        let (Some(folder), Some(name)) = (full.parent(), full.file_name()) else {
            continue;
        };
        let found = walk::read_rules(folder, Path::new(name), &candidate).map_err(|problem| vec![problem.into()])?;
        if let Some(found) = found {
            rules = found;
            break;
        }
    }
    let given = IgnoreRules::new(&dir.ignore).map_err(|error| vec![WalkProblem::InvalidPattern { error }.into()])?;
    Ok(ContextRoot {
        path,
        shown: context.to_owned(),
        rules: rules.and(given),
    })
}

/// Finds the files of all needs.
fn collect(root: &ContextRoot, raw: &mut Raw, problems: &mut Problems) {
    let mut files: BTreeMap<String, Found> = BTreeMap::new();
    let mut unmatched = Vec::new();
    for need in &raw.needs {
        let at = |problem: String| ProblemKind::Dockerfile {
            line: need.line,
            problem,
        };
        if RESERVED.contains(&need.path.as_str()) {
            problems.push(at(format!(
                "`{0}` means something at the root of a build context and cannot be copied from there: copy it under another \
                 name, or add it with `add_local_file(\"{0}\", …)`",
                need.path
            )));
            continue;
        }
        let paths = if need.is_pattern() {
            expand(root, &need.path)
        } else {
            vec![need.path.clone()]
        };
        let before = files.len();
        let mut walked_any = false;
        for path in paths {
            let walked = Walk::new(&root.path)
                .shown_as(&root.shown)
                .rules(root.rules.clone())
                .below(&path)
                .run();
            if walked
                .problems
                .iter()
                .any(|problem| matches!(problem, WalkProblem::NotFound { .. }))
                && !need.is_pattern()
            {
                problems.push(at(format!(
                    "the source `{path}` is not in the build context `{}`: check its spelling, or the context folder",
                    shown(&root.shown)
                )));
                continue;
            }
            problems.extend(walked.problems.into_iter().map(ProblemKind::Walk));
            raw.walked.skipped.extend(walked.skipped);
            raw.walked.empty.extend(walked.empty);
            raw.walked.directories_read += walked.directories_read;
            walked_any |= !walked.files.is_empty();
            if walked.files.is_empty() && !need.is_pattern() {
                problems.push(match walked.excluded.first() {
                    Some(excluded) => at(format!(
                        "the source `{path}` is left out of the build context by the ignore rule {}",
                        excluded.rule
                    )),
                    None => at(format!(
                        "the source `{path}` is a folder without a file, and would not reach the build"
                    )),
                });
            }
            raw.walked.excluded.extend(walked.excluded);
            files.extend(walked.files.into_iter().map(|found| (found.name.clone(), found)));
        }
        if need.is_pattern() && !walked_any && files.len() == before {
            unmatched.push(need.clone());
        }
    }
    for need in unmatched {
        let fixed: Vec<&str> = need
            .path
            .split('/')
            .take_while(|name| !glob::is_pattern(name))
            .collect();
        let fixed = fixed.join("/");
        let line = need.line;
        if fixed.is_empty()
            || files
                .keys()
                .any(|name| crate::image::archive_name::covers(&fixed, name))
        {
            raw.warnings
                .push((line, format!("the pattern `{}` matches no file", need.path)));
        } else {
            let problem = format!(
                "the pattern `{}` matches no file, and no file below `{fixed}` is sent: the build would not find it",
                need.path
            );
            problems.push(ProblemKind::Dockerfile { line, problem });
        }
    }
    for name in RESERVED {
        raw.reserved.extend(files.remove(name));
    }
    raw.walked.excluded.sort_by(|one, other| one.name.cmp(&other.name));
    raw.walked.excluded.dedup();
    raw.walked.files = files.into_values().collect();
}

/// The paths that a pattern matches, component by component.
fn expand(root: &ContextRoot, pattern: &str) -> Vec<String> {
    let mut paths = vec![String::new()];
    for component in pattern.split('/') {
        let join = |path: &str, name: &str| {
            if path.is_empty() {
                name.to_owned()
            } else {
                format!("{path}/{name}")
            }
        };
        paths = if glob::is_pattern(component) {
            let matching = |path: &String| {
                let names = list(root, path)
                    .into_iter()
                    .filter(|name| glob::matches(component, name));
                names.map(|name| join(path, &name)).collect::<Vec<_>>()
            };
            paths.iter().flat_map(matching).collect()
        } else {
            paths
                .iter()
                .map(|path| join(path, component))
                .filter(|path| root.path.join(path).exists())
                .collect()
        };
    }
    paths.sort();
    paths
}

/// The names in a folder of the context; none of one that lies outside of it.
fn list(root: &ContextRoot, path: &str) -> Vec<String> {
    let Ok(full) = fs::canonicalize(root.path.join(path)) else {
        return Vec::new();
    };
    if !full.starts_with(&root.path) {
        return Vec::new();
    }
    let entries = fs::read_dir(full).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

fn shown(path: &Path) -> String {
    if path.as_os_str().is_empty() {
        ".".to_owned()
    } else {
        path.display().to_string()
    }
}

fn syntax(error: SyntaxError) -> ProblemKind {
    ProblemKind::Dockerfile {
        line: error.line,
        problem: error.problem,
    }
}

fn unreadable(path: &Path, source: io::Error) -> Problems {
    vec![ProblemKind::Unreadable {
        path: path.to_owned(),
        source,
    }]
}
