//! The directory of a build context, and its ignore rules.

use std::path::{Path, PathBuf};

use super::{PlanOptions, resolve};
use crate::ignore::IgnoreRules;
use crate::image::dockerfile_source::ContextDir;
use crate::problem::ProblemKind;
use crate::walk::{DOCKERIGNORE, Walk, WalkProblem, read_rules};

/// Where a build context is, as the caller wrote it.
#[derive(Debug, Clone, Default)]
pub(crate) struct ContextRoot {
    pub(crate) path: PathBuf,
    /// Ignore rules that come before those of the directory.
    pub(crate) own_rules: Option<PathBuf>,
    pub(crate) dir: ContextDir,
}

impl ContextRoot {
    /// A walk of all of the context.
    pub(super) fn walk(&self, options: &PlanOptions) -> Result<Walk, Vec<ProblemKind>> {
        let path = if self.path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            &self.path
        };
        let (root, metadata) = resolve::locate(options, path)?;
        if !metadata.is_dir() {
            return Err(vec![ProblemKind::NotAFolder { path: path.to_owned() }]);
        }
        Ok(Walk::new(root)
            .shown_as(&self.path)
            .rules(self.rules(options)?)
            .links(self.dir.links)
            .cancellation(options.stop()))
    }

    /// The ignore rules: those beside the Dockerfile or else those of the directory, and those that were given in code.
    fn rules(&self, options: &PlanOptions) -> Result<IgnoreRules, Vec<ProblemKind>> {
        let of_directory = self.path.join(DOCKERIGNORE);
        let mut rules = IgnoreRules::none();
        for candidate in self.own_rules.iter().chain([&of_directory]) {
            let full = options.resolve(candidate).map_err(|problem| vec![problem])?;
            let (Some(folder), Some(name)) = (full.parent(), full.file_name()) else {
                continue;
            };
            let found = read_rules(folder, Path::new(name), candidate).map_err(|problem| vec![problem.into()])?;
            if let Some(found) = found {
                rules = found;
                break;
            }
        }
        let given =
            IgnoreRules::new(&self.dir.ignore).map_err(|error| vec![WalkProblem::InvalidPattern { error }.into()])?;
        Ok(rules.and(&given))
    }
}
