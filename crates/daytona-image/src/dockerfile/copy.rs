//! `COPY` and `ADD`: what they take from the build context, and where it goes.

use super::budget::WordError;
use super::check;
use super::dispatch::Dispatcher;
use super::followed::{Command, Copied, Effect, Taking};
use super::heredoc;
use super::instruction::Instruction;
use super::reference::check_source;
use super::sources::{self, Wanted};
use super::values;
use super::word::{Lexer, Quotes};
use crate::ignore::IgnoreRules;

/// The sources of an instruction, with the values of their variables.
struct Sources {
    /// Paths and addresses. Those that are not known are missing.
    paths: Vec<String>,
    /// The names of heredocs.
    heredocs: Vec<String>,
    /// How many sources there are.
    count: usize,
}

impl Sources {
    fn has_address(&self) -> bool {
        self.paths.iter().any(|path| sources::is_remote(path))
    }

    fn are_known(&self) -> bool {
        self.paths.len() + self.heredocs.len() == self.count
    }
}

impl Dispatcher<'_> {
    pub(super) fn copy(&mut self, command: &Command<'_>) -> Result<(), WordError> {
        let instruction = &*command.instruction;
        let [sources @ .., target] = instruction.words() else {
            return Ok(());
        };
        self.check_owner_and_mode(instruction)?;
        let excluded = self.excluded(instruction)?;
        let sources = self.sources(command, sources)?;
        let target = self.known(target)?;
        self.check_checksum(instruction, &sources)?;
        if let Some(from) = other_source(instruction) {
            return self.copy_from(command, from);
        }
        let mut wanted = Vec::new();
        for path in &sources.paths {
            wanted.extend(self::wanted(instruction, path, &excluded)?);
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
        self.put(command, sources, target, taking);
        Ok(())
    }

    fn check_owner_and_mode(&self, instruction: &Instruction) -> Result<(), WordError> {
        for owner in instruction.flag_values("chown") {
            self.known(owner)?;
        }
        for mode in instruction.flag_values("chmod") {
            if let Some(mode) = self.known(mode)? {
                values::mode(&mode).map_err(WordError::Invalid)?;
            }
        }
        Ok(())
    }

    /// What `--exclude` leaves out, as far as it is known.
    fn excluded(&self, instruction: &Instruction) -> Result<IgnoreRules, WordError> {
        let mut patterns = Vec::new();
        for pattern in instruction.flag_values("exclude") {
            patterns.extend(self.known(pattern)?);
        }
        IgnoreRules::of_dockerfile(&patterns).map_err(|error| WordError::Invalid(format!("`--exclude`: {error}")))
    }

    fn sources(&mut self, command: &Command<'_>, words: &[String]) -> Result<Sources, WordError> {
        let instruction = &*command.instruction;
        if other_source(instruction).is_none() {
            self.bare_arguments(command, words.iter().map(String::as_str))?;
        }
        let mut sources = Sources {
            paths: Vec::new(),
            heredocs: Vec::new(),
            count: words.len(),
        };
        for word in words {
            match heredoc::open(word) {
                Ok(Some(opened)) => {
                    self.body(instruction, opened.name())?;
                    sources.heredocs.push(opened.name().to_owned());
                }
                _ => sources.paths.extend(self.source(command, word)?),
            }
        }
        Ok(sources)
    }

    fn check_checksum(&self, instruction: &Instruction, sources: &Sources) -> Result<(), WordError> {
        let Some(checksum) = instruction.flag("checksum").filter(|value| !value.is_empty()) else {
            return Ok(());
        };
        if sources.count != 1 || !sources.heredocs.is_empty() {
            return WordError::invalid("a checksum is for one address");
        }
        // One that is not known may be an address.
        let Some(address) = sources.paths.first() else {
            return Ok(());
        };
        if !sources::is_remote(address) {
            return WordError::invalid(format!(
                "a checksum is for an address, and `{}` is a path",
                address.escape_debug()
            ));
        }
        match self.known(checksum)? {
            Some(checksum) => values::checksum(&checksum, sources::is_git(address)).map_err(WordError::Invalid),
            None => Ok(()),
        }
    }

    /// Says where the sources come to.
    fn put(&mut self, command: &Command<'_>, sources: Sources, target: Option<String>, taking: Option<usize>) {
        let instruction = &*command.instruction;
        let is_copy = instruction.keyword() == "COPY";
        // With `--link` a layer is laid over what is there.
        let is_link = check::is_set(instruction, "link");
        // What is left out, and what is fetched, is not known.
        let is_known = instruction.flag_values("exclude").next().is_none()
            && sources.are_known()
            && !is_link
            && !sources.has_address();
        if let Some(target) = target.filter(|_| is_known)
            && let Some(path) = self.absolute(&target)
        {
            let slash = if target.ends_with('/') || target.ends_with("/.") {
                "/"
            } else {
                ""
            };
            let copy = Copied {
                taking,
                heredocs: sources.heredocs,
                target: path + slash,
                keeps_parents: check::is_set(instruction, "parents"),
                may_unpack: !is_copy && (instruction.flag("unpack").is_none() || check::is_set(instruction, "unpack")),
            };
            self.changed(command, Effect::Copy(copy));
        } else if is_copy && !is_link {
            self.changed(command, Effect::Adds);
        }
    }

    /// A source with the values of its variables, if they are known.
    fn source(&mut self, command: &Command<'_>, source: &str) -> Result<Option<String>, WordError> {
        let keyword = command.instruction.keyword();
        let is_json = command.instruction.json().is_some();
        match self.word(source) {
            Ok(path) => {
                if path.is_empty() && other_source(&command.instruction).is_none() {
                    let text = format!(
                        "the source `{}` is empty, which means the whole context",
                        source.escape_debug()
                    );
                    self.warning(command, text);
                }
                Ok(Some(path))
            }
            // Nothing of it comes from the context.
            Err(WordError::Unknown(_)) if other_source(&command.instruction).is_some() => Ok(None),
            // An address, whatever follows.
            Err(WordError::Unknown(_)) if sources::is_remote(source) => Ok(Some(source.to_owned())),
            Err(WordError::Unknown(name)) if keyword == "ADD" && sources::may_be_remote(source) => {
                let text = format!(
                    "the source `{}`: the value of the variable `{name}` is not known here; it may be an address, so no \
                     file is sent for it",
                    source.escape_debug()
                );
                self.warning(command, text);
                Ok(None)
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
            let look = |name: &str| self.scopes.look_up(self.stage, name, self.budget);
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

    fn copy_from(&self, command: &Command<'_>, from: &str) -> Result<(), WordError> {
        if let Some(stage) = command.sources.first() {
            return self.check_stage(from, *stage);
        }
        check_source(from).map_err(WordError::Invalid)
    }
}

/// The stage or image that takes the place of the build context.
fn other_source(instruction: &Instruction) -> Option<&str> {
    instruction.flag("from").filter(|from| !from.is_empty())
}

/// What a path means in the build context; nothing if it is an address.
fn wanted(instruction: &Instruction, path: &str, excluded: &IgnoreRules) -> Result<Option<Wanted>, WordError> {
    if sources::is_remote(path) {
        if instruction.keyword() == "COPY" {
            return WordError::invalid(format!("COPY cannot fetch `{}`: use ADD", path.escape_debug()));
        }
        return Ok(None);
    }
    if path.contains(|character: char| character.is_ascii_control()) {
        return WordError::invalid(format!(
            "the source `{}`: BuildKit cannot request a name with a control character: copy its directory instead",
            path.escape_debug()
        ));
    }
    if !check::is_set(instruction, "parents") {
        return Ok(Some(Wanted::plain(path)));
    }
    let nothing = || WordError::Invalid(format!("`--parents {path}` names no file: name what is in it"));
    let source = Wanted::parents(path).ok_or_else(nothing)?;
    if !source.is_pattern() && excluded.decide(&source.path()).is_ignored() {
        return WordError::invalid(format!("`--exclude` leaves out the source `{path}` itself"));
    }
    Ok(Some(source))
}
