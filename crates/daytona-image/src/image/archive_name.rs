//! The name that a local source has in the context.

use std::path::{Component, Path};

/// Folder of the context that sources without a usable name of their own are put into, one folder a step.
pub(crate) const NEUTRAL: &str = ".ctx";

/// Names at the root of the context that have a meaning there: the server puts the generated Dockerfile into the first,
/// and the image builder obeys the others.
pub(crate) const RESERVED: [&str; 3] = ["Dockerfile", ".dockerignore", "Dockerfile.dockerignore"];

/// Where a local source goes in the context, by its spelling alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Under its own relative path; empty for the context's root itself.
    Own(String),
    /// Somewhere neutral: its path says where it lies on this machine, or leads out of the base folder.
    Neutral,
}

/// The place of the path that the caller wrote; `None` if it is not UTF-8.
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

/// Whether the name's first component has a meaning of its own in the context.
pub(crate) fn is_taken(name: &str) -> bool {
    let first = name.split('/').next().unwrap_or_default();
    first == NEUTRAL || RESERVED.contains(&first)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The official Python SDK's names: ours are the same, but for paths that show where they lie, or climb out.
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
