//! Where links lead, and what is found there.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::directory::Entry;
use super::fingerprint;
use super::found::Found;
use super::levels::{Below, Place};
use super::names::Names;
use super::problem::WalkProblem;
use super::spelling;
use super::walker::{Reason, Walker};
use super::within::{self, Lost};
use crate::ignore::Decision;

impl Walker<'_> {
    /// Looks at a link; returns the directory that it leads to, if it does.
    pub(super) fn link(&mut self, parent: &Below, entry: &OsStr, names: Names, reason: Reason) -> Option<Below> {
        let shown = self.shown(&names.name);
        let reached = match within::resolve(&self.root.directory, &parent.path, Path::new(entry), self.budget) {
            Ok(reached) => reached,
            Err(Lost::Nothing { outside: Some(target) }) => {
                self.unsendable(WalkProblem::LinkEscape { path: shown, target }, reason);
                return None;
            }
            Err(Lost::Nothing { outside: None }) => {
                self.unsendable(WalkProblem::BrokenLink { path: shown }, reason);
                return None;
            }
            Err(Lost::Loop) => {
                self.unsendable(WalkProblem::LinkLoop { path: shown }, reason);
                return None;
            }
            Err(Lost::Failed(source)) => {
                self.unreadable(&names.name, source);
                return None;
            }
        };
        if !spelling::is_exact(&self.root.path, &reached.path) {
            self.unsendable(WalkProblem::BrokenLink { path: shown }, reason);
            return None;
        }
        self.meanwhile(&reached.path);
        // Without links its name says where it is.
        let real = reached.path.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/");
        let is_directory = matches!(reached.entry, Entry::Directory);
        let is_above = |path: &PathBuf| path.starts_with(&reached.path);
        let is_loop = is_directory && (is_above(&parent.path) || self.open.contains(&reached.path));
        // On the way to what was named it is passed only once.
        if is_loop && reason != Reason::OnTheWay {
            self.unsendable(WalkProblem::LinkLoop { path: shown }, reason);
            return None;
        }
        let rules = &self.settings.rules;
        let matches = rules.enter_all(real.rsplit_once('/').map_or("", |(folder, _)| folder));
        let (decision, matches) = if real.is_empty() {
            (Decision::default(), matches)
        } else {
            rules.enter(&matches, &real)
        };
        if decision.is_ignored() && !(is_directory && rules.may_except_below(&matches, &real)) {
            let rule = decision.rule().cloned();
            self.exclude(names.name, rule, false);
            return None;
        }
        if reason == Reason::Found && matches!(reached.entry, Entry::Directory | Entry::File { .. }) {
            self.result.followed.push(names.name.clone());
        }
        if is_directory {
            return Some(Below {
                place: Place::FromRoot,
                path: reached.path,
                names: names.through_link(real, matches, decision.is_ignored()),
            });
        }
        self.resolved(reached.entry, reached.path, names.name, reason);
        None
    }

    /// Something that is neither a link nor a directory, and is not ignored.
    pub(super) fn resolved(&mut self, kind: Entry, path: PathBuf, name: String, reason: Reason) {
        match kind {
            Entry::File { .. } | Entry::Special if reason == Reason::OnTheWay => {
                let path = self.shown(&name);
                self.problem(WalkProblem::NotFound { path });
            }
            Entry::File { mode, fingerprint } => self.result.files.push(Found {
                name,
                source: self.root.path.join(path),
                is_executable: fingerprint::is_executable(mode),
                mode,
                fingerprint,
            }),
            Entry::Special => {
                let path = self.shown(&name);
                self.unsendable(WalkProblem::SpecialFile { path }, reason);
            }
            // Something was put in its place since.
            Entry::Link | Entry::Directory => {
                let path = self.shown(&name);
                self.unsendable(WalkProblem::BrokenLink { path }, reason);
            }
        }
    }
}
