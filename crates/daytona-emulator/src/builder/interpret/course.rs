//! The course of a build.

use crate::builder::image::BuiltImage;
use crate::builder::job::Images;

/// The course of a build: its steps, up to the one that fails.
#[derive(Debug, Default)]
pub(in crate::builder) struct Course {
    pub(in crate::builder) images: Images,
    pub(in crate::builder) steps: Vec<Step>,
    pub(in crate::builder) failure: Option<Failure>,
    /// What is known of the image, if the build succeeds.
    pub(in crate::builder) image: Option<BuiltImage>,
}

/// A step with a layer of its own.
#[derive(Debug)]
pub(in crate::builder) struct Step {
    /// `[2/5]`, or `[build 2/5]` in a named stage.
    pub(in crate::builder) label: String,
    /// The instruction on one line.
    pub(in crate::builder) text: String,
    /// Output lines.
    pub(in crate::builder) output: Vec<String>,
    pub(in crate::builder) takes_time: bool,
}

/// Why the build fails, at its last step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::builder) struct Failure {
    pub(in crate::builder) line: Option<usize>,
    pub(in crate::builder) reason: String,
}

/// What a reason may be long: it may quote something of the Dockerfile.
const LONGEST_REASON: usize = 4096;

impl Failure {
    pub(super) fn shortened(mut self) -> Self {
        if self.reason.len() > LONGEST_REASON {
            self.reason.truncate(self.reason.floor_char_boundary(LONGEST_REASON));
            self.reason.push('…');
        }
        self
    }
}
