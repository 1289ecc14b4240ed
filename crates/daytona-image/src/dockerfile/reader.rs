//! From a text to its instructions.

use std::borrow::Cow;

use super::directive::Directives;
use super::heredoc::{self, Heredoc};
use super::instruction::{Arguments, Instruction, Pair};
use super::lexer::{self, Json};
use super::model::{Dockerfile, MAX_ERRORS, SyntaxError};
use crate::bounded::Bounded;

/// Bytes that a line may have: BuildKit refuses longer ones.
pub const MAX_LINE: usize = 65_535;

/// Instructions of a text that had problems, too.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) dockerfile: Dockerfile,
    pub(crate) errors: Bounded<SyntaxError>,
}

/// Room is made for this many instructions at first, and for more when needed.
const MOST_RESERVED: usize = 10_000;

/// What stands for one instruction: its line, continued ones joined.
struct Logical<'t> {
    text: Cow<'t, str>,
    /// Where the escape character of its last continued line stands, if nothing follows it.
    open: Option<usize>,
}

/// The lines of a text, with the place of each.
struct Lines {
    /// Each line's beginning, and its end with its line feed.
    bounds: Vec<(usize, usize)>,
    next: usize,
}

impl Lines {
    fn of(text: &str) -> Self {
        let mut start = 0;
        let bounds = text
            .split_inclusive('\n')
            .map(|line| {
                let bounds = (start, start + line.len());
                start += line.len();
                bounds
            })
            .collect();
        Self { bounds, next: 0 }
    }

    /// The next line with its line feed, and where it begins.
    fn next<'t>(&mut self, text: &'t str) -> Option<(&'t str, usize)> {
        let (start, end) = *self.bounds.get(self.next)?;
        self.next += 1;
        Some((&text[start..end], start))
    }
}

/// Reads a text. `escape` is given for lines that stand somewhere in a Dockerfile, where no directives are.
pub(super) fn read(text: &str, escape: Option<char>) -> Reading {
    let mut directives = escape.map_or_else(Directives::default, Directives::of_a_part);
    let mut reading = Reading {
        dockerfile: Dockerfile::default(),
        errors: Bounded::new(MAX_ERRORS),
    };
    let start = if text.starts_with('\u{feff}') {
        '\u{feff}'.len_utf8()
    } else {
        0
    };
    let mut lines = Lines::of(&text[start..]);
    let text = &text[start..];
    for (number, (start, end)) in lines.bounds.iter().enumerate() {
        if end - start > MAX_LINE && text[*start..*end].trim_end_matches('\n').len() > MAX_LINE {
            let problem = format!("the line has more than {MAX_LINE} bytes, which BuildKit refuses");
            reading.errors.push(SyntaxError::new(number + 1, problem));
        }
    }
    reading
        .dockerfile
        .instructions
        .reserve(lines.bounds.len().min(MOST_RESERVED));
    let mut open = None;
    while let Some((line, start)) = lines.next(text) {
        let number = lines.next;
        let stripped = trim_line_end(line).trim_start();
        let offset = start + (line.len() - line.trim_start().len());
        match directives.line(stripped) {
            Ok(true) => continue,
            Ok(false) => {}
            Err(problem) => {
                reading.errors.push(SyntaxError::new(number, problem));
                continue;
            }
        }
        if stripped.is_empty() || is_comment(stripped) {
            continue;
        }
        let logical = Logical::read(&mut lines, text, (stripped, offset), directives.escape);
        open = logical.open;
        let joined = logical.text;
        let last = lines.next;
        let mut instruction = match instruction(&joined, directives.escape, number, last) {
            Ok(instruction) => instruction,
            Err(problem) => {
                reading.errors.push(SyntaxError::new(number, problem));
                continue;
            }
        };
        if instruction.may_open_heredocs() && joined.contains("<<") {
            match heredoc::opened_by(&joined) {
                Ok(heredocs) => {
                    for mut heredoc in heredocs {
                        if !read_body(&mut heredoc, &mut lines, text) {
                            let problem = format!(
                                "the heredoc `{}` is not closed: its name must be alone on a line",
                                heredoc.name.escape_debug()
                            );
                            reading.errors.push(SyntaxError::new(number, problem));
                        }
                        instruction.heredocs.push(heredoc);
                        open = None;
                    }
                }
                Err(error) => reading.errors.push(SyntaxError::new(number, error.to_string())),
            }
            instruction.last_line = lines.next;
        }
        reading.dockerfile.instructions.push(instruction);
    }
    reading.dockerfile.escape = directives.escape;
    reading.dockerfile.line_count = lines.bounds.len();
    reading.dockerfile.open_continuation = open;
    reading
}

impl<'t> Logical<'t> {
    /// Joins a line with those that continue it. Comments and blank lines between them do not count.
    fn read(lines: &mut Lines, text: &'t str, first: (&'t str, usize), escape: char) -> Self {
        let (mut line, mut offset) = first;
        let mut joined = String::new();
        loop {
            let Some(start) = continued(line, escape) else {
                let text = if joined.is_empty() {
                    Cow::Borrowed(line)
                } else {
                    Cow::Owned(joined + line)
                };
                return Self { text, open: None };
            };
            joined.push_str(start);
            let open = Some(offset + start.len());
            loop {
                let Some((next, start)) = lines.next(text) else {
                    let text = Cow::Owned(joined);
                    return Self { text, open };
                };
                let next = trim_line_end(next);
                if !next.trim_start().is_empty() && !is_comment(next.trim_start()) {
                    (line, offset) = (next, start);
                    break;
                }
            }
        }
    }
}

/// Reads the body of a heredoc; returns whether it ends.
fn read_body(heredoc: &mut Heredoc, lines: &mut Lines, text: &str) -> bool {
    while let Some((line, _)) = lines.next(text) {
        let end = trim_line_end(line);
        let end = if heredoc.strips_tabs {
            end.trim_start_matches('\t')
        } else {
            end
        };
        if end == heredoc.name {
            return true;
        }
        heredoc.body.push_str(line);
    }
    false
}

fn trim_line_end(line: &str) -> &str {
    line.trim_end_matches(['\r', '\n'])
}

fn is_comment(line: &str) -> bool {
    line.starts_with('#')
}

/// The line without its escape character at the end, if it has one that is not escaped itself.
fn continued(line: &str, escape: char) -> Option<&str> {
    let start = line.trim_end_matches([' ', '\t']).strip_suffix(escape)?;
    (!start.ends_with(escape)).then_some(start)
}

/// How often ONBUILD may stand in a row before it is not read any further. Twice is refused already.
const MAX_ONBUILD: usize = 8;

/// Reads one instruction, without its heredocs.
pub(super) fn instruction(text: &str, escape: char, line: usize, last_line: usize) -> Result<Instruction, String> {
    nested(text, escape, (line, last_line), 0)
}

fn nested(text: &str, escape: char, lines: (usize, usize), depth: usize) -> Result<Instruction, String> {
    let trimmed = text.trim();
    let (word, rest) = lexer::split_at_blank(trimmed);
    let (flags, rest) = rest.map_or_else(Default::default, |rest| lexer::flags(rest, escape));
    let keyword = keyword(word);
    let rest = rest.trim();
    let arguments = match keyword.as_ref() {
        "ONBUILD" if depth == MAX_ONBUILD => return Err("ONBUILD cannot contain another ONBUILD".to_owned()),
        "ONBUILD" if !rest.is_empty() => Arguments::Trigger(Box::new(nested(rest, escape, lines, depth + 1)?)),
        keyword => arguments(keyword, rest, escape)?,
    };
    Ok(Instruction {
        line: lines.0,
        last_line: lines.1,
        keyword,
        flags,
        arguments,
        heredocs: Vec::new(),
        text: if depth > 0 { trimmed.to_owned() } else { String::new() },
    })
}

/// The instructions there are.
const KEYWORDS: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

fn keyword(word: &str) -> Cow<'static, str> {
    let known = KEYWORDS.iter().find(|keyword| keyword.eq_ignore_ascii_case(word));
    known.map_or_else(|| Cow::Owned(upper_case(word)), |keyword| Cow::Borrowed(*keyword))
}

/// In upper case as Go has it: character by character.
fn upper_case(word: &str) -> String {
    if word.is_ascii() {
        return word.to_ascii_uppercase();
    }
    let upper = |character: char| {
        let mut upper = character.to_uppercase();
        upper.next().filter(|_| upper.len() == 0).unwrap_or(character)
    };
    word.chars().map(upper).collect()
}

fn arguments(keyword: &str, rest: &str, escape: char) -> Result<Arguments, String> {
    let json = || match lexer::json(rest) {
        Json::Words(words) => Ok(Some(words)),
        Json::NotStrings => Err(format!("{keyword} is a JSON list, but not only of strings")),
        Json::No => Ok(None),
    };
    let text = |rest: &str| {
        if rest.is_empty() {
            Arguments::Words(Vec::new())
        } else {
            Arguments::Text(rest.to_owned())
        }
    };
    Ok(match keyword {
        "ADD" | "COPY" | "VOLUME" => match json()? {
            Some(words) => Arguments::Json(words),
            None => Arguments::Words(lexer::words_at_blanks(rest)),
        },
        "EXPOSE" | "FROM" => Arguments::Words(lexer::words_at_blanks(rest)),
        "RUN" | "CMD" | "ENTRYPOINT" | "SHELL" => match json()? {
            Some(words) => Arguments::Json(words),
            None => text(rest),
        },
        "ARG" => Arguments::Words(lexer::words(rest, escape).map(str::to_owned).collect()),
        "ENV" | "LABEL" => Arguments::Pairs(pairs(keyword, rest, escape)?),
        "MAINTAINER" | "STOPSIGNAL" | "USER" | "WORKDIR" => text(rest),
        "HEALTHCHECK" => health_check(rest)?,
        "ONBUILD" => Arguments::Words(Vec::new()),
        _ => Arguments::Unknown,
    })
}

fn health_check(rest: &str) -> Result<Arguments, String> {
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let (kind, command) = (&rest[..end], rest[end..].trim_start());
    if kind.is_empty() {
        return Ok(Arguments::Words(Vec::new()));
    }
    let words = |command: Vec<String>| std::iter::once(kind.to_owned()).chain(command).collect();
    Ok(match lexer::json(command) {
        Json::Words(command) => Arguments::Json(words(command)),
        Json::NotStrings => return Err("the command is a JSON list, but not only of strings".to_owned()),
        Json::No if command.is_empty() => Arguments::Words(words(Vec::new())),
        Json::No => Arguments::Words(words(vec![command.to_owned()])),
    })
}

/// The pairs of `ENV` and `LABEL`. The old form `ENV name value` has one.
fn pairs(keyword: &str, rest: &str, escape: char) -> Result<Vec<Pair>, String> {
    let mut words = lexer::words(rest, escape);
    let Some(first) = words.next() else {
        return Ok(Vec::new());
    };
    if !first.contains('=') {
        let (name, Some(value)) = lexer::split_at_blank(rest) else {
            return Err(format!(
                "{keyword} needs a name and a value: write `{keyword} {rest}=…`"
            ));
        };
        return Ok(vec![Pair {
            name: name.to_owned(),
            value: value.to_owned(),
            is_old_form: true,
        }]);
    }
    let pair = |word: &str| match word.split_once('=') {
        Some((name, value)) => Ok(Pair {
            name: name.to_owned(),
            value: value.to_owned(),
            is_old_form: false,
        }),
        None => Err(format!(
            "`{}` has no `=`: write `name=value`, and quote a value that contains spaces",
            word.escape_debug()
        )),
    };
    std::iter::once(first).chain(words).map(pair).collect()
}
