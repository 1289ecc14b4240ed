//! Heredocs: `<<EOF`, wherever BuildKit finds one.

use super::budget::{Budget, WordError};
use super::word::{Lexer, Quotes, Variable};

/// A heredoc of an instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heredoc {
    pub(super) name: String,
    pub(super) is_expanded: bool,
    pub(super) strips_tabs: bool,
    pub(super) body: String,
}

impl Heredoc {
    /// The word that ends it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether variables in its body are expanded: not if any part of the name is quoted.
    pub fn is_expanded(&self) -> bool {
        self.is_expanded
    }

    /// Whether tabs at the beginnings of its lines are taken away (`<<-`). They stand in the body all the same.
    pub fn strips_tabs(&self) -> bool {
        self.strips_tabs
    }

    /// Its body, with its line ends.
    pub fn body(&self) -> &str {
        &self.body
    }
}

/// Reads words with their quotes and escapes, and variables as they stand.
fn lexer(budget: &Budget) -> Lexer<'_> {
    Lexer {
        quotes: Quotes::Kept,
        keeps_escapes: true,
        keeps_unset: true,
        ..Lexer::new('\\', &|_| Variable::Unset, budget)
    }
}

/// The heredocs that a line opens, without their bodies.
pub(super) fn opened_by(line: &str) -> Result<Vec<Heredoc>, WordError> {
    let budget = Budget::default();
    // A line that cannot be split has none.
    let words = lexer(&budget).split(line).unwrap_or_default();
    let mut heredocs = Vec::new();
    for word in words {
        heredocs.extend(open(&word)?);
    }
    Ok(heredocs)
}

/// A word such as `<<EOF`, `3<<-'EOF'` or `<<"A B"`.
pub(super) fn open(word: &str) -> Result<Option<Heredoc>, WordError> {
    let Some((descriptor, rest)) = word.split_once("<<") else {
        return Ok(None);
    };
    let (rest, strips_tabs) = match rest.strip_prefix('-') {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    if !is_digits(descriptor) || rest.contains('<') || rest.is_empty() {
        return Ok(None);
    }
    let budget = Budget::default();
    let raw = Lexer {
        keeps_escapes: false,
        ..lexer(&budget)
    };
    let plain = Lexer {
        quotes: Quotes::Removed,
        ..raw
    };
    let (mut plain, mut raw) = (plain.split(rest)?, raw.split(rest)?);
    let (Some(name), Some(quoted)) = (plain.pop(), raw.pop()) else {
        return Ok(None);
    };
    if !plain.is_empty() || !raw.is_empty() {
        return Ok(None);
    }
    Ok(Some(Heredoc {
        is_expanded: name == quoted,
        name,
        strips_tabs,
        body: String::new(),
    }))
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}
