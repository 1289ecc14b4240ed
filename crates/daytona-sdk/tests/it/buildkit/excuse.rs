//! Why what the service builds may differ from what BuildKit built.

use daytona_sdk::Digest;

use super::{Case, Difference, Kind, content};

/// Why what the service builds may differ from what BuildKit built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Excuse {
    /// A link is sent as its content under its own name, or left out if it leads out, nowhere or back.
    Links,
    /// A source is nothing to BuildKit because of a link, and another part of it, or what it leads to, is sent.
    Unsent,
    /// A FIFO is not sent.
    SpecialFiles,
    /// A directory without a file does not arrive.
    EmptyDirectories,
    /// Files have one of two modes.
    Modes,
    /// The service takes its own Dockerfile for the one at the root, and is sent no ignore file.
    RootFiles,
    /// It follows from a command that was not run, or from an image that was not looked into.
    Unknown,
}

impl Excuse {
    /// What a plan says of it in a warning, where it sends something else than there is.
    pub(super) fn warning(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Links => Some(&["link", "everything in `.` is left out"]),
            Self::SpecialFiles => Some(&["FIFO"]),
            Self::EmptyDirectories => Some(&["no file to send"]),
            Self::Modes => Some(&["mode"]),
            Self::RootFiles => Some(&["at the root of a build context", "at the root of the context"]),
            Self::Unsent | Self::Unknown => None,
        }
    }
}

/// How many cases each excuse may explain.
pub(super) const MOST: [(Excuse, usize); 7] = [
    (Excuse::Links, 110),
    (Excuse::Unsent, 20),
    (Excuse::SpecialFiles, 2),
    (Excuse::EmptyDirectories, 80),
    (Excuse::Modes, 240),
    (Excuse::RootFiles, 90),
    (Excuse::Unknown, 5),
];

const ROOT_FILES: [&str; 3] = ["Dockerfile", ".dockerignore", "Dockerfile.dockerignore"];

impl Case<'_> {
    /// Why this difference is no fault, if it is none.
    pub(super) fn excuse(&self, difference: &Difference, warnings: &[String]) -> Option<Excuse> {
        match &difference.kind {
            Kind::File { ours, theirs } if self.is_root_file(&difference.at, [ours, theirs]) => Some(Excuse::RootFiles),
            Kind::File { .. } if self.is_linked(&difference.at) => Some(Excuse::Links),
            // What an ignore rule matches only under the name that a link gives it is left out.
            Kind::File { ours: None, .. } => {
                let name = difference.at.rsplit('/').next().unwrap_or_default();
                let mut left_out = warnings
                    .iter()
                    .filter(|warning| warning.contains("the name that a link gives it"));
                left_out
                    .any(|warning| warning.contains(&format!("/{name}` by ")))
                    .then_some(Excuse::Links)
            }
            Kind::Mode { ours, theirs } => {
                let sent = if theirs & 0o100 == 0 { 0o644 } else { 0o755 };
                (*ours == sent || self.changes_modes()).then_some(Excuse::Modes)
            }
            Kind::EmptyDirectory => Some(Excuse::EmptyDirectories),
            Kind::SpecialFile => Some(Excuse::SpecialFiles),
            Kind::Refused { error } => self.excuse_of_refusal(error),
            Kind::Built { unknown: true } => Some(Excuse::Unknown),
            // BuildKit finds no link that leads nowhere, and nothing through a link with `--parents` and patterns.
            Kind::Built { unknown: false } => {
                let kind = &self.0["failed"]["kind"];
                (self.has("link") && kind == "missing-source").then_some(Excuse::Unsent)
            }
            Kind::File { .. } | Kind::Owner | Kind::Failed => None,
        }
    }

    /// Why a plan may refuse what BuildKit builds.
    fn excuse_of_refusal(&self, error: &str) -> Option<Excuse> {
        let is_unsendable = error.contains("cannot be sent") || error.contains(": the link `");
        if is_unsendable && self.has("link") {
            Some(Excuse::Links)
        } else if is_unsendable && self.has("fifo") {
            Some(Excuse::SpecialFiles)
        } else if error.contains("is a directory without a file") || error.contains("left out of the build context") {
            Some(Excuse::EmptyDirectories)
        } else if error.contains("has a special meaning at the root") {
            Some(Excuse::RootFiles)
        } else {
            None
        }
    }

    /// Whether BuildKit has a link at this path of the image or on the way to it, where the service has what it leads to.
    fn is_linked(&self, path: &str) -> bool {
        let path = path.trim_start_matches('/');
        let links = self.0["image"].as_array().into_iter().flatten();
        links.filter(|entry| entry.get("link").is_some()).any(|entry| {
            let rest = path.strip_prefix(entry["path"].as_str().unwrap());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// `--chmod=u+x` and its like start from the mode that the service has lost.
    fn changes_modes(&self) -> bool {
        let modes = self.tree().iter().filter_map(|entry| entry["mode"].as_str());
        let mut values = self.text("dockerfile").split("--chmod=").skip(1);
        modes.into_iter().any(|mode| !matches!(mode, "0644" | "0755"))
            && values.any(|value| !value.starts_with(|first: char| first.is_ascii_digit()))
    }

    /// Whether a file of the image is one of those at the root of the context that mean something there: it has its name, and
    /// both sides that have it have its content.
    fn is_root_file(&self, path: &str, contents: [&Option<String>; 2]) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        let is_nested = self.text("dockerfile_name").contains('/') && path.ends_with(self.text("dockerfile_name"));
        let at_root = self.tree().iter().filter(|entry| entry["path"] == name).map(content);
        let mut known: Vec<String> = at_root.map(|content| Digest::of(&content).to_string()).collect();
        if name == "Dockerfile" {
            known.push(Digest::of(self.text("dockerfile").as_bytes()).to_string());
            // Line feeds are made of CRLF.
            known.push(Digest::of(self.text("dockerfile").replace("\r\n", "\n").as_bytes()).to_string());
        }
        ROOT_FILES.contains(&name) && !is_nested && contents.into_iter().flatten().all(|digest| known.contains(digest))
    }
}
