//! What each instruction of a stage does to its variables, and what it takes from the build context.

use std::collections::HashSet;

use super::budget::{Budget, WordError};
use super::check;
use super::followed::{Assignment, Command, Followed, Note, Taking};
use super::heredoc;
use super::instruction::{Arguments, Instruction};
use super::mount::Mount;
use super::reference;
use super::scope::{Globals, Scope, look_up};
use super::sources::{self, Wanted};
use super::values;
use super::word::{Lexer, Quotes, Variable};
use crate::ignore::IgnoreRules;

/// Follows the instructions of one stage.
pub(super) struct Dispatcher<'a> {
    pub(super) escape: char,
    pub(super) stage: usize,
    pub(super) scopes: &'a mut Vec<Scope>,
    pub(super) globals: &'a Globals,
    pub(super) budget: &'a Budget,
    pub(super) followed: &'a mut Followed,
}

impl Dispatcher<'_> {
    pub(super) fn command(&mut self, command: &Command<'_>) {
        let instruction = &*command.instruction;
        let result = match instruction.keyword.as_str() {
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
            "USER" | "WORKDIR" => self.checked(instruction, |_| Ok(())),
            _ => Ok(()),
        };
        // A value that is not known matters only where a file depends on it, which was told there.
        if let Err(WordError::Invalid(problem)) = result {
            self.problem(command, problem);
        }
    }

    fn problem(&mut self, command: &Command<'_>, text: impl Into<String>) {
        self.followed.problems.push(Note {
            part: command.part,
            line: command.line,
            text: text.into(),
        });
    }

    fn warning(&mut self, command: &Command<'_>, text: impl Into<String>) {
        self.followed.warnings.push(Note {
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

    fn scope(&mut self) -> &mut Scope {
        &mut self.scopes[self.stage]
    }

    fn word(&self, text: &str) -> Result<String, WordError> {
        Lexer::new(self.escape, &|name| look_up(self.scopes, self.stage, name), self.budget).word(text)
    }

    /// The word, or `None` if it depends on a variable whose value is not known.
    fn known(&self, text: &str) -> Result<Option<String>, WordError> {
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
                    self.scope().set(name, value);
                }
                (None, Variable::Set(value)) => {
                    let value = Some(value.to_owned());
                    self.scope().set(name, value);
                }
                (None, _) => self.scope().declare(name),
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
            self.scope().set(name, value);
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
            let look = |name: &str| look_up(self.scopes, self.stage, name);
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

    fn copy(&mut self, command: &Command<'_>) -> Result<(), WordError> {
        let instruction = &*command.instruction;
        let keyword = instruction.keyword.as_str();
        let [sources @ .., target] = instruction.words() else {
            return Ok(());
        };
        for (name, check) in [
            ("chown", (|_: &str| Ok(())) as fn(&str) -> Result<(), String>),
            ("chmod", values::mode),
        ] {
            for value in instruction.flag_values(name) {
                if let Some(value) = self.known(value)? {
                    check(&value).map_err(WordError::Invalid)?;
                }
            }
        }
        let mut excludes = Vec::new();
        for exclude in instruction.flag_values("exclude") {
            excludes.extend(self.known(exclude)?);
        }
        let excluded = IgnoreRules::of_dockerfile(&excludes)
            .map_err(|error| WordError::Invalid(format!("`--exclude`: {error}")))?;
        let mut paths = Vec::new();
        for source in sources {
            match heredoc::open(source) {
                Ok(Some(opened)) => self.body(instruction, opened.name())?,
                _ => paths.extend(self.source(command, source)?),
            }
        }
        self.known(target)?;
        let has_checksum = instruction.flag("checksum").filter(|value| !value.is_empty());
        if let Some(checksum) = has_checksum {
            values::checksum(checksum).map_err(WordError::Invalid)?;
            if paths.len() != 1 || !sources::is_remote(&paths[0]) {
                return Err(WordError::Invalid("a checksum is for one address".to_owned()));
            }
        }
        if let Some(from) = instruction.flag("from").filter(|from| !from.is_empty()) {
            return self.copy_from(command, from);
        }
        let mut wanted = Vec::new();
        for path in paths {
            if sources::is_remote(&path) {
                if keyword == "COPY" {
                    let problem = format!("COPY cannot fetch `{}`: use ADD", path.escape_debug());
                    return Err(WordError::Invalid(problem));
                }
                continue;
            }
            if path.contains(|character: char| character.is_ascii_control()) {
                return Err(WordError::Invalid(format!(
                    "the source `{}`: BuildKit cannot ask for a name with a control character: copy the folder around it",
                    path.escape_debug()
                )));
            }
            if !check::is_set(instruction, "parents") {
                wanted.push(Wanted::plain(&path));
                continue;
            }
            let nothing = || WordError::Invalid(format!("`--parents {path}` names no file: name what is in it"));
            let source = Wanted::parents(&path).ok_or_else(nothing)?;
            if !source.is_pattern() && excluded.decide(&source.path()).is_ignored() {
                return Err(WordError::Invalid(format!(
                    "`--exclude` leaves out the source `{path}` itself"
                )));
            }
            wanted.push(source);
        }
        if !wanted.is_empty() {
            self.followed.takings.push(Taking {
                part: command.part,
                line: command.line,
                sources: wanted,
                sets_mode: instruction.flag("chmod").is_some_and(|mode| !mode.is_empty()),
            });
        }
        Ok(())
    }

    /// A source with the values of its variables, if they are known.
    fn source(&mut self, command: &Command<'_>, source: &str) -> Result<Option<String>, WordError> {
        let keyword = &command.instruction.keyword;
        let is_json = command.instruction.json().is_some();
        match self.word(source) {
            Ok(path) => {
                if path.is_empty() && command.instruction.flag("from").is_none_or(str::is_empty) {
                    let text = format!(
                        "the source `{}` comes to nothing, which is all of the context",
                        source.escape_debug()
                    );
                    self.warning(command, text);
                }
                Ok(Some(path))
            }
            Err(WordError::Unknown(name)) => {
                let text = format!(
                    "the source `{}`: the value of the variable `{name}` is not known here; write the path itself",
                    source.escape_debug()
                );
                self.problem(command, text);
                Ok(None)
            }
            Err(WordError::Invalid(problem)) => {
                let starts_list = source.starts_with('[') && !is_json;
                let hint = if starts_list {
                    format!("; {keyword} begins like a JSON list, and is none")
                } else if !is_json && problem.contains("quote is not closed") {
                    format!("; {keyword} is split at blanks, quotes or not: write `{keyword} [\"…\", \"…\"]`")
                } else {
                    String::new()
                };
                Err(WordError::Invalid(format!(
                    "the source `{}`: {problem}{hint}",
                    source.escape_debug()
                )))
            }
        }
    }

    /// The body of a heredoc that is a source.
    fn body(&mut self, instruction: &Instruction, name: &str) -> Result<(), WordError> {
        if name.contains('/') {
            return Err(WordError::Invalid(format!(
                "the heredoc `{name}` is a file of this name, which cannot hold a slash"
            )));
        }
        let found = instruction.heredocs.iter().rev().find(|heredoc| heredoc.name == name);
        if let Some(heredoc) = found.filter(|heredoc| heredoc.is_expanded) {
            let look = |name: &str| look_up(self.scopes, self.stage, name);
            let lexer = Lexer {
                quotes: Quotes::Plain,
                ..Lexer::new('\\', &look, self.budget)
            };
            match lexer.word(&heredoc.body) {
                Err(error @ WordError::Invalid(_)) => return Err(error),
                Ok(_) | Err(WordError::Unknown(_)) => {}
            }
        }
        Ok(())
    }

    fn copy_from(&mut self, command: &Command<'_>, from: &str) -> Result<(), WordError> {
        if let Some(stage) = command.sources.first() {
            if *stage > self.stage {
                return Err(WordError::Invalid(format!(
                    "the stage `{from}` comes later: a stage can take from earlier ones only"
                )));
            }
            return Ok(());
        }
        image(from)
    }

    fn run(&mut self, command: &Command<'_>) -> Result<(), WordError> {
        let instruction = &*command.instruction;
        self.unset_arguments(command);
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
            let kind = mount.kind.as_str();
            if matches!(kind, "bind" | "cache") && sources::clean(&mount.target).is_empty() {
                let problem = format!("`--mount={}` needs a target", text.escape_debug());
                return Err(WordError::Invalid(problem));
            }
            if !mount.from.is_empty() && command.sources.is_empty() {
                image(&mount.from)?;
                if mount.from.bytes().all(|byte| byte.is_ascii_digit()) {
                    let problem = format!(
                        "`from={}`: a mount names a stage by its name, not by its number",
                        mount.from
                    );
                    return Err(WordError::Invalid(problem));
                }
            }
            match kind {
                "bind" if mount.from.is_empty() => self.followed.takings.push(Taking {
                    part: command.part,
                    line: command.line,
                    sources: vec![Wanted::Path(sources::clean(&mount.source))],
                    sets_mode: false,
                }),
                "secret" | "ssh" => {
                    let what = format!("the service has no build secrets, and `--mount=type={kind}` gets nothing");
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

    /// Says which arguments without a value a command uses.
    fn unset_arguments(&mut self, command: &Command<'_>) {
        let scope = &self.scopes[self.stage];
        let instruction = &*command.instruction;
        let bodies = instruction.heredocs.iter().map(|heredoc| heredoc.body.as_str());
        let (mut names, mut seen) = (Vec::new(), HashSet::new());
        for text in instruction.words().iter().map(String::as_str).chain(bodies) {
            for name in variables_in(text) {
                if scope.declares(name) && seen.insert(name) {
                    names.push(name.to_owned());
                }
            }
        }
        for name in names {
            let text = format!(
                "the ARG `{name}` has no value here, as the service takes no build arguments: give it a default, or set it with \
                 `DockerfileSource::build_arg`"
            );
            self.warning(command, text);
        }
    }
}

/// What an instruction takes from, where it is no stage.
fn image(from: &str) -> Result<(), WordError> {
    if from.contains('$') {
        return Err(WordError::Invalid(format!(
            "`--from={from}` cannot hold a variable: name the stage, or give the image a name with `FROM {from} AS …`"
        )));
    }
    match reference::problem(from) {
        Some(problem) => Err(WordError::Invalid(format!(
            "`--from={}` is neither a stage nor an image: {problem}",
            from.escape_debug()
        ))),
        None => Ok(()),
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
