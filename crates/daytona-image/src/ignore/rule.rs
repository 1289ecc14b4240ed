//! One rule.

use std::fmt;
use std::sync::Arc;

use super::pattern::Pattern;
use crate::escape;

/// One rule. Clones share its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule(pub(super) Arc<Parts>);

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) text: String,
    pub(super) origin: String,
    pub(super) line: Option<usize>,
    pub(super) is_exception: bool,
    pub(super) backslash: Backslash,
    pub(super) pattern: Pattern,
}

/// The meaning of a backslash in a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backslash {
    /// It escapes the next character.
    Quotes,
    /// It is a slash.
    Divides,
}

impl Backslash {
    /// In ignore files and in patterns from code, as moby reads them.
    pub(super) const HERE: Self = if cfg!(windows) { Self::Divides } else { Self::Quotes };
}

impl Rule {
    /// The rule as it was written.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The file that it is in, or `patterns` for a rule from code.
    pub fn origin(&self) -> &str {
        &self.0.origin
    }

    /// Its line in the file, counted from 1.
    pub fn line(&self) -> Option<usize> {
        self.0.line
    }

    /// Whether a backslash escapes a letter or digit, as in `build\debug`. Letters and digits need no escape, so a
    /// slash was probably meant.
    pub(crate) fn is_divided_by_backslash(&self) -> bool {
        let mut characters = self.0.text.chars();
        let mut quotes = false;
        while let Some(character) = characters.next() {
            quotes |= character == '\\' && characters.next().is_some_and(char::is_alphanumeric);
        }
        quotes && self.0.backslash == Backslash::Quotes
    }

    /// Whether it is an exception to earlier rules.
    pub fn is_exception(&self) -> bool {
        self.0.is_exception
    }

    pub(super) fn pattern(&self) -> &Pattern {
        &self.0.pattern
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} ({}",
            escape::text(self.text()),
            escape::text(self.origin())
        )?;
        if let Some(line) = self.line() {
            write!(formatter, ":{line}")?;
        }
        formatter.write_str(")")
    }
}
