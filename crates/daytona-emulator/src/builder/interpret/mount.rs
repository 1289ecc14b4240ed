//! `RUN --mount=…`.

/// A mount of a `RUN`.
#[derive(Debug, Clone, Default)]
pub(super) struct Mount {
    /// `bind`, `cache`, `tmpfs`, `secret` or `ssh`.
    pub(super) kind: String,
    pub(super) from: Option<String>,
    pub(super) source: String,
    pub(super) target: String,
}

const BOOLEANS: [&str; 12] = [
    "1", "t", "T", "true", "TRUE", "True", "0", "f", "F", "false", "FALSE", "False",
];

const KINDS: [&str; 5] = ["bind", "cache", "tmpfs", "secret", "ssh"];

/// The stage or image that a mount names, as it is written.
pub(super) fn from(text: &str) -> Option<String> {
    let fields = fields(text).ok()?;
    let mut options = fields.iter().filter_map(|field| field.split_once('='));
    let (_, from) = options.rfind(|(key, _)| key.eq_ignore_ascii_case("from"))?;
    Some(from.to_owned()).filter(|from| !from.is_empty())
}

/// Reads the value of the flag, a line of CSV whose values are expanded.
pub(super) fn read(text: &str, expand: impl Fn(&str) -> Result<String, String>) -> Result<Mount, String> {
    let mut mount = Mount {
        kind: "bind".to_owned(),
        ..Mount::default()
    };
    for field in fields(text)? {
        let (key, value) = match field.split_once('=') {
            Some((key, value)) => (key.to_lowercase(), Some(expand(value)?)),
            None => (field.to_lowercase(), None),
        };
        let Some(value) = value else {
            match key.as_str() {
                "readonly" | "ro" | "readwrite" | "rw" | "required" => continue,
                _ => return Err(format!("invalid field '{field}' must be a key=value pair")),
            }
        };
        let is_valid = match key.as_str() {
            "type" => {
                mount.kind = value.to_lowercase();
                KINDS.contains(&mount.kind.as_str())
            }
            "from" => {
                mount.from = Some(value.clone()).filter(|from| !from.is_empty());
                true
            }
            "source" | "src" => {
                mount.source.clone_from(&value);
                true
            }
            "target" | "dst" | "destination" => {
                mount.target.clone_from(&value);
                true
            }
            "readonly" | "ro" | "readwrite" | "rw" | "required" => BOOLEANS.contains(&value.as_str()),
            "mode" => u32::from_str_radix(&value, 8).is_ok(),
            "uid" | "gid" => value.parse::<u32>().is_ok(),
            "sharing" => ["shared", "private", "locked"].contains(&value.to_lowercase().as_str()),
            "id" | "size" | "env" => true,
            _ => return Err(format!("unexpected key '{key}' in '{field}'")),
        };
        if !is_valid {
            return Err(format!("invalid value for {key}: {value}"));
        }
    }
    Ok(mount)
}

/// Fields between commas; one in double quotes may hold a comma.
fn fields(text: &str) -> Result<Vec<String>, String> {
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        if let Some(mut quoted) = rest.strip_prefix('"') {
            let mut field = String::new();
            loop {
                let end = quoted
                    .find('"')
                    .ok_or("failed to parse csv mounts: a quote is not closed")?;
                field.push_str(&quoted[..end]);
                quoted = &quoted[end + 1..];
                match quoted.strip_prefix('"') {
                    Some(after) => {
                        field.push('"');
                        quoted = after;
                    }
                    None => break,
                }
            }
            fields.push(field);
            match quoted.strip_prefix(',') {
                Some(after) => rest = after,
                None if quoted.is_empty() => return Ok(fields),
                None => return Err("failed to parse csv mounts: text behind a quote".to_owned()),
            }
            continue;
        }
        let (field, after) = match rest.split_once(',') {
            Some((field, after)) => (field, Some(after)),
            None => (rest, None),
        };
        if field.contains('"') {
            return Err("failed to parse csv mounts: a quote in a field without quotes".to_owned());
        }
        fields.push(field.to_owned());
        match after {
            Some(after) => rest = after,
            None => return Ok(fields),
        }
    }
}
