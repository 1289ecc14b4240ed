//! Words of a Dockerfile: quotes, escapes and variables, as BuildKit's shell lexer reads them.

use std::cell::Cell;

use super::substitution::{self, LARGEST};

/// How deep `${a:-${a:-…}}` may be nested: the lexer calls itself for each level.
const DEEPEST: usize = 100;

/// Finds the value of a variable.
pub(crate) type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// How a lexer differs from the usual one.
#[derive(Debug, Clone, Copy, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "options that are independent of each other"
)]
pub(crate) struct Options {
    /// Quotes stay in the result.
    pub(crate) keeps_quotes: bool,
    /// Escape characters stay in the result.
    pub(crate) keeps_escapes: bool,
    /// A variable that is not set stays as it is written.
    pub(crate) keeps_unset: bool,
    /// Quotes are characters like any other.
    pub(crate) ignores_quotes: bool,
}

/// A lexer for the words of one Dockerfile.
#[derive(Clone, Copy)]
pub(crate) struct Lexer<'a> {
    pub(crate) escape: char,
    pub(crate) variables: Variables<'a>,
    pub(crate) options: Options,
    /// What is left for patterns in `${name#pattern}`, whose cost is a product of lengths.
    pub(crate) work: &'a Cell<usize>,
}

impl Lexer<'_> {
    /// The text as one word: quotes and escapes are taken away, and variables put in.
    pub(crate) fn word(&self, text: &str) -> Result<String, String> {
        Ok(self.run(text)?.0)
    }

    /// The text as words, divided at blanks outside quotes.
    pub(crate) fn words(&self, text: &str) -> Result<Vec<String>, String> {
        Ok(self.run(text)?.1)
    }

    fn run(&self, text: &str) -> Result<(String, Vec<String>), String> {
        // BuildKit's scanner does not see a byte order mark at the beginning.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reading = Reading {
            lexer: self,
            rest: text,
            keeps_escapes: self.options.keeps_escapes,
            word: String::new(),
            depth: 0,
        };
        reading.until(None, self.options.keeps_escapes)
    }
}

/// The words that were read so far.
#[derive(Default)]
struct Words {
    all: Vec<String>,
    is_in_word: bool,
    /// The word so far is `<<` or `0<<`, and then blanks: it goes on, as it is a heredoc whose name stands behind blanks.
    opens_heredoc: bool,
}

struct Reading<'a> {
    lexer: &'a Lexer<'a>,
    rest: &'a str,
    keeps_escapes: bool,
    /// The word that is being collected. A nested reading begins with an empty one, and what stood before it in the same
    /// word is lost to [`Lexer::words`], as in BuildKit.
    word: String,
    depth: usize,
}

fn missing_brace() -> String {
    "syntax error: missing '}'".to_owned()
}

fn too_long() -> String {
    format!("the emulator accepts texts of at most {LARGEST} bytes")
}

impl Reading<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let next = characters.next();
        self.rest = characters.as_str();
        next
    }

    /// Reads up to a character, or to the end.
    fn until(&mut self, stop: Option<char>, keeps_escapes: bool) -> Result<(String, Vec<String>), String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("the emulator accepts variables at most {DEEPEST} levels deep"));
        }
        let before = std::mem::replace(&mut self.keeps_escapes, keeps_escapes);
        self.word.clear();
        let result = self.plain(stop);
        self.keeps_escapes = before;
        self.depth -= 1;
        result
    }

    fn plain(&mut self, stop: Option<char>) -> Result<(String, Vec<String>), String> {
        let mut result = String::new();
        let mut words = Words::default();
        while let Some(character) = self.peek() {
            if result.len() > LARGEST {
                return Err(too_long());
            }
            if Some(character) == stop {
                self.next();
                return Ok((result, self.finish(words)));
            }
            match character {
                '$' => {
                    let value = self.dollar()?;
                    for character in value.chars() {
                        self.add(&mut words, character);
                    }
                    result.push_str(&value);
                }
                '\'' | '"' if !self.lexer.options.ignores_quotes => {
                    let value = if character == '\'' {
                        self.single_quoted()?
                    } else {
                        self.double_quoted()?
                    };
                    self.word.push_str(&value);
                    words.is_in_word = true;
                    words.opens_heredoc = false;
                    result.push_str(&value);
                }
                character if character == self.lexer.escape => {
                    self.next();
                    words.is_in_word |= self.keeps_escapes;
                    if self.keeps_escapes {
                        self.word.push(character);
                        result.push(character);
                    }
                    let Some(escaped) = self.next() else { break };
                    self.word.push(escaped);
                    words.is_in_word = true;
                    words.opens_heredoc = false;
                    result.push(escaped);
                }
                character => {
                    self.next();
                    self.add(&mut words, character);
                    result.push(character);
                }
            }
        }
        match stop {
            Some(stop) => Err(format!("unexpected end of statement while looking for matching {stop}")),
            None if result.len() > LARGEST => Err(too_long()),
            None => Ok((result, self.finish(words))),
        }
    }

    /// A character that ends a word if it is a blank.
    fn add(&mut self, words: &mut Words, character: char) {
        if !character.is_whitespace() {
            self.word.push(character);
            words.is_in_word = true;
            words.opens_heredoc = character == '<'
                && self
                    .word
                    .strip_suffix("<<")
                    .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        } else if words.opens_heredoc {
            self.word.push(character);
        } else if words.is_in_word && !self.word.is_empty() {
            words.all.push(std::mem::take(&mut self.word));
            words.is_in_word = false;
        }
    }

    fn finish(&mut self, mut words: Words) -> Vec<String> {
        if !self.word.is_empty() {
            words.all.push(std::mem::take(&mut self.word));
        }
        words.all
    }

    fn single_quoted(&mut self) -> Result<String, String> {
        self.next();
        let end = self.rest.find('\'').ok_or_else(|| unmatched("single"))?;
        let inner = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Ok(if self.lexer.options.keeps_quotes {
            format!("'{inner}'")
        } else {
            inner.to_owned()
        })
    }

    fn double_quoted(&mut self) -> Result<String, String> {
        self.next();
        let quote = if self.lexer.options.keeps_quotes { "\"" } else { "" };
        let mut result = quote.to_owned();
        loop {
            if result.len() > LARGEST {
                return Err(too_long());
            }
            match self.peek() {
                None => return Err(unmatched("double")),
                Some('"') => {
                    self.next();
                    result.push_str(quote);
                    return Ok(result);
                }
                Some('$') => result.push_str(&self.dollar()?),
                Some(character) => {
                    self.next();
                    let mut character = character;
                    if character == self.lexer.escape {
                        if self.keeps_escapes {
                            result.push(character);
                        }
                        match self.peek() {
                            // The end is found by the next turn.
                            None => continue,
                            Some(escaped) if escaped == '"' || escaped == '$' || escaped == self.lexer.escape => {
                                self.next();
                                character = escaped;
                            }
                            Some(_) => {}
                        }
                    }
                    result.push(character);
                }
            }
        }
    }

    /// The value of the variable that follows a dollar sign.
    fn dollar(&mut self) -> Result<String, String> {
        self.next();
        match self.peek() {
            None => Ok("$".to_owned()),
            Some('{') => {
                self.next();
                match self.peek() {
                    None => return Err(missing_brace()),
                    Some('{' | '}' | ':') => return Err("syntax error: bad substitution".to_owned()),
                    Some(_) => {}
                }
                self.braced()
            }
            Some(_) => {
                let name = self.name();
                if name.is_empty() {
                    return Ok("$".to_owned());
                }
                Ok(match (self.lexer.variables)(&name) {
                    None if self.lexer.options.keeps_unset => format!("${name}"),
                    value => value.unwrap_or_default(),
                })
            }
        }
    }

    fn braced(&mut self) -> Result<String, String> {
        let name = self.name();
        let keeps_unset = self.lexer.options.keeps_unset;
        let unsupported = |modifier: &str| Err(format!("unsupported modifier ({modifier}) in substitution"));
        // What BuildKit shows where the text ends.
        let shown = |modifier: Option<char>| modifier.unwrap_or('\u{fffd}');
        let mut modifier = self.next();
        let mut text = shown(modifier).to_string();
        if modifier == Some('}') {
            return Ok(match (self.lexer.variables)(&name) {
                None if keeps_unset => format!("${{{name}}}"),
                value => value.unwrap_or_default(),
            });
        }
        if modifier == Some('/') {
            return self.replaced(&name);
        }
        let empty_is_unset = modifier == Some(':');
        if empty_is_unset {
            modifier = self.next();
            text.push(shown(modifier));
        }
        let is_pattern = matches!(modifier, Some('#' | '%'));
        if !matches!(modifier, Some('+' | '-' | '?' | '#' | '%')) || (is_pattern && empty_is_unset) {
            return unsupported(&text);
        }
        let word = self.inner('}', is_pattern, missing_brace)?;
        let value = (self.lexer.variables)(&name);
        if value.is_none() && keeps_unset {
            return Ok(format!("${{{name}{text}{word}}}"));
        }
        let is_given = value.as_ref().is_some_and(|value| !empty_is_unset || !value.is_empty());
        let is_set = value.is_some();
        let value = value.unwrap_or_default();
        match modifier {
            Some('-') => Ok(if is_given { value } else { word }),
            Some('+') => Ok(if is_given { word } else { String::new() }),
            Some('?') if is_given => Ok(value),
            Some('?') => Err(match (word.as_str(), is_set) {
                ("", false) => format!("{name}: is not allowed to be unset"),
                ("", true) => format!("{name}: is not allowed to be empty"),
                (word, _) => format!("{name}: {word}"),
            }),
            Some(end @ ('#' | '%')) => substitution::trimmed(&value, &word, end, self.lexer.work),
            _ => unsupported(&text),
        }
    }

    /// `${name/pattern/replacement}`, with a second slash at the beginning for all.
    fn replaced(&mut self, name: &str) -> Result<String, String> {
        let all = self.peek() == Some('/');
        if all {
            self.next();
        }
        let pattern = self.inner('/', true, || "syntax error: missing '/' in ${}".to_owned())?;
        let replacement = self.inner('}', true, missing_brace)?;
        match (self.lexer.variables)(name) {
            None if self.lexer.options.keeps_unset => Ok(format!("${{{name}/{pattern}/{replacement}}}")),
            value => {
                let value = value.unwrap_or_default();
                substitution::replaced(&value, &pattern, &replacement, all, self.lexer.work)
            }
        }
    }

    fn inner(&mut self, stop: char, keeps_escapes: bool, missing: fn() -> String) -> Result<String, String> {
        match self.until(Some(stop), keeps_escapes) {
            Ok((word, _)) => Ok(word),
            Err(_) if self.rest.is_empty() => Err(missing()),
            Err(reason) => Err(reason),
        }
    }

    /// A name: letters, digits and underscores; or a number; or one of the shell's special parameters.
    fn name(&mut self) -> String {
        let first = self.peek();
        if first.is_some_and(|first| matches!(first, '@' | '*' | '#' | '?' | '-' | '$' | '!')) {
            self.next();
            return first.into_iter().collect();
        }
        let is_number = first.is_some_and(|first| first.is_ascii_digit());
        let mut name = String::new();
        while let Some(character) = self.peek() {
            let belongs = if is_number {
                character.is_ascii_digit()
            } else {
                character.is_alphanumeric() || character == '_'
            };
            if !belongs {
                break;
            }
            name.push(character);
            self.next();
        }
        name
    }
}

fn unmatched(quote: &str) -> String {
    format!("unexpected end of statement while looking for matching {quote}-quote")
}
