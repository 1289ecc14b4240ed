//! Docker's ignore rules.
//!
//! The rules have the meaning of moby's patternmatcher, with which Docker and BuildKit read `.dockerignore`:
//!
//! - Patterns are relative to the root and `/`-separated; a leading slash does not matter.
//! - `*` and `?` stop at a slash, `**` does not. `[…]` is a class. A backslash escapes the next character. On Windows a
//!   backslash is a slash.
//! - A pattern that matches a directory matches everything below it.
//! - `!` makes an exception. The last rule that matches decides.
//!
//! As in BuildKit, a walk decides. A directory passes on which patterns matched it, and paths below it are compared
//! only with patterns that could change the result. So an exception that does not change the result for a directory has
//! no effect below it: with `**/node_modules` and then `!packages`, `packages/a/node_modules` stays ignored.
//!
//! Reference: <https://docs.docker.com/build/concepts/context/#dockerignore-files>. Moby translates patterns to regular
//! expressions, which decides what odd patterns mean, and this module follows it: `\d` is a digit, and a pattern with
//! `\y` is refused.

use std::borrow::Cow;
use std::sync::Arc;

use crate::escape;
use crate::prefixes::Prefixes;

mod expression;
mod index;
mod line;
mod matches;
mod pattern;
mod rule;
mod syntax;

use index::Index;
use line::normal_form;
pub(crate) use matches::Matches;
use pattern::Pattern;
pub use rule::Rule;
use rule::{Backslash, Parts};

/// An ordered list of rules, for example those of a `.dockerignore` file.
///
/// ```
/// use daytona_image::ignore::IgnoreRules;
///
/// let rules = IgnoreRules::parse("**/*.pyc\nbuild\n!build/keep\n", ".dockerignore")?;
/// assert!(rules.decide("app/a.pyc").is_ignored());
/// assert!(rules.decide("build/out/x").is_ignored());
/// assert!(!rules.decide("build/keep/x").is_ignored());
/// let decision = rules.decide("build/keep/x");
/// assert_eq!(decision.rule().unwrap().to_string(), "!build/keep (.dockerignore:3)");
/// # Ok::<(), daytona_image::ignore::IgnoreError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IgnoreRules {
    /// The rules, which clones share.
    rules: Arc<[Rule]>,
    index: Arc<Index>,
    /// The exceptions that may match something below a directory, by what all that they match begins with.
    exceptions: Arc<Prefixes>,
}

/// An invalid pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{}{}: invalid pattern `{}`: {}",
    escape::text(.origin),
    .line.map(|line| format!(":{line}")).unwrap_or_default(),
    escape::text(.text),
    escape::text(.problem)
)]
#[non_exhaustive]
pub struct IgnoreError {
    /// The file, or `patterns` for rules from code.
    pub origin: String,
    /// Line in the file, counted from 1.
    pub line: Option<usize>,
    /// The pattern.
    pub text: String,
    problem: String,
}

/// The rules' decision about a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Decision<'a> {
    rule: Option<&'a Rule>,
}

impl IgnoreRules {
    /// No rules: nothing is ignored.
    pub fn none() -> Self {
        Self::default()
    }

    /// The rules of a file. `origin` names it in messages.
    ///
    /// # Errors
    ///
    /// [`IgnoreError`] for the first line with an invalid pattern.
    pub fn parse(text: &str, origin: &str) -> Result<Self, IgnoreError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with('#'));
        let lines = lines.map(|(index, line)| (Some(index + 1), line));
        Self::read(lines, origin, Backslash::HERE)
    }

    /// Rules from code, one for each pattern.
    ///
    /// # Errors
    ///
    /// [`IgnoreError`] for the first invalid pattern.
    pub fn new<S: AsRef<str>>(patterns: impl IntoIterator<Item = S>) -> Result<Self, IgnoreError> {
        let patterns: Vec<S> = patterns.into_iter().collect();
        let lines = patterns.iter().map(|pattern| (None, pattern.as_ref()));
        Self::read(lines, "patterns", Backslash::HERE)
    }

    /// Patterns of a Dockerfile. They mean the same on every system, because the builder reads them.
    pub(crate) fn of_dockerfile<S: AsRef<str>>(patterns: &[S]) -> Result<Self, IgnoreError> {
        let lines = patterns.iter().map(|pattern| (None, pattern.as_ref()));
        Self::read(lines, "patterns", Backslash::Quotes)
    }

    fn read<'a>(
        lines: impl Iterator<Item = (Option<usize>, &'a str)>,
        origin: &str,
        backslash: Backslash,
    ) -> Result<Self, IgnoreError> {
        let mut rules = Vec::new();
        for (line, text) in lines {
            let error = |problem: String| IgnoreError {
                origin: origin.to_owned(),
                line,
                text: text.trim().chars().take(LONGEST_SHOWN).collect(),
                problem,
            };
            if text.len() > LONGEST_LINE {
                return Err(error(format!("it is longer than {LONGEST_LINE} bytes")));
            }
            let divided = match backslash {
                Backslash::Quotes => Cow::Borrowed(text),
                Backslash::Divides => Cow::Owned(text.replace('\\', "/")),
            };
            let Some((is_exception, pattern)) = normal_form(&divided) else {
                continue;
            };
            if pattern.is_empty() {
                return Err(error("`!` must be followed by a pattern".to_owned()));
            }
            rules.push(Rule(Arc::new(Parts {
                text: text.trim().to_owned(),
                origin: origin.to_owned(),
                line,
                is_exception,
                backslash,
                pattern: Pattern::parse(&pattern).map_err(error)?,
            })));
        }
        Ok(Self::of(rules))
    }

    fn of(rules: Vec<Rule>) -> Self {
        let literals: Vec<&str> = rules.iter().map(|rule| rule.pattern().literal()).collect();
        let exceptions = rules.iter().zip(0..).filter(|(rule, _)| rule.is_exception());
        let exceptions = exceptions
            .map(|(rule, number)| (rule.pattern(), number))
            .filter(|(pattern, _)| pattern.may_match_below_a_directory())
            .map(|(pattern, number)| (pattern.start(), number));
        Self {
            exceptions: Arc::new(Prefixes::new(exceptions)),
            index: Arc::new(Index::new(&literals)),
            rules: rules.into(),
        }
    }

    /// Appends the other rules. Later rules take precedence.
    #[must_use]
    pub fn and(self, later: &Self) -> Self {
        if later.is_empty() {
            return self;
        }
        Self::of(self.rules.iter().chain(later.rules.iter()).cloned().collect())
    }

    /// The rules, in order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether there are no rules.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Decides about a path, which is relative to the root and `/`-separated.
    pub fn decide(&self, path: &str) -> Decision<'_> {
        match path.rsplit_once('/') {
            Some((folder, _)) => self.enter(&self.enter_all(folder), path).0,
            None => self.enter(&Matches::default(), path).0,
        }
    }

    /// What the directories of a path pass on, including this one.
    pub(crate) fn enter_all(&self, folder: &str) -> Matches {
        let ends = folder.match_indices('/').map(|(index, _)| index).chain([folder.len()]);
        ends.filter(|end| *end > 0).fold(Matches::default(), |matches, end| {
            self.enter(&matches, &folder[..end]).1
        })
    }

    /// Decides about a directory. Also returns what the directory passes on, given what its parent passes on.
    ///
    /// A path is compared with every rule that did not match its directory and could change the result.
    pub(crate) fn enter(&self, parent: &Matches, path: &str) -> (Decision<'_>, Matches) {
        let mut decision = Decision { rule: None };
        let mut matches = self.index.possible(path);
        matches.extend(parent);
        matches.retain(|index| {
            let rule = &self.rules[index];
            let changes = rule.is_exception() == decision.is_ignored();
            let is_match = parent.has(index) || (changes && rule.pattern().matches(path));
            if is_match && changes {
                decision.rule = Some(rule);
            }
            is_match
        });
        (decision, matches)
    }

    /// Whether an exception could match something below an ignored directory, so that the walk must enter it.
    pub(crate) fn may_except_below(&self, matches: &Matches, directory: &str) -> bool {
        let below = format!("{directory}/");
        let shorter = self.exceptions.at_beginning_of(&below);
        let mut possible = shorter.chain(self.exceptions.beginning_with(&below));
        possible.any(|index| !matches.has(index) && self.rules[index].pattern().may_begin_with(&below))
    }
}

/// Docker refuses longer lines.
const LONGEST_LINE: usize = 65_535;

/// How much of a line a message shows.
const LONGEST_SHOWN: usize = 200;

impl<'a> Decision<'a> {
    /// Whether the path is ignored.
    pub fn is_ignored(&self) -> bool {
        self.rule.is_some_and(|rule| !rule.is_exception())
    }

    /// The rule that decided; `None` if none matches.
    pub fn rule(&self) -> Option<&'a Rule> {
        self.rule
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rules(backslash: Backslash, patterns: &[&str]) -> IgnoreRules {
        IgnoreRules::read(patterns.iter().map(|pattern| (None, *pattern)), "x", backslash).unwrap()
    }

    #[test]
    fn a_backslash_of_windows_is_a_slash() {
        for (pattern, path) in [
            (r"secrets\prod.env", "secrets/prod.env"),
            (r"\a\.\b\", "a/b/c"),
            (r"**\*.pem", "x/y.pem"),
            (r"a\[bc]", "a/b"),
        ] {
            let rules = rules(Backslash::Divides, &[pattern]);
            assert!(rules.decide(path).is_ignored(), "{pattern} {path}");
            assert_eq!(rules.rules()[0].text(), pattern);
            assert!(!rules.rules()[0].is_divided_by_backslash());
        }
        let back = rules(Backslash::Divides, &["*", r"!a\b"]);
        assert!(!back.decide("a/b").is_ignored());
    }

    #[test]
    fn elsewhere_a_backslash_before_a_letter_is_told() {
        for (pattern, is_told) in [
            (r"build\debug", true),
            (r"\d*", true),
            (r"a\*", false),
            (r"a\\b", false),
            ("a/b", false),
        ] {
            let rules = rules(Backslash::Quotes, &[pattern]);
            assert_eq!(rules.rules()[0].is_divided_by_backslash(), is_told, "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn an_exception_below_is_found_as_by_asking_each(
            patterns in prop::collection::vec("!?[ab](/?[ab*?]){0,3}|!\\*\\*/[ab]|![ab]{1,2}/\\*\\*", 0..12),
            directory in "[ab]{1,2}(/[ab]){0,2}",
        ) {
            let rules = IgnoreRules::new(&patterns).unwrap();
            let matches = rules.enter_all(&directory);
            let below = format!("{directory}/");
            let expected = rules.rules().iter().enumerate().any(|(index, rule)| {
                rule.is_exception() && !matches.has(index) && rule.pattern().may_begin_with(&below)
            });
            prop_assert_eq!(rules.may_except_below(&matches, &directory), expected);
        }
    }
}
