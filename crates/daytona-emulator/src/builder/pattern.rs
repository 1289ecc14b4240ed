//! Patterns of `COPY`, as Go's `path.Match` reads them: component by component, and a leading dot is nothing special.

/// Whether the path has a character of a pattern that is not escaped.
pub(crate) fn is_pattern(path: &str) -> bool {
    let mut characters = path.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => drop(characters.next()),
            '*' | '?' | '[' => return true,
            _ => {}
        }
    }
    false
}

/// Whether the pattern matches the whole path.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    let (patterns, names) = (pattern.split('/'), path.split('/'));
    patterns.clone().count() == names.clone().count()
        && patterns.zip(names).all(|(pattern, name)| {
            let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
            component(&pattern, &name)
        })
}

/// The lengths of the beginnings of a text that a pattern matches. A slash is nothing special.
pub(crate) fn matched_lengths(pattern: &[char], text: &[char]) -> Vec<usize> {
    let reached = reach(pattern, text).unwrap_or_default();
    let lengths = reached.iter().enumerate().filter(|(_, is_reached)| **is_reached);
    lengths.map(|(length, _)| length).collect()
}

/// Like [`matches()`], and `**` stands for any number of components.
pub(crate) fn matches_deep(pattern: &str, path: &str) -> bool {
    let names: Vec<&str> = path.split('/').collect();
    // Which beginnings of the path the pattern's components so far can stand for.
    let mut reached = vec![false; names.len() + 1];
    reached[0] = true;
    for part in pattern.split('/') {
        if part == "**" {
            let from = reached.iter().position(|is_reached| *is_reached);
            reached[from.unwrap_or(names.len() + 1)..].fill(true);
            continue;
        }
        for (index, name) in names.iter().enumerate().rev() {
            reached[index + 1] = reached[index] && matches(part, name);
        }
        reached[0] = false;
    }
    reached[names.len()]
}

fn component(pattern: &[char], name: &[char]) -> bool {
    reach(pattern, name).is_some_and(|reached| reached[name.len()])
}

/// Goes through the pattern once with all lengths of the name that it can have matched so far, so that many stars cost no
/// more than their number times the name's length. `None` if the pattern is none.
fn reach(mut pattern: &[char], name: &[char]) -> Option<Vec<bool>> {
    let mut reached = vec![false; name.len() + 1];
    reached[0] = true;
    loop {
        let (ranges, negated, rest) = match pattern {
            [] => return Some(reached),
            ['*', rest @ ..] => {
                let from = reached.iter().position(|is_reached| *is_reached);
                reached[from.unwrap_or(name.len() + 1)..].fill(true);
                pattern = rest;
                continue;
            }
            ['?', rest @ ..] => (Vec::new(), true, rest),
            ['[', class @ ..] => read_class(class)?,
            ['\\', literal, rest @ ..] | [literal, rest @ ..] => (vec![(*literal, *literal)], false, rest),
        };
        for (index, character) in name.iter().enumerate().rev() {
            let is_in = ranges.iter().any(|(low, high)| (low..=high).contains(&character));
            reached[index + 1] = reached[index] && is_in != negated;
        }
        reached[0] = false;
        pattern = rest;
    }
}

type Class<'a> = (Vec<(char, char)>, bool, &'a [char]);

/// The ranges of a class up to its bracket, whether it is negated, and what follows.
fn read_class(class: &[char]) -> Option<Class<'_>> {
    let (negated, mut rest) = match class {
        ['^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut ranges = Vec::new();
    loop {
        let (low, after) = match rest {
            [']', after @ ..] if !ranges.is_empty() => return Some((ranges, negated, after)),
            ['\\', literal, after @ ..] | [literal, after @ ..] => (*literal, after),
            [] => return None,
        };
        match after {
            ['-', high, after @ ..] if *high != ']' => {
                ranges.push((low, *high));
                rest = after;
            }
            after => {
                ranges.push((low, low));
                rest = after;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_go() {
        for (pattern, path, expected) in [
            ("*.txt", ".txt", true),
            ("*.txt", "a/b.txt", false),
            ("a/*/c", "a/b/c", true),
            ("a[[]1].txt", "a[1].txt", true),
            ("a[1].txt", "a1.txt", true),
            ("[^a-c]", "d", true),
            ("[^a-c]", "b", false),
            ("b[*]c[?]", "b*c?", true),
            (r"j\\[[]k", r"j\[k", true),
            ("?", "é", true),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
        assert!(
            matches_deep("**/*.txt", "a/b/c.txt") && matches_deep("a/**", "a/b") && !matches_deep("a/**/d", "a/b/c")
        );
        let many = "a*".repeat(30) + "b";
        assert!(!matches(&many, &"a".repeat(3_000)));
        assert!(!is_pattern(r"a\[b"));
        assert!(is_pattern("a[[]b"));
    }
}
