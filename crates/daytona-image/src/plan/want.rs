//! What is taken from a build context, ready to be compared with names.

use std::sync::Arc;

use super::effort::Effort;
use crate::dockerfile::sources::Wanted;
use crate::ignore::IgnoreRules;
use crate::prefixes::Prefixes;
use crate::walk::Selection;

/// Something that is taken, ready to be compared with names.
#[derive(Debug, Clone)]
pub(crate) struct Want {
    wanted: Wanted,
    /// What BuildKit asks its client for, where that is another pattern than the one that it copies by.
    asked: Option<IgnoreRules>,
}

impl Want {
    pub(crate) fn new(wanted: &Wanted) -> Result<Self, String> {
        let asked = wanted.asked();
        let asked = asked
            .as_ref()
            .map(|pattern| IgnoreRules::of_dockerfile(&[pattern]))
            .transpose();
        Ok(Self {
            wanted: wanted.clone(),
            asked: asked.map_err(|error| error.to_string())?,
        })
    }

    pub(crate) fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// Whether it takes in a file of this name.
    pub(crate) fn covers(&self, name: &str) -> bool {
        self.wanted.covers(name) && self.is_asked_for(name)
    }

    /// Like [`covers`](Self::covers), as long as there is effort left.
    pub(super) fn covers_within(&self, name: &str, effort: &Effort) -> bool {
        effort.spend(self.wanted.length(), name.len()) && self.covers(name)
    }

    /// Whether BuildKit asks its client for a file of this name.
    pub(crate) fn is_asked_for(&self, name: &str) -> bool {
        self.asked.as_ref().is_none_or(|asked| asked.decide(name).is_ignored())
    }
}

/// Several wants. A name is compared only with those that could take it in.
#[derive(Debug, Default)]
pub(crate) struct Wants {
    wants: Vec<Want>,
    /// What all names begin with that a want takes in.
    starts: Prefixes,
}

impl Wants {
    pub(super) fn new(wants: Vec<Want>) -> Self {
        let starts = wants.iter().map(|want| want.wanted.literal_start()).zip(0..);
        Self {
            starts: Prefixes::new(starts),
            wants,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.wants.is_empty()
    }

    /// Those that take in a file of this name.
    pub(super) fn covering<'a>(&'a self, name: &'a str, effort: &'a Effort) -> impl Iterator<Item = &'a Want> {
        let possible = self.starts.at_beginning_of(name).map(|number| &self.wants[number]);
        possible.filter(|want| want.covers_within(name, effort))
    }

    pub(super) fn covers(&self, name: &str, effort: &Effort) -> bool {
        self.covering(name, effort).next().is_some()
    }

    /// Whether something below this directory may be wanted.
    fn may_hold(&self, folder: &str, effort: &Effort) -> bool {
        let below = format!("{folder}/");
        let possible = self
            .starts
            .at_beginning_of(&below)
            .chain(self.starts.beginning_with(&below));
        let mut wanted = possible.map(|number| &self.wants[number].wanted);
        wanted.any(|wanted| effort.spend(wanted.length(), folder.len()) && wanted.may_hold(folder))
    }
}

/// Patterns that begin with the same directory, which is walked once for all of them.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) wants: Wants,
    effort: Arc<Effort>,
}

impl Group {
    pub(super) fn new(wants: Vec<Want>, effort: &Arc<Effort>) -> Self {
        Self {
            wants: Wants::new(wants),
            effort: Arc::clone(effort),
        }
    }
}

impl Selection for Group {
    fn takes(&self, name: &str) -> bool {
        self.wants.covers(name, &self.effort)
    }

    fn may_hold(&self, folder: &str) -> bool {
        self.wants.may_hold(folder, &self.effort)
    }
}
