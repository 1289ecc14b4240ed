//! The JSON form of an instruction: an array of texts.

/// What a text is, taken as an array of texts.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// An array of texts.
    Texts(Vec<String>),
    /// An array with something else in it.
    Others,
    /// No JSON array.
    None,
}

pub(super) fn read(text: &str) -> Form {
    let text = text.trim_start();
    if !text.starts_with('[') {
        return Form::None;
    }
    if let Some(texts) = texts(text) {
        return Form::Texts(texts);
    }
    match serde_json::from_str::<Vec<serde::de::IgnoredAny>>(text) {
        Ok(_) => Form::Others,
        Err(_) => Form::None,
    }
}

/// Reads the array. Unlike `serde_json` it takes half of a surrogate pair, as Go does, for the replacement character.
fn texts(text: &str) -> Option<Vec<String>> {
    let blank = |character: char| matches!(character, ' ' | '\t' | '\r' | '\n');
    let mut rest = text.strip_prefix('[')?.trim_start_matches(blank);
    let mut texts = Vec::new();
    if let Some(after) = rest.strip_prefix(']') {
        return after.trim_start_matches(blank).is_empty().then_some(texts);
    }
    loop {
        let (one, after) = string(rest)?;
        texts.push(one);
        let after = after.trim_start_matches(blank);
        if let Some(after) = after.strip_prefix(',') {
            rest = after.trim_start_matches(blank);
        } else {
            let after = after.strip_prefix(']')?;
            return after.trim_start_matches(blank).is_empty().then_some(texts);
        }
    }
}

fn string(text: &str) -> Option<(String, &str)> {
    let mut characters = text.strip_prefix('"')?.chars();
    let mut result = String::new();
    loop {
        match characters.next()? {
            '"' => return Some((result, characters.as_str())),
            '\\' => result.push(match characters.next()? {
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                same @ ('"' | '\\' | '/') => same,
                'u' => {
                    let (unit, rest) = unit(characters.as_str())?;
                    characters = rest.chars();
                    let second = rest.strip_prefix("\\u").and_then(self::unit);
                    match (char::from_u32(unit), second) {
                        (Some(character), _) => character,
                        (None, Some((low, after))) if unit < 0xdc00 && (0xdc00..0xe000).contains(&low) => {
                            characters = after.chars();
                            char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00))?
                        }
                        (None, _) => '\u{fffd}',
                    }
                }
                _ => return None,
            }),
            control if control < ' ' => return None,
            character => result.push(character),
        }
    }
}

/// Four hex digits.
fn unit(text: &str) -> Option<(u32, &str)> {
    let digits = text
        .get(..4)
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    Some((u32::from_str_radix(digits, 16).ok()?, &text[4..]))
}
