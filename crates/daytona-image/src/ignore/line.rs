//! What Docker makes of a line of ignore rules before it reads the pattern.

/// Whether a line is an exception, and its pattern as Docker cleans it. `None` for a blank line. Docker cleans twice,
/// the second time with the `!` at the front.
pub(super) fn normal_form(line: &str) -> Option<(bool, String)> {
    let line = line.trim();
    let (mark, pattern) = match line.strip_prefix('!') {
        Some(rest) => ("!", rest.trim()),
        None => ("", line),
    };
    if line.is_empty() {
        return None;
    }
    let cleaned = if pattern.is_empty() {
        String::new()
    } else {
        clean(pattern)
    };
    let relative = match cleaned.strip_prefix('/') {
        Some(relative) if !relative.is_empty() => relative,
        _ => &cleaned,
    };
    let whole = format!("{mark}{relative}");
    if whole.trim().is_empty() {
        return None;
    }
    let whole = clean(whole.trim());
    Some(match whole.strip_prefix('!') {
        Some(pattern) => (true, pattern.to_owned()),
        None => (false, whole),
    })
}

/// The path without empty components and `.`, and with `..` resolved where possible, like Go's `filepath.Clean`.
fn clean(path: &str) -> String {
    let is_rooted = path.starts_with('/');
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." if names.last().is_some_and(|last| *last != "..") => drop(names.pop()),
            ".." if is_rooted => {}
            name => names.push(name),
        }
    }
    match (is_rooted, names.is_empty()) {
        (true, _) => format!("/{}", names.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => names.join("/"),
    }
}
