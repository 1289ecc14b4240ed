//! Options of `pip install`.

use crate::problem::ProblemKind;
use crate::quote;

/// Python packages and pip's options.
///
/// ```
/// use daytona_image::{Image, PipInstall};
///
/// let image = Image::debian_slim("3.12")
///     .pip_install(["requests", "numpy>=2"])
///     .pip_install(PipInstall::new(["torch"]).index_url("https://pypi.example/simple").pre());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use]
pub struct PipInstall {
    packages: Vec<String>,
    find_links: Vec<String>,
    index_url: Option<String>,
    extra_index_urls: Vec<String>,
    pre: bool,
    extra_options: Option<String>,
}

impl PipInstall {
    /// These packages, each a requirement as pip reads it: `requests`, `numpy>=2`, `tomli; python_version < '3.11'`.
    pub fn new<S: Into<String>>(packages: impl IntoIterator<Item = S>) -> Self {
        Self {
            packages: packages.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// A page or folder of packages to look at (`--find-links`). May be called again for a further one.
    pub fn find_links(mut self, url: impl Into<String>) -> Self {
        self.find_links.push(url.into());
        self
    }

    /// The index to use instead of PyPI (`--index-url`). An empty one counts as none.
    pub fn index_url(mut self, url: impl Into<String>) -> Self {
        self.index_url = Some(url.into());
        self
    }

    /// An index to use besides (`--extra-index-url`). May be called again for a further one.
    pub fn extra_index_url(mut self, url: impl Into<String>) -> Self {
        self.extra_index_urls.push(url.into());
        self
    }

    /// Allows pre-releases (`--pre`).
    pub fn pre(mut self) -> Self {
        self.pre = true;
        self
    }

    /// Further options, handed to the shell as they are.
    pub fn extra_options(mut self, options: impl Into<String>) -> Self {
        self.extra_options = Some(options.into());
        self
    }

    /// The command, or `None` if there is nothing to install.
    pub(crate) fn command(&self) -> Result<Option<String>, Vec<ProblemKind>> {
        if self.packages.is_empty() {
            return Ok(None);
        }
        let mut packages = self.packages.clone();
        packages.sort();
        let mut problems = Vec::new();
        for package in &packages {
            if package.trim().is_empty() {
                problems.push(ProblemKind::Empty { what: "a package" });
            }
        }
        let words = packages.iter().map(|package| quote::shell_word(package));
        let command = format!(
            "python -m pip install {}{}",
            words.collect::<Vec<_>>().join(" "),
            self.options()
        );
        problems.extend(ProblemKind::one_line("a package or option of pip", &command));
        if problems.is_empty() {
            Ok(Some(command))
        } else {
            Err(problems)
        }
    }

    /// The options in pip's own order of the official SDKs, each with a blank before it.
    fn options(&self) -> String {
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
            options.push_str(" --pre");
        }
        let extra = self.extra_options.as_deref().unwrap_or_default().trim();
        if !extra.is_empty() {
            options.push(' ');
            options.push_str(extra);
        }
        options
    }
}

impl From<&str> for PipInstall {
    fn from(package: &str) -> Self {
        Self::new([package])
    }
}

impl From<String> for PipInstall {
    fn from(package: String) -> Self {
        Self::new([package])
    }
}

impl<S: Into<String>> From<Vec<S>> for PipInstall {
    fn from(packages: Vec<S>) -> Self {
        Self::new(packages)
    }
}

impl<S: Into<String>, const N: usize> From<[S; N]> for PipInstall {
    fn from(packages: [S; N]) -> Self {
        Self::new(packages)
    }
}

impl<S: AsRef<str>> From<&[S]> for PipInstall {
    fn from(packages: &[S]) -> Self {
        Self::new(packages.iter().map(AsRef::as_ref))
    }
}
