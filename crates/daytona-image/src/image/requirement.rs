//! One requirement, as pip reads it.

/// `name[extra, …] …; marker`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Requirement<'a> {
    pub(crate) name: &'a str,
    pub(crate) extras: Vec<&'a str>,
    /// Without its `;`; empty if there is none.
    pub(crate) marker: &'a str,
}

impl<'a> Requirement<'a> {
    /// `None` if it does not begin with a name.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (before, marker) = split_marker(text);
        let is_of_name = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-');
        let end = before.find(|character| !is_of_name(character)).unwrap_or(before.len());
        let (name, rest) = before.split_at(end);
        if name.is_empty() {
            return None;
        }
        let inside = rest
            .trim_start()
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'));
        let extras = inside.map_or("", |(extras, _)| extras).split(',').map(str::trim);
        Some(Self {
            name,
            extras: extras.filter(|extra| !extra.is_empty()).collect(),
            marker,
        })
    }

    /// Whether it is a package of this normalized name.
    pub(crate) fn is_of(&self, name: &str) -> bool {
        normalized(self.name) == name
    }
}

/// A name as pip compares it: lower case, and each run of `-`, `_` and `.` becomes one `-`.
pub(crate) fn normalized(name: &str) -> String {
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

/// The requirement, limited to where this marker holds too.
pub(crate) fn with_marker(requirement: &str, marker: &str) -> String {
    if marker.is_empty() {
        return requirement.to_owned();
    }
    match split_marker(requirement) {
        (before, "") => {
            // After a URL, a semicolon needs a space before it.
            format!("{} ; {marker}", before.trim_end())
        }
        (before, own) => format!("{} ; ({own}) and ({marker})", before.trim_end()),
    }
}

/// The part before the marker, and the marker. After a URL, a semicolon starts a marker only if a space comes first.
fn split_marker(text: &str) -> (&str, &str) {
    let text = text.trim();
    let split = if text.contains('@') && text.contains("://") {
        text.split_once(" ;")
    } else {
        text.split_once(';')
    };
    split.map_or((text, ""), |(before, marker)| (before.trim(), marker.trim()))
}

/// The problem of a requirement that names a file or directory on this machine.
pub(crate) fn local_path(requirement: &str) -> Option<&'static str> {
    const LOCAL: &str = "is a path of this machine, which is not sent: copy it with `add_local_file` or `add_local_dir` and install it \
                         with `run_commands`";
    const ARCHIVES: [&str; 8] = [".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tbz", ".tar.xz", ".tar"];
    let (before, _) = split_marker(requirement);
    let place = match before.split_once('@') {
        Some((name, place)) if !name.contains(['/', ':']) => place.trim(),
        _ => before,
    };
    let word = place.split_whitespace().next().unwrap_or_default();
    let scheme = word.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    let is_scheme = |scheme: &String| {
        scheme.len() > 1
            && scheme
                .chars()
                .all(|character| character.is_ascii_alphanumeric() || matches!(character, '+' | '-' | '.'))
    };
    match scheme.filter(is_scheme) {
        Some(scheme) if scheme == "file" || scheme.ends_with("+file") => Some(LOCAL),
        Some(_) => None,
        None => {
            let path = word.split('[').next().unwrap_or_default();
            let lower = path.to_ascii_lowercase();
            let is_path = path.contains(['/', '\\']) || path.starts_with(['.', '~']);
            let is_archive = ARCHIVES.iter().any(|ending| lower.ends_with(ending));
            (is_path || is_archive).then_some(LOCAL)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_pip_does() {
        for name in ["Acme_Internal", "acme.internal", "ACME--internal", "acme-._internal"] {
            assert_eq!(normalized(name), "acme-internal");
        }
    }

    #[test]
    fn a_requirement_is_taken_apart() {
        let read = |text| Requirement::parse(text).map(|read| (read.name, read.extras.join(" "), read.marker));
        assert_eq!(read("requests"), Some(("requests", String::new(), "")));
        assert_eq!(
            read("a[b, c]>=1; python_version<'3'"),
            Some(("a", "b c".into(), "python_version<'3'"))
        );
        assert_eq!(read("a [b] ; x"), Some(("a", "b".into(), "x")));
        assert_eq!(read("a @ https://x/y;z ; m"), Some(("a", String::new(), "m")));
        assert_eq!(read("./a"), Some((".", String::new(), "")));
        assert_eq!(read(""), None);
        assert_eq!(with_marker("a>1; x or y", "z"), "a>1 ; (x or y) and (z)");
        assert_eq!(with_marker("a>1", "z"), "a>1 ; z");
    }

    #[test]
    fn paths_are_told_from_names_and_addresses() {
        for text in [
            ".",
            "./wheels/x.whl",
            "../x",
            "/x",
            "~/x",
            "wheels/x",
            "x.whl",
            "X-1.0.TAR.GZ",
            "x @ file:///a",
            "file:a",
            "git+file:///a",
            ".[dev]",
            "x.zip ; python_version<'3'",
            "wheels\\x.whl",
            "C:\\x.whl",
            "x @ ./x",
        ] {
            assert!(local_path(text).is_some(), "{text}");
        }
        for text in [
            "requests",
            "a.b==1.0",
            "a[b]>=2; python_version < '3'",
            "https://example.com/x.whl",
            "git+https://example.com/x.git@v1#egg=x",
            "x @ https://example.com/x.whl",
            "zope.interface",
            "x @ git+ssh://git@example.com/x.git",
            "a; platform_release == '/x'",
        ] {
            assert_eq!(local_path(text), None, "{text}");
        }
    }
}
