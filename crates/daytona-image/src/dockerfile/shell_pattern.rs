//! The patterns of `${name#pattern}`, `${name%pattern}` and `${name/pattern/replacement}`.
//!
//! `*` is any text, `?` any character, and a backslash takes away their meaning. BuildKit turns them into regular
//! expressions: the leftmost match wins, and neither matches a line feed.

use super::budget::{Budget, WordError};

#[derive(Debug)]
pub(super) struct Pattern(Vec<Token>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Any,
    One,
    Character(char),
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, WordError> {
        let mut tokens = Vec::new();
        let mut characters = text.strip_prefix('\u{feff}').unwrap_or(text).chars().peekable();
        while let Some(character) = characters.next() {
            tokens.push(match character {
                '*' => Token::Any,
                '?' => Token::One,
                // What has to be escaped inside `${…}` is no part of the pattern.
                '\\' if matches!(characters.peek(), Some('}' | '/')) => continue,
                '\\' => match characters.next() {
                    Some(escaped @ ('*' | '?' | '\\')) => Token::Character(escaped),
                    Some(other) => {
                        let problem = format!("the pattern `{text}` escapes `{other}`: only `*`, `?`, `\\` can be");
                        return Err(WordError::Invalid(problem));
                    }
                    None => {
                        let problem = format!("the pattern `{text}` ends in an escape character");
                        return Err(WordError::Invalid(problem));
                    }
                },
                character => Token::Character(character),
            });
        }
        Ok(Self(tokens))
    }

    /// The value without the shortest or longest beginning that matches.
    pub(super) fn without_prefix(&self, value: &str, is_greedy: bool, budget: &Budget) -> Result<String, WordError> {
        let characters: Vec<char> = value.chars().collect();
        let length = self.matched(characters.iter().copied(), is_greedy, budget)?;
        Ok(characters[length.unwrap_or_default()..].iter().collect())
    }

    /// The value without the shortest or longest end that matches.
    pub(super) fn without_suffix(&self, value: &str, is_greedy: bool, budget: &Budget) -> Result<String, WordError> {
        let characters: Vec<char> = value.chars().collect();
        let reversed = Self(self.0.iter().rev().copied().collect());
        let length = reversed.matched(characters.iter().rev().copied(), is_greedy, budget)?;
        Ok(characters[..characters.len() - length.unwrap_or_default()]
            .iter()
            .collect())
    }

    /// The value with the first match replaced, or all of them, as Go's `regexp` replaces.
    pub(super) fn replace(
        &self,
        value: &str,
        replacement: &str,
        is_global: bool,
        budget: &Budget,
    ) -> Result<String, WordError> {
        let characters: Vec<char> = value.chars().collect();
        let (mut result, mut after_last, mut search) = (String::new(), 0, 0);
        while search <= characters.len() {
            let Some((start, end)) = self.find(&characters, search, budget)? else {
                break;
            };
            result.extend(&characters[after_last..start]);
            // Not for an empty match right behind another one.
            if end > after_last || start == 0 {
                if is_global {
                    expand_template(replacement, &characters[start..end], &mut result);
                } else {
                    result.push_str(replacement);
                }
                budget.take_steps(result.len().saturating_sub(characters.len()) / 64 + replacement.len())?;
            }
            after_last = end;
            search = if search + 1 > end { search + 1 } else { end };
            if !is_global {
                break;
            }
        }
        result.extend(&characters[after_last.min(characters.len())..]);
        Ok(result)
    }

    /// The leftmost match at or after `from`, as long as possible.
    fn find(&self, value: &[char], from: usize, budget: &Budget) -> Result<Option<(usize, usize)>, WordError> {
        for start in from..=value.len() {
            if let Some(length) = self.matched(value[start..].iter().copied(), true, budget)? {
                return Ok(Some((start, start + length)));
            }
        }
        Ok(None)
    }

    /// Length of the shortest or longest beginning of the text that matches. All possibilities run at once: each is how
    /// much of the pattern has been matched so far.
    fn matched(
        &self,
        text: impl Iterator<Item = char>,
        is_greedy: bool,
        budget: &Budget,
    ) -> Result<Option<usize>, WordError> {
        let mut states = Vec::with_capacity(4);
        self.add(&mut states, 0);
        let mut best = None;
        let (mut next, mut length) = (Vec::with_capacity(4), 0);
        let mut text = text;
        loop {
            budget.take_steps(1 + states.len())?;
            if states.last() == Some(&self.0.len()) {
                best = Some(length);
                if !is_greedy {
                    return Ok(best);
                }
            }
            let Some(character) = text.next() else { return Ok(best) };
            next.clear();
            for state in states.iter().copied() {
                match self.0.get(state) {
                    Some(Token::Any) if character != '\n' => self.add(&mut next, state),
                    Some(Token::One) if character != '\n' => self.add(&mut next, state + 1),
                    Some(Token::Character(wanted)) if *wanted == character => self.add(&mut next, state + 1),
                    _ => {}
                }
            }
            if next.is_empty() {
                return Ok(best);
            }
            std::mem::swap(&mut states, &mut next);
            length += 1;
        }
    }

    /// Adds a state, and those behind `*` that need no character. States stay sorted, each once.
    fn add(&self, states: &mut Vec<usize>, state: usize) {
        let mut state = state;
        loop {
            match states.last() {
                Some(last) if *last >= state => {}
                _ => states.push(state),
            }
            if self.0.get(state) != Some(&Token::Any) {
                return;
            }
            state += 1;
        }
    }
}

/// Go's template of a replacement: `$0` is the match, other `$name` are nothing, `$$` is a dollar sign.
fn expand_template(template: &str, matched: &[char], result: &mut String) {
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('$') {
        result.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            result.push('$');
            rest = after;
            continue;
        }
        let inner = after.strip_prefix('{');
        let name_start = inner.unwrap_or(after);
        let end = name_start
            .find(|character: char| !character.is_alphanumeric() && character != '_')
            .unwrap_or(name_start.len());
        let (name, behind) = name_start.split_at(end);
        let behind = if inner.is_some() {
            behind.strip_prefix('}')
        } else {
            Some(behind)
        };
        match behind {
            Some(behind) if !name.is_empty() => {
                if name.parse() == Ok(0_usize) {
                    result.extend(matched);
                }
                rest = behind;
            }
            _ => {
                result.push('$');
                rest = after;
            }
        }
    }
    result.push_str(rest);
}
