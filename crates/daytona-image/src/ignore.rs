//! Docker's ignore rules.
//!
//! The semantics are those of moby's patternmatcher, which Docker and BuildKit read `.dockerignore` with:
//!
//! - Patterns are relative to the root and `/`-separated on every system; a leading slash does not matter.
//! - `*` and `?` stop at a slash, `**` does not, `[…]` is a class, a backslash makes the next character stand for itself.
//! - A pattern that matches a directory matches all below it.
//! - `!` takes back. The last rule that matches decides.
//!
//! Reference: <https://docs.docker.com/build/concepts/context/#dockerignore-files>. Two corners differ on purpose: moby turns
//! patterns into regular expressions, so that there `\d` is a digit and `[*]` no class; here a backslash always quotes, and
//! characters in a class stand for themselves.

use std::fmt;

mod pattern;

use pattern::Pattern;

/// An ordered list of rules, such as that of a `.dockerignore` file.
///
/// ```
/// use daytona_image::ignore::IgnoreRules;
///
/// let rules = IgnoreRules::parse("**/*.pyc\nbuild\n!build/keep\n", ".dockerignore")?;
/// assert!(rules.decide("app/a.pyc").is_ignored());
/// assert!(rules.decide("build/out/x").is_ignored());
/// assert!(!rules.decide("build/keep/x").is_ignored());
/// assert_eq!(rules.decide("build/keep/x").rule().unwrap().to_string(), "!build/keep (.dockerignore:3)");
/// # Ok::<(), daytona_image::ignore::IgnoreError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IgnoreRules {
    rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    text: String,
    origin: String,
    line: Option<usize>,
    is_exception: bool,
    pattern: Pattern,
}

/// A pattern that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{origin}{}: `{}` is no pattern: {problem}", .line.map(|line| format!(":{line}")).unwrap_or_default(), .text.escape_debug())]
#[non_exhaustive]
pub struct IgnoreError {
    /// The file, or `patterns` for those given in code.
    pub origin: String,
    /// Line in the file, counted from 1.
    pub line: Option<usize>,
    /// The pattern.
    pub text: String,
    problem: &'static str,
}

/// What the rules say of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// [`IgnoreError`] for the first line that is no pattern.
    pub fn parse(text: &str, origin: &str) -> Result<Self, IgnoreError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with('#'));
        Self::read(lines.map(|(index, line)| (Some(index + 1), line)), origin)
    }

    /// Rules that are given in code, one a pattern.
    ///
    /// # Errors
    ///
    /// [`IgnoreError`] for the first one that is no pattern.
    pub fn new<S: AsRef<str>>(patterns: impl IntoIterator<Item = S>) -> Result<Self, IgnoreError> {
        let patterns: Vec<S> = patterns.into_iter().collect();
        Self::read(patterns.iter().map(|pattern| (None, pattern.as_ref())), "patterns")
    }

    fn read<'a>(lines: impl Iterator<Item = (Option<usize>, &'a str)>, origin: &str) -> Result<Self, IgnoreError> {
        let mut rules = Vec::new();
        for (line, text) in lines {
            let text = text.trim();
            if text.is_empty() {
                continue;
            }
            let error = |problem| IgnoreError {
                origin: origin.to_owned(),
                line,
                text: text.to_owned(),
                problem,
            };
            let (is_exception, pattern) = match text.strip_prefix('!') {
                Some(rest) => (true, rest.trim_start()),
                None => (false, text),
            };
            if pattern.is_empty() {
                return Err(error("`!` has to be followed by what it takes back"));
            }
            let cleaned = clean(pattern);
            let relative = if cleaned.len() > 1 {
                cleaned.strip_prefix('/').unwrap_or(&cleaned)
            } else {
                &cleaned
            };
            rules.push(Rule {
                text: text.to_owned(),
                origin: origin.to_owned(),
                line,
                is_exception,
                pattern: Pattern::parse(relative).map_err(error)?,
            });
        }
        Ok(Self { rules })
    }

    /// These rules, and then those: the later ones have the last word.
    #[must_use]
    pub fn and(mut self, later: Self) -> Self {
        self.rules.extend(later.rules);
        self
    }

    /// The rules, in their order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// What the rules say of a path, relative to the root and `/`-separated.
    pub fn decide(&self, path: &str) -> Decision<'_> {
        let mut matches = Matches::default();
        let ends = path.match_indices('/').map(|(index, _)| index).chain([path.len()]);
        for end in ends {
            matches = self.enter(&matches, &path[..end]);
        }
        self.decision(&matches)
    }

    /// Which rules match a path or one of the directories above it, given those that match its directory.
    pub(crate) fn enter(&self, parent: &Matches, path: &str) -> Matches {
        let known = |index: usize| parent.0.get(index).copied().unwrap_or(false);
        let matches = self
            .rules
            .iter()
            .enumerate()
            .map(|(index, rule)| known(index) || rule.pattern.matches(path));
        Matches(matches.collect())
    }

    /// What follows from the rules that match: the last one that changes anything decides.
    pub(crate) fn decision(&self, matches: &Matches) -> Decision<'_> {
        let mut decision = Decision { rule: None };
        for (rule, _) in self.rules.iter().zip(&matches.0).filter(|(_, matched)| **matched) {
            if rule.is_exception == decision.is_ignored() {
                decision.rule = Some(rule);
            }
        }
        decision
    }

    /// Whether an exception could match something below an ignored directory, so that it has to be looked into.
    pub(crate) fn may_except_below(&self, matches: &Matches, directory: &str) -> bool {
        let below = format!("{directory}/");
        let unmatched = self
            .rules
            .iter()
            .zip(&matches.0)
            .filter(|(rule, matched)| rule.is_exception && !**matched);
        unmatched
            .into_iter()
            .any(|(rule, _)| rule.pattern.may_begin_with(&below))
    }
}

/// Which rules match a path or a directory above it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Matches(Vec<bool>);

impl Rule {
    /// The rule as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The file it stands in, or `patterns` for one that was given in code.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Its line in the file, counted from 1.
    pub fn line(&self) -> Option<usize> {
        self.line
    }

    /// Whether it takes back what earlier rules ignore.
    pub fn is_exception(&self) -> bool {
        self.is_exception
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "{} ({}:{line})", self.text, self.origin),
            None => write!(formatter, "{} ({})", self.text, self.origin),
        }
    }
}

impl<'a> Decision<'a> {
    /// Whether the path is ignored.
    pub fn is_ignored(&self) -> bool {
        self.rule.is_some_and(|rule| !rule.is_exception)
    }

    /// The rule that decided; `None` if none matches.
    pub fn rule(&self) -> Option<&'a Rule> {
        self.rule
    }
}

/// The path without empty components, `.` and, where something stands before it, `..`; as Go's `filepath.Clean`.
fn clean(path: &str) -> String {
    let is_rooted = path.starts_with('/');
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." if names.last().is_some_and(|last| *last != "..") => drop(names.pop()),
            ".." if is_rooted => {}
            name => names.push(name),
        }
    }
    match (is_rooted, names.is_empty()) {
        (true, _) => format!("/{}", names.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => names.join("/"),
    }
}
