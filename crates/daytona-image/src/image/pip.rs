//! Options of `pip install` and `uv pip install`.

use crate::problem::ProblemKind;
use crate::quote;

/// Python packages and pip's options.
///
/// ```
/// use daytona_image::{Image, PipInstall};
///
/// let image = Image::debian_slim("3.12")
///     .pip_install(["requests", "numpy>=2"])
///     .pip_install(
///         PipInstall::new(["torch"])
///             .index_url("https://pypi.example/simple")
///             .pre(),
///     );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use]
pub struct PipInstall {
    packages: Vec<String>,
    options: PipOptions,
}

/// Python packages and uv's options.
///
/// ```
/// use daytona_image::{Image, UvPipInstall};
///
/// let packages = UvPipInstall::new(["torch"]).index_url("https://pypi.example/simple");
/// let image = Image::debian_slim("3.12").uv_pip_install(packages);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use]
pub struct UvPipInstall {
    packages: Vec<String>,
    options: PipOptions,
}

/// The options that pip and uv share.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct PipOptions {
    pub(super) find_links: Vec<String>,
    pub(super) index_url: Option<String>,
    pub(super) extra_index_urls: Vec<String>,
    pub(super) pre: bool,
    pub(super) extra_options: Option<String>,
}

impl PipOptions {
    /// The options in the order of the official SDKs, each after a space.
    pub(super) fn render(&self, pre: &str) -> Result<String, Vec<ProblemKind>> {
        let mut options = String::new();
        let mut add = |name: &str, value: &str| {
            options.extend([" ", name, " ", &quote::shell_word(value)]);
        };
        self.find_links.iter().for_each(|url| add("--find-links", url));
        self.index_url
            .iter()
            .filter(|url| !url.is_empty())
            .for_each(|url| add("--index-url", url));
        self.extra_index_urls
            .iter()
            .for_each(|url| add("--extra-index-url", url));
        if self.pre {
            options.push_str(pre);
        }
        let extra = self.extra_options.as_deref().unwrap_or_default().trim();
        if !extra.is_empty() {
            options.extend([" ", extra]);
        }
        match ProblemKind::one_line("an option of pip", &options) {
            None => Ok(options),
            Some(problem) => Err(vec![problem]),
        }
    }
}

impl PipInstall {
    /// These packages, each a requirement in pip's form: `requests`, `numpy>=2`, `tomli; python_version < '3.11'`.
    pub fn new<S: Into<String>>(packages: impl IntoIterator<Item = S>) -> Self {
        Self {
            packages: packages.into_iter().map(Into::into).collect(),
            options: PipOptions::default(),
        }
    }

    pub(super) fn with_options(packages: Vec<String>, options: PipOptions) -> Self {
        Self { packages, options }
    }

    /// The command, or `None` if there is nothing to install.
    pub(crate) fn command(&self) -> Result<Option<String>, Vec<ProblemKind>> {
        let Some(packages) = quote::packages(&self.packages)? else {
            return Ok(None);
        };
        let options = self.options.render(" --pre")?;
        Ok(Some(format!("python -m pip install {packages}{options}")))
    }
}

impl UvPipInstall {
    /// These packages, each a requirement in pip's form.
    pub fn new<S: Into<String>>(packages: impl IntoIterator<Item = S>) -> Self {
        Self {
            packages: packages.into_iter().map(Into::into).collect(),
            options: PipOptions::default(),
        }
    }

    /// The command, or `None` if there is nothing to install.
    pub(crate) fn command(&self) -> Result<Option<String>, Vec<ProblemKind>> {
        let Some(packages) = quote::packages(&self.packages)? else {
            return Ok(None);
        };
        let options = self.options.render(" --prerelease allow")?;
        Ok(Some(format!(
            "python -m pip install uv && python -m uv pip install --system {packages}{options}"
        )))
    }
}

/// The options that all ways to name packages share.
macro_rules! pip_options {
    ($name:ident) => {
        impl $name {
            /// A page or directory with packages (`--find-links`). You can call it more than once.
            pub fn find_links(mut self, url: impl Into<String>) -> Self {
                self.options.find_links.push(url.into());
                self
            }

            /// The index to use instead of PyPI (`--index-url`). An empty one is ignored.
            pub fn index_url(mut self, url: impl Into<String>) -> Self {
                self.options.index_url = Some(url.into());
                self
            }

            /// An additional index (`--extra-index-url`). You can call it more than once.
            pub fn extra_index_url(mut self, url: impl Into<String>) -> Self {
                self.options.extra_index_urls.push(url.into());
                self
            }

            /// Allows pre-releases.
            pub fn pre(mut self) -> Self {
                self.options.pre = true;
                self
            }

            /// More options. They are passed to the shell unchanged.
            pub fn extra_options(mut self, options: impl Into<String>) -> Self {
                self.options.extra_options = Some(options.into());
                self
            }
        }
    };
}

pub(super) use pip_options;

pip_options!(PipInstall);
pip_options!(UvPipInstall);

/// The usual types for packages.
macro_rules! from_packages {
    ($name:ident) => {
        impl From<&str> for $name {
            fn from(package: &str) -> Self {
                Self::new([package])
            }
        }

        impl From<String> for $name {
            fn from(package: String) -> Self {
                Self::new([package])
            }
        }

        impl<S: Into<String>> From<Vec<S>> for $name {
            fn from(packages: Vec<S>) -> Self {
                Self::new(packages)
            }
        }

        impl<S: Into<String>, const N: usize> From<[S; N]> for $name {
            fn from(packages: [S; N]) -> Self {
                Self::new(packages)
            }
        }

        impl<S: AsRef<str>> From<&[S]> for $name {
            fn from(packages: &[S]) -> Self {
                Self::new(packages.iter().map(AsRef::as_ref))
            }
        }
    };
}
pub(crate) use from_packages;

from_packages!(PipInstall);
from_packages!(UvPipInstall);
