//! Patterns of `COPY`, as Go's `filepath.Match` reads them: component by component, with nothing special about a leading dot.

use std::str::Chars;

/// Whether a component has a character of a pattern that is not escaped.
pub(crate) fn is_pattern(component: &str) -> bool {
    let mut characters = component.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => drop(characters.next()),
            '*' | '?' | '[' => return true,
            _ => {}
        }
    }
    false
}

/// Whether a pattern matches the name of one component.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let (mut pattern, mut name) = (pattern, name);
    // What follows the last `*`, and what that has left of the name. After a mismatch it takes one character more.
    let mut star: Option<(&str, &str)> = None;
    loop {
        if let Some(after) = pattern.strip_prefix('*') {
            star = Some((after, name));
            pattern = after;
            continue;
        }
        let mut characters = name.chars();
        let next = characters.next();
        if pattern.is_empty() && next.is_none() {
            return true;
        }
        if let Some(after) = next.and_then(|character| step(pattern, character)) {
            (pattern, name) = (after, characters.as_str());
            continue;
        }
        let Some((after, left)) = star else { return false };
        let mut characters = left.chars();
        if characters.next().is_none() {
            return false;
        }
        (pattern, name) = (after, characters.as_str());
        star = Some((after, name));
    }
}

/// The rest of the pattern, if its beginning matches this character.
fn step(pattern: &str, character: char) -> Option<&str> {
    let mut rest = pattern.chars();
    match rest.next()? {
        '?' => Some(rest.as_str()),
        '[' => {
            let (is_in, after) = class(rest.as_str(), character)?;
            is_in.then_some(after)
        }
        '\\' => (rest.next()? == character).then_some(rest.as_str()),
        literal => (literal == character).then_some(rest.as_str()),
    }
}

/// Whether a class matches this character, and what follows the class. The text begins after its opening bracket.
fn class(text: &str, character: char) -> Option<(bool, &str)> {
    let negated = text.strip_prefix('^');
    let mut rest = negated.unwrap_or(text).chars();
    let (mut is_in, mut is_empty) = (false, true);
    loop {
        if let Some(after) = rest.as_str().strip_prefix(']').filter(|_| !is_empty) {
            return Some((is_in != negated.is_some(), after));
        }
        let low = bound(&mut rest)?;
        let high = match rest.as_str().strip_prefix('-').filter(|after| !after.starts_with(']')) {
            Some(after) => {
                rest = after.chars();
                bound(&mut rest)?
            }
            None => low,
        };
        is_in |= (low..=high).contains(&character);
        is_empty = false;
    }
}

/// One end of a range.
fn bound(rest: &mut Chars<'_>) -> Option<char> {
    match rest.next()? {
        '\\' => rest.next(),
        character => Some(character),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_match_as_in_go() {
        for (pattern, name, expected) in [
            ("*.txt", ".txt", true),
            ("*", ".git", true),
            ("a*b*c", "axbxbxc", true),
            ("a*b*c", "axbxbx", false),
            ("a[[]1].txt", "a[1].txt", true),
            ("a[1].txt", "a1.txt", true),
            ("[^a-c]", "d", true),
            ("[^a-c]", "b", false),
            ("b[*]c[?]", "b*c?", true),
            (r"a\*", "a*", true),
            (r"a\*", "ab", false),
            ("?", "é", true),
            ("[", "[", false),
            ("", "", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
        let many = "a*".repeat(30) + "b";
        assert!(!matches(&many, &"a".repeat(3_000)));
        assert!(!is_pattern(r"a\[b") && is_pattern("a[[]b"));
    }
}
