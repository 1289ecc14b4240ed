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

fn component(pattern: &[char], name: &[char]) -> bool {
    match pattern {
        [] => name.is_empty(),
        ['*', rest @ ..] => (0..=name.len()).any(|skipped| component(rest, &name[skipped..])),
        ['?', rest @ ..] => !name.is_empty() && component(rest, &name[1..]),
        ['[', class @ ..] => match (name, read_class(class)) {
            ([first, others @ ..], Some((ranges, negated, rest))) => {
                let is_in = ranges.iter().any(|(low, high)| (low..=high).contains(&first));
                is_in != negated && component(rest, others)
            }
            _ => false,
        },
        ['\\', literal, rest @ ..] | [literal, rest @ ..] => {
            name.first() == Some(literal) && component(rest, &name[1..])
        }
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
        assert!(!is_pattern(r"a\[b"));
        assert!(is_pattern("a[[]b"));
    }
}
