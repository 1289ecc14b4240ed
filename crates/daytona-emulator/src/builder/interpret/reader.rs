//! The emulator's own reading of a Dockerfile, line by line as BuildKit's parser goes.

use super::course::Failure;
use super::heredoc;
use super::instruction::{self, Instruction};

/// A Dockerfile, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dockerfile {
    pub(crate) instructions: Vec<Instruction>,
    /// The escape character.
    pub(crate) escape: char,
}

/// What a line may be long, in bytes without its end.
const LONGEST_LINE: usize = 65_535;

/// Reads the text, or says what BuildKit's parser would say.
pub(crate) fn read(text: &str) -> Result<Dockerfile, Failure> {
    let mut reader = Reader {
        lines: text.split_inclusive('\n'),
        number: 0,
        directives: Directives::default(),
    };
    let mut instructions = Vec::new();
    while let Some(instruction) = reader.instruction()? {
        instructions.push(instruction);
    }
    if instructions.is_empty() {
        return Err(failure(reader.number, "file with no instructions"));
    }
    Ok(Dockerfile {
        instructions,
        escape: reader.directives.escape,
    })
}

fn failure(line: usize, reason: impl std::fmt::Display) -> Failure {
    Failure {
        line: (line > 0).then_some(line),
        reason: format!("dockerfile parse error on line {line}: {reason}"),
    }
}

struct Reader<'a> {
    lines: std::str::SplitInclusive<'a, char>,
    /// How many lines were read.
    number: usize,
    directives: Directives,
}

impl<'a> Reader<'a> {
    /// The next line, with its end.
    fn line(&mut self) -> Result<Option<&'a str>, Failure> {
        let Some(line) = self.lines.next() else { return Ok(None) };
        if line.strip_suffix('\n').unwrap_or(line).len() > LONGEST_LINE {
            return Err(failure(
                self.number,
                format!("dockerfile line greater than maximum allowed size of {LONGEST_LINE}"),
            ));
        }
        self.number += 1;
        if self.number == 1 {
            return Ok(Some(line.strip_prefix('\u{feff}').unwrap_or(line)));
        }
        Ok(Some(line))
    }

    fn instruction(&mut self) -> Result<Option<Instruction>, Failure> {
        loop {
            let before = self.number;
            let Some(line) = self.line()? else { return Ok(None) };
            let line = without_end(line).trim_start();
            self.directives.look(line).map_err(|reason| failure(before, reason))?;
            let first = self.number;
            let line = if line.starts_with('#') { "" } else { line };
            let (piece, mut is_continued) = self.piece(line);
            if piece.is_empty() && !is_continued {
                continue;
            }
            let mut logical = piece.to_owned();
            while is_continued {
                let Some(line) = self.line()? else { break };
                let line = without_end(line);
                let start = line.trim_start();
                // Comments and blank lines between continued lines do not count.
                if start.is_empty() || start.starts_with('#') {
                    continue;
                }
                let (piece, goes_on) = self.piece(line);
                logical.push_str(piece);
                is_continued = goes_on;
            }
            return self.finish(first, &logical).map(Some);
        }
    }

    /// A line without the escape character that continues it. A doubled one does not.
    fn piece<'b>(&self, line: &'b str) -> (&'b str, bool) {
        let escape = self.directives.escape;
        let before = line.trim_end_matches([' ', '\t']).strip_suffix(escape);
        match before.filter(|before| !before.ends_with(escape)) {
            Some(before) => (before, true),
            None => (line, false),
        }
    }

    fn finish(&mut self, first: usize, logical: &str) -> Result<Instruction, Failure> {
        let mut instruction =
            instruction::read(logical, self.directives.escape).map_err(|reason| failure(first, reason))?;
        if instruction.can_open_heredocs() && logical.contains("<<") {
            let mut heredocs = heredoc::opened(logical).map_err(|reason| failure(first, reason))?;
            for heredoc in &mut heredocs {
                loop {
                    let Some(line) = self.line()? else {
                        return Err(failure(first, "unterminated heredoc"));
                    };
                    if heredoc.is_closed_by(without_end(line)) {
                        break;
                    }
                    heredoc.body.push_str(line);
                }
            }
            instruction.heredocs = heredocs;
        }
        instruction.line = first;
        instruction.end = self.number;
        Ok(instruction)
    }
}

fn without_end(line: &str) -> &str {
    line.trim_end_matches(['\r', '\n'])
}

/// `# escape=` among the comments at the very top.
struct Directives {
    escape: char,
    seen: Vec<String>,
    is_over: bool,
}

impl Default for Directives {
    fn default() -> Self {
        Self {
            escape: '\\',
            seen: Vec::new(),
            is_over: false,
        }
    }
}

impl Directives {
    fn look(&mut self, line: &str) -> Result<(), String> {
        if self.is_over {
            return Ok(());
        }
        let directive = line.strip_prefix('#').and_then(|comment| comment.split_once('='));
        let blank = |character: char| character.is_ascii_whitespace();
        let directive = directive.map(|(name, value)| (name.trim_matches(blank), value.trim_matches(blank)));
        let directive = directive.map(|(name, value)| (name.to_ascii_lowercase(), value));
        let is_name = |name: &str| {
            name.starts_with(|first: char| first.is_ascii_alphabetic())
                && name.chars().all(|character| character.is_ascii_alphanumeric())
        };
        let Some((name, value)) = directive.filter(|(name, value)| is_name(name) && !value.is_empty()) else {
            self.is_over = true;
            return Ok(());
        };
        if !matches!(name.as_str(), "escape" | "syntax" | "check") {
            self.is_over = true;
            return Ok(());
        }
        if self.seen.contains(&name) {
            return Err(format!("only one {name} parser directive can be used"));
        }
        if name == "escape" {
            self.escape = match value {
                "`" => '`',
                "\\" => '\\',
                other => return Err(format!("invalid escape token '{other}' does not match ` or \\")),
            };
        }
        self.seen.push(name);
        Ok(())
    }
}
