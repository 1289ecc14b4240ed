//! Heredocs: which ones a line opens, and where they end.

use std::cell::Cell;

use super::lexer::{Lexer, Options};

/// A heredoc of an instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heredoc {
    /// Its delimiter without quotes, which is also the name of the file that `COPY` makes of it.
    pub(crate) name: String,
    /// Its lines with their ends, tabs still there.
    pub(crate) body: String,
    /// Whether variables in it are put in.
    pub(crate) expands: bool,
    /// Whether tabs at the beginning of its lines go.
    pub(crate) strips_tabs: bool,
}

impl Heredoc {
    /// Whether a line, without its end, closes it.
    pub(super) fn is_closed_by(&self, line: &str) -> bool {
        let line = if self.strips_tabs {
            line.trim_start_matches('\t')
        } else {
            line
        };
        line == self.name
    }

    /// The text of the file: the body, without tabs where it says so.
    pub(super) fn text(&self) -> String {
        if !self.strips_tabs {
            return self.body.clone();
        }
        let lines = self.body.split_inclusive('\n');
        lines.map(|line| line.trim_start_matches('\t')).collect()
    }
}

/// No text of a heredoc's name has a pattern that could take long: nothing is set.
fn lexer(work: &Cell<usize>, options: Options) -> Lexer<'_> {
    Lexer {
        escape: '\\',
        variables: &|_| None,
        options,
        work,
    }
}

/// The heredocs that a line opens, without their bodies.
pub(super) fn opened(line: &str) -> Result<Vec<Heredoc>, String> {
    let work = Cell::new(usize::MAX);
    let raw = Options {
        keeps_quotes: true,
        keeps_escapes: true,
        keeps_unset: true,
        ignores_quotes: false,
    };
    // Quotes that do not end open no heredoc.
    let words = lexer(&work, raw).words(line).unwrap_or_default();
    let mut heredocs = Vec::new();
    for word in words {
        heredocs.extend(heredoc(&word)?);
    }
    Ok(heredocs)
}

/// What follows `<<` or `<<-`, and whether it was the latter. A file descriptor may stand before it.
fn delimiter(word: &str) -> Option<(bool, &str)> {
    let word = word.trim_start_matches(|character: char| character.is_ascii_digit());
    let rest = word.strip_prefix("<<")?;
    Some(match rest.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, rest),
    })
}

/// The heredoc that a word opens.
pub(super) fn heredoc(word: &str) -> Result<Option<Heredoc>, String> {
    let Some((strips_tabs, rest)) = delimiter(word) else {
        return Ok(None);
    };
    let rest = rest.trim_start();
    if rest.is_empty() || rest.contains('<') {
        return Ok(None);
    }
    let work = Cell::new(usize::MAX);
    let unset = Options {
        keeps_unset: true,
        ..Options::default()
    };
    let quoted = Options {
        keeps_quotes: true,
        ..unset
    };
    let name = lexer(&work, unset).words(rest)?;
    let with_quotes = lexer(&work, quoted).words(rest)?;
    let ([name], [with_quotes]) = (name.as_slice(), with_quotes.as_slice()) else {
        return Ok(None);
    };
    Ok(Some(Heredoc {
        expands: name == with_quotes,
        name: name.clone(),
        body: String::new(),
        strips_tabs,
    }))
}
