//! The variables of a Dockerfile: those before the first stage, and those of each stage.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;

use super::budget::Budget;
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

/// What BuildKit sets to the name of the stage that is built.
const TARGET_STAGE: &str = "TARGETSTAGE";

/// Whether BuildKit sets this variable before the first stage.
pub(crate) fn is_set_by_builder(name: &str) -> bool {
    name == TARGET_STAGE || PLATFORM.iter().any(|(platform, _)| *platform == name)
}

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
        let stage = (TARGET_STAGE.to_owned(), target.unwrap_or("default").to_owned());
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

/// The variables and working directories of all stages.
#[derive(Debug)]
pub(super) struct Scopes {
    stages: Vec<Stage>,
    variables: HashMap<String, Settings>,
}

/// What stages do to a variable. Most variables have one stage.
#[derive(Debug)]
struct Settings {
    stage: usize,
    value: Value,
    /// What earlier stages do to it, in their order.
    earlier: Vec<(usize, Value)>,
}

impl Settings {
    fn new(stage: usize, value: Value) -> Self {
        Self {
            stage,
            value,
            earlier: Vec::new(),
        }
    }

    /// Sets the variable in a stage that is not earlier than the last one.
    fn set(&mut self, stage: usize, value: Value) {
        let before = std::mem::replace(&mut self.value, value);
        let last = std::mem::replace(&mut self.stage, stage);
        if last != stage {
            self.earlier.push((last, before));
        }
    }

    /// What each stage does to it, the last stage first.
    fn latest_first(&self) -> impl Iterator<Item = (usize, &Value)> {
        let earlier = self.earlier.iter().rev().map(|(stage, value)| (*stage, value));
        std::iter::once((self.stage, &self.value)).chain(earlier)
    }
}

#[derive(Debug)]
struct Stage {
    /// What the first of the stages that it begins with starts from.
    root: Base,
    /// The numbers of the stages that begin with it, directly or through others, and first its own, as
    /// [`number_families`] numbers them.
    family: Range<usize>,
    /// The working directory from the root on, if it is known.
    workdir: Option<String>,
}

#[derive(Debug, PartialEq)]
enum Value {
    Known(String),
    Unknown,
    /// An `ARG` without a value. The service has no build arguments, so that it is not set.
    Missing,
}

/// An `ARG` without a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bare {
    /// Whether the image that the stage starts from may set the variable.
    pub(super) may_be_set: bool,
}

impl Scopes {
    /// Of stages that start from these.
    pub(super) fn new(bases: &[Base]) -> Self {
        let mut stages: Vec<Stage> = Vec::with_capacity(bases.len());
        for (base, family) in bases.iter().zip(number_families(bases)) {
            let root = match base {
                Base::Stage(base) => stages[*base].root,
                Base::Scratch | Base::Image => *base,
            };
            let workdir = (*base == Base::Scratch).then(String::new);
            stages.push(Stage { root, family, workdir });
        }
        Self {
            stages,
            variables: HashMap::new(),
        }
    }

    /// Begins a stage. Those that it begins with are over.
    pub(super) fn begin(&mut self, stage: usize, base: Base) {
        if let Base::Stage(base) = base {
            self.stages[stage].workdir = self.stages[base].workdir.clone();
        }
    }

    pub(super) fn workdir(&self, stage: usize) -> Option<&str> {
        self.stages[stage].workdir.as_deref()
    }

    pub(super) fn set_workdir(&mut self, stage: usize, path: Option<String>) {
        self.stages[stage].workdir = path;
    }

    /// Sets a variable of the last stage that has begun. There is no value where it is not known.
    pub(super) fn set(&mut self, stage: usize, name: String, value: Option<String>) {
        let value = value.map_or(Value::Unknown, Value::Known);
        match self.variables.entry(name) {
            Entry::Occupied(mut settings) => settings.get_mut().set(stage, value),
            Entry::Vacant(free) => drop(free.insert(Settings::new(stage, value))),
        }
    }

    /// Declares an `ARG` without a value. It hides none.
    pub(super) fn declare(&mut self, stage: usize, name: String) {
        match self.variables.entry(name) {
            Entry::Occupied(mut settings) if settings.get().stage != stage => {
                settings.get_mut().set(stage, Value::Missing);
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(free) => drop(free.insert(Settings::new(stage, Value::Missing))),
        }
    }

    /// Looks a variable up in a stage and those that it begins with.
    pub(super) fn look_up(&self, stage: usize, name: &str, budget: &Budget) -> Variable<'_> {
        match self.find(stage, name, budget) {
            (Some(Value::Known(value)), _) => Variable::Set(value),
            (Some(Value::Unknown), _) => Variable::Unknown,
            (_, Base::Scratch) if name == "PATH" => Variable::Set(DEFAULT_PATH),
            (None, Base::Image) if may_be_set_by_image(name) => Variable::Unknown,
            (Some(Value::Missing) | None, _) => Variable::Unset,
        }
    }

    /// Says whether a variable is an `ARG` without a value.
    pub(super) fn bare(&self, stage: usize, name: &str, budget: &Budget) -> Option<Bare> {
        match self.find(stage, name, budget) {
            (Some(Value::Missing), root) => Some(Bare {
                may_be_set: root == Base::Image && may_be_set_by_image(name),
            }),
            _ => None,
        }
    }

    /// The value that a stage or one that it begins with gives a variable, and where the first of these stages starts.
    /// An `ARG` without a value hides no value of an earlier stage, so it counts only where there is none.
    fn find(&self, stage: usize, name: &str, budget: &Budget) -> (Option<&Value>, Base) {
        let Stage { root, family, .. } = &self.stages[stage];
        let begins_with = |other: usize| self.stages[other].family.contains(&family.start);
        let mut bare = None;
        for (other, value) in self.variables.get(name).into_iter().flat_map(Settings::latest_first) {
            budget.count_step();
            match value {
                _ if !begins_with(other) => {}
                Value::Missing => bare = Some(value),
                Value::Known(_) | Value::Unknown => return (Some(value), *root),
            }
        }
        (bare, *root)
    }
}

/// What an image sets has a name of the usual kind.
fn may_be_set_by_image(name: &str) -> bool {
    name.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Numbers the stages anew, so that each is followed at once by all stages that begin with it, directly or through others.
/// Says for each stage which numbers it and these have. So one stage begins with another if its number is among them.
fn number_families(bases: &[Base]) -> Vec<Range<usize>> {
    let mut sizes = vec![1; bases.len()];
    for (stage, base) in bases.iter().enumerate().rev() {
        if let Base::Stage(base) = base {
            sizes[*base] += sizes[stage];
        }
    }
    let mut families: Vec<Range<usize>> = Vec::with_capacity(bases.len());
    // The next free number: in the family of each stage, and outside all families.
    let (mut free, mut free_outside) = (Vec::with_capacity(bases.len()), 0);
    for (base, size) in bases.iter().zip(sizes) {
        let next = match base {
            Base::Stage(base) => &mut free[*base],
            Base::Scratch | Base::Image => &mut free_outside,
        };
        let start = *next;
        *next += size;
        free.push(start + 1);
        families.push(start..start + size);
    }
    families
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_sees_those_that_it_begins_with_and_no_others() {
        let bases = [
            Base::Image,
            Base::Stage(0),
            Base::Scratch,
            Base::Stage(0),
            Base::Stage(1),
            Base::Stage(3),
        ];
        let mut scopes = Scopes::new(&bases);
        for (stage, base) in bases.into_iter().enumerate() {
            scopes.begin(stage, base);
            scopes.set(stage, format!("V{stage}"), Some(stage.to_string()));
        }
        let above = [vec![0], vec![0, 1], vec![2], vec![0, 3], vec![0, 1, 4], vec![0, 3, 5]];
        for (stage, above) in above.into_iter().enumerate() {
            for other in 0..bases.len() {
                let value = scopes.look_up(stage, &format!("V{other}"), &Budget::default());
                let is_set = matches!(value, Variable::Set(value) if value == other.to_string());
                assert_eq!(is_set, above.contains(&other), "{stage} {other}");
            }
        }
    }
}
