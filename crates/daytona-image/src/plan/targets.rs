//! Finds impossible targets: a directory that is copied onto a file, or a file onto a directory.
//!
//! For each stage it keeps a small tree of what its instructions have certainly put there. Copying removes nothing and
//! never turns a directory into a file, so the tree stays true until something runs. What is not certain is not
//! refused.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::part::{Body, Part};
use crate::dockerfile::followed::{Change, Copied, Effect, Followed, Taking};
use crate::dockerfile::scope::Base;
use crate::dockerfile::sources::{Wanted, clean};
use crate::escape;
use crate::walk::Found;

/// How much is remembered for all stages together. Beyond that nothing is refused.
const MOST_KEPT: usize = 200_000;

/// How often something is compared. Beyond that nothing is refused, either.
const MOST_LOOKS: usize = 20_000_000;

/// The longest path that Linux accepts, in bytes.
const LONGEST_PATH: usize = 4096;

/// The most directories on the way to a target.
const MOST_FOLDERS: usize = 64;

/// The matches of a pattern are looked at only if there are no more than this.
const MOST_MATCHED: usize = 1_000;

/// Looks for conflicts in what the stages do. Each problem comes with its part and line.
pub(super) fn conflicts(parts: &[Part], followed: &Followed) -> Vec<(usize, usize, String)> {
    let mut builder = Builder {
        parts,
        takings: &followed.takings,
        stages: Vec::with_capacity(followed.bases.len()),
        kept: 0,
        looks: Cell::new(0),
        problems: Vec::new(),
    };
    let mut changes = followed.changes.as_slice();
    for (number, base) in followed.bases.iter().enumerate() {
        let count = changes.iter().take_while(|change| change.stage == number).count();
        let (own, rest) = changes.split_at(count);
        changes = rest;
        let certain = builder.problems.len();
        builder.stage(*base, own);
        if builder.kept > MOST_KEPT || builder.is_exhausted() {
            // What was found before this stage is right all the same.
            builder.problems.truncate(certain);
            break;
        }
    }
    builder.problems
}

/// Whether a path is not followed. Each directory on its way is looked at, below each of those before it.
fn is_deep(path: &str) -> bool {
    path.len() > LONGEST_PATH || path.matches('/').count() > MOST_FOLDERS
}

/// What certainly exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Folder,
}

/// Where something came from: the line, and what was copied.
#[derive(Debug, Clone)]
struct Origin {
    line: usize,
    source: Rc<str>,
}

/// The files of a stage. Paths start at the root.
#[derive(Debug, Clone, Default)]
struct Stage {
    /// Whether the stage has nothing else.
    is_closed: bool,
    known: HashMap<String, (Kind, Origin)>,
    /// Directories of the context whose contents were copied, by their targets: the part, the directory, the line.
    copied: HashMap<String, Vec<(usize, String, usize)>>,
}

struct Builder<'a> {
    parts: &'a [Part],
    takings: &'a [Taking],
    stages: Vec<Stage>,
    kept: usize,
    looks: Cell<usize>,
    problems: Vec<(usize, usize, String)>,
}

impl Builder<'_> {
    fn stage(&mut self, base: Base, changes: &[Change]) {
        let mut stage = match base {
            Base::Scratch => Stage {
                is_closed: true,
                ..Stage::default()
            },
            Base::Image => Stage::default(),
            Base::Stage(base) => self.stages.get(base).cloned().unwrap_or_default(),
        };
        self.kept += stage.known.len() + stage.copied.len();
        // What our own steps copy is not among the changes.
        stage.is_closed &= !self.parts.iter().any(|part| matches!(part.body, Body::Copy(_)));
        for change in changes {
            if self.is_exhausted() {
                return;
            }
            let done = match &change.effect {
                Effect::Folder(path) | Effect::Copy(Copied { target: path, .. }) if is_deep(path) => {
                    stage = Stage::default();
                    Ok(())
                }
                Effect::Anything => {
                    stage = Stage::default();
                    Ok(())
                }
                Effect::Adds => {
                    stage.is_closed = false;
                    Ok(())
                }
                Effect::Folder(path) => self.folder(&mut stage, path, &self.origin(change, &format!("/{path}"))),
                Effect::Copy(copy) => self.copy(&mut stage, change, copy),
            };
            if let Err(problem) = done {
                self.problems.push((change.part, change.line, problem));
                stage = Stage::default();
            }
        }
        self.kept += stage.known.len() + stage.copied.len();
        self.stages.push(stage);
    }

    /// Counts a comparison; `false` if it must not be made.
    fn may_look(&self) -> bool {
        self.looks.set(self.looks.get() + 1);
        !self.is_exhausted()
    }

    /// Whether so much was compared that nothing is refused any more.
    fn is_exhausted(&self) -> bool {
        self.looks.get() > MOST_LOOKS
    }

    /// The line is that of the caller's own text.
    fn origin(&self, change: &Change, source: &str) -> Origin {
        Origin {
            line: self.parts[change.part].line(change.line),
            source: source.into(),
        }
    }

    fn copy(&self, stage: &mut Stage, change: &Change, copy: &Copied) -> Result<(), String> {
        let target = clean(&copy.target);
        let is_folder = copy.target.ends_with('/');
        let sources = copy.taking.and_then(|taking| self.takings.get(taking));
        for wanted in sources.into_iter().flat_map(|taking| &taking.sources) {
            if copy.keeps_parents {
                self.folder(stage, &target, &self.origin(change, &wanted.path()))?;
                stage.is_closed = false;
                continue;
            }
            let items = self.items(wanted, &self.parts[change.part].taken.walked.files);
            if items.is_empty() {
                stage.is_closed = false;
            }
            for (source, kind) in items {
                let origin = self.origin(change, &source);
                match kind {
                    Kind::File if copy.may_unpack => *stage = Stage::default(),
                    Kind::File => self.file(stage, (&target, is_folder), &origin)?,
                    Kind::Folder => {
                        self.folder(stage, &target, &origin)?;
                        let copied = stage.copied.entry(target.clone()).or_default();
                        if !copied
                            .iter()
                            .any(|(part, folder, _)| *part == change.part && *folder == source)
                        {
                            copied.push((change.part, source, origin.line));
                        }
                    }
                }
            }
        }
        for name in &copy.heredocs {
            self.file(stage, (&target, is_folder), &self.origin(change, name))?;
        }
        Ok(())
    }

    /// Copies a file to a target, or into it.
    fn file(&self, stage: &mut Stage, (target, is_folder): (&str, bool), origin: &Origin) -> Result<(), String> {
        let there = self.look(stage, target);
        let path = match there {
            _ if is_folder || target.is_empty() => {
                self.folder(stage, target, origin)?;
                join(target, last(&origin.source))
            }
            Some((Kind::Folder, _)) => join(target, last(&origin.source)),
            // It may be a directory, too.
            None if !stage.is_closed => {
                self.parent(stage, target, origin)?;
                return Ok(());
            }
            Some((Kind::File, _)) | None => target.to_owned(),
        };
        self.parent(stage, &path, origin)?;
        if let Some((Kind::Folder, before)) = self.look(stage, &path) {
            return Err(format!(
                "`{}` cannot be copied to `/{}`, which is already a directory{}",
                escape::text(&origin.source),
                escape::text(&path),
                before.shown(),
            ));
        }
        stage.known.insert(path, (Kind::File, origin.clone()));
        Ok(())
    }

    fn parent(&self, stage: &mut Stage, path: &str, origin: &Origin) -> Result<(), String> {
        match path.rsplit_once('/') {
            Some((parent, _)) => self.folder(stage, parent, origin),
            None => Ok(()),
        }
    }

    /// Makes a directory and its parents, if they do not exist.
    fn folder(&self, stage: &mut Stage, path: &str, origin: &Origin) -> Result<(), String> {
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        for end in ends.filter(|end| *end > 0) {
            let folder = &path[..end];
            match self.look(stage, folder) {
                Some((Kind::Folder, _)) => {}
                Some((Kind::File, before)) => {
                    return Err(format!(
                        "`{}` needs a directory at `/{}`, which is already a file{}",
                        escape::text(&origin.source),
                        escape::text(folder),
                        before.shown(),
                    ));
                }
                None => drop(stage.known.insert(folder.to_owned(), (Kind::Folder, origin.clone()))),
            }
        }
        Ok(())
    }

    /// What is certainly at a path.
    fn look(&self, stage: &Stage, path: &str) -> Option<(Kind, Origin)> {
        if let Some((kind, origin)) = stage.known.get(path) {
            return Some((*kind, origin.clone()));
        }
        let ends = path.match_indices('/').map(|(end, _)| end);
        for end in [0].into_iter().chain(ends) {
            let (above, below) = (&path[..end], path[end..].trim_start_matches('/'));
            let copied = stage.copied.get(above).into_iter().flatten();
            for (part, folder, line) in copied.take_while(|_| self.may_look()) {
                let source = join(folder, below);
                if let Some(kind) = kind_of(&source, &self.parts[*part].taken.walked.files) {
                    return Some((
                        kind,
                        Origin {
                            line: *line,
                            source: source.into(),
                        },
                    ));
                }
            }
        }
        None
    }

    /// What a source is: a file or directory, or what its pattern matches, in the order in which they are copied.
    fn items(&self, wanted: &Wanted, files: &[Found]) -> Vec<(String, Kind)> {
        match wanted {
            Wanted::Path(path) => kind_of(path, files)
                .map(|kind| (path.clone(), kind))
                .into_iter()
                .collect(),
            Wanted::Glob(pattern) => {
                let depth = pattern.split('/').count();
                let start = wanted.literal_start();
                let first = files.partition_point(|file| file.name.as_str() < start);
                let possible = files[first..].iter().take_while(|file| file.name.starts_with(start));
                let mut found = BTreeMap::new();
                for file in possible.filter(|file| self.may_look() && wanted.covers(&file.name)) {
                    if found.len() > MOST_MATCHED {
                        return Vec::new();
                    }
                    let names: Vec<&str> = file.name.split('/').collect();
                    let kind = if names.len() == depth { Kind::File } else { Kind::Folder };
                    found.insert(names[..depth].to_vec(), kind);
                }
                found.into_iter().map(|(names, kind)| (names.join("/"), kind)).collect()
            }
            Wanted::Parents { .. } => Vec::new(),
        }
    }
}

impl Origin {
    fn shown(&self) -> String {
        format!(": line {} copied `{}` there", self.line, escape::text(&self.source))
    }
}

/// What a path of the context is; the files are sorted by name.
fn kind_of(path: &str, files: &[Found]) -> Option<Kind> {
    if path.is_empty() {
        return Some(Kind::Folder);
    }
    let below = |name: &str| name.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
    if files.binary_search_by(|file| file.name.as_str().cmp(path)).is_ok() {
        return Some(Kind::File);
    }
    let start = format!("{path}/");
    let first = files.partition_point(|file| file.name < start);
    files.get(first).filter(|file| below(&file.name)).map(|_| Kind::Folder)
}

fn join(folder: &str, path: &str) -> String {
    match (folder, path) {
        ("", path) => path.to_owned(),
        (folder, "") => folder.to_owned(),
        (folder, path) => format!("{folder}/{path}"),
    }
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
