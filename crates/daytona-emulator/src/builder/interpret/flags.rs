//! Flags of an instruction.

use std::collections::BTreeMap;

/// What a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Switch,
    Text,
    /// May be given several times.
    Texts,
}

/// The flags of an instruction.
#[derive(Debug, Default)]
pub(super) struct Flags(BTreeMap<String, Vec<String>>);

impl Flags {
    /// Reads flags; only those in `known` are.
    pub(super) fn read(flags: &[String], known: &[(&str, Kind)]) -> Result<Self, String> {
        let mut read = BTreeMap::<String, Vec<String>>::new();
        for flag in flags {
            let flag = flag.strip_prefix("--").unwrap_or(flag);
            let (name, value) = match flag.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (flag, None),
            };
            let Some((_, kind)) = known.iter().find(|(known, _)| *known == name) else {
                return Err(format!("unknown flag: --{name}"));
            };
            let is_given = read.contains_key(name);
            if is_given && *kind != Kind::Texts {
                return Err(format!("duplicate flag specified: --{name}"));
            }
            let missing = || format!("missing a value on flag: --{name}");
            let value = match (kind, value) {
                (Kind::Switch, None) => "true".to_owned(),
                (Kind::Switch, Some("")) => return Err(missing()),
                (Kind::Switch, Some(value)) => match value.to_lowercase() {
                    value if value == "true" || value == "false" => value,
                    _ => return Err(format!("expecting boolean value for flag --{name}, not: {value}")),
                },
                (_, value) => value.ok_or_else(missing)?.to_owned(),
            };
            read.entry(name.to_owned()).or_default().push(value);
        }
        Ok(Self(read))
    }

    /// The value of a flag, unless it is empty.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let value = self.0.get(name).and_then(|values| values.last());
        value.filter(|value| !value.is_empty()).cloned()
    }

    /// All values of a flag.
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        self.0.get(name).cloned().unwrap_or_default()
    }

    /// A switch, if it is given.
    pub(super) fn switch(&self, name: &str) -> Option<bool> {
        Some(self.text(name)? == "true")
    }
}
