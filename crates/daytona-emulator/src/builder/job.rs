//! A build: what goes in, and what comes of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::image::BuiltImage;

/// What has to be built, and what a test wants to come of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Job {
    pub(crate) organization: String,
    pub(crate) dockerfile: String,
    /// The hashes of its archives, in their order.
    pub(crate) hashes: Vec<String>,
    /// The image's name with its tag.
    pub(crate) reference: String,
    /// What the build takes.
    pub(crate) takes: Option<Duration>,
    /// Why it fails, whatever the Dockerfile says.
    pub(crate) fails: Option<String>,
    /// The lines of its log, in place of its own.
    pub(crate) log: Option<Vec<String>>,
    pub(crate) run: Vec<RunRule>,
}

/// What a `RUN` step prints, and how it ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RunRule {
    /// Text that the step has in it.
    pub(crate) containing: String,
    #[serde(default)]
    pub(crate) exit: i32,
    #[serde(default)]
    pub(crate) prints: String,
}

/// The images from registries that a build needs, by name, and whether a stage begins with each. Files may be taken from
/// the others.
pub(crate) type Images = BTreeMap<String, bool>;

/// The course of a build.
#[derive(Debug)]
pub(crate) struct BuildReport {
    /// Whether it came so far that its log was opened.
    pub(crate) has_log: bool,
    /// The lines of the log, and when they appear after the begin.
    pub(crate) lines: Vec<(Duration, String)>,
    pub(crate) duration: Duration,
    /// The reason if it fails.
    pub(crate) outcome: Result<(), String>,
    /// What is known of the image.
    pub(crate) image: Option<Arc<BuiltImage>>,
    pub(crate) images: Images,
}

impl BuildReport {
    /// What comes of it if a registry refuses one of these images: nothing is done after its metadata are asked for.
    pub(crate) fn refused(mut self, image: &str) -> Self {
        let reason = format!(
            "{image}: failed to resolve source metadata for {image}: pull access denied, repository does not exist or may \
             require authorization: authorization failed: unauthorized: authentication required"
        );
        let metadata = format!("[internal] load metadata for {image}");
        if let Some(at) = self.lines.iter().position(|(_, line)| line.ends_with(&metadata)) {
            self.lines.truncate(at + 1);
        }
        let time = self.lines.last().map_or(Duration::ZERO, |(time, _)| *time);
        self.lines.push((time, format!("ERROR: failed to build: {reason}")));
        self.duration = time;
        self.outcome = Err(reason);
        self.image = None;
        self
    }
}
