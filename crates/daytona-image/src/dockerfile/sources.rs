//! What the sources of an instruction mean.

use super::glob;

/// Something that an instruction takes from the build context. Paths are clean and relative to its root; empty is all
/// of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Wanted {
    /// A file, or a directory and all below it.
    Path(String),
    /// What a pattern of `filepath.Match` matches, component by component.
    Glob(String),
    /// What a pattern of `COPY --parents` matches, in which `**` stands for any number of directories. The directory
    /// before `/./` is not created below the target.
    Parents { base: String, pattern: String },
}

impl Wanted {
    /// A source of a plain `COPY` or `ADD`.
    pub(super) fn plain(source: &str) -> Self {
        let path = clean(source);
        if path.split('/').any(glob::is_pattern) {
            Self::Glob(path)
        } else {
            Self::Path(path)
        }
    }

    /// A source of `COPY --parents`; `None` if it names nothing.
    pub(super) fn parents(source: &str) -> Option<Self> {
        let (base, pattern) = source.split_once("/./").unwrap_or(("", source));
        let (base, pattern) = (clean(base), clean(pattern));
        if pattern.is_empty() {
            return None;
        }
        let wanted = Self::Parents { base, pattern };
        let path = wanted.path();
        Some(if path.split('/').any(glob::is_pattern) {
            wanted
        } else {
            Self::Path(path)
        })
    }

    /// Its path in the context, as it stands in messages.
    pub(crate) fn path(&self) -> String {
        match self {
            Self::Path(path) if path.is_empty() => ".".to_owned(),
            Self::Path(path) | Self::Glob(path) => path.clone(),
            Self::Parents { base, pattern } if base.is_empty() => pattern.clone(),
            Self::Parents { base, pattern } => format!("{base}/{pattern}"),
        }
    }

    pub(crate) fn is_pattern(&self) -> bool {
        !matches!(self, Self::Path(_))
    }

    /// The directories at its beginning that are no pattern.
    pub(crate) fn fixed(&self) -> String {
        match self {
            Self::Path(path) => path.clone(),
            Self::Glob(_) | Self::Parents { .. } => fixed(&self.path()).to_owned(),
        }
    }

    /// What every name begins with that it takes in.
    pub(crate) fn literal_start(&self) -> &str {
        match self {
            Self::Path(path) => path,
            Self::Glob(pattern) => pattern.split(['*', '?', '[', '\\']).next().unwrap_or_default(),
            // It is read as an ignore rule is, which may lose its first characters.
            Self::Parents { .. } => "",
        }
    }

    /// How long it is, in bytes.
    pub(crate) fn length(&self) -> usize {
        match self {
            Self::Path(path) => path.len(),
            Self::Glob(pattern) => pattern.len(),
            Self::Parents { base, pattern } => base.len() + pattern.len(),
        }
    }

    /// What has to be in the context even if nothing matches.
    pub(crate) fn required(&self) -> &str {
        match self {
            Self::Path(path) => path,
            Self::Glob(pattern) => fixed(pattern),
            Self::Parents { base, .. } => fixed(base),
        }
    }

    /// The pattern that BuildKit asks its client by, which is read as those of ignore files are, unless it means the
    /// same as the path. A source of a plain `COPY` has to match as both: in `st[*]r` the pattern of ignore files sees
    /// any name.
    pub(crate) fn asked(&self) -> Option<String> {
        match self {
            Self::Path(path) => {
                let is_same = !path.contains('\\') && !path.starts_with('!') && path.trim() == path;
                (!is_same).then(|| path.clone())
            }
            Self::Glob(pattern) if is_same_in_both_senses(pattern) => None,
            Self::Glob(_) | Self::Parents { .. } => Some(self.path()),
        }
    }

    /// Whether it takes in a file of this name. For patterns of `--parents` only what is asked for says so.
    pub(crate) fn covers(&self, name: &str) -> bool {
        match self {
            Self::Path(path) if path.is_empty() => true,
            Self::Path(path) => name
                .strip_prefix(path.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            Self::Glob(pattern) => {
                // Most names are told apart by this alone.
                let mut names = name.split('/');
                name.starts_with(self.literal_start())
                    && pattern
                        .split('/')
                        .all(|pattern| names.next().is_some_and(|name| glob::matches(pattern, name)))
            }
            Self::Parents { .. } => true,
        }
    }

    /// Whether it means what has this name, and not only a directory around it.
    pub(crate) fn names(&self, name: &str) -> bool {
        match self {
            Self::Path(path) => path == name,
            Self::Glob(pattern) => pattern.split('/').count() == name.split('/').count() && self.covers(name),
            Self::Parents { .. } => false,
        }
    }

    /// Whether something below this directory may be wanted.
    pub(crate) fn may_hold(&self, folder: &str) -> bool {
        let path = self.path();
        let mut patterns = path.split('/');
        for name in folder.split('/') {
            match patterns.next() {
                None => return false,
                Some(pattern) if matches!(self, Self::Parents { .. }) && pattern.contains("**") => return true,
                Some(pattern) if !glob::matches(pattern, name) => return false,
                Some(_) => {}
            }
        }
        patterns.next().is_some()
    }
}

/// Whether a pattern of `filepath.Match` means the same in an ignore file: of `*` and `?` and of letters that mean nothing.
fn is_same_in_both_senses(pattern: &str) -> bool {
    let is_plain =
        |character: char| character.is_alphanumeric() || matches!(character, '.' | '_' | '-' | '/' | '*' | '?');
    pattern.chars().all(is_plain) && !pattern.contains("**")
}

/// The directories at the beginning of a pattern that are no pattern.
fn fixed(pattern: &str) -> &str {
    let mut end = 0;
    for component in pattern.split('/').take_while(|component| !glob::is_pattern(component)) {
        end += component.len() + 1;
    }
    &pattern[..end.saturating_sub(1).min(pattern.len())]
}

/// A source of `ADD` that is fetched from elsewhere: an address, or a git repository. `github.com/…` is a path.
pub(super) fn is_remote(source: &str) -> bool {
    PROTOCOLS.iter().any(|start| source.starts_with(start)) || is_scp_like(source)
}

/// Whether a source may turn out to be an address once its first variable is known.
pub(super) fn may_be_remote(source: &str) -> bool {
    let known = source
        .split('$')
        .next()
        .unwrap_or_default()
        .trim_start_matches(['"', '\'']);
    PROTOCOLS.iter().any(|start| start.starts_with(known))
}

/// The beginnings of addresses.
const PROTOCOLS: [&str; 4] = ["http://", "https://", "git://", "ssh://"];

/// Whether what is fetched is a git repository.
pub(super) fn is_git(source: &str) -> bool {
    let is_repository = |address: &str| {
        let path = address.split(['?', '#']).next().unwrap_or_default();
        path.strip_suffix(".git").is_some()
    };
    match source.split_once("://") {
        Some(("http" | "https", address)) => is_repository(address),
        Some((protocol, _)) => matches!(protocol, "git" | "ssh"),
        None => is_scp_like(source),
    }
}

/// `user@host:path`.
fn is_scp_like(source: &str) -> bool {
    let name = |text: &str, more: &[u8]| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || more.contains(&byte))
    };
    source
        .split_once('@')
        .and_then(|(user, rest)| Some((user, rest.split_once(':')?.0)))
        .is_some_and(|(user, host)| name(user, b"_") && name(host, b"."))
}

/// A path of the context: `..` and a leading `/` end at its root.
pub(crate) fn clean(path: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    names.join("/")
}
