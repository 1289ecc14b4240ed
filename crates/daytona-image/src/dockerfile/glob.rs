//! Patterns of `COPY`, as Go's `filepath.Match` reads them: component by component, with nothing special about a leading dot.

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
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    // The last `*`, and how much of the name it has taken: a mistake can only be mended by giving it one more.
    let (mut at, mut index, mut star) = (0, 0, None::<(usize, usize)>);
    loop {
        if at < pattern.len() && pattern[at] == '*' {
            star = Some((at + 1, index));
            at += 1;
            continue;
        }
        if at == pattern.len() && index == name.len() {
            return true;
        }
        let step = name.get(index).and_then(|character| step(&pattern[at..], *character));
        match (step, star) {
            (Some(length), _) => {
                at += length;
                index += 1;
            }
            (None, Some((after, taken))) if taken < name.len() => {
                star = Some((after, taken + 1));
                at = after;
                index = taken + 1;
            }
            (None, _) => return false,
        }
    }
}

/// How many characters of the pattern match this one of the name.
fn step(pattern: &[char], character: char) -> Option<usize> {
    match pattern {
        ['?', ..] => Some(1),
        ['[', class @ ..] => {
            let (ranges, is_negated, length) = read_class(class)?;
            let is_in = ranges.iter().any(|(low, high)| (*low..=*high).contains(&character));
            (is_in != is_negated).then_some(1 + length)
        }
        ['\\', literal, ..] => (*literal == character).then_some(2),
        [literal, ..] => (*literal == character).then_some(1),
        [] => None,
    }
}

type Class = (Vec<(char, char)>, bool, usize);

/// A class after its opening bracket: its ranges, whether it is negated, and how many characters it takes.
fn read_class(class: &[char]) -> Option<Class> {
    let is_negated = class.first() == Some(&'^');
    let mut index = usize::from(is_negated);
    let mut ranges = Vec::new();
    let character = |index: &mut usize| {
        *index += usize::from(class.get(*index) == Some(&'\\'));
        let character = class.get(*index).copied();
        *index += 1;
        character
    };
    loop {
        if class.get(index) == Some(&']') && !ranges.is_empty() {
            return Some((ranges, is_negated, index + 1));
        }
        let low = character(&mut index)?;
        let mut high = low;
        if class.get(index) == Some(&'-') && class.get(index + 1) != Some(&']') {
            index += 1;
            high = character(&mut index)?;
        }
        ranges.push((low, high));
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
