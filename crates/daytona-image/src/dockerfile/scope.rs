//! The variables of a Dockerfile: those before the first stage, and those of each stage.

use std::collections::{HashMap, HashSet};

use super::word::Variable;

/// What BuildKit itself sets, as the service builds for linux/amd64 only.
const PLATFORM: [(&str, &str); 10] = [
    ("TARGETPLATFORM", "linux/amd64"),
    ("TARGETOS", "linux"),
    ("TARGETOSVERSION", ""),
    ("TARGETARCH", "amd64"),
    ("TARGETVARIANT", ""),
    ("BUILDPLATFORM", "linux/amd64"),
    ("BUILDOS", "linux"),
    ("BUILDOSVERSION", ""),
    ("BUILDARCH", "amd64"),
    ("BUILDVARIANT", ""),
];

/// The search path of a stage whose image sets none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The variables before the first stage. All of them are known.
#[derive(Debug)]
pub(super) struct Globals(HashMap<String, String>);

impl Globals {
    /// Those that BuildKit sets. `target` is the name of the stage that is built.
    pub(super) fn new(target: Option<&str>) -> Self {
        let platform = PLATFORM
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let stage = ("TARGETSTAGE".to_owned(), target.unwrap_or("default").to_owned());
        Self(platform.chain([stage]).collect())
    }

    pub(super) fn get(&self, name: &str) -> Variable<'_> {
        self.0.get(name).map_or(Variable::Unset, |value| Variable::Set(value))
    }

    pub(super) fn set(&mut self, name: String, value: String) {
        self.0.insert(name, value);
    }
}

/// Where a stage starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Base {
    Scratch,
    /// An image of a registry, which may set any variable.
    Image,
    /// An earlier stage, by its number.
    Stage(usize),
}

/// What a stage adds to the variables of its base.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) base: Base,
    /// Values, `None` where one is not known.
    values: HashMap<String, Option<String>>,
    /// `ARG`s without a value. The service has no build arguments, so that they are not set.
    declared: HashSet<String>,
    /// The working directory from the root on, if it is known.
    pub(super) workdir: Option<String>,
}

impl Scope {
    /// `workdir` is that of the base, if it is known.
    pub(super) fn new(base: Base, workdir: Option<String>) -> Self {
        Self {
            base,
            values: HashMap::new(),
            declared: HashSet::new(),
            workdir,
        }
    }

    pub(super) fn set(&mut self, name: String, value: Option<String>) {
        self.values.insert(name, value);
    }

    pub(super) fn declare(&mut self, name: String) {
        self.declared.insert(name);
    }

    pub(super) fn declares(&self, name: &str) -> bool {
        self.declared.contains(name) && !self.values.contains_key(name)
    }
}

/// Looks a variable up in a stage and those that it starts from.
pub(super) fn look_up<'a>(scopes: &'a [Scope], stage: usize, name: &str) -> Variable<'a> {
    let mut current = stage;
    let mut is_declared = false;
    loop {
        let Some(scope) = scopes.get(current) else {
            return Variable::Unknown;
        };
        match scope.values.get(name) {
            Some(Some(value)) => return Variable::Set(value),
            Some(None) => return Variable::Unknown,
            None => {}
        }
        is_declared |= scope.declared.contains(name);
        // What an image sets has a name of the usual kind.
        let is_usual = |name: &str| name.starts_with(|first: char| first.is_alphabetic() || first == '_');
        match scope.base {
            Base::Stage(base) => current = base,
            Base::Scratch if name == "PATH" => return Variable::Set(DEFAULT_PATH),
            Base::Image if !is_declared && is_usual(name) => return Variable::Unknown,
            Base::Scratch | Base::Image => return Variable::Unset,
        }
    }
}
