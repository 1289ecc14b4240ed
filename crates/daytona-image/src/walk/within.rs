//! Where a path leads that may go through links, with a directory as the root of everything.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};

use super::directory::{Directory, Entry};

/// As many links may lead from one to the next, as in BuildKit.
const LONGEST_CHAIN: usize = 255;

/// What a path leads to.
#[derive(Debug)]
pub(super) struct Reached {
    /// The directory that holds it.
    pub(super) parent: Directory,
    /// Its name there; `.` if it is the directory itself.
    pub(super) name: OsString,
    /// Its path below the root, without links.
    pub(super) path: PathBuf,
    pub(super) entry: Entry,
}

/// Why a path leads nowhere.
#[derive(Debug)]
pub(super) enum Lost {
    /// Nothing is there. `outside` is the target that leaves the root, if a link has one.
    Nothing {
        outside: Option<PathBuf>,
    },
    Loop,
    Failed(io::Error),
}

/// How many steps may still be made in resolving paths.
pub(super) trait Steps {
    /// Takes one; fails if there is none left.
    fn step(&self) -> io::Result<()>;
}

/// Limited only by the length of the chain.
pub(super) struct Free;

impl Steps for Free {
    fn step(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Follows a path below the directory `start`, which lies at `from` below `root`. Absolute targets and `..` end at the
/// root.
pub(super) fn resolve(root: &Directory, from: &Path, path: &Path, steps: &impl Steps) -> Result<Reached, Lost> {
    let mut ahead = VecDeque::new();
    push(&mut ahead, path);
    let mut position = Position::at(root, from, steps)?;
    let mut links = 0;
    let mut outside = None;
    while let Some(step) = ahead.pop_front() {
        steps.step().map_err(Lost::Failed)?;
        let name = match step {
            Step::Root => {
                position = Position::at(root, Path::new(""), steps)?;
                continue;
            }
            Step::Up => {
                if !position.path.pop() {
                    continue;
                }
                let up = std::mem::take(&mut position.path);
                position = Position::at(root, &up, steps)?;
                continue;
            }
            Step::Down(name) => name,
        };
        let entry = match position.directory.look(&name) {
            Ok(entry) => entry,
            Err(error) if is_nothing(&error) => return Err(Lost::Nothing { outside }),
            Err(error) => return Err(Lost::Failed(error)),
        };
        match entry {
            Entry::Link => {
                links += 1;
                if links > LONGEST_CHAIN {
                    return Err(Lost::Loop);
                }
                let target = position.directory.read_link(&name).map_err(Lost::Failed)?;
                #[cfg(windows)]
                let target = super::windows::from_root(root.path(), &target).unwrap_or(target);
                if leaves(&position.path, &target) {
                    outside = Some(target.clone());
                }
                push(&mut ahead, &target);
            }
            Entry::Directory if !ahead.is_empty() => {
                position.directory = position.directory.open(&name).map_err(Lost::Failed)?;
                position.path.push(name);
            }
            entry if ahead.is_empty() => {
                return Ok(Reached {
                    parent: position.directory,
                    path: position.path.join(&name),
                    name,
                    entry,
                });
            }
            _ => return Err(Lost::Nothing { outside }),
        }
    }
    Ok(Reached {
        parent: position.directory,
        name: OsString::from("."),
        path: position.path,
        entry: Entry::Directory,
    })
}

/// Opens a directory below another, by a path without links.
pub(super) fn open(root: &Directory, path: &Path) -> io::Result<Directory> {
    let mut directory = root.open(OsStr::new("."))?;
    for component in path.components() {
        if let Component::Normal(name) = component {
            directory = directory.open(name)?;
        }
    }
    Ok(directory)
}

struct Position {
    directory: Directory,
    path: PathBuf,
}

impl Position {
    fn at(root: &Directory, path: &Path, steps: &impl Steps) -> Result<Self, Lost> {
        for _ in path.components() {
            steps.step().map_err(Lost::Failed)?;
        }
        Ok(Self {
            directory: open(root, path).map_err(Lost::Failed)?,
            path: path.to_owned(),
        })
    }
}

enum Step {
    Root,
    Up,
    Down(OsString),
}

/// Puts the components of a path before what is still ahead.
fn push(ahead: &mut VecDeque<Step>, path: &Path) {
    let steps = path.components().filter_map(|component| match component {
        Component::Prefix(_) | Component::CurDir => None,
        Component::RootDir => Some(Step::Root),
        Component::ParentDir => Some(Step::Up),
        Component::Normal(name) => Some(Step::Down(name.to_owned())),
    });
    for step in steps.collect::<Vec<_>>().into_iter().rev() {
        ahead.push_front(step);
    }
}

/// Whether a link's target, read as the file system does, is outside the root.
fn leaves(folder: &Path, target: &Path) -> bool {
    let mut depth = folder.components().count();
    for component in target.components() {
        match component {
            Component::Prefix(_) | Component::RootDir => return true,
            Component::CurDir => {}
            Component::ParentDir if depth == 0 => return true,
            Component::ParentDir => depth -= 1,
            Component::Normal(_) => depth += 1,
        }
    }
    false
}

fn is_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
