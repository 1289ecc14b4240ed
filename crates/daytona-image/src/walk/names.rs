//! What a directory is called, and what the rules make of that.

use crate::ignore::{Decision, IgnoreRules, Matches, Rule};

/// The names of a directory: the one that its files are sent under, and the real one if a link leads to it. The rules have to agree
/// to both.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    /// Its path below the root, links and all; empty for the root.
    pub(super) name: String,
    matches: Matches,
    /// Where it really is, and what the rules say there.
    real: Option<(String, Matches)>,
    pub(super) is_ignored: bool,
}

/// What the rules say of an entry.
#[derive(Debug)]
pub(super) struct Decided {
    /// Under the name that it is sent under.
    shown: Said,
    /// Under its real name, if that is another.
    real: Option<Said>,
}

#[derive(Debug)]
struct Said {
    name: String,
    rule: Option<Rule>,
    matches: Matches,
}

impl Said {
    fn new(rules: &IgnoreRules, folder: &Matches, name: String) -> Self {
        let (decision, matches) = rules.enter(folder, &name);
        Self {
            rule: ignored_by(decision),
            name,
            matches,
        }
    }
}

fn ignored_by(decision: Decision<'_>) -> Option<Rule> {
    decision.rule().filter(|_| decision.is_ignored()).cloned()
}

impl Names {
    pub(super) fn name_of(&self, entry: &str) -> String {
        join(&self.name, entry)
    }

    /// Whether a link leads here.
    pub(super) fn is_through_link(&self) -> bool {
        self.real.is_some()
    }

    pub(super) fn decide(&self, rules: &IgnoreRules, entry: &str) -> Decided {
        Decided {
            shown: Said::new(rules, &self.matches, self.name_of(entry)),
            real: self
                .real
                .as_ref()
                .map(|(real, matches)| Said::new(rules, matches, join(real, entry))),
        }
    }

    /// The names of the directory that a link of this name leads to.
    pub(super) fn through_link(self, real: String, matches: Matches, is_ignored: bool) -> Self {
        Self {
            real: Some((real, matches)),
            is_ignored: self.is_ignored || is_ignored,
            ..self
        }
    }
}

impl Decided {
    pub(super) fn is_ignored(&self) -> bool {
        self.decision().is_some()
    }

    /// The rule that leaves it out. What its real name says comes first.
    pub(super) fn decision(&self) -> Option<Rule> {
        let real = self.real.as_ref().and_then(|real| real.rule.as_ref());
        real.or(self.shown.rule.as_ref()).cloned()
    }

    /// Whether only the name that a link gives it is ignored: Docker would send it.
    pub(super) fn is_by_link(&self) -> bool {
        self.real.as_ref().is_some_and(|real| real.rule.is_none()) && self.shown.rule.is_some()
    }

    /// Whether, though it is ignored, something below it might not be.
    pub(super) fn may_except_below(&self, rules: &IgnoreRules) -> bool {
        let may = |said: &Said| said.rule.is_none() || rules.may_except_below(&said.matches, &said.name);
        may(&self.shown) && self.real.as_ref().is_none_or(may)
    }

    /// The names of the entry, if it is a directory.
    pub(super) fn into_names(self, name: String) -> Names {
        Names {
            is_ignored: self.is_ignored(),
            name,
            matches: self.shown.matches,
            real: self.real.map(|real| (real.name, real.matches)),
        }
    }
}

fn join(folder: &str, entry: &str) -> String {
    if folder.is_empty() {
        entry.to_owned()
    } else {
        format!("{folder}/{entry}")
    }
}
