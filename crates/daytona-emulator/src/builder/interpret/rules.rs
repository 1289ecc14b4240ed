//! Lists of patterns with exceptions: `.dockerignore`, `--exclude`, and the sources of `--parents`.

use super::budget::Budget;
use super::glob::{self, BadPattern, Pattern, Token};

/// A list of patterns, in its order.
#[derive(Debug, Clone, Default)]
pub(super) struct Rules(Vec<Rule>);

#[derive(Debug, Clone)]
struct Rule {
    is_exception: bool,
    pattern: Pattern,
}

/// Which patterns a directory matched: what is below it is only asked about the others.
#[derive(Debug, Clone, Default)]
pub(super) struct Matched(Option<Vec<bool>>);

/// Why a list cannot be used.
#[derive(Debug)]
pub(super) struct BadRule(pub(super) String);

impl Rules {
    /// Reads patterns. A `!` makes an exception.
    pub(super) fn new<S: AsRef<str>>(patterns: impl IntoIterator<Item = S>) -> Result<Self, BadRule> {
        let mut rules = Vec::new();
        for pattern in patterns {
            let pattern = pattern.as_ref().trim();
            if pattern.is_empty() {
                continue;
            }
            let pattern = clean(pattern);
            let (is_exception, pattern) = match pattern.strip_prefix('!') {
                Some("") => return Err(BadRule("illegal exclusion pattern: \"!\"".to_owned())),
                Some(pattern) => (true, pattern),
                None => (false, pattern.as_str()),
            };
            // The syntax is Go's, the meaning is not quite.
            glob::Glob::new(pattern).map_err(|BadPattern| BadRule(format!("{BadPattern}: {pattern:?}")))?;
            let tokens = tokens(pattern).map_err(|BadPattern| BadRule(format!("{BadPattern}: {pattern:?}")))?;
            rules.push(Rule {
                is_exception,
                pattern: Pattern::new(tokens),
            });
        }
        Ok(Self(rules))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a path is matched, given what its directory matched; and what it hands down itself, which is asked of
    /// directories only.
    ///
    /// A rule that could not change the result is not looked at, and counts as not matched for what is below. At the top of
    /// a walk there is no directory, and a rule that matches a part of the path's beginning matches.
    pub(super) fn matches(
        &self,
        path: &str,
        is_folder: bool,
        parent: &Matched,
        budget: &Budget,
    ) -> Result<(bool, Matched), String> {
        let mut cost = self.0.len();
        let folders: Vec<&str> = match parent.0 {
            None => path.match_indices('/').map(|(end, _)| &path[..end]).collect(),
            Some(_) => Vec::new(),
        };
        let mut matched = Vec::new();
        let mut is_matched = false;
        for (index, rule) in self.0.iter().enumerate() {
            let mut matches = parent.0.as_ref().is_some_and(|parent| parent[index]);
            if !matches && rule.is_exception == is_matched {
                let mut fits = |path: &str| rule.pattern.matches(path, &mut cost);
                matches = fits(path) || folders.iter().any(|folder| fits(folder));
            }
            if is_folder {
                matched.push(matches);
            }
            if matches {
                is_matched = !rule.is_exception;
            }
        }
        budget.look(cost)?;
        Ok((is_matched, Matched(is_folder.then_some(matched))))
    }
}

/// The patterns of a `.dockerignore`.
pub(super) fn ignore_patterns(text: &str) -> Vec<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut patterns = Vec::new();
    for line in text.split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.starts_with('#') {
            continue;
        }
        let line = line.trim();
        let (sign, pattern) = match line.strip_prefix('!') {
            Some(pattern) => ("!", pattern.trim()),
            None => ("", line),
        };
        if line.is_empty() {
            continue;
        }
        let pattern = if pattern.is_empty() {
            String::new()
        } else {
            clean(pattern)
        };
        let pattern = match pattern.strip_prefix('/') {
            Some(relative) if !relative.is_empty() => relative,
            _ => &pattern,
        };
        patterns.push(format!("{sign}{pattern}"));
    }
    patterns
}

/// Go's `filepath.Clean`: a path without `.`, doubled slashes and what `..` takes back.
pub(super) fn clean(path: &str) -> String {
    let root = if path.starts_with('/') { "/" } else { "" };
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." if names.last().is_some_and(|last| *last != "..") => drop(names.pop()),
            ".." if !root.is_empty() => {}
            name => names.push(name),
        }
    }
    let cleaned = format!("{root}{}", names.join("/"));
    if cleaned.is_empty() { ".".to_owned() } else { cleaned }
}

/// What the pattern means: `**` crosses slashes. BuildKit makes a regular expression of it, where an escaped letter is a
/// class or a control character, if it is anything; other escaped characters stand for themselves.
fn tokens(pattern: &str) -> Result<Vec<Token>, BadPattern> {
    let mut tokens = Vec::new();
    // Before plain text alone, `**` is any text, whether a slash ends it or not.
    if let Some(end) = pattern.strip_prefix("**")
        && !end.starts_with('/')
        && !end.contains(['*', '?', '[', ']', '\\'])
    {
        tokens.push(Token::All);
        tokens.extend(end.chars().map(Token::Literal));
        return Ok(tokens);
    }
    let mut rest = pattern;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        let token = match character {
            '*' => match rest.strip_prefix('*') {
                Some(after) => {
                    rest = after.strip_prefix('/').unwrap_or(after);
                    if rest.is_empty() { Token::All } else { Token::Folders }
                }
                None => Token::Star,
            },
            '?' => Token::One,
            '[' => {
                let (token, after) = class(rest)?;
                rest = after;
                token
            }
            '\\' => match rest.chars().next() {
                Some(escaped) => {
                    rest = &rest[escaped.len_utf8()..];
                    match glob::escaped(escaped)? {
                        Some(token) => token,
                        None => continue,
                    }
                }
                None => Token::Literal('\\'),
            },
            character => Token::Literal(character),
        };
        if tokens.last() != Some(&token) || !matches!(token, Token::Star | Token::Folders | Token::All) {
            tokens.push(token);
        }
    }
    Ok(tokens)
}

/// A class after its opening bracket, and what follows.
///
/// The regular expression has `[^/]*` and `[^/]` in place of `*` and `?` inside a class too. So the class ends there, with
/// three characters more, and the rest up to the bracket stands for itself.
fn class(text: &str) -> Result<(Token, &str), BadPattern> {
    let mut members = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '*' if characters.as_str().starts_with('*') => {
                let after = &characters.as_str()[1..];
                characters = after.strip_prefix('/').unwrap_or(after).chars();
                members.push_str("(.*/)?");
            }
            '*' | '?' | ']' => {
                members.push_str(if character == ']' { "]" } else { r"\[\^/]" });
                let (class, _) = glob::class(&members)?;
                class.check()?;
                let token = if character == '*' {
                    Token::Many(class)
                } else {
                    Token::Class(class)
                };
                return Ok((token, characters.as_str()));
            }
            '\\' => {
                members.push(character);
                members.extend(characters.next());
            }
            member => members.push(member),
        }
    }
    Err(BadPattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a budget pays for asking about one path.
    fn cost(rules: &Rules, path: &str) -> usize {
        let budget = Budget::default();
        let before = budget.work.get();
        rules.matches(path, true, &Matched::default(), &budget).unwrap();
        before - budget.work.get()
    }

    /// The budget is one of time: a pattern that is told by its beginning or end is paid for as such, a match that is gone
    /// through step by step by its steps, and twice as many of them take twice as much.
    #[test]
    fn patterns_cost_what_they_take() {
        let rules = |count: usize, pattern: &str| Rules::new(vec![pattern; count]).unwrap();
        for told_by_an_end in ["b/**/*", "**/a*b*x", "**/*.pyc", "*.pyc", "**/node_modules", "a", "**"] {
            assert!(
                cost(&rules(1_000, told_by_an_end), "file-1") <= 5_000,
                "{told_by_an_end}"
            );
        }
        let long = "ab".repeat(500);
        for followed in ["*a*c*", "**/a**", "?*", "[a-b]*[^c]"] {
            let one = cost(&rules(1, followed), &long);
            assert!(one >= 2 * long.len(), "{followed}: {one}");
            // What follows a match is not asked about.
            let exceptions = vec![format!("!{followed}"); 10];
            assert_eq!(cost(&Rules::new(&exceptions).unwrap(), &long), 10, "{followed}");
        }
        assert_eq!(cost(&rules(2, "*a*c*"), &long), 2 * cost(&rules(1, "*a*c*"), &long));

        let poor = Budget::default();
        poor.work.set(cost(&rules(10, "*a*c*"), &long) - 1);
        let refused = rules(10, "*a*c*").matches(&long, true, &Matched::default(), &poor);
        assert!(refused.unwrap_err().contains("may not match so many files"));
    }
}
