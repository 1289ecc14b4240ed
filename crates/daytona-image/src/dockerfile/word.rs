//! Words of a Dockerfile: quotes, escapes and variables, as BuildKit's shell lexer reads them.

use std::iter::Peekable;
use std::str::Chars;

use super::budget::{Budget, WordError};
use super::shell_pattern::Pattern;

/// How deep a `${…}` may stand inside another.
pub(crate) const MAX_NESTING: usize = 64;

/// What is known of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variable<'a> {
    Set(&'a str),
    /// Known not to be set: it expands to nothing.
    Unset,
    /// It may have any value, or none.
    Unknown,
}

/// What becomes of quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quotes {
    Removed,
    /// They hold a word together and stay in it.
    Kept,
    /// They are characters like any other, as in the body of a heredoc.
    Plain,
}

/// How words are read.
#[derive(Clone, Copy)]
pub(crate) struct Lexer<'a> {
    pub(crate) escape: char,
    /// Looks up a variable.
    pub(crate) variables: &'a dyn Fn(&str) -> Variable<'a>,
    pub(crate) budget: &'a Budget,
    pub(crate) quotes: Quotes,
    /// Whether escape characters stay in the word.
    pub(crate) keeps_escapes: bool,
    /// Whether a variable that is not set stays in the word.
    pub(crate) keeps_unset: bool,
}

impl<'a> Lexer<'a> {
    /// Words with the values of their variables.
    pub(crate) fn new(escape: char, variables: &'a dyn Fn(&str) -> Variable<'a>, budget: &'a Budget) -> Self {
        Self {
            escape,
            variables,
            budget,
            quotes: Quotes::Removed,
            keeps_escapes: false,
            keeps_unset: false,
        }
    }

    /// The text as one word, without its quotes and escapes and with the values of its variables.
    pub(crate) fn word(&self, text: &str) -> Result<String, WordError> {
        if self.is_plain(text) {
            self.budget.take_bytes(text.len())?;
            return Ok(text.to_owned());
        }
        Reader::new(self, text).all().map(|(word, _)| word)
    }

    /// Whether nothing of the text means anything but itself.
    fn is_plain(&self, text: &str) -> bool {
        let is_special =
            |character: char| matches!(character, '$' | '\'' | '"' | '\u{feff}') || character == self.escape;
        !text.contains(is_special)
    }

    /// The text as words, split at its blanks and at those of the values.
    pub(crate) fn split(&self, text: &str) -> Result<Vec<String>, WordError> {
        Reader::new(self, text).all().map(|(_, words)| words)
    }
}

/// The text as one word without its quotes and escapes, if there is no variable in it.
pub(crate) fn unquoted(text: &str, escape: char) -> Option<String> {
    let budget = Budget::default();
    Lexer::new(escape, &|_| Variable::Unknown, &budget).word(text).ok()
}

/// The words of a text, while it is read. What a modifier's own word leaves behind is BuildKit's: it takes what stands
/// before it.
#[derive(Default)]
struct Words {
    finished: Vec<String>,
    word: String,
    is_in_word: bool,
}

impl Words {
    fn character(&mut self, character: char) {
        if !character.is_whitespace() {
            self.raw(character.encode_utf8(&mut [0; 4]));
        } else if self.is_in_word && !self.word.is_empty() {
            self.finished.push(std::mem::take(&mut self.word));
            self.is_in_word = false;
        }
    }

    fn raw(&mut self, text: &str) {
        self.word.push_str(text);
        self.is_in_word = true;
    }

    fn finish(mut self) -> Vec<String> {
        if !self.word.is_empty() {
            self.finished.push(self.word);
        }
        self.finished
    }
}

struct Reader<'l, 'a> {
    lexer: &'l Lexer<'a>,
    rest: Peekable<Chars<'l>>,
    keeps_escapes: bool,
    depth: usize,
    /// Whether a modifier had a word of its own since this was last looked at.
    had_inner: bool,
}

impl<'l, 'a> Reader<'l, 'a> {
    fn new(lexer: &'l Lexer<'a>, text: &'l str) -> Self {
        Self {
            lexer,
            rest: text.strip_prefix('\u{feff}').unwrap_or(text).chars().peekable(),
            keeps_escapes: lexer.keeps_escapes,
            depth: 0,
            had_inner: false,
        }
    }

    fn all(mut self) -> Result<(String, Vec<String>), WordError> {
        let result = self.until(None)?;
        self.lexer.budget.take_bytes(result.0.len())?;
        Ok(result)
    }

    /// Everything up to `end`, which is taken too, or to the end of the text: as one word, and split.
    fn until(&mut self, end: Option<char>) -> Result<(String, Vec<String>), WordError> {
        let (mut result, mut words) = (String::new(), Words::default());
        // How many `<` stand just before: blanks after two of them belong to the word, as the name of a heredoc may follow.
        let mut angles = 0;
        while let Some(next) = self.rest.peek().copied() {
            if end == Some(next) {
                self.rest.next();
                return Ok((result, words.finish()));
            }
            match next {
                '$' => {
                    let value = self.variable()?;
                    if std::mem::take(&mut self.had_inner) {
                        words.word.clear();
                    }
                    value.chars().for_each(|character| words.character(character));
                    result.push_str(&value);
                }
                '\'' | '"' if self.lexer.quotes != Quotes::Plain => {
                    let value = if next == '"' {
                        self.double_quoted()?
                    } else {
                        self.single_quoted()?
                    };
                    if std::mem::take(&mut self.had_inner) {
                        words.word.clear();
                    }
                    words.raw(&value);
                    result.push_str(&value);
                }
                _ => {
                    self.rest.next();
                    if next == self.lexer.escape {
                        if self.keeps_escapes {
                            words.raw(next.encode_utf8(&mut [0; 4]));
                            result.push(next);
                        }
                        let Some(escaped) = self.rest.next() else { break };
                        words.raw(escaped.encode_utf8(&mut [0; 4]));
                        result.push(escaped);
                        angles = 0;
                    } else {
                        if angles >= 2 && next.is_whitespace() {
                            words.raw(next.encode_utf8(&mut [0; 4]));
                        } else {
                            words.character(next);
                            angles = if next == '<' { angles + 1 } else { 0 };
                        }
                        result.push(next);
                    }
                    continue;
                }
            }
            angles = 0;
        }
        match end {
            Some('/') => WordError::invalid("a `${…/…/…}` lacks its second `/`"),
            Some(_) => WordError::invalid("a `${` is not closed"),
            None => Ok((result, words.finish())),
        }
    }

    fn single_quoted(&mut self) -> Result<String, WordError> {
        let mut text = String::new();
        text.extend(self.rest.next().filter(|_| self.lexer.quotes == Quotes::Kept));
        loop {
            match self.rest.next() {
                Some('\'') => {
                    text.extend(Some('\'').filter(|_| self.lexer.quotes == Quotes::Kept));
                    return Ok(text);
                }
                Some(character) => text.push(character),
                None => return WordError::invalid("a single quote is not closed"),
            }
        }
    }

    fn double_quoted(&mut self) -> Result<String, WordError> {
        let mut text = String::new();
        text.extend(self.rest.next().filter(|_| self.lexer.quotes == Quotes::Kept));
        loop {
            match self.rest.peek().copied() {
                None => return WordError::invalid("a double quote is not closed"),
                Some('"') => {
                    self.rest.next();
                    text.extend(Some('"').filter(|_| self.lexer.quotes == Quotes::Kept));
                    return Ok(text);
                }
                Some('$') => text.push_str(&self.variable()?),
                Some(character) => {
                    self.rest.next();
                    let mut character = character;
                    if character == self.lexer.escape {
                        if self.keeps_escapes {
                            text.push(character);
                        }
                        match self.rest.peek().copied() {
                            None => continue,
                            Some(next) if matches!(next, '"' | '$') || next == self.lexer.escape => {
                                self.rest.next();
                                character = next;
                            }
                            Some(_) => {}
                        }
                    }
                    text.push(character);
                }
            }
        }
    }

    /// What stands for a variable, from its dollar sign on.
    fn variable(&mut self) -> Result<String, WordError> {
        self.rest.next();
        if self.rest.peek() != Some(&'{') {
            let name = self.name();
            if name.is_empty() {
                return Ok("$".to_owned());
            }
            return match self.look_up(&name)? {
                None if self.lexer.keeps_unset => Ok(format!("${name}")),
                value => self.owned(value),
            };
        }
        self.rest.next();
        match self.rest.peek() {
            None => return WordError::invalid("a `${` is not closed"),
            Some('{' | '}' | ':') => return WordError::invalid("a `${` without a name"),
            Some(_) => {}
        }
        let name = self.name();
        let Some(operator) = self.rest.next() else {
            return WordError::invalid("a `${` is not closed");
        };
        match operator {
            '}' => match self.look_up(&name)? {
                None if self.lexer.keeps_unset => Ok(format!("${{{name}}}")),
                value => self.owned(value),
            },
            ':' => match self.rest.next() {
                Some(operator @ ('+' | '-' | '?')) => self.modified(&name, operator, true),
                Some(operator) => WordError::invalid(format!("`${{{name}:{operator}…}}` has an unknown modifier")),
                None => WordError::invalid("a `${` is not closed"),
            },
            '+' | '-' | '?' | '#' | '%' => self.modified(&name, operator, false),
            '/' => self.replaced(&name),
            _ => WordError::invalid(format!("`${{{name}{operator}…}}` has an unknown modifier")),
        }
    }

    /// A word inside `${…}`.
    fn inner(&mut self, end: char, keeps_escapes: bool) -> Result<String, WordError> {
        if self.depth == MAX_NESTING {
            return WordError::invalid(format!("`${{…}}` is nested more than {MAX_NESTING} times"));
        }
        let outer = std::mem::replace(&mut self.keeps_escapes, keeps_escapes);
        self.depth += 1;
        let result = self.until(Some(end));
        self.depth -= 1;
        self.keeps_escapes = outer;
        self.had_inner = true;
        let (word, _) = result?;
        self.lexer.budget.take_bytes(word.len())?;
        Ok(word)
    }

    /// `${name-word}` and its like, after the operator. With a colon, an empty value counts as none.
    fn modified(&mut self, name: &str, operator: char, empty_is_none: bool) -> Result<String, WordError> {
        let word = self.inner('}', matches!(operator, '#' | '%'))?;
        let colon = if empty_is_none { ":" } else { "" };
        let value = self.look_up(name)?;
        if value.is_none() && self.lexer.keeps_unset {
            return Ok(format!("${{{name}{colon}{operator}{word}}}"));
        }
        let usable = value.filter(|value| !(empty_is_none && value.is_empty()));
        match operator {
            '-' => usable.map_or(Ok(word), |value| self.owned(Some(value))),
            '+' => Ok(if usable.is_some() { word } else { String::new() }),
            '?' if usable.is_none() && word.is_empty() => {
                WordError::invalid(format!("the variable `{name}` must be set"))
            }
            '?' if usable.is_none() => WordError::invalid(format!("the variable `{name}` must be set: {word}")),
            '?' => self.owned(value),
            _ => {
                let is_greedy = word.starts_with(operator);
                let pattern = Pattern::parse(&word[usize::from(is_greedy)..])?;
                let value = value.unwrap_or_default();
                if operator == '#' {
                    pattern.without_prefix(value, is_greedy, self.lexer.budget)
                } else {
                    pattern.without_suffix(value, is_greedy, self.lexer.budget)
                }
            }
        }
    }

    /// `${name/pattern/replacement}` and `${name//pattern/replacement}`, after the first slash.
    fn replaced(&mut self, name: &str) -> Result<String, WordError> {
        let is_global = self.rest.next_if_eq(&'/').is_some();
        let pattern = self.inner('/', true)?;
        let replacement = self.inner('}', true)?;
        let value = self.look_up(name)?;
        if value.is_none() && self.lexer.keeps_unset {
            return Ok(format!("${{{name}/{pattern}/{replacement}}}"));
        }
        let value = value.unwrap_or_default();
        let result = Pattern::parse(&pattern)?.replace(value, &replacement, is_global, self.lexer.budget)?;
        self.lexer.budget.take_bytes(result.len())?;
        Ok(result)
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(next) = self.rest.peek().copied() {
            if name.is_empty() && next.is_ascii_digit() {
                while let Some(digit) = self.rest.next_if(char::is_ascii_digit) {
                    name.push(digit);
                }
                return name;
            }
            if name.is_empty() && matches!(next, '@' | '*' | '#' | '?' | '-' | '$' | '!') {
                self.rest.next();
                return next.to_string();
            }
            if !next.is_alphabetic() && !next.is_ascii_digit() && next != '_' {
                break;
            }
            self.rest.next();
            name.push(next);
        }
        name
    }

    fn look_up(&self, name: &str) -> Result<Option<&'a str>, WordError> {
        let value = (self.lexer.variables)(name);
        self.lexer.budget.take_steps(1)?;
        match value {
            Variable::Set(value) => Ok(Some(value)),
            Variable::Unset => Ok(None),
            Variable::Unknown => Err(WordError::Unknown(name.to_owned())),
        }
    }

    fn owned(&self, value: Option<&str>) -> Result<String, WordError> {
        let value = value.unwrap_or_default();
        self.lexer.budget.take_bytes(value.len())?;
        Ok(value.to_owned())
    }
}
