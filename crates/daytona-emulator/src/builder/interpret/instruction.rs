//! One instruction of a Dockerfile, read from its line as BuildKit's parser reads it.

use super::heredoc::Heredoc;
use super::json::{self, Form};

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Instruction {
    /// The line on which it begins, from 1.
    pub(crate) line: usize,
    /// Its last line.
    pub(crate) end: usize,
    /// In upper case.
    pub(crate) keyword: String,
    /// What follows the keyword, on one line; without the bodies of heredocs.
    pub(crate) rest: String,
    /// Flags as they came out of their quotes.
    pub(crate) flags: Vec<String>,
    pub(crate) arguments: Arguments,
    /// The heredocs that it opens, in their order.
    pub(crate) heredocs: Vec<Heredoc>,
}

impl Instruction {
    /// Whether a `<<` in it may open a heredoc.
    pub(super) fn can_open_heredocs(&self) -> bool {
        let inner = match &self.arguments {
            Arguments::Trigger(inner) => inner,
            _ => self,
        };
        matches!(inner.keyword.as_str(), "RUN" | "COPY" | "ADD") && !matches!(inner.arguments, Arguments::Json(_))
    }
}

/// What an instruction has behind its flags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Arguments {
    /// Words, or one text for instructions that take one.
    Words(Vec<String>),
    /// The JSON form.
    Json(Vec<String>),
    /// What `ENV` and `LABEL` set.
    Pairs(Vec<Pair>),
    /// What `ONBUILD` keeps for later.
    Trigger(Box<Instruction>),
    /// Of an instruction that is not known.
    Unknown,
}

/// A name and a value, with their quotes and escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) name: String,
    pub(crate) value: String,
    /// Whether it has the form `ENV name value`.
    pub(crate) is_old_form: bool,
}

/// `ONBUILD ONBUILD …`: BuildKit refuses the second one, after it has read all of them.
const DEEPEST_TRIGGER: usize = 8;

/// Blanks that divide words.
fn is_blank(character: char) -> bool {
    matches!(character, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ')
}

/// Reads an instruction from one line, without the bodies of its heredocs.
pub(super) fn read(line: &str, escape: char) -> Result<Instruction, String> {
    read_at(line, escape, 0)
}

/// `depth` counts the triggers around it.
fn read_at(line: &str, escape: char, depth: usize) -> Result<Instruction, String> {
    let line = line.trim();
    let (keyword, after) = match line.find(is_blank) {
        Some(end) => (&line[..end], line[end..].trim_start_matches(is_blank)),
        None => (line, ""),
    };
    let (flags, arguments) = extract_flags(after, escape);
    let arguments = arguments.trim();
    let keyword = keyword.to_uppercase();
    let arguments = match keyword.as_str() {
        "ENV" | "LABEL" => Arguments::Pairs(pairs(&keyword, arguments, escape)?),
        "ARG" => Arguments::Words(quoted_words(arguments, escape)),
        "ADD" | "COPY" | "VOLUME" => list(arguments)?,
        "RUN" | "CMD" | "ENTRYPOINT" | "SHELL" => text_or_json(arguments)?,
        "EXPOSE" | "FROM" => Arguments::Words(split(arguments)),
        "HEALTHCHECK" => healthcheck(arguments)?,
        "MAINTAINER" | "STOPSIGNAL" | "USER" | "WORKDIR" => one(arguments),
        "ONBUILD" if arguments.is_empty() => Arguments::Words(Vec::new()),
        "ONBUILD" if depth == DEEPEST_TRIGGER => Arguments::Unknown,
        "ONBUILD" => Arguments::Trigger(Box::new(read_at(arguments, escape, depth + 1)?)),
        _ => Arguments::Unknown,
    };
    Ok(Instruction {
        line: 0,
        end: 0,
        keyword,
        rest: after.to_owned(),
        flags,
        arguments,
        heredocs: Vec::new(),
    })
}

fn one(text: &str) -> Arguments {
    Arguments::Words((!text.is_empty()).then(|| text.to_owned()).into_iter().collect())
}

fn split(text: &str) -> Vec<String> {
    if text.is_empty() {
        return Vec::new();
    }
    let words = text.split(is_blank).filter(|word| !word.is_empty());
    words.map(ToOwned::to_owned).collect()
}

const NOT_TEXTS: &str = "when using JSON array syntax, arrays must be comprised of strings only";

fn list(text: &str) -> Result<Arguments, String> {
    match json::read(text) {
        Form::Texts(texts) => Ok(Arguments::Json(texts)),
        Form::Others => Err(NOT_TEXTS.to_owned()),
        Form::None => Ok(Arguments::Words(split(text))),
    }
}

fn text_or_json(text: &str) -> Result<Arguments, String> {
    match json::read(text) {
        Form::Texts(texts) => Ok(Arguments::Json(texts)),
        Form::Others => Err(NOT_TEXTS.to_owned()),
        Form::None => Ok(one(text)),
    }
}

/// The kind of check, and its command.
fn healthcheck(text: &str) -> Result<Arguments, String> {
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (kind, command) = text.split_at(end);
    if kind.is_empty() {
        return Ok(Arguments::Words(Vec::new()));
    }
    Ok(match text_or_json(command.trim_start())? {
        Arguments::Json(texts) => Arguments::Json([vec![kind.to_owned()], texts].concat()),
        Arguments::Words(words) => Arguments::Words([vec![kind.to_owned()], words].concat()),
        other => other,
    })
}

fn pairs(keyword: &str, text: &str, escape: char) -> Result<Vec<Pair>, String> {
    let words = quoted_words(text, escape);
    let Some(first) = words.first() else {
        return Ok(Vec::new());
    };
    if !first.contains('=') {
        let end = text
            .find(is_blank)
            .ok_or_else(|| format!("{keyword} must have two arguments"))?;
        return Ok(vec![Pair {
            name: text[..end].to_owned(),
            value: text[end..].trim_start_matches(is_blank).to_owned(),
            is_old_form: true,
        }]);
    }
    let pairs = words.iter().map(|word| match word.split_once('=') {
        Some((name, value)) => Ok(Pair {
            name: name.to_owned(),
            value: value.to_owned(),
            is_old_form: false,
        }),
        None => Err(format!(
            "Syntax error - can't find = in {word:?}. Must be of the form: name=value"
        )),
    });
    pairs.collect()
}

/// Words divided at blanks outside quotes; quotes and escapes stay.
fn quoted_words(text: &str, escape: char) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut has_quotes = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match quote {
            None if character.is_whitespace() => {
                if has_quotes || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                    has_quotes = false;
                }
                continue;
            }
            None if matches!(character, '\'' | '"') => {
                quote = Some(character);
                has_quotes = true;
            }
            Some(open) if character == open => quote = None,
            _ => {}
        }
        if character == escape && quote != Some('\'') {
            // An escape character at the very end is dropped.
            let Some(escaped) = characters.next() else { break };
            word.extend([character, escaped]);
            continue;
        }
        word.push(character);
    }
    if has_quotes || !word.is_empty() {
        words.push(word);
    }
    words
}

/// The flags at the beginning, and what follows. BuildKit reads bytes here, and takes each for a character.
fn extract_flags(text: &str, escape: char) -> (Vec<String>, &str) {
    let bytes = text.as_bytes();
    let mut flags = Vec::new();
    let mut position = 0;
    loop {
        while position < bytes.len() && char::from(bytes[position]).is_whitespace() {
            position += 1;
        }
        if !bytes[position..].starts_with(b"--") {
            // A byte inside a character may pass for a blank; there it is not divided.
            while !text.is_char_boundary(position) {
                position -= 1;
            }
            return (flags, &text[position..]);
        }
        let mut word = String::new();
        let mut quote = None;
        while let Some(byte) = bytes.get(position) {
            let character = char::from(*byte);
            match quote {
                None if character.is_whitespace() => break,
                None if matches!(character, '\'' | '"') => quote = Some(character),
                Some(open) if character == open => quote = None,
                _ if character == escape => {
                    position += 1;
                    word.extend(bytes.get(position).map(|byte| char::from(*byte)));
                }
                _ => word.push(character),
            }
            position += 1;
        }
        let position_after = position.min(bytes.len());
        position = position_after;
        if word == "--" {
            while !text.is_char_boundary(position) {
                position += 1;
            }
            return (flags, &text[position..]);
        }
        flags.push(word);
    }
}
