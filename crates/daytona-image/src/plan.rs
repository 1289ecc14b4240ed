//! The plan: the Dockerfile's text, and every file that goes with it.

mod advice;
mod entrypoint;
mod files;
mod image_plan;
mod layout;
mod member;
mod options;
mod part;
mod planner;
mod render;
mod requirements;
mod resolve;
mod rewrite;
mod source;
mod targets;
mod warning;

use crate::image::Image;
use crate::problem::PlanError;

pub use image_plan::{ExcludedPath, Explanation, ImagePlan};
pub use member::Member;
pub use options::PlanOptions;
pub use warning::PlanWarning;

impl Image {
    /// What would be built and sent, with the current and the home folder of the process as the places that relative
    /// paths and `~` are resolved in.
    ///
    /// Reads the names, sizes and modes of the local files, and of their contents only Dockerfiles, ignore rules, requirements
    /// and `pyproject.toml`.
    ///
    /// # Errors
    ///
    /// [`PlanError`] with all problems of all steps.
    pub fn plan(&self) -> Result<ImagePlan, PlanError> {
        self.plan_with(&PlanOptions::default())
    }

    /// Like [`plan`](Self::plan), with explicit folders.
    ///
    /// # Errors
    ///
    /// [`PlanError`] with all problems of all steps.
    pub fn plan_with(&self, options: &PlanOptions) -> Result<ImagePlan, PlanError> {
        planner::plan(self.steps(), options)
    }
}
