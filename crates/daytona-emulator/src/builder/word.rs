//! Words of a Dockerfile: quotes, escapes and variables, as the image builder reads them.

use std::collections::HashMap;

/// The word with its quotes taken away and its variables put in; one that is not set is empty.
pub(crate) fn process(word: &str, variables: &HashMap<String, String>, escape: char) -> Result<String, String> {
    let mut result = String::new();
    let mut characters = word.chars().peekable();
    let unmatched = |quote: &str| format!("unexpected end of statement while looking for matching {quote}-quote");
    while let Some(character) = characters.next() {
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
    variables: &HashMap<String, String>,
) -> Result<String, String> {
    let value = |name: &str| variables.get(name).cloned().unwrap_or_default();
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
    let set = value(name);
    match modifier.strip_prefix(':').unwrap_or(modifier).split_at_checked(1) {
        None => Ok(set),
        Some(("-", default)) => Ok(if set.is_empty() { default.to_owned() } else { set }),
        Some(("+", other)) => Ok(if set.is_empty() {
            String::new()
        } else {
            other.to_owned()
        }),
        Some(_) => Err(format!("unsupported modifier ({modifier}) in substitution")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lose_their_quotes_and_get_their_values() {
        let variables = HashMap::from([("F".to_owned(), "x".to_owned())]);
        let word = |text: &str| process(text, &variables, '\\').unwrap();
        assert_eq!(word("a'$F'\"$F\"$F${F}"), "a$Fxxx");
        assert_eq!(word(r"\$F\\a\ b"), r"$F\a b");
        assert_eq!(word("${G:-d}${F:+e}$G"), "de");
        assert!(process("it's", &variables, '\\').is_err());
    }
}
