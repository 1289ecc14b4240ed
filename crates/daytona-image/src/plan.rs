//! The plan: the Dockerfile's text, and every file that goes with it.

mod advice;
mod context_root;
mod effort;
mod entrypoint;
mod files;
mod image_plan;
mod layout;
mod member;
mod options;
mod part;
mod patterns;
mod planner;
mod render;
mod requirements;
mod resolve;
mod rewrite;
mod source;
mod targets;
mod want;
mod warning;
mod warnings;

use crate::image::Image;
use crate::problem::PlanError;

pub use image_plan::{ExcludedPath, Explanation, ImagePlan};
pub use member::Member;
pub use options::PlanOptions;
pub use warning::PlanWarning;

impl Image {
    /// Plans what would be built and sent. Relative paths start in the process's current directory, and `~` is the
    /// user's home directory.
    ///
    /// It reads the names, sizes and modes of local files. It reads the contents only of Dockerfiles, ignore rules,
    /// requirements files and `pyproject.toml`.
    ///
    /// # Errors
    ///
    /// [`PlanError`] with all problems of all steps.
    pub fn plan(&self) -> Result<ImagePlan, PlanError> {
        self.plan_with(&PlanOptions::default())
    }

    /// Like [`plan`](Self::plan), with directories and limits of your choice.
    ///
    /// # Errors
    ///
    /// [`PlanError`] with all problems of all steps.
    pub fn plan_with(&self, options: &PlanOptions) -> Result<ImagePlan, PlanError> {
        planner::plan(self.steps(), options)
    }
}
