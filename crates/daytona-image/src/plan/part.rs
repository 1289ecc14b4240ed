//! The parts of a Dockerfile: what each step contributes.

use std::path::PathBuf;

use super::context_root::ContextRoot;
use super::files::Taken;
use super::resolve::Source;
use crate::dockerfile::Dockerfile;
use crate::quote;

/// A line of ours, or lines of the caller's own.
pub(crate) struct Part {
    /// Number of the step, counted from 1.
    pub(crate) step: usize,
    pub(crate) body: Body,
    /// Its instructions; none for a copy of local files.
    pub(crate) read: Dockerfile,
    /// What it takes from its own build context.
    pub(crate) taken: Taken,
}

pub(crate) enum Body {
    /// A line as it is, without its line feed.
    Line(String),
    Copy(Box<LocalCopy>),
    Raw(Box<Raw>),
}

/// A `COPY` of local files. Their place in the context is not decided yet.
pub(crate) struct LocalCopy {
    pub(crate) source: Source,
    /// Flags, each with a blank behind it.
    pub(crate) flags: String,
    pub(crate) target: String,
    /// Name that the file gets below the target.
    pub(crate) name: Option<String>,
    /// Whether the plain form is preferred to the JSON form.
    pub(crate) prefers_plain: bool,
}

/// Lines that cannot be rewritten.
pub(crate) struct Raw {
    /// Its text; lines end in a line feed.
    pub(crate) text: String,
    /// The Dockerfile that contains them, as the caller named it.
    pub(crate) path: Option<PathBuf>,
    /// The file that it was read from, by a path without links, and what that holds.
    pub(crate) file: Option<(PathBuf, String)>,
    /// The line of the caller's text that each line stands for, where that was changed.
    pub(crate) lines: Option<Vec<usize>>,
    /// The directory of its sources.
    pub(crate) context: ContextRoot,
}

impl LocalCopy {
    /// The instruction, with its line feed, for what has its place at `root`.
    pub(super) fn line(&self, root: &str, escape: char) -> String {
        let mut target = quote::copy_target(&self.target, escape);
        if let Some(name) = &self.name {
            target.push_str(&quote::copy_target_name(name, escape));
        }
        let words = if root.is_empty() {
            quote::ascii_json_form(&[".", &target])
        } else if self.prefers_plain && quote::is_plain_copy_source(root) {
            format!("{root} {target}")
        } else {
            quote::ascii_json_form(&[quote::copy_source(root, escape).as_str(), &target])
        };
        format!("COPY {}{words}\n", self.flags)
    }
}

impl Part {
    /// The line of the caller's own text that a line of this part stands for.
    pub(crate) fn line(&self, line: usize) -> usize {
        match &self.body {
            Body::Raw(raw) => raw
                .lines
                .as_ref()
                .and_then(|lines| lines.get(line.saturating_sub(1)).copied())
                .unwrap_or(line),
            Body::Line(_) | Body::Copy(_) => line,
        }
    }

    pub(crate) fn source(&self) -> Option<&Source> {
        match &self.body {
            Body::Copy(copy) => Some(&copy.source),
            Body::Line(_) | Body::Raw(_) => None,
        }
    }

    pub(crate) fn raw(&self) -> Option<&Raw> {
        match &self.body {
            Body::Raw(raw) => Some(raw),
            Body::Line(_) | Body::Copy(_) => None,
        }
    }

    /// The text of a raw part, without an escape character at its end, which would join the next line to it.
    pub(crate) fn text_to_append_to(&self, raw: &Raw) -> String {
        let mut text = raw.text.clone();
        if let Some(place) = self.read.open_continuation().filter(|place| *place < text.len()) {
            text.remove(place);
        }
        text
    }
}
