//! The Python version of `debian_slim`.

use crate::problem::ProblemKind;

/// A Python version for [`Image::debian_slim`](crate::Image::debian_slim): a series (`3.12`) or a release (`3.12.4`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PythonVersion(String);

/// The release of each series, as in all official SDKs.
const RELEASES: [(&str, &str); 5] = [
    ("3.9", "3.9.22"),
    ("3.10", "3.10.17"),
    ("3.11", "3.11.12"),
    ("3.12", "3.12.10"),
    ("3.13", "3.13.3"),
];

impl PythonVersion {
    /// The supported series.
    pub const SERIES: [&'static str; 5] = ["3.9", "3.10", "3.11", "3.12", "3.13"];

    /// The full version, such as `3.12.10`.
    pub(crate) fn release(&self) -> Result<String, ProblemKind> {
        let (minor, micro) = self.parts().ok_or_else(|| ProblemKind::InvalidPythonVersion {
            version: self.0.clone(),
        })?;
        let series = format!("3.{minor}");
        let known = RELEASES.iter().find(|(name, _)| *name == series);
        match (known, micro) {
            (Some(_), Some(micro)) => Ok(format!("{series}.{micro}")),
            (Some((_, release)), None) => Ok((*release).to_owned()),
            (None, _) => Err(ProblemKind::UnsupportedPythonVersion {
                version: self.0.clone(),
                series: &Self::SERIES,
            }),
        }
    }

    /// `3.N` or `3.N.N`. The second and third part may each have an `rc` suffix.
    fn parts(&self) -> Option<(&str, Option<&str>)> {
        let rest = self.0.strip_prefix("3.")?;
        let (minor, micro) = match rest.split_once('.') {
            Some((minor, micro)) => (minor, Some(micro)),
            None => (rest, None),
        };
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let last_part = |text: &str| match text.split_once("rc") {
            Some((number, candidate)) => digits(number) && digits(candidate),
            None => digits(text),
        };
        let valid = match micro {
            Some(micro) => digits(minor) && last_part(micro),
            None => last_part(minor),
        };
        valid.then_some((minor, micro))
    }
}

/// The series `3.13`.
impl Default for PythonVersion {
    fn default() -> Self {
        Self("3.13".to_owned())
    }
}

impl From<&str> for PythonVersion {
    fn from(version: &str) -> Self {
        Self(version.to_owned())
    }
}

impl From<String> for PythonVersion {
    fn from(version: String) -> Self {
        Self(version)
    }
}
