//! The name of a local source in the context.

use std::path::{Component, Path};

/// Directory of the context for sources that have no usable name of their own, with a directory for each step.
pub(crate) const NEUTRAL: &str = ".ctx";

/// Names with a special meaning at the root of the context: the server writes the generated Dockerfile to the first,
/// and the image builder reads the others.
pub(crate) const RESERVED: [&str; 3] = ["Dockerfile", ".dockerignore", "Dockerfile.dockerignore"];

/// The place of a local source in the context. Only the spelling of its path decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Its own relative path, which is empty for the root of the context.
    Own(String),
    /// A neutral place: the path would show where the source is on this machine, or leads out of the base directory.
    Neutral,
}

/// The place of the caller's path, or `None` if it is not UTF-8.
pub(crate) fn place(path: &Path) -> Option<Place> {
    let mut names: Vec<&str> = Vec::new();
    for component in path.components() {
        match component {
            Component::Prefix(_) | Component::RootDir => return Some(Place::Neutral),
            Component::CurDir => {}
            Component::ParentDir => {
                if names.pop().is_none() {
                    return Some(Place::Neutral);
                }
            }
            Component::Normal(name) => names.push(name.to_str()?),
        }
    }
    if names.first() == Some(&"~") {
        return Some(Place::Neutral);
    }
    // A leading backslash would be a path of another machine elsewhere.
    let name = names.join("/");
    match name.trim_start_matches('\\') {
        "" if !name.is_empty() => Some(Place::Neutral),
        trimmed => Some(Place::Own(trimmed.to_owned())),
    }
}

/// Whether `root` is the path `name` itself or one of its ancestors.
pub(crate) fn covers(root: &str, name: &str) -> bool {
    let below = |rest: &str| rest.is_empty() || rest.starts_with('/');
    root.is_empty() || name.strip_prefix(root).is_some_and(below)
}

/// Whether the name's first component has a special meaning in the context.
pub(crate) fn is_taken(name: &str) -> bool {
    let first = name.split('/').next().unwrap_or_default();
    first == NEUTRAL || RESERVED.contains(&first)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The official Python SDK's names. Ours are the same, except for paths that show where they are or lead out.
    #[test]
    fn names_are_those_of_the_vectors_or_neutral() {
        let fixture: serde_json::Value = serde_json::from_str(include_str!("../../tests/fixtures/image.json")).unwrap();
        let vectors = fixture["archive_base_path_vectors"].as_array().unwrap();
        for vector in vectors {
            let (input, output) = (vector["input"].as_str().unwrap(), vector["output"].as_str().unwrap());
            let is_rooted = Path::new(input).has_root();
            let wanted = if is_rooted || input.starts_with('/') || output.starts_with("..") {
                Place::Neutral
            } else {
                Place::Own(if output == "." { "" } else { output }.to_owned())
            };
            assert_eq!(place(Path::new(input)), Some(wanted), "{input:?}");
        }
        assert!(vectors.len() >= 16);
    }
}
