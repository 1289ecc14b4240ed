//! References to images in a registry, as the service accepts them.

use std::fmt;

/// An image in a registry that can become a snapshot: with a tag other than `latest`, or with a digest.
///
/// The rules are the service's own, with one difference. The service confuses a registry's port with a tag, so it
/// accepts `localhost:5000/x`. Here that is an error, because it has no tag.
///
/// ```
/// use daytona_image::RegistryImage;
///
/// assert!(RegistryImage::parse("ubuntu:22.04").is_ok());
/// let error = RegistryImage::parse("ubuntu:latest").unwrap_err();
/// println!("{error}");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RegistryImage(String);

/// Why an image cannot become a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` cannot be used as an image: {problem}", .image.escape_debug())]
pub struct RegistryImageError {
    image: String,
    problem: &'static str,
}

impl RegistryImage {
    /// Parses a reference such as `ubuntu:22.04`, `registry:5000/team/app:1.0` or `app@sha256:…`.
    ///
    /// # Errors
    ///
    /// [`RegistryImageError`], which says what is missing.
    pub fn parse(image: &str) -> Result<Self, RegistryImageError> {
        match problem(image) {
            None => Ok(Self(image.to_owned())),
            Some(problem) => Err(RegistryImageError {
                image: image.to_owned(),
                problem,
            }),
        }
    }

    /// The reference as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RegistryImage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl From<RegistryImage> for String {
    fn from(image: RegistryImage) -> Self {
        image.0
    }
}

const FORM: &str = "it may hold letters, digits, dots, colons, dashes, and single slashes between its parts";

fn problem(image: &str) -> Option<&'static str> {
    if image.trim().is_empty() {
        return Some("it is empty");
    }
    let is_component = |component: &str| {
        let valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-');
        !component.is_empty() && component.bytes().all(valid)
    };
    let is_path = |path: &str| path.split('/').all(is_component);
    if let Some((name, digest)) = image.split_once('@') {
        let digits = digest.strip_prefix("sha256:").unwrap_or_default();
        let is_digest = digits.len() == 64 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        return match (is_digest, is_path(name)) {
            (false, _) => Some("a digest is `@sha256:` and 64 lower-case hex digits"),
            (true, false) => Some(FORM),
            (true, true) => None,
        };
    }
    // A colon before the last slash is a registry's port.
    let last = image.rsplit('/').next().unwrap_or_default();
    match last.split_once(':') {
        None | Some((_, "")) => Some("it needs a tag such as `:22.04`, or a digest"),
        Some(_) if image.ends_with(":latest") => {
            Some("the tag `latest` is not allowed, because its image changes: name a version")
        }
        Some(_) if !is_path(image) => Some(FORM),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_service_takes_is_taken() {
        let digest = format!("ubuntu@sha256:{}", "a".repeat(64));
        let tagged = format!("ubuntu:1@sha256:{}", "a".repeat(64));
        for image in [
            "ubuntu:22.04",
            "Ubuntu:22.04",
            "x:LATEST",
            "localhost:5000/x:1",
            &digest,
            &tagged,
        ] {
            assert_eq!(RegistryImage::parse(image).map(String::from), Ok(image.to_owned()));
        }
    }

    #[test]
    fn what_it_refuses_is_refused_with_a_way_out() {
        for (image, part) in [
            ("ubuntu", "needs a tag"),
            ("ubuntu:", "needs a tag"),
            ("localhost:5000/x", "needs a tag"),
            ("ubuntu:latest", "name a version"),
            ("x:1:latest", "name a version"),
            ("r/x@sha256:abc", "64 lower-case"),
            ("a b:1", "single slashes"),
            ("a//b:1", "single slashes"),
            ("", "empty"),
        ] {
            let error = RegistryImage::parse(image).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
