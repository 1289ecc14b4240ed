//! What the server takes as names of snapshots and images.

/// What is wrong with the name of a snapshot.
pub(super) fn snapshot_name(name: &str) -> Result<(), &'static str> {
    let (path, digest) = match name.split_once('@') {
        Some((path, digest)) => (path, Some(digest)),
        None => (name, None),
    };
    let is_component = |component: &str| {
        let valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-');
        !component.is_empty() && component.bytes().all(valid)
    };
    if path.split('/').all(is_component) && digest.is_none_or(is_digest) {
        Ok(())
    } else {
        Err("Invalid snapshot name format. May contain letters, digits, dots, colons, and dashes")
    }
}

/// What is wrong with the name of an image.
pub(super) fn image_name(image: &str) -> Result<(), &'static str> {
    if let Some((name, digest)) = image.rsplit_once("@sha256:") {
        let is_whole = digest.len() == 64 && digest.bytes().all(is_lower_hex);
        if !is_whole || name.is_empty() {
            return Err("Invalid digest format. Must be image@sha256:64_hex_characters");
        }
        return name.split('@').try_for_each(is_path);
    }
    // The colon of a registry's port counts as well.
    if !image.contains(':') || image.ends_with(':') {
        return Err("Image name must include a tag (e.g., ubuntu:22.04) or digest (@sha256:...)");
    }
    if image.ends_with(":latest") {
        return Err("Images with tag \":latest\" are not allowed");
    }
    is_path(image)
}

fn is_path(name: &str) -> Result<(), &'static str> {
    let is_component = |component: &str| {
        let valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-');
        !component.is_empty() && component.bytes().all(valid)
    };
    if name.split('/').all(is_component) {
        Ok(())
    } else {
        Err(
            "Invalid image name format. Must be lowercase, may contain digits, dots, dashes, and single slashes between components",
        )
    }
}

fn is_digest(digest: &str) -> bool {
    let digits = digest.strip_prefix("sha256:").unwrap_or_default();
    digits.len() == 64 && digits.bytes().all(is_lower_hex)
}

fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}
