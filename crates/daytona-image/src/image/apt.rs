//! Options of `apt-get install`.

use super::pip::from_packages;
use crate::problem::ProblemKind;
use crate::quote;

/// Debian packages.
///
/// ```
/// use daytona_image::{AptInstall, Image};
///
/// let image = Image::base("debian:12")
///     .apt_install(["git", "curl"])
///     .apt_install(AptInstall::new(["ffmpeg"]).recommends());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct AptInstall {
    packages: Vec<String>,
    takes_recommended: bool,
}

impl AptInstall {
    /// These packages, each in apt's form: `git`, `python3=3.11.2-1`.
    pub fn new<S: Into<String>>(packages: impl IntoIterator<Item = S>) -> Self {
        Self {
            packages: packages.into_iter().map(Into::into).collect(),
            takes_recommended: false,
        }
    }

    /// Installs recommended packages too.
    pub fn recommends(mut self) -> Self {
        self.takes_recommended = true;
        self
    }

    /// The command, or `None` if there is nothing to install.
    pub(crate) fn command(&self) -> Result<Option<String>, Vec<ProblemKind>> {
        let Some(packages) = quote::packages(&self.packages)? else {
            return Ok(None);
        };
        let recommends = if self.takes_recommended {
            ""
        } else {
            " --no-install-recommends"
        };
        Ok(Some(format!(
            "apt-get update && apt-get install -y{recommends} {packages} && rm -rf /var/lib/apt/lists/*"
        )))
    }
}

from_packages!(AptInstall);
