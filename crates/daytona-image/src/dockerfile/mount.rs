//! The value of `RUN --mount=…`.

use super::budget::WordError;

/// A mount of a `RUN`, with the values of its variables.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) kind: String,
    pub(super) from: String,
    pub(super) source: String,
    /// None if it depends on a variable whose value is not known.
    pub(super) target: Option<String>,
    pub(super) is_required: bool,
}

/// Keys whose values decide nothing about the files that are taken.
const OTHER_KEYS: [&str; 11] = [
    "env",
    "readonly",
    "ro",
    "readwrite",
    "rw",
    "required",
    "sharing",
    "size",
    "mode",
    "uid",
    "gid",
];

/// The kinds there are.
const KINDS: [&str; 5] = ["bind", "cache", "tmpfs", "secret", "ssh"];

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
        let invalid = |problem: String| {
            Err(WordError::Invalid(format!(
                "`--mount={}`: {problem}",
                text.escape_debug()
            )))
        };
        let mut mount = Self {
            kind: "bind".to_owned(),
            ..Self::default()
        };
        mount.target = Some(String::new());
        let (mut owner, mut sharing, mut has_id, mut unknown_source) = (None, false, false, None);
        for field in fields(text).map_err(WordError::Invalid)? {
            let (key, value) = field
                .split_once('=')
                .map_or((field.as_str(), None), |(key, value)| (key, Some(value)));
            let key = key.to_lowercase();
            let value = match value.map(&expand).transpose() {
                Ok(value) => value,
                Err(WordError::Unknown(name)) => {
                    match key.as_str() {
                        "source" | "src" => unknown_source = Some(name),
                        "target" | "dst" | "destination" => mount.target = None,
                        "id" => has_id = true,
                        other if OTHER_KEYS.contains(&other) => {}
                        _ => return Err(WordError::Unknown(name)),
                    }
                    continue;
                }
                Err(error) => return Err(error),
            };
            let boolean = |value: &str| {
                matches!(
                    value,
                    "1" | "t" | "T" | "TRUE" | "true" | "True" | "0" | "f" | "F" | "FALSE" | "false" | "False"
                )
            };
            match (key.as_str(), value) {
                ("readonly" | "ro" | "readwrite" | "rw", None) | ("env", Some(_)) => {}
                ("required", None) => mount.is_required = true,
                (_, None) => return invalid(format!("`{}` is not `key=value`", field.escape_debug())),
                ("type", Some(value)) => {
                    mount.kind = value.to_lowercase();
                    if KINDS.contains(&mount.kind.as_str()) {
                        continue;
                    }
                    return invalid(format!(
                        "unknown type `{}`: it is one of {}",
                        value.escape_debug(),
                        KINDS.join(", ")
                    ));
                }
                ("from", Some(value)) => mount.from = value,
                ("source" | "src", Some(value)) => mount.source = value,
                ("target" | "dst" | "destination", Some(value)) => mount.target = Some(value),
                ("readonly" | "ro" | "readwrite" | "rw", Some(value)) if boolean(&value) => {}
                ("required", Some(value)) if boolean(&value) => {
                    mount.is_required = matches!(value.as_str(), "1" | "t" | "T" | "TRUE" | "true" | "True");
                }
                ("size", Some(_)) if mount.kind == "tmpfs" => {}
                ("id", Some(value)) => has_id |= !value.is_empty(),
                ("sharing", Some(value))
                    if matches!(value.to_lowercase().as_str(), "shared" | "private" | "locked") =>
                {
                    sharing = true;
                }
                ("mode", Some(value)) if u32::from_str_radix(&value, 8).is_ok() => owner = Some("mode"),
                ("uid" | "gid", Some(value)) if value.parse::<u32>().is_ok() => owner = Some("uid or gid"),
                (
                    "readonly" | "ro" | "readwrite" | "rw" | "required" | "sharing" | "mode" | "uid" | "gid",
                    Some(value),
                ) => {
                    return invalid(format!("`{key}` cannot be `{}`", value.escape_debug()));
                }
                _ => return invalid(format!("unknown key `{}`", key.escape_debug())),
            }
        }
        let kind = mount.kind.as_str();
        if let Some(owner) = owner.filter(|_| !matches!(kind, "secret" | "ssh" | "cache")) {
            return invalid(format!("a mount of type {kind} has no {owner}"));
        }
        if sharing && kind != "cache" {
            return invalid(format!("a mount of type {kind} has no sharing"));
        }
        if kind == "secret" {
            if !mount.from.is_empty() {
                return invalid("a secret has no `from`".to_owned());
            }
            let has_source = !mount.source.is_empty() || unknown_source.is_some();
            if !has_source && mount.target.as_deref() == Some("") && !has_id {
                return invalid("a secret needs an `id`, a source or a target".to_owned());
            }
        }
        match unknown_source.filter(|_| kind == "bind" && mount.from.is_empty()) {
            Some(name) => Err(WordError::Unknown(name)),
            None => Ok(mount),
        }
    }
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
