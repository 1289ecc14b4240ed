//! One pattern, and how it is matched.
//!
//! moby turns a pattern into a comparison where it can and into one of Go's regular expressions where it cannot; what
//! an odd pattern means follows from that translation. So it is the same here, except for the engine: all possibilities
//! run at once, so that time is bounded, and whether a pattern could match below a directory can be asked.

use super::expression::Expression;
use super::syntax;

/// A pattern, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pattern {
    /// This path.
    Exact(String),
    /// All that begins with this.
    Prefix(String),
    /// All that ends in this, and what is this without its leading slash.
    Suffix(String),
    Expression(Box<Expression>),
}

impl Pattern {
    /// Reads a pattern that is clean and relative.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        syntax::check(text)?;
        translate(text)
    }

    /// Whether it matches the whole path.
    pub(super) fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(text) => path == text,
            Self::Prefix(start) => path.starts_with(start.as_str()),
            Self::Suffix(end) => path.ends_with(end.as_str()) || end.strip_prefix('/') == Some(path),
            Self::Expression(expression) => expression.matches(path),
        }
    }

    /// A text that every path that matches has in it; empty if there is none.
    pub(super) fn literal(&self) -> &str {
        match self {
            Self::Exact(text) | Self::Prefix(text) => text,
            Self::Suffix(end) => end.strip_prefix('/').unwrap_or(end),
            Self::Expression(expression) => expression.literal(),
        }
    }

    /// What every path that matches begins with.
    pub(super) fn start(&self) -> &str {
        match self {
            Self::Exact(text) | Self::Prefix(text) => text,
            Self::Suffix(_) => "",
            Self::Expression(expression) => expression.start(),
        }
    }

    /// Whether a path that matches may have a slash in it.
    pub(super) fn may_match_below_a_directory(&self) -> bool {
        match self {
            Self::Exact(text) => text.contains('/'),
            Self::Prefix(_) | Self::Suffix(_) => true,
            Self::Expression(expression) => expression.may_take('/'),
        }
    }

    /// Whether it could match some path that begins with this text.
    pub(super) fn may_begin_with(&self, start: &str) -> bool {
        match self {
            Self::Exact(text) => text.starts_with(start),
            Self::Prefix(prefix) => prefix.starts_with(start) || start.starts_with(prefix.as_str()),
            Self::Suffix(_) => true,
            Self::Expression(expression) => expression.may_begin_with(start),
        }
    }
}

/// What a pattern turned out to be so far.
#[derive(PartialEq)]
enum Kind {
    Exact,
    Prefix,
    Suffix,
    Expression,
}

/// moby's translation, step by step.
fn translate(text: &str) -> Result<Pattern, String> {
    let characters: Vec<char> = text.chars().collect();
    let mut expression = String::new();
    let mut kind = Kind::Exact;
    let mut index = 0;
    while let Some(character) = characters.get(index) {
        let is_first = index == 0;
        index += 1;
        match character {
            '*' if characters.get(index) == Some(&'*') => {
                index += 1;
                if characters.get(index) == Some(&'/') {
                    index += 1;
                }
                if index < characters.len() {
                    expression.push_str("(.*/)?");
                    kind = Kind::Expression;
                } else if kind == Kind::Exact {
                    kind = Kind::Prefix;
                } else {
                    expression.push_str(".*");
                    kind = Kind::Expression;
                }
                if is_first {
                    kind = Kind::Suffix;
                }
            }
            '*' => {
                expression.push_str("[^/]*");
                kind = Kind::Expression;
            }
            '?' => {
                expression.push_str("[^/]");
                kind = Kind::Expression;
            }
            '.' | '+' | '(' | ')' | '$' => expression.extend(['\\', *character]),
            '\\' => {
                expression.push('\\');
                if let Some(quoted) = characters.get(index) {
                    expression.push(*quoted);
                    index += 1;
                    kind = Kind::Expression;
                }
            }
            '[' | ']' => {
                expression.push(*character);
                kind = Kind::Expression;
            }
            _ => expression.push(*character),
        }
    }
    Ok(match kind {
        Kind::Exact => Pattern::Exact(text.to_owned()),
        Kind::Prefix => Pattern::Prefix(text.strip_suffix("**").unwrap_or(text).to_owned()),
        Kind::Suffix => Pattern::Suffix(text.strip_prefix("**").unwrap_or(text).to_owned()),
        Kind::Expression => Pattern::Expression(Box::new(Expression::parse(&expression)?)),
    })
}
