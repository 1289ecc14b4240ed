//! The value of `RUN --mount=…`.

use super::budget::WordError;

/// A mount of a `RUN`, with the values of its variables.
#[derive(Debug)]
pub(super) struct Mount {
    pub(super) kind: Kind,
    pub(super) from: String,
    pub(super) source: Value,
    pub(super) target: Value,
    pub(super) is_required: bool,
    id: Value,
    /// A key about owner and mode that only some kinds have.
    owner: Option<&'static str>,
    has_sharing: bool,
}

/// A value, or else the variable that it depends on and that is not known.
pub(super) type Value = Result<String, String>;

/// The kind of a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bind,
    Cache,
    Tmpfs,
    Secret,
    Ssh,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Bind, Self::Cache, Self::Tmpfs, Self::Secret, Self::Ssh];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::Cache => "cache",
            Self::Tmpfs => "tmpfs",
            Self::Secret => "secret",
            Self::Ssh => "ssh",
        }
    }

    fn read(text: &str) -> Result<Self, String> {
        let kind = Self::ALL.into_iter().find(|kind| kind.name() == text.to_lowercase());
        kind.ok_or_else(|| {
            format!(
                "unknown type `{}`: it is one of {}",
                text.escape_debug(),
                Self::ALL.map(Self::name).join(", ")
            )
        })
    }

    /// Whether it comes from the one who builds, and can be required.
    pub(super) fn is_from_client(self) -> bool {
        matches!(self, Self::Secret | Self::Ssh)
    }
}

impl Mount {
    /// What can be said before variables are known.
    pub(super) fn check(text: &str) -> Result<(), String> {
        for field in fields(text)? {
            if let Some((key, value)) = field.split_once('=')
                && key.eq_ignore_ascii_case("from")
                && value.find('$').is_some_and(|at| at + 1 < value.len())
            {
                return Err(format!(
                    "`--mount={}`: `from` cannot contain a variable: name the stage, or give it a name with `FROM … AS`",
                    text.escape_debug()
                ));
            }
        }
        Ok(())
    }

    /// The image or stage that it takes from, before variables are known.
    pub(super) fn from(text: &str) -> String {
        let fields = fields(text).unwrap_or_default();
        let from = fields.iter().rev().filter_map(|field| field.split_once('='));
        from.into_iter()
            .find(|(key, _)| key.eq_ignore_ascii_case("from"))
            .map(|(_, value)| value.to_owned())
            .unwrap_or_default()
    }

    /// Reads a mount; `expand` puts in the values of variables.
    ///
    /// What an image may set is not known, and matters only to the kind of a mount and to what it takes from the context.
    pub(super) fn parse(text: &str, expand: impl Fn(&str) -> Result<String, WordError>) -> Result<Self, WordError> {
        let invalid = |problem: String| WordError::Invalid(format!("`--mount={}`: {problem}", text.escape_debug()));
        let mut mount = Self {
            kind: Kind::Bind,
            from: String::new(),
            source: Ok(String::new()),
            target: Ok(String::new()),
            is_required: false,
            id: Ok(String::new()),
            owner: None,
            has_sharing: false,
        };
        for field in fields(text).map_err(WordError::Invalid)? {
            let (key, value) = match field.split_once('=') {
                Some((key, value)) => (key, Some(value)),
                None => (field.as_str(), None),
            };
            let key = key.to_lowercase();
            let value = match value.map(&expand).transpose() {
                Ok(value) => value.map(Ok),
                Err(WordError::Unknown(name)) if matches!(key.as_str(), "type" | "from") => {
                    return Err(WordError::Unknown(name));
                }
                Err(WordError::Unknown(name)) => Some(Err(name)),
                Err(error) => return Err(error),
            };
            match value {
                Some(value) => mount.set(&key, value),
                None => mount.switch(&key),
            }
            .map_err(invalid)?;
        }
        mount.finish().map_err(invalid)?;
        match &mount.source {
            Err(name) if mount.kind == Kind::Bind && mount.from.is_empty() => Err(WordError::Unknown(name.clone())),
            _ => Ok(mount),
        }
    }

    /// A key without a value.
    fn switch(&mut self, key: &str) -> Result<(), String> {
        match key {
            "readonly" | "ro" | "readwrite" | "rw" => Ok(()),
            "required" if self.kind.is_from_client() => {
                self.is_required = true;
                Ok(())
            }
            "required" => Err(self.has_no(key)),
            _ => Err(format!("`{}` is not `key=value`", key.escape_debug())),
        }
    }

    /// A key with its value. What it may be depends on the type, if that is written before it.
    fn set(&mut self, key: &str, value: Value) -> Result<(), String> {
        // Of a value that is not known nothing is wrong.
        let check = |is_valid: &dyn Fn(&str) -> bool| match &value {
            Ok(value) if !is_valid(value) => Err(format!("`{key}` cannot be `{}`", value.escape_debug())),
            _ => Ok(()),
        };
        match key {
            "type" => self.kind = Kind::read(&value.unwrap_or_default())?,
            "from" => self.from = value.unwrap_or_default(),
            "source" | "src" => self.source = value,
            "target" | "dst" | "destination" => self.target = value,
            "id" => self.id = value,
            "env" => {}
            "readonly" | "ro" | "readwrite" | "rw" => check(&|value| boolean(value).is_some())?,
            "required" if self.kind.is_from_client() => {
                check(&|value| boolean(value).is_some())?;
                self.is_required = value.is_ok_and(|value| boolean(&value) == Some(true));
            }
            "size" if self.kind == Kind::Tmpfs => check(&is_size)?,
            "required" | "size" => return Err(self.has_no(key)),
            "sharing" => {
                check(&|value| matches!(value.to_lowercase().as_str(), "shared" | "private" | "locked"))?;
                self.has_sharing = true;
            }
            "mode" => {
                check(&|value| is_number(value, 8))?;
                self.owner = Some("mode");
            }
            "uid" | "gid" => {
                check(&|value| is_number(value, 10))?;
                self.owner = Some("uid or gid");
            }
            _ => return Err(format!("unknown key `{}`", key.escape_debug())),
        }
        Ok(())
    }

    fn has_no(&self, key: &str) -> String {
        format!(
            "a mount of type {} has no `{key}`; the type has to be written before it",
            self.kind.name()
        )
    }

    /// What can be said once all keys are known.
    fn finish(&self) -> Result<(), String> {
        let kind = self.kind.name();
        if let Some(owner) = self
            .owner
            .filter(|_| !self.kind.is_from_client() && self.kind != Kind::Cache)
        {
            return Err(format!("a mount of type {kind} has no {owner}"));
        }
        if self.has_sharing && self.kind != Kind::Cache {
            return Err(format!("a mount of type {kind} has no sharing"));
        }
        if self.kind != Kind::Secret {
            return Ok(());
        }
        let is_empty = |value: &Value| value.as_deref() == Ok("");
        let is_set = |value: &Value| value.as_ref().is_ok_and(|value| !value.is_empty());
        if !self.from.is_empty() {
            return Err("a secret has no `from`".to_owned());
        }
        if is_empty(&self.source) && is_empty(&self.target) && is_empty(&self.id) {
            return Err("a secret needs an `id`, a source or a target".to_owned());
        }
        if is_set(&self.source) && is_set(&self.id) {
            return Err("a secret has an `id` or a source, not both".to_owned());
        }
        Ok(())
    }
}

/// A truth value, as Go reads it.
fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// Digits of this base that fit into 32 bits.
fn is_number(text: &str, base: u32) -> bool {
    text.chars().all(|digit| digit.is_digit(base)) && u32::from_str_radix(text, base).is_ok()
}

/// A size, as Docker reads it: `64m`, `1.5 GiB`.
fn is_size(text: &str) -> bool {
    let is_of_number = |character: char| character.is_ascii_digit() || matches!(character, '.' | ' ');
    let Some(last) = text.rfind(is_of_number) else {
        return false;
    };
    let (number, unit) = text.split_at(last + 1);
    let number = number.strip_suffix(' ').unwrap_or(number);
    let is_number = number
        .parse::<f64>()
        .is_ok_and(|number| number.is_finite() && number >= 0.0);
    let unit = unit.to_ascii_lowercase();
    let after = unit.strip_prefix(['k', 'm', 'g', 't', 'p']);
    is_number && (matches!(unit.as_str(), "" | "b") || matches!(after, Some("" | "b" | "ib")))
}

/// The comma-separated fields; one in double quotes may hold commas, and a doubled quote stands for itself.
fn fields(text: &str) -> Result<Vec<String>, String> {
    let invalid = || {
        Err(format!(
            "`--mount={}` has a quote in a wrong place",
            text.escape_debug()
        ))
    };
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        let mut field = String::new();
        if let Some(mut quoted) = rest.strip_prefix('"') {
            loop {
                let Some((part, after)) = quoted.split_once('"') else {
                    return invalid();
                };
                field.push_str(part);
                match after.strip_prefix('"') {
                    Some(after) => {
                        field.push('"');
                        quoted = after;
                    }
                    None => {
                        rest = after;
                        break;
                    }
                }
            }
            if !rest.is_empty() && !rest.starts_with(',') {
                return invalid();
            }
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            field.push_str(&rest[..end]);
            if field.contains('"') {
                return invalid();
            }
            rest = &rest[end..];
        }
        fields.push(field);
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None => return Ok(fields),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_from_what_is_none() {
        for size in ["64m", "1.5 GiB", "10", "0", "1e3", "7b", "2 kb", "3TIB", ".5p"] {
            assert!(is_size(size), "{size}");
        }
        for size in [
            "", "m", "64x", "-1", "64mm", "64 m b", "1.2.3", "64bb", "64kbi", "  1", "1  k", "inf",
        ] {
            assert!(!is_size(size), "{size}");
        }
    }
}
