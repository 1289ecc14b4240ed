//! What each instruction of a stage does to its variables, and what it takes from the build context.

use std::collections::{HashMap, HashSet};

use super::budget::{Budget, WordError};
use super::followed::{Assignment, Change, Command, Effect, Followed, Note, Notes, Taking};
use super::instruction::{Arguments, Instruction};
use super::mount::{Kind, Mount};
use super::reference::check_source;
use super::scope::{Globals, Scopes};
use super::sources::{self, Wanted};
use super::values;
use super::word::{Lexer, Variable};

/// Follows the instructions of one stage.
pub(super) struct Dispatcher<'a> {
    pub(super) escape: char,
    pub(super) stage: usize,
    pub(super) scopes: &'a mut Scopes,
    pub(super) globals: &'a Globals,
    /// The last stage of each name, in lower case.
    pub(super) names: &'a HashMap<String, usize>,
    pub(super) budget: &'a Budget,
    pub(super) followed: &'a mut Followed,
    pub(super) problems: &'a mut Notes,
    pub(super) warnings: &'a mut Notes,
}

impl Dispatcher<'_> {
    pub(super) fn command(&mut self, command: &Command<'_>) {
        let instruction = &*command.instruction;
        let changes = self.followed.changes.len();
        let result = match instruction.keyword() {
            "ARG" => self.arg(command),
            "ENV" => self.env(command),
            "LABEL" => self.label(instruction),
            "COPY" | "ADD" => self.copy(command),
            "RUN" => self.run(command),
            "EXPOSE" => self.expose(instruction),
            "STOPSIGNAL" => self.checked(instruction, values::signal),
            "VOLUME" => self.checked(instruction, |path| {
                if path.trim().is_empty() {
                    Err("VOLUME has an empty path".to_owned())
                } else {
                    Ok(())
                }
            }),
            "USER" => self.checked(instruction, |_| Ok(())),
            "WORKDIR" => self.workdir(command),
            _ => Ok(()),
        };
        let is_change = matches!(instruction.keyword(), "ADD" | "COPY" | "RUN" | "WORKDIR");
        if is_change && self.followed.changes.len() == changes {
            self.changed(command, Effect::Anything);
        }
        // A value that is not known matters only where a file depends on it, which was told there.
        if let Err(WordError::Invalid(problem)) = result {
            self.problem(command, problem);
        }
    }

    pub(super) fn problem(&mut self, command: &Command<'_>, text: impl Into<String>) {
        self.problems.push(Note {
            part: command.part,
            line: command.line,
            text: text.into(),
        });
    }

    pub(super) fn warning(&mut self, command: &Command<'_>, text: impl Into<String>) {
        self.warnings.push(Note {
            part: command.part,
            line: command.line,
            text: text.into(),
        });
    }

    fn assigned(&mut self, command: &Command<'_>, keyword: &'static str, name: &str) {
        self.followed.assignments.push(Assignment {
            part: command.part,
            line: command.line,
            keyword,
            name: name.to_owned(),
        });
    }

    pub(super) fn changed(&mut self, command: &Command<'_>, effect: Effect) {
        self.followed.changes.push(Change {
            stage: self.stage,
            part: command.part,
            line: command.line,
            effect,
        });
    }

    fn workdir(&mut self, command: &Command<'_>) -> Result<(), WordError> {
        for word in command.instruction.words() {
            let path = self.known(word)?.and_then(|path| self.absolute(&path));
            self.scopes.set_workdir(self.stage, path.clone());
            if let Some(path) = path {
                self.changed(command, Effect::Folder(path));
            }
        }
        Ok(())
    }

    /// The path from the root on, unless it lies below a working directory that is not known.
    pub(super) fn absolute(&self, path: &str) -> Option<String> {
        if path.starts_with('/') {
            return Some(sources::clean(path));
        }
        let workdir = self.scopes.workdir(self.stage)?;
        Some(sources::clean(&format!("{workdir}/{path}")))
    }

    pub(super) fn word(&self, text: &str) -> Result<String, WordError> {
        let look = |name: &str| self.scopes.look_up(self.stage, name, self.budget);
        Lexer::new(self.escape, &look, self.budget).word(text)
    }

    /// The word, or `None` if it depends on a variable whose value is not known.
    pub(super) fn known(&self, text: &str) -> Result<Option<String>, WordError> {
        match self.word(text) {
            Ok(word) => Ok(Some(word)),
            Err(WordError::Unknown(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sets arguments one after the other. One without a value has that from before the first stage, if any.
    fn arg(&mut self, command: &Command<'_>) -> Result<(), WordError> {
        for word in command.instruction.words() {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word.as_str(), None),
            };
            let Some(name) = self.known(name)? else { continue };
            self.assigned(command, "ARG", &name);
            match (value, self.globals.get(&name)) {
                (Some(value), _) => {
                    let value = self.known(value)?;
                    self.scopes.set(self.stage, name, value);
                }
                (None, Variable::Set(value)) => {
                    let value = Some(value.to_owned());
                    self.scopes.set(self.stage, name, value);
                }
                (None, _) => self.scopes.declare(self.stage, name),
            }
        }
        Ok(())
    }

    /// Sets variables; all values are expanded before any of them is set.
    fn env(&mut self, command: &Command<'_>) -> Result<(), WordError> {
        let Arguments::Pairs(pairs) = &command.instruction.arguments else {
            return Ok(());
        };
        let mut set = Vec::new();
        for pair in pairs {
            let Some(name) = self.known(&pair.name)? else { continue };
            set.push((name, self.known(&pair.value)?));
        }
        for (name, value) in set {
            self.assigned(command, "ENV", &name);
            self.scopes.set(self.stage, name, value);
        }
        Ok(())
    }

    fn label(&mut self, instruction: &Instruction) -> Result<(), WordError> {
        let Arguments::Pairs(pairs) = &instruction.arguments else {
            return Ok(());
        };
        for pair in pairs {
            self.known(&pair.name)?;
            self.known(&pair.value)?;
        }
        Ok(())
    }

    fn checked(
        &mut self,
        instruction: &Instruction,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Result<(), WordError> {
        for word in instruction.words() {
            if let Some(word) = self.known(word)? {
                check(&word).map_err(WordError::Invalid)?;
            }
        }
        Ok(())
    }

    fn expose(&mut self, instruction: &Instruction) -> Result<(), WordError> {
        for word in instruction.words() {
            let look = |name: &str| self.scopes.look_up(self.stage, name, self.budget);
            match Lexer::new(self.escape, &look, self.budget).split(word) {
                Ok(ports) => ports
                    .iter()
                    .try_for_each(|port| values::port(port))
                    .map_err(WordError::Invalid)?,
                Err(WordError::Unknown(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn run(&mut self, command: &Command<'_>) -> Result<(), WordError> {
        let instruction = &*command.instruction;
        self.unset_arguments(command)?;
        for text in instruction.flag_values("mount") {
            let mount = match Mount::parse(text, |value| self.word(value)) {
                Ok(mount) => mount,
                Err(WordError::Unknown(name)) => {
                    let text = format!("the mount `{text}`: the value of the variable `{name}` is not known here");
                    self.problem(command, text);
                    continue;
                }
                Err(error) => return Err(error),
            };
            // It is below the working directory, which an image may have set.
            let target = mount.target.as_deref().ok().and_then(|target| self.absolute(target));
            let is_root = target.is_some_and(|target| target.is_empty());
            if is_root && !mount.kind.is_from_client() {
                let problem = format!("`--mount={}` needs a target, which cannot be `/`", text.escape_debug());
                return Err(WordError::Invalid(problem));
            }
            if !mount.from.is_empty() {
                self.check_from(&mount.from)?;
            }
            match (mount.kind, mount.source) {
                (Kind::Bind, Ok(source)) if mount.from.is_empty() => self.followed.takings.push(Taking {
                    part: command.part,
                    line: command.line,
                    sources: vec![Wanted::Path(sources::clean(&source))],
                    sets_mode: false,
                    keeps_links: false,
                }),
                (kind @ (Kind::Secret | Kind::Ssh), _) => {
                    let kind = kind.name();
                    let what = format!("the service has no build secrets, so `--mount=type={kind}` gets nothing");
                    if mount.is_required {
                        self.problem(command, format!("{what}: take the mount out, or `required`"));
                    } else {
                        self.warning(command, what);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Checks the stage or image that a mount takes from. Mounts do not know stages by their numbers.
    fn check_from(&self, from: &str) -> Result<(), WordError> {
        match self.names.get(&from.to_lowercase()) {
            Some(stage) => self.check_stage(from, *stage),
            None if from.bytes().all(|byte| byte.is_ascii_digit()) => WordError::invalid(format!(
                "`from={from}`: a mount names a stage by its name, not by its number"
            )),
            None => check_source(from).map_err(WordError::Invalid),
        }
    }

    /// Checks that a stage may be taken from.
    pub(super) fn check_stage(&self, from: &str, stage: usize) -> Result<(), WordError> {
        if stage > self.stage {
            return WordError::invalid(format!(
                "the stage `{from}` comes later: a stage can only copy from earlier ones"
            ));
        }
        Ok(())
    }

    /// Says which arguments without a value a command uses.
    fn unset_arguments(&mut self, command: &Command<'_>) -> Result<(), WordError> {
        let instruction = &*command.instruction;
        let bodies = instruction.heredocs.iter().map(|heredoc| heredoc.body.as_str());
        let texts: Vec<&str> = instruction.words().iter().map(String::as_str).chain(bodies).collect();
        self.bare_arguments(command, texts)
    }

    /// Says which arguments without a value are in some texts.
    pub(super) fn bare_arguments<'t>(
        &mut self,
        command: &Command<'_>,
        texts: impl IntoIterator<Item = &'t str>,
    ) -> Result<(), WordError> {
        let mut seen = HashSet::new();
        for name in texts.into_iter().flat_map(variables_in) {
            if !seen.insert(name) {
                continue;
            }
            let bare = self.scopes.bare(self.stage, name, self.budget);
            self.budget.take_steps(1)?;
            let Some(bare) = bare else { continue };
            let unless = if bare.may_be_set {
                " unless the image sets it"
            } else {
                ""
            };
            let text = format!(
                "the ARG `{name}` has no value here{unless}, because the service has no build arguments: give it a default, or set \
                 it with `DockerfileSource::build_arg`"
            );
            self.warning(command, text);
        }
        Ok(())
    }
}

/// The names of the variables that a shell would put into a text, roughly.
fn variables_in(text: &str) -> impl Iterator<Item = &str> {
    text.split('$').skip(1).filter_map(|rest| {
        // `${NAME:-default}` has a value.
        let (rest, is_braced) = match rest.strip_prefix('{') {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let end = rest
            .find(|character: char| !character.is_ascii_alphanumeric() && character != '_')
            .unwrap_or(rest.len());
        let has_default = is_braced && rest[end..].starts_with([':', '-', '+', '?']);
        Some(&rest[..end]).filter(|name| !name.is_empty() && !has_default)
    })
}
