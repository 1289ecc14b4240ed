//! References to images, as far as their grammar goes.

/// Why a text cannot be the image of a stage.
pub(super) fn problem(image: &str) -> Option<&'static str> {
    let (rest, digest) = match image.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (image, None),
    };
    if digest.is_some_and(|digest| !is_digest(digest)) {
        return Some("its digest is invalid: a digest is `@sha256:` and 64 hex digits");
    }
    let (path, last) = rest.rsplit_once('/').map_or(("", rest), |(path, last)| (path, last));
    let (name, tag) = match last.split_once(':') {
        Some((name, tag)) => (name, Some(tag)),
        None => (last, None),
    };
    if tag.is_some_and(|tag| !is_tag(tag)) {
        return Some("its tag is invalid: a tag has letters, digits, `_`, `.` and `-`");
    }
    let mut components: Vec<&str> = path.split('/').filter(|_| !path.is_empty()).collect();
    // The first one is a registry if it has a dot or a port, or is `localhost`.
    if let Some(first) = components.first()
        && (first.contains(['.', ':']) || *first == "localhost" || first.bytes().any(|byte| byte.is_ascii_uppercase()))
    {
        if !is_registry(first) {
            return Some("its registry is not a host name");
        }
        components.remove(0);
    }
    components.push(name);
    if !components.iter().all(|component| is_component(component)) {
        return Some("its name must consist of lower-case letters, digits, and `.`, `_` and `-` between them");
    }
    None
}

fn is_component(text: &str) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let ends_plain = bytes.first().is_some_and(is_plain) && bytes.last().is_some_and(is_plain);
    let separators = text.split(|character: char| character.is_ascii_lowercase() || character.is_ascii_digit());
    ends_plain
        && separators
            .into_iter()
            .all(|part| matches!(part, "" | "." | "_" | "__") || part.bytes().all(|byte| byte == b'-'))
}

fn is_tag(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.bytes().next().is_some_and(is_word)
        && text.len() <= 128
        && text.bytes().all(|byte| is_word(byte) || matches!(byte, b'.' | b'-'))
}

fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, digits)| {
        algorithm.starts_with(|first: char| first.is_ascii_alphabetic())
            && digits.len() >= 32
            && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

fn is_registry(text: &str) -> bool {
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let is_label = |label: &str| {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric();
        let bytes = label.as_bytes();
        bytes.first().is_some_and(plain)
            && bytes.last().is_some_and(plain)
            && bytes.iter().all(|byte| plain(byte) || *byte == b'-')
    };
    host.split('.').all(is_label)
        && port.is_none_or(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// What an instruction takes from, where it is no stage.
pub(super) fn check_source(from: &str) -> Result<(), String> {
    if from.contains('$') {
        return Err(format!(
            "`--from={from}` cannot contain a variable: name the stage, or give the image a name with `FROM {from} AS …`"
        ));
    }
    match problem(from) {
        Some(problem) => Err(format!(
            "`--from={}` is neither a stage nor an image: {problem}",
            from.escape_debug()
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::problem;

    #[test]
    fn references_are_told_from_what_is_none() {
        let digest = format!("a@sha256:{}", "0".repeat(64));
        for image in [
            "alpine",
            "alpine:3.20",
            "ghcr.io/astral-sh/uv:0.5-debian",
            "localhost:5000/a/b__c:1",
            "a/b-c--d",
            "quay.io:443/x.y/z",
            "0",
            &digest,
        ] {
            assert_eq!(problem(image), None, "{image}");
        }
        for image in [
            "Alpine",
            "a:3:4",
            "a b",
            "a//b",
            "a:",
            "-a",
            "a@sha256:00",
            "a_-b",
            "a/B",
            "",
            "$x",
        ] {
            assert!(problem(image).is_some(), "{image}");
        }
    }
}
