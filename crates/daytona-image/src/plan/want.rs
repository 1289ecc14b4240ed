//! What is taken from a build context, ready to be compared with names.

use crate::dockerfile::sources::Wanted;
use crate::ignore::IgnoreRules;
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

    /// Whether BuildKit asks its client for a file of this name.
    pub(crate) fn is_asked_for(&self, name: &str) -> bool {
        self.asked.as_ref().is_none_or(|asked| asked.decide(name).is_ignored())
    }
}

impl Selection for Want {
    fn takes(&self, name: &str) -> bool {
        self.covers(name)
    }

    fn may_hold(&self, folder: &str) -> bool {
        self.wanted.may_hold(folder)
    }
}

/// Patterns that begin with the same directory, which is walked once for all of them.
#[derive(Debug)]
pub(crate) struct Group(Vec<Want>);

impl Group {
    pub(crate) fn new(wants: Vec<Want>) -> Self {
        Self(wants)
    }

    pub(crate) fn wants(&self) -> &[Want] {
        &self.0
    }
}

impl Selection for Group {
    fn takes(&self, name: &str) -> bool {
        self.0.iter().any(|want| want.takes(name))
    }

    fn may_hold(&self, folder: &str) -> bool {
        self.0.iter().any(|want| want.may_hold(folder))
    }
}
