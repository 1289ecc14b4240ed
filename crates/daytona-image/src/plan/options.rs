//! Options of a plan.

use std::path::{Path, PathBuf};

use crate::cancel::Cancellation;
use crate::problem::ProblemKind;
use crate::walk::WalkProblem;

/// The options of a plan: where it looks for local files, and its limits.
///
/// ```no_run
/// use daytona_image::{Image, PlanOptions};
///
/// let options = PlanOptions::default().base_dir("/srv/project").warn_over(100_000_000);
/// let plan = Image::base("alpine:3.20").add_local_dir("app", "/app").plan_with(&options)?;
/// # Ok::<(), daytona_image::PlanError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct PlanOptions {
    base_dir: Result<PathBuf, String>,
    home: Option<PathBuf>,
    pub(super) warn_over: Option<u64>,
    cancellation: Cancellation,
}

impl PlanOptions {
    /// Lets another thread stop the plan. The plan then fails, and
    /// [`PlanError::is_cancelled`](crate::PlanError::is_cancelled) returns true.
    pub fn cancellation(mut self, cancellation: &Cancellation) -> Self {
        self.cancellation = cancellation.clone();
        self
    }

    /// What stops the plan.
    pub(crate) fn stop(&self) -> &Cancellation {
        &self.cancellation
    }

    /// Fails if the plan was stopped.
    pub(crate) fn check_stop(&self) -> Result<(), ProblemKind> {
        if self.cancellation.is_cancelled() {
            Err(WalkProblem::Cancelled.into())
        } else {
            Ok(())
        }
    }

    /// Adds a warning if the context is larger than this many bytes. The warning lists its largest files. Default: no
    /// warning.
    pub fn warn_over(mut self, bytes: u64) -> Self {
        self.warn_over = Some(bytes);
        self
    }

    /// The directory where relative paths start. Default: the process's current directory.
    pub fn base_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.base_dir = Ok(folder.into());
        self
    }

    /// The directory that `~` stands for. Default: the user's home directory.
    pub fn home(mut self, folder: impl Into<PathBuf>) -> Self {
        self.home = Some(folder.into());
        self
    }

    /// The directory where a path starts.
    pub(crate) fn base_of(&self, path: &Path) -> Option<&Path> {
        let is_relative = !path.is_absolute() && !path.starts_with("~");
        self.base_dir.as_deref().ok().filter(|_| is_relative)
    }

    /// The absolute path. Only its spelling counts.
    pub(crate) fn resolve(&self, path: &Path) -> Result<PathBuf, ProblemKind> {
        if let Ok(rest) = path.strip_prefix("~") {
            let home = self
                .home
                .as_ref()
                .ok_or_else(|| ProblemKind::NoHome { path: path.to_owned() })?;
            return Ok(home.join(rest));
        }
        if path.is_absolute() {
            return Ok(path.to_owned());
        }
        let base = self
            .base_dir
            .as_ref()
            .map_err(|reason| ProblemKind::NoBaseDir { reason: reason.clone() })?;
        Ok(base.join(path))
    }
}

/// The process's current directory and the user's home directory.
impl Default for PlanOptions {
    fn default() -> Self {
        Self {
            base_dir: std::env::current_dir().map_err(|error| error.to_string()),
            home: std::env::home_dir(),
            warn_over: None,
            cancellation: Cancellation::new(),
        }
    }
}
