//! Patterns of scripts: `*` stands for any text without a slash, and so on as in Go's `path.Match`.

/// Whether the pattern matches the whole path.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    super::interpret::matches(pattern, path)
}
