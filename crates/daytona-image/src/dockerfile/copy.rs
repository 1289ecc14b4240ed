//! `COPY` and `ADD`: what they take from the build context, and where it goes.

use super::budget::WordError;
use super::check;
use super::dispatch::Dispatcher;
use super::followed::{Command, Copied, Effect, Taking};
use super::heredoc;
use super::instruction::Instruction;
use super::reference::check_source;
use super::scope::look_up;
use super::sources::{self, Wanted};
use super::values;
use super::word::{Lexer, Quotes};
use crate::ignore::IgnoreRules;

impl Dispatcher<'_> {
    pub(super) fn copy(&mut self, command: &Command<'_>) -> Result<(), WordError> {
        let instruction = &*command.instruction;
        let keyword = instruction.keyword();
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
        let (mut paths, mut heredocs) = (Vec::new(), Vec::new());
        for source in sources {
            match heredoc::open(source) {
                Ok(Some(opened)) => {
                    self.body(instruction, opened.name())?;
                    heredocs.push(opened.name().to_owned());
                }
                _ => paths.extend(self.source(command, source)?),
            }
        }
        let target = self.known(target)?;
        let has_checksum = instruction.flag("checksum").filter(|value| !value.is_empty());
        if let Some(checksum) = has_checksum {
            let [address] = paths.as_slice() else {
                return Err(WordError::Invalid("a checksum is for one address".to_owned()));
            };
            if !sources::is_remote(address) {
                return Err(WordError::Invalid(format!(
                    "a checksum is for an address, and `{}` is a path",
                    address.escape_debug()
                )));
            }
            if let Some(checksum) = self.known(checksum)? {
                values::checksum(&checksum, sources::is_git(address)).map_err(WordError::Invalid)?;
            }
        }
        if let Some(from) = instruction.flag("from").filter(|from| !from.is_empty()) {
            return self.copy_from(command, from);
        }
        // What is left out, and what is fetched, is not known; with `--link` a layer is laid over what is there.
        let is_known = instruction.flag_values("exclude").next().is_none()
            && paths.len() + heredocs.len() == sources.len()
            && !check::is_set(instruction, "link")
            && !paths.iter().any(|path| sources::is_remote(path));
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
                    "the source `{}`: BuildKit cannot request a name with a control character: copy its directory instead",
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
        let taking = (!wanted.is_empty()).then_some(self.followed.takings.len());
        if !wanted.is_empty() {
            self.followed.takings.push(Taking {
                part: command.part,
                line: command.line,
                sources: wanted,
                // `u+x` and its like start from the mode that there is.
                sets_mode: instruction
                    .flag("chmod")
                    .is_some_and(|mode| !mode.is_empty() && !mode.contains(['+', '-', '='])),
                keeps_links: check::is_set(instruction, "parents"),
            });
        }
        if let Some(target) = target.as_deref().filter(|_| is_known)
            && let Some(path) = self.absolute(target)
        {
            let slash = if target.ends_with('/') || target.ends_with("/.") {
                "/"
            } else {
                ""
            };
            let copy = Copied {
                taking,
                heredocs,
                target: path + slash,
                keeps_parents: check::is_set(instruction, "parents"),
                may_unpack: keyword == "ADD"
                    && (instruction.flag("unpack").is_none() || check::is_set(instruction, "unpack")),
            };
            self.changed(command, Effect::Copy(copy));
        } else if keyword == "COPY" && !check::is_set(instruction, "link") {
            self.changed(command, Effect::Adds);
        }
        Ok(())
    }

    /// A source with the values of its variables, if they are known.
    fn source(&mut self, command: &Command<'_>, source: &str) -> Result<Option<String>, WordError> {
        let keyword = command.instruction.keyword();
        let is_json = command.instruction.json().is_some();
        match self.word(source) {
            Ok(path) => {
                if path.is_empty() && command.instruction.flag("from").is_none_or(str::is_empty) {
                    let text = format!(
                        "the source `{}` is empty, which means the whole context",
                        source.escape_debug()
                    );
                    self.warning(command, text);
                }
                Ok(Some(path))
            }
            // Nothing of it comes from the context.
            Err(WordError::Unknown(_)) if command.instruction.flag("from").is_some_and(|from| !from.is_empty()) => {
                Ok(None)
            }
            // An address, whatever follows.
            Err(WordError::Unknown(_)) if sources::is_remote(source) => Ok(Some(source.to_owned())),
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
                    format!("; {keyword} begins like a JSON list, but is not one")
                } else if !is_json && problem.contains("quote is not closed") {
                    format!("; {keyword} is split at spaces even inside quotes: write `{keyword} [\"…\", \"…\"]`")
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
                "the heredoc `{name}` is a file of this name, so the name cannot contain a slash"
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
                    "the stage `{from}` comes later: a stage can only copy from earlier ones"
                )));
            }
            return Ok(());
        }
        check_source(from).map_err(WordError::Invalid)
    }
}
