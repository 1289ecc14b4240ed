//! `${name#pattern}`, `${name%pattern}` and `${name/pattern/replacement}`.

use std::cell::Cell;

/// How long a text may become through its variables, so that `ENV A=$A$A` cannot fill the memory.
pub(super) const LARGEST: usize = 1024 * 1024;

/// One step of a pattern of `*` and `?`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Star,
    One,
    Literal(char),
}

/// The value without what the pattern matches at its beginning (`#`) or at its end (`%`). A doubled sign takes the longest.
pub(super) fn trimmed(value: &str, word: &str, end: char, work: &Cell<usize>) -> Result<String, String> {
    let (longest, pattern) = match word.strip_prefix(end) {
        Some(pattern) => (true, pattern),
        None => (false, word),
    };
    let mut text: Vec<char> = value.chars().collect();
    let mut tokens = if end == '%' {
        // The shortest end of a text is the shortest beginning of the text backwards.
        text.reverse();
        tokens(&backwards(pattern), word)?
    } else {
        tokens(pattern, word)?
    };
    fold_stars(&mut tokens);
    let lengths = lengths(&tokens, &text, work)?;
    let length = if longest { lengths.last() } else { lengths.first() };
    let mut kept = text.split_off(length.copied().unwrap_or(0));
    if end == '%' {
        kept.reverse();
    }
    Ok(kept.into_iter().collect())
}

/// The value with the first or with all matches replaced.
pub(super) fn replaced(
    value: &str,
    pattern: &str,
    replacement: &str,
    all: bool,
    work: &Cell<usize>,
) -> Result<String, String> {
    let mut tokens = tokens(pattern, pattern)?;
    fold_stars(&mut tokens);
    let text: Vec<char> = value.chars().collect();
    let put_in = if all {
        expanded(replacement)
    } else {
        replacement.to_owned()
    };
    let mut result = String::new();
    let mut position = 0;
    // Where the last match ended: an empty one is not counted there.
    let mut last_end = None;
    while position <= text.len() {
        let length = lengths(&tokens, &text[position..], work)?.last().copied();
        if let Some(length) = length.filter(|length| *length > 0 || last_end != Some(position)) {
            result.push_str(&put_in);
            if result.len() > LARGEST {
                return Err(format!("the emulator accepts texts of at most {LARGEST} bytes"));
            }
            last_end = Some(position + length);
            if !all {
                result.extend(&text[position + length..]);
                return Ok(result);
            }
            if length > 0 {
                position += length;
                continue;
            }
        }
        result.extend(text.get(position));
        position += 1;
    }
    Ok(result)
}

/// Where all matches are replaced, BuildKit takes the replacement for a template of Go's regular expressions. There are no
/// groups but the whole, so that `$0` is the match, which a template of the emulator does not have, and any other is empty.
fn expanded(replacement: &str) -> String {
    let mut result = String::new();
    let mut rest = replacement;
    while let Some((before, after)) = rest.split_once('$') {
        result.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            result.push('$');
            rest = after;
            continue;
        }
        let is_name = |character: char| character.is_alphanumeric() || character == '_';
        let braced = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        match braced {
            Some((name, after)) if !name.is_empty() && name.chars().all(is_name) => rest = after,
            _ => {
                let end = after.find(|character| !is_name(character)).unwrap_or(after.len());
                if end == 0 {
                    result.push('$');
                }
                rest = &after[end..];
            }
        }
    }
    result + rest
}

/// The pattern backwards; an escape stays before its character.
fn backwards(pattern: &str) -> String {
    let mut pieces: Vec<String> = Vec::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        let mut piece = character.to_string();
        if character == '\\' {
            piece.extend(characters.next());
        }
        pieces.push(piece);
    }
    pieces.into_iter().rev().collect()
}

fn tokens(pattern: &str, shown: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut characters = pattern.chars().peekable();
    while let Some(character) = characters.next() {
        tokens.push(match character {
            '*' => Token::Star,
            '?' => Token::One,
            // A brace or a slash is escaped for the sake of `${}`, not of the pattern.
            '\\' if matches!(characters.peek(), Some('}' | '/')) => continue,
            '\\' => match characters.next() {
                Some(escaped @ ('*' | '?' | '\\')) => Token::Literal(escaped),
                escaped => {
                    let escaped = escaped.unwrap_or('\u{fffd}');
                    return Err(format!(
                        "invalid pattern ({shown}) in substitution: invalid escape '\\{escaped}'"
                    ));
                }
            },
            character => Token::Literal(character),
        });
    }
    Ok(tokens)
}

fn fold_stars(tokens: &mut Vec<Token>) {
    tokens.dedup_by(|one, other| *one == Token::Star && *other == Token::Star);
}

/// The lengths of all beginnings of the text that match. All possibilities are followed at once, so that many stars cost no
/// more than their number times the text's length.
fn lengths(tokens: &[Token], text: &[char], work: &Cell<usize>) -> Result<Vec<usize>, String> {
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for token in tokens {
        let first = reached.iter().position(|is_reached| *is_reached);
        let Some(first) = first else { break };
        // Texts are short in earnest; what is not is paid for all the more.
        let cost = 16 * (text.len() + 1 - first);
        let left = work.get().checked_sub(cost);
        work.set(left.ok_or("the emulator gives up: the patterns in ${…} take too long")?);
        match token {
            Token::Star => {
                let mut is_in = false;
                for index in first..=text.len() {
                    // A star does not match the end of a line.
                    is_in = reached[index] || (is_in && text[index - 1] != '\n');
                    reached[index] = is_in;
                }
            }
            Token::One | Token::Literal(_) => {
                for index in (first..text.len()).rev() {
                    let fits = match token {
                        Token::Literal(literal) => text[index] == *literal,
                        _ => text[index] != '\n',
                    };
                    reached[index + 1] = reached[index] && fits;
                }
                reached[first] = false;
                // What is before the first was false already.
            }
        }
    }
    Ok((0..reached.len()).filter(|length| reached[*length]).collect())
}
