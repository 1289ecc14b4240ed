//! How a line of a Dockerfile comes apart: blanks, flags, words in quotes, the JSON form.

use std::borrow::Cow;

use serde::de::IgnoredAny;

/// The blanks between the words of a line. Others, such as a no-break space, belong to a word.
pub(super) fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\u{b}' | '\u{c}')
}

/// The text before the first run of blanks and what follows the run, if there is one.
pub(super) fn split_at_blank(text: &str) -> (&str, Option<&str>) {
    match text.find(is_blank) {
        Some(index) => (&text[..index], Some(text[index..].trim_start_matches(is_blank))),
        None => (text, None),
    }
}

/// The words between blanks, quotes or not.
pub(super) fn words_at_blanks(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = Some(text).filter(|text| !text.is_empty());
    while let Some(text) = rest {
        let (word, after) = split_at_blank(text);
        words.push(word.to_owned());
        rest = after;
    }
    words
}

/// The flags at the beginning of a text, without their quotes, and what follows them. `--` alone ends them.
///
/// BuildKit reads them byte by byte, so that the bytes of what is not ASCII become characters of their own.
pub(super) fn flags(text: &str, escape: char) -> (Vec<String>, Cow<'_, str>) {
    let bytes = text.as_bytes();
    let rest_from = |position: usize| match text.get(position..) {
        Some(rest) => Cow::Borrowed(rest),
        None => String::from_utf8_lossy(&bytes[position..]),
    };
    let is_space = |byte: u8| char::from(byte).is_whitespace();
    let (mut flags, mut position) = (Vec::new(), 0);
    loop {
        while position < bytes.len() && is_space(bytes[position]) {
            position += 1;
        }
        if !bytes[position..].starts_with(b"--") {
            return (flags, rest_from(position));
        }
        let (mut word, mut quote) = (String::new(), None);
        while let Some(byte) = bytes.get(position).copied() {
            match quote {
                None if is_space(byte) => break,
                None if matches!(byte, b'"' | b'\'') => quote = Some(byte),
                Some(open) if open == byte => quote = None,
                _ if char::from(byte) == escape => {
                    position += 1;
                    word.extend(bytes.get(position).copied().map(char::from));
                }
                _ => word.push(char::from(byte)),
            }
            position += 1;
        }
        if word == "--" {
            return (flags, rest_from(position.min(bytes.len())));
        }
        flags.push(word);
        position = position.min(bytes.len());
    }
}

/// The words of `ENV`, `LABEL` and `ARG`: quotes hold a word together and stay in it, as do escapes.
pub(super) fn words(text: &str, escape: char) -> impl Iterator<Item = &str> {
    let mut characters = text.char_indices();
    std::iter::from_fn(move || {
        let (mut start, mut end, mut quote) = (None, text.len(), None);
        while let Some((position, character)) = characters.next() {
            match quote {
                None if character.is_whitespace() => {
                    if start.is_some() {
                        end = position;
                        break;
                    }
                    continue;
                }
                None if matches!(character, '"' | '\'') => quote = Some(character),
                Some(open) if open == character => quote = None,
                _ => {}
            }
            // An escape takes the next character with it, but not in single quotes. At the end it is dropped.
            if character == escape && quote != Some('\'') && characters.next().is_none() {
                end = position;
                break;
            }
            start.get_or_insert(position);
        }
        start.map(|start| &text[start..end])
    })
}

/// What a text is in the JSON form of an instruction.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Json {
    Words(Vec<String>),
    /// A JSON list that holds something else than strings.
    NotStrings,
    No,
}

/// Reads the JSON form as Go does: half of a surrogate pair is a replacement character, not an error.
pub(super) fn json(text: &str) -> Json {
    let text = text.trim_start();
    if !text.starts_with('[') || serde_json::from_str::<Vec<IgnoredAny>>(text).is_err() {
        return Json::No;
    }
    // It is a valid list, so that strings can be told by their quotes.
    let mut words = Vec::new();
    let mut rest = text[1..].trim_start();
    while let Some(string) = rest.strip_prefix('"') {
        let mut end = 0;
        let bytes = string.as_bytes();
        while bytes.get(end).is_some_and(|byte| *byte != b'"') {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        words.push(unescape(&string[..end]));
        rest = string[end + 1..].trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    if rest.starts_with(']') {
        Json::Words(words)
    } else {
        Json::NotStrings
    }
}

/// The characters of a valid JSON string.
fn unescape(string: &str) -> String {
    let mut units: Vec<u16> = Vec::new();
    let mut text = String::new();
    let flush = |units: &mut Vec<u16>, text: &mut String| {
        text.extend(char::decode_utf16(units.drain(..)).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)));
    };
    let mut rest = string;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        if character != '\\' {
            flush(&mut units, &mut text);
            text.push(character);
            continue;
        }
        let escaped = rest.chars().next().unwrap_or('\\');
        rest = rest.get(escaped.len_utf8()..).unwrap_or_default();
        if escaped == 'u' {
            let digits = rest.get(..4).unwrap_or_default();
            units.extend(u16::from_str_radix(digits, 16));
            rest = rest.get(4..).unwrap_or_default();
            continue;
        }
        flush(&mut units, &mut text);
        text.push(match escaped {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            other => other,
        });
    }
    flush(&mut units, &mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_lose_their_quotes_and_end_at_two_dashes() {
        for (text, expected, rest) in [
            ("--a=b c", vec!["--a=b"], "c"),
            (
                "--exclude=\"x y\".t --b='c d' e f",
                vec!["--exclude=x y.t", "--b=c d"],
                "e f",
            ),
            ("--a\\ b c", vec!["--a b"], "c"),
            ("-- --a b", vec![], " --a b"),
            ("--a -b --c", vec!["--a"], "-b --c"),
            ("--\u{e9}=x y", vec!["--\u{c3}\u{a9}=x"], "y"),
            ("--a\\", vec!["--a"], ""),
        ] {
            assert_eq!(
                flags(text, '\\'),
                (expected.iter().map(ToString::to_string).collect(), Cow::Borrowed(rest)),
                "{text}"
            );
        }
    }

    #[test]
    fn quotes_and_escapes_stay_in_a_word() {
        for (text, expected) in [
            ("", vec![]),
            ("  a=b\tc ", vec!["a=b", "c"]),
            (r#"a="b c" 'd e'"#, vec![r#"a="b c""#, "'d e'"]),
            (r"a\ b c", vec![r"a\ b", "c"]),
            (r#""a\" b" c"#, vec![r#""a\" b""#, "c"]),
            (r"'a\' b", vec![r"'a\'", "b"]),
            (r"a b\", vec!["a", "b"]),
            (r"a \", vec!["a"]),
            ("\"\"", vec!["\"\""]),
            ("\"a b", vec!["\"a b"]),
            ("\u{e9}\\\u{e9} x", vec!["\u{e9}\\\u{e9}", "x"]),
        ] {
            assert_eq!(words(text, '\\').collect::<Vec<_>>(), expected, "{text}");
        }
    }

    #[test]
    fn the_json_form_is_a_list_of_strings() {
        let words = |words: &[&str]| Json::Words(words.iter().map(ToString::to_string).collect());
        for (text, expected) in [
            (r#"["a", "b c"]"#, words(&["a", "b c"])),
            (" [ ] ", words(&[])),
            (
                r#"["\ud83d", "\ud83d\ude00\n\"\\"]"#,
                words(&["\u{fffd}", "\u{1f600}\n\"\\"]),
            ),
            (r#"["a", 1]"#, Json::NotStrings),
            (r#"["a", ["b"]]"#, Json::NotStrings),
            (r#"["a",]"#, Json::No),
            ("['a']", Json::No),
            (r#"["a"] b"#, Json::No),
            (r#""a""#, Json::No),
        ] {
            assert_eq!(json(text), expected, "{text}");
        }
    }
}
