//! Words: quotes, escapes and variables, as BuildKit reads them.

/// Looks up a variable; `None` if its value is not known.
pub(crate) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The word without its quotes and escapes, with the values of its variables.
///
/// # Errors
///
/// In words: an open quote or brace, a variable whose value is not known, a modifier that is none.
pub(crate) fn expand(word: &str, escape: char, lookup: Lookup<'_>) -> Result<String, String> {
    let mut reader = Reader {
        rest: word.chars().collect(),
        position: 0,
        escape,
        lookup,
    };
    reader.until(None)
}

struct Reader<'a> {
    rest: Vec<char>,
    position: usize,
    escape: char,
    lookup: Lookup<'a>,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let character = self.rest.get(self.position).copied();
        self.position += usize::from(character.is_some());
        character
    }

    fn peek(&self) -> Option<char> {
        self.rest.get(self.position).copied()
    }

    /// Everything up to `end`, which is taken too, or to the end of the word.
    fn until(&mut self, end: Option<char>) -> Result<String, String> {
        let mut text = String::new();
        loop {
            match self.next() {
                None if end.is_some() => return Err("a `${` is not closed".to_owned()),
                None => return Ok(text),
                character if character == end => return Ok(text),
                Some('\'') => text.push_str(&self.single_quoted()?),
                Some('"') => text.push_str(&self.double_quoted()?),
                Some('$') => text.push_str(&self.variable()?),
                Some(character) if character == self.escape => text.extend(self.next()),
                Some(character) => text.push(character),
            }
        }
    }

    fn single_quoted(&mut self) -> Result<String, String> {
        let mut text = String::new();
        loop {
            match self.next() {
                Some('\'') => return Ok(text),
                Some(character) => text.push(character),
                None => return Err("a single quote is not closed".to_owned()),
            }
        }
    }

    fn double_quoted(&mut self) -> Result<String, String> {
        let mut text = String::new();
        loop {
            match self.next() {
                Some('"') => return Ok(text),
                Some('$') => text.push_str(&self.variable()?),
                Some(character) if character == self.escape => match self.next() {
                    Some(next) if matches!(next, '"' | '$') || next == self.escape => text.push(next),
                    Some(next) => text.extend([character, next]),
                    None => return Err("a double quote is not closed".to_owned()),
                },
                Some(character) => text.push(character),
                None => return Err("a double quote is not closed".to_owned()),
            }
        }
    }

    /// What stands for the variable after a dollar sign.
    fn variable(&mut self) -> Result<String, String> {
        if self.peek() != Some('{') {
            let name = self.name();
            return if name.is_empty() {
                Ok("$".to_owned())
            } else {
                self.value(&name)
            };
        }
        self.next();
        let name = self.name();
        if name.is_empty() {
            return Err("a `${` without a name".to_owned());
        }
        match self.next() {
            Some('}') => self.value(&name),
            Some(':') => match self.next() {
                Some(operator @ ('-' | '+' | '?')) => self.with_default(&name, operator, true),
                _ => Err(format!("`${{{name}:…}}` has a modifier that is none")),
            },
            Some(operator @ ('-' | '+' | '?')) => self.with_default(&name, operator, false),
            Some(operator @ ('#' | '%')) => {
                let is_greedy = self.peek() == Some(operator);
                self.position += usize::from(is_greedy);
                let pattern = self.until(Some('}'))?;
                Ok(trim(&self.value(&name)?, &pattern, operator == '#', is_greedy))
            }
            Some('/') => {
                let is_global = self.peek() == Some('/');
                self.position += usize::from(is_global);
                let inner = self.until(Some('}'))?;
                let (pattern, replacement) = inner.split_once('/').unwrap_or((&inner, ""));
                Ok(replace(&self.value(&name)?, pattern, replacement, is_global))
            }
            Some(_) => Err(format!("`${{{name}…}}` has a modifier that is none")),
            None => Err("a `${` is not closed".to_owned()),
        }
    }

    /// `:-`, `:+` and `:?`, which count an empty value as none, and `-`, `+`, `?`, which do not.
    fn with_default(&mut self, name: &str, operator: char, empty_is_none: bool) -> Result<String, String> {
        let other = self.until(Some('}'))?;
        let value = (self.lookup)(name).filter(|value| !(empty_is_none && value.is_empty()));
        match (operator, value) {
            ('+', Some(_)) | ('-', None) => Ok(other),
            ('+', None) => Ok(String::new()),
            (_, Some(value)) => Ok(value),
            (_, None) => Err(format!("the variable `{name}` has to be set: {other}")),
        }
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(character) = self.peek().filter(|next| next.is_ascii_alphanumeric() || *next == '_') {
            // A parameter of one digit, as in a shell.
            if name.is_empty() && character.is_ascii_digit() {
                self.position += 1;
                return character.to_string();
            }
            name.push(character);
            self.position += 1;
        }
        name
    }

    fn value(&self, name: &str) -> Result<String, String> {
        (self.lookup)(name).ok_or_else(|| format!("the value of the variable `{name}` is not known here"))
    }
}

/// Takes a prefix or suffix away that matches the pattern: the longest one, or the shortest.
fn trim(value: &str, pattern: &str, is_prefix: bool, is_greedy: bool) -> String {
    let characters: Vec<char> = value.chars().collect();
    let pattern: Vec<char> = pattern.chars().collect();
    let length = characters.len();
    let mut lengths: Vec<usize> = (0..=length).collect();
    if is_greedy {
        lengths.reverse();
    }
    for size in lengths {
        let (part, rest) = if is_prefix {
            characters.split_at(size)
        } else {
            (&characters[length - size..], &characters[..length - size])
        };
        if matches(&pattern, part) {
            return rest.iter().collect();
        }
    }
    value.to_owned()
}

/// Replaces the first longest part that matches the pattern, or all of them.
fn replace(value: &str, pattern: &str, replacement: &str, is_global: bool) -> String {
    let characters: Vec<char> = value.chars().collect();
    let pattern: Vec<char> = pattern.chars().collect();
    let (mut result, mut index) = (String::new(), 0);
    while index < characters.len() {
        let longest = (index + 1..=characters.len())
            .rev()
            .find(|end| matches(&pattern, &characters[index..*end]));
        match longest {
            Some(end) => {
                result.push_str(replacement);
                index = end;
                if !is_global {
                    break;
                }
            }
            None => {
                result.push(characters[index]);
                index += 1;
            }
        }
    }
    result.extend(&characters[index..]);
    result
}

/// A pattern of a shell: `*` is anything, `?` any character, a backslash quotes.
fn matches(pattern: &[char], text: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['*', rest @ ..] => (0..=text.len()).any(|skipped| matches(rest, &text[skipped..])),
        ['?', rest @ ..] => !text.is_empty() && matches(rest, &text[1..]),
        ['\\', literal, rest @ ..] | [literal, rest @ ..] => text.first() == Some(literal) && matches(rest, &text[1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(word: &str) -> Result<String, String> {
        expand(word, '\\', &|name| match name {
            "F" => Some("a/b.tar.gz".to_owned()),
            "E" => Some(String::new()),
            _ => None,
        })
    }

    #[test]
    fn words_are_expanded_as_buildkit_does() {
        for (word, expected) in [
            ("plain", "plain"),
            ("'$F'\"$F\"x", "$Fa/b.tar.gzx"),
            (r"\$F\\ \a", r"$F\ a"),
            (r#""\$F \x \"""#, r#"$F \x ""#),
            ("${F}", "a/b.tar.gz"),
            ("${N:-d}${N-d}", "dd"),
            ("${E:-d}${E-d}", "d"),
            ("${F:+y}${N:+y}${E:+y}${E+y}", "yy"),
            ("${F?no}", "a/b.tar.gz"),
            ("${N:-${F}}", "a/b.tar.gz"),
            ("${F#*/}", "b.tar.gz"),
            ("${F%.*}${F%%.*}", "a/b.tara/b"),
            ("${F##*.}", "gz"),
            ("${F/./-}", "a/b-tar.gz"),
            ("${F//./-}", "a/b-tar-gz"),
            ("$", "$"),
            ("a$ b", "a$ b"),
        ] {
            assert_eq!(expanded(word).as_deref(), Ok(expected), "{word}");
        }
    }

    #[test]
    fn what_cannot_be_expanded_is_said() {
        for (word, part) in [
            ("$N", "`N` is not known"),
            ("${N:?why}", "has to be set: why"),
            ("'a", "single quote"),
            ("\"a", "double quote"),
            ("${F", "not closed"),
            ("${}", "without a name"),
            ("${F:x}", "modifier"),
            ("${F!x}", "modifier"),
        ] {
            let error = expanded(word).unwrap_err();
            assert!(error.contains(part), "{word}: {error}");
        }
    }
}
