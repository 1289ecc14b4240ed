//! Flags and words of an instruction.

/// The flags of an instruction.
#[derive(Debug, Default)]
pub(super) struct Flags(Vec<(String, String)>);

impl Flags {
    /// Takes the flags from the beginning of an instruction's rest; only these are known.
    pub(super) fn read<'a>(rest: &'a str, known: &[&str]) -> Result<(Self, &'a str), String> {
        let mut flags = Vec::new();
        let mut rest = rest.trim_start();
        while let Some(flag) = rest.strip_prefix("--") {
            let (flag, after) = flag.split_once(char::is_whitespace).unwrap_or((flag, ""));
            let (name, value) = flag.split_once('=').unwrap_or((flag, "true"));
            if !known.contains(&name) {
                return Err(format!("unknown flag: --{name}"));
            }
            flags.push((name.to_owned(), value.to_owned()));
            rest = after.trim_start();
        }
        Ok((Self(flags), rest))
    }

    /// The last value of a flag.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().rfind(|(other, _)| other == name)?;
        Some(&found.1)
    }

    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = self.0.iter().filter(move |(other, _)| other == name);
        named.map(|(_, value)| value.as_str())
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value != "false")
    }
}

/// The JSON form, if it is one.
pub(super) fn exec_form(rest: &str) -> Option<Vec<String>> {
    rest.starts_with('[').then(|| serde_json::from_str(rest).ok()).flatten()
}

/// Splits at blanks outside of quotes; the quotes stay.
pub(super) fn quoted_words(text: &str) -> Vec<String> {
    let (mut words, mut quote) = (vec![String::new()], None);
    for character in text.chars() {
        match (quote, character) {
            (None, ' ' | '\t') => words.push(String::new()),
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            _ => {}
        }
        if let (Some(word), true) = (words.last_mut(), quote.is_some() || !matches!(character, ' ' | '\t')) {
            word.push(character);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
