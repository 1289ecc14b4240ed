//! Where `COPY` takes from: the context, or another stage.

use std::collections::BTreeMap;

use super::assemble::ContextFile;
use super::image::{BuiltImage, ImageFile, Node, Unknown, below};
use super::interpret::StageBuilder;
use super::pattern;

/// Where sources come from.
pub(super) enum Origin<'a> {
    Context(&'a BTreeMap<String, ContextFile>),
    Image { name: &'a str, image: &'a BuiltImage },
}

/// Something that is there.
pub(super) enum Found {
    File(ImageFile),
    Directory,
    Unknown(Unknown),
}

impl Origin<'_> {
    pub(super) fn missing(&self, path: &str) -> String {
        let shown = format!("/{path}");
        match self {
            Self::Context(_) => format!("failed to calculate checksum of ref emulator::context: {shown:?}: not found"),
            Self::Image { name, .. } => {
                format!("failed to calculate checksum of ref emulator::{name}: {shown:?}: not found")
            }
        }
    }

    pub(super) fn get(&self, path: &str) -> Option<Found> {
        match self {
            Self::Context(files) => files.get(path).map(|file| Found::File(of_context(path, file))),
            Self::Image { image, .. } => image.nodes.get(path).map(found),
        }
    }

    /// Whether there is something at a path or below it.
    pub(super) fn exists(&self, path: &str) -> bool {
        self.get(path).is_some() || self.has_below(path)
    }

    pub(super) fn has_below(&self, path: &str) -> bool {
        match self {
            Self::Context(files) => below(files, path).next().is_some(),
            Self::Image { image, .. } => image.has_below(path),
        }
    }

    /// Everything below a path, by its name from there on.
    pub(super) fn below(&self, path: &str) -> Vec<(String, Found)> {
        let start = if path.is_empty() { 0 } else { path.len() + 1 };
        match self {
            Self::Context(files) => below(files, path)
                .map(|(name, file)| (name[start..].to_owned(), Found::File(of_context(name, file))))
                .collect(),
            Self::Image { image, .. } => below(&image.nodes, path)
                .map(|(name, node)| (name[start..].to_owned(), found(node)))
                .collect(),
        }
    }

    /// The paths that a pattern matches, each once.
    pub(super) fn matched(
        &self,
        stage: &mut StageBuilder<'_>,
        pattern: &str,
        fixed: &str,
    ) -> Result<Vec<String>, String> {
        let depth = pattern.split('/').count();
        let names: Vec<&str> = match self {
            Self::Context(files) => below(files, fixed).map(|(name, _)| name.as_str()).collect(),
            Self::Image { image, .. } => below(&image.nodes, fixed).map(|(name, _)| &**name).collect(),
        };
        // Matching takes time by the lengths of both.
        stage.budget.spend(names.len() * (1 + pattern.len() / 64))?;
        let mut matched: Vec<String> = Vec::new();
        for name in names {
            let end = name
                .match_indices('/')
                .nth(depth - 1)
                .map_or(name.len(), |(index, _)| index);
            let start = &name[..end];
            if matched.last().is_none_or(|last| last != start)
                && start.split('/').count() == depth
                && pattern::matches(pattern, start)
            {
                matched.push(start.to_owned());
            }
        }
        Ok(matched)
    }

    /// Whether what is not found is not there.
    pub(super) fn is_closed(&self) -> bool {
        match self {
            Self::Context(_) => true,
            Self::Image { image, .. } => image.is_closed(),
        }
    }
}

pub(super) fn of_context(name: &str, file: &ContextFile) -> ImageFile {
    ImageFile::new(name, file.mode, None, file.content.clone())
}

pub(super) fn found(node: &Node) -> Found {
    match node {
        Node::File(file) => Found::File(file.clone()),
        Node::Directory => Found::Directory,
        Node::Unknown(unknown) => Found::Unknown(unknown.clone()),
    }
}
