//! Patterns of sources, as Go's `path.Match` reads them.

use super::budget::Budget;

/// One step of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// Any characters but slashes.
    Star,
    /// One character but a slash.
    One,
    Literal(char),
    Class(Class),
    /// Any number of characters of a class.
    Many(Class),
    /// `**/`: nothing, or anything that ends in a slash.
    Folders,
    /// Anything, slashes too.
    All,
}

/// The characters between brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Class {
    ranges: Vec<(char, char)>,
    is_negated: bool,
}

impl Class {
    fn has(&self, character: char) -> bool {
        let is_in = self
            .ranges
            .iter()
            .any(|(low, high)| (*low..=*high).contains(&character));
        is_in != self.is_negated
    }

    /// In a regular expression ranges do not run backwards.
    pub(super) fn check(&self) -> Result<(), BadPattern> {
        let is_backwards = self.ranges.iter().any(|(low, high)| low > high);
        if is_backwards { Err(BadPattern) } else { Ok(()) }
    }
}

/// What an escaped character means in a regular expression; `None` if it matches no character.
pub(super) fn escaped(character: char) -> Result<Option<Token>, BadPattern> {
    let class = |ranges: &[(char, char)], is_negated| {
        Ok(Some(Token::Class(Class {
            ranges: ranges.to_vec(),
            is_negated,
        })))
    };
    let digits = [('0', '9')];
    let words = [('0', '9'), ('A', 'Z'), ('a', 'z'), ('_', '_')];
    let blanks = [('\t', '\n'), ('\u{c}', '\r'), (' ', ' ')];
    match character {
        'd' | 'D' => class(&digits, character == 'D'),
        'w' | 'W' => class(&words, character == 'W'),
        's' | 'S' => class(&blanks, character == 'S'),
        't' => Ok(Some(Token::Literal('\t'))),
        'n' => Ok(Some(Token::Literal('\n'))),
        'r' => Ok(Some(Token::Literal('\r'))),
        'f' => Ok(Some(Token::Literal('\u{c}'))),
        'v' => Ok(Some(Token::Literal('\u{b}'))),
        'a' => Ok(Some(Token::Literal('\u{7}'))),
        // The edges of words and of the text.
        'b' | 'A' | 'z' => Ok(None),
        other if other.is_ascii_alphanumeric() => Err(BadPattern),
        other => Ok(Some(Token::Literal(other))),
    }
}

/// A pattern that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadPattern;

impl std::fmt::Display for BadPattern {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("syntax error in pattern")
    }
}

/// A pattern of a source.
#[derive(Debug, Clone)]
pub(super) struct Glob(Pattern);

impl Glob {
    pub(super) fn new(pattern: &str) -> Result<Self, BadPattern> {
        let mut tokens = Vec::new();
        let mut characters = pattern.chars();
        while let Some(character) = characters.next() {
            tokens.push(match character {
                '*' if tokens.last() == Some(&Token::Star) => continue,
                '*' => Token::Star,
                '?' => Token::One,
                '[' => {
                    let (class, rest) = class(characters.as_str())?;
                    characters = rest.chars();
                    Token::Class(class)
                }
                '\\' => Token::Literal(characters.next().ok_or(BadPattern)?),
                character => Token::Literal(character),
            });
        }
        Ok(Self(Pattern::new(tokens)))
    }

    pub(super) fn matches(&self, path: &str) -> bool {
        self.0.matches(path, &mut 0)
    }

    /// Like [`matches()`](Self::matches()), for a build that pays for it.
    pub(super) fn matches_for(&self, path: &str, budget: &Budget) -> Result<bool, String> {
        let mut cost = 0;
        let is_match = self.0.matches(path, &mut cost);
        budget.look(cost)?;
        Ok(is_match)
    }
}

/// What looking at a pattern costs, in steps of a match.
const LOOK: usize = 4;

/// What it costs to begin a match that is gone through step by step.
const BEGIN: usize = 32;

/// Tokens in the form that is quick to match: most patterns begin or end with plain text, which mostly decides.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    beginning: String,
    middle: Vec<Token>,
    end: String,
    /// The last byte of the end.
    last: Option<u8>,
}

impl Pattern {
    pub(super) fn new(mut tokens: Vec<Token>) -> Self {
        let literal = |token: &Token| match token {
            Token::Literal(character) => Some(*character),
            _ => None,
        };
        let plain = tokens.iter().map_while(literal).count();
        let beginning = tokens.drain(..plain).filter_map(|token| literal(&token)).collect();
        let plain = tokens.iter().rev().map_while(literal).count();
        let end = tokens.split_off(tokens.len() - plain);
        let end: String = end.iter().filter_map(literal).collect();
        Self {
            beginning,
            middle: tokens,
            last: end.bytes().last(),
            end,
        }
    }

    /// Whether it matches the whole text. What that takes is added to the cost.
    pub(super) fn matches(&self, text: &str, cost: &mut usize) -> bool {
        *cost += LOOK;
        // What mostly decides, before all else.
        if self.last.is_some() && text.as_bytes().last().copied() != self.last {
            return false;
        }
        let rest = text.strip_prefix(self.beginning.as_str());
        let Some(rest) = rest.and_then(|rest| rest.strip_suffix(self.end.as_str())) else {
            return false;
        };
        match self.middle.as_slice() {
            [] => rest.is_empty(),
            [Token::Star] => !rest.contains('/'),
            [Token::Folders] => rest.is_empty() || rest.ends_with('/'),
            [Token::All] | [Token::Folders, Token::Star] => true,
            tokens => {
                *cost += BEGIN + tokens.len() * rest.len();
                match_all(tokens, rest)
            }
        }
    }
}

/// Whether the tokens match the whole text. All possibilities are followed at once, so that the time is the product of the
/// lengths at most.
fn match_all(tokens: &[Token], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for token in tokens {
        let Some(first) = reached.iter().position(|is_reached| *is_reached) else {
            return false;
        };
        match token {
            Token::Star | Token::Many(_) | Token::Folders | Token::All => {
                let mut is_in = false;
                let mut was_reached = false;
                for index in first..=text.len() {
                    let here = reached[index];
                    is_in = match token {
                        Token::Star => here || (is_in && text[index - 1] != '/'),
                        Token::Many(class) => here || (is_in && class.has(text[index - 1])),
                        Token::All => true,
                        // Some place before was reached, and a slash ends here.
                        _ => here || (was_reached && text[index - 1] == '/'),
                    };
                    was_reached |= here;
                    reached[index] = is_in;
                }
            }
            Token::One | Token::Literal(_) | Token::Class(_) => {
                for index in (first..text.len()).rev() {
                    let fits = match token {
                        Token::Literal(literal) => text[index] == *literal,
                        Token::Class(class) => class.has(text[index]),
                        _ => text[index] != '/',
                    };
                    reached[index + 1] = reached[index] && fits;
                }
                reached[first] = false;
            }
        }
    }
    reached[text.len()]
}

/// The class up to its bracket, and what follows.
pub(super) fn class(text: &str) -> Result<(Class, &str), BadPattern> {
    let (is_negated, mut rest) = match text.strip_prefix('^') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut ranges = Vec::new();
    loop {
        if let (Some(after), false) = (rest.strip_prefix(']'), ranges.is_empty()) {
            return Ok((Class { ranges, is_negated }, after));
        }
        let (low, after) = member(rest)?;
        let (high, after) = match after.strip_prefix('-') {
            Some(after) => member(after)?,
            None => (low, after),
        };
        ranges.push((low, high));
        rest = after;
    }
}

/// One character of a class, which does not end with it.
fn member(text: &str) -> Result<(char, &str), BadPattern> {
    let mut characters = text.chars();
    let character = match characters.next() {
        None | Some('-' | ']') => return Err(BadPattern),
        Some('\\') => characters.next().ok_or(BadPattern)?,
        Some(character) => character,
    };
    let rest = characters.as_str();
    if rest.is_empty() {
        return Err(BadPattern);
    }
    Ok((character, rest))
}

/// Whether a path has a character of a pattern that is not escaped.
pub(super) fn has_wildcards(path: &str) -> bool {
    let mut characters = path.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => drop(characters.next()),
            '*' | '?' | '[' => return true,
            _ => {}
        }
    }
    false
}

/// The directories at the beginning of a path that are no patterns, and the rest; empty if there is none.
pub(super) fn split_wildcards(path: &str) -> (String, String) {
    let names: Vec<&str> = path.split('/').collect();
    let fixed = names.iter().take_while(|name| !has_wildcards(name)).count();
    (names[..fixed].join("/"), names[fixed..].join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_go() {
        for (pattern, path, expected) in [
            ("*.txt", ".txt", true),
            ("*.txt", "a/b.txt", false),
            ("a/*/c", "a/b/c", true),
            ("a[[]1].txt", "a[1].txt", true),
            ("a[1].txt", "a1.txt", true),
            ("[^a-c]", "d", true),
            ("[^a-c]", "b", false),
            ("b[*]c[?]", "b*c?", true),
            (r"j\\[[]k", r"j\[k", true),
            ("?", "é", true),
            ("?", "/", false),
            ("a*b*", "ab", true),
        ] {
            assert_eq!(Glob::new(pattern).unwrap().matches(path), expected, "{pattern} {path}");
        }
        for pattern in ["[", "[a", "a[", "[]a]", "[a-]", "[-a]", "a\\", "[^]"] {
            assert_eq!(Glob::new(pattern).unwrap_err(), BadPattern, "{pattern}");
        }
        let many = "a*".repeat(30) + "b";
        assert!(!Glob::new(&many).unwrap().matches(&"a".repeat(3_000)));
        assert!(!has_wildcards(r"a\[b"));
        assert!(has_wildcards("a[[]b"));
        assert_eq!(split_wildcards("a/b*/c"), ("a".to_owned(), "b*/c".to_owned()));
    }
}
