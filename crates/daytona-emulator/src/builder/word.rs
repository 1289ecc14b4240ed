//! Words of a Dockerfile: quotes, escapes and variables, as the image builder reads them.

use super::pattern::matched_lengths;

/// What a text may grow to by its variables, so that `ENV A=$A$A` cannot fill the memory.
const LARGEST: usize = 1024 * 1024;

/// Finds the value of a variable.
pub(crate) type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The word with its quotes taken away and its variables put in; one that is not set is empty.
pub(crate) fn process(word: &str, variables: Variables<'_>, escape: char) -> Result<String, String> {
    let result = unlimited(word, variables, escape)?;
    if result.len() > LARGEST {
        return Err(format!("the emulator takes texts of at most {LARGEST} bytes"));
    }
    Ok(result)
}

/// The text of a heredoc with its variables put in. Quotes and escapes stay.
pub(crate) fn process_heredoc(text: &str, variables: Variables<'_>, escape: char) -> Result<String, String> {
    let mut result = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '$' => result.push_str(&variable(&mut characters, variables)?),
            character if character == escape => {
                result.push(character);
                result.extend(characters.next());
            }
            character => result.push(character),
        }
        if result.len() > LARGEST {
            return Err(format!("the emulator takes texts of at most {LARGEST} bytes"));
        }
    }
    Ok(result)
}

fn unlimited(word: &str, variables: Variables<'_>, escape: char) -> Result<String, String> {
    let mut result = String::new();
    let mut characters = word.chars().peekable();
    let unmatched = |quote: &str| format!("unexpected end of statement while looking for matching {quote}-quote");
    while let Some(character) = characters.next() {
        if result.len() > LARGEST {
            break;
        }
        match character {
            '\'' => loop {
                match characters.next() {
                    Some('\'') => break,
                    Some(inner) => result.push(inner),
                    None => return Err(unmatched("single")),
                }
            },
            '"' => loop {
                match characters.next() {
                    Some('"') => break,
                    Some('$') => result.push_str(&variable(&mut characters, variables)?),
                    Some(inner) if inner == escape => match characters.next() {
                        Some(next) if next == '"' || next == '$' || next == escape => result.push(next),
                        Some(next) => result.extend([inner, next]),
                        None => return Err(unmatched("double")),
                    },
                    Some(inner) => result.push(inner),
                    None => return Err(unmatched("double")),
                }
            },
            '$' => result.push_str(&variable(&mut characters, variables)?),
            character if character == escape => result.extend(characters.next()),
            character => result.push(character),
        }
    }
    Ok(result)
}

/// The value of the variable that follows a dollar sign.
fn variable(
    characters: &mut std::iter::Peekable<std::str::Chars<'_>>,
    variables: Variables<'_>,
) -> Result<String, String> {
    let value = |name: &str| variables(name).unwrap_or_default();
    if characters.peek() != Some(&'{') {
        let mut name = String::new();
        while let Some(character) = characters.next_if(|next| next.is_ascii_alphanumeric() || *next == '_') {
            name.push(character);
        }
        return Ok(if name.is_empty() { "$".to_owned() } else { value(&name) });
    }
    characters.next();
    let mut inner = String::new();
    let mut depth = 1;
    loop {
        match characters.next() {
            Some('}') if depth == 1 => break,
            Some(character) => {
                depth += i32::from(character == '{') - i32::from(character == '}');
                inner.push(character);
            }
            None => return Err("syntax error: missing '}'".to_owned()),
        }
    }
    let end = inner
        .find(|character: char| !character.is_ascii_alphanumeric() && character != '_')
        .unwrap_or(inner.len());
    let (name, modifier) = inner.split_at(end);
    let set = variables(name);
    let (is_given, modifier) = match modifier.strip_prefix(':') {
        Some(rest) => (set.as_ref().is_some_and(|set| !set.is_empty()), rest),
        None => (set.is_some(), modifier),
    };
    let set = set.unwrap_or_default();
    let word = |rest: &str| unlimited(rest, variables, '\\');
    let Some((operator, rest)) = modifier.split_at_checked(1) else {
        return Ok(set);
    };
    match operator {
        "-" | "?" if is_given => Ok(set),
        "-" => word(rest),
        "+" if is_given => word(rest),
        "+" => Ok(String::new()),
        "?" => Err(format!("{name}: {}", word(rest)?)),
        "#" | "%" | "/" => modify(&set, modifier, &word),
        _ => Err(format!("unsupported modifier ({modifier}) in substitution")),
    }
}

/// Values and patterns of the modifiers below have so many characters, as matching takes the product of their lengths.
const LARGEST_MODIFIED: usize = 256;

/// The modifiers that take away or replace what matches a pattern of `*` and `?`.
fn modify(value: &str, modifier: &str, word: &dyn Fn(&str) -> Result<String, String>) -> Result<String, String> {
    let text: Vec<char> = value.chars().collect();
    let pattern = |pattern: &str| {
        let pattern: Vec<char> = word(pattern)?.chars().collect();
        if pattern.len().max(text.len()) > LARGEST_MODIFIED {
            return Err(format!(
                "the emulator takes values and patterns of at most {LARGEST_MODIFIED} characters in ${{…{modifier}}}"
            ));
        }
        Ok(pattern)
    };
    let kept: Vec<char> = if let Some(rest) = modifier.strip_prefix('/') {
        let (all, rest) = rest.strip_prefix('/').map_or((false, rest), |rest| (true, rest));
        let (from, to) = rest.split_once('/').unwrap_or((rest, ""));
        replace(&text, &pattern(from)?, &word(to)?.chars().collect::<Vec<_>>(), all)
    } else if let Some(rest) = modifier.strip_prefix('#') {
        let (longest, rest) = rest.strip_prefix('#').map_or((false, rest), |rest| (true, rest));
        text[cut(&pattern(rest)?, &text, longest)..].to_vec()
    } else {
        // The end of a text is the beginning of the same text backwards.
        let rest = modifier.strip_prefix('%').unwrap_or_default();
        let (longest, rest) = rest.strip_prefix('%').map_or((false, rest), |rest| (true, rest));
        let backwards = |text: &[char]| text.iter().rev().copied().collect::<Vec<_>>();
        let length = cut(&backwards(&pattern(rest)?), &backwards(&text), longest);
        text[..text.len() - length].to_vec()
    };
    Ok(kept.into_iter().collect())
}

/// How much of the beginning matches.
fn cut(pattern: &[char], text: &[char], longest: bool) -> usize {
    let lengths = matched_lengths(pattern, text);
    let length = if longest { lengths.last() } else { lengths.first() };
    length.copied().unwrap_or(0)
}

fn replace(text: &[char], pattern: &[char], to: &[char], all: bool) -> Vec<char> {
    let mut result = Vec::new();
    let mut position = 0;
    while position < text.len() {
        match matched_lengths(pattern, &text[position..]).last() {
            Some(0) | None => {
                result.push(text[position]);
                position += 1;
            }
            Some(length) => {
                result.extend_from_slice(to);
                position += length;
                if !all {
                    break;
                }
            }
        }
    }
    result.extend_from_slice(&text[position..]);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lose_their_quotes_and_get_their_values() {
        let variables = |name: &str| match name {
            "F" => Some("x".to_owned()),
            "P" => Some("a.b.c".to_owned()),
            "E" => Some(String::new()),
            _ => None,
        };
        let word = |text: &str| process(text, &variables, '\\').unwrap();
        assert_eq!(word("a'$F'\"$F\"$F${F}"), "a$Fxxx");
        assert_eq!(word(r"\$F\\a\ b"), r"$F\a b");
        assert_eq!(word("${G:-d}${F:+e}$G"), "de");
        assert_eq!(word("${E-d}|${E:-d}|${E+e}|${E:+e}|${G:-$F}"), "|d|e||x");
        assert_eq!(
            word("${P#*.}|${P##*.}|${P%.*}|${P%%.*}|${P/./_}|${P//./_}"),
            "b.c|c|a.b|a|a_b.c|a_b_c"
        );
        assert!(process("${G:?none}", &variables, '\\').unwrap_err().contains("none"));
        assert_eq!(process_heredoc("\"$F\" \\$F", &variables, '\\').unwrap(), "\"x\" \\$F");
        assert!(process("it's", &variables, '\\').is_err());
    }
}
