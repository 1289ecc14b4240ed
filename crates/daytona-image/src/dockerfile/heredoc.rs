//! Heredocs: lines that belong to an instruction without being one.

use super::Instruction;

/// A heredoc.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Heredoc {
    /// The word that ends it.
    pub name: String,
    /// Whether variables in it are expanded: not if any part of the name is quoted.
    pub is_expanded: bool,
    /// Whether leading tabs are taken away (`<<-`).
    pub strips_tabs: bool,
    /// Its body, with its line feeds.
    pub body: String,
}

/// The heredocs that an instruction opens, without their bodies.
pub(super) fn opened_by(instruction: &Instruction) -> Vec<Heredoc> {
    let keyword = match instruction.keyword.as_str() {
        "ONBUILD" => instruction
            .arguments
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .to_ascii_uppercase(),
        keyword => keyword.to_owned(),
    };
    if !matches!(keyword.as_str(), "RUN" | "COPY" | "ADD") {
        return Vec::new();
    }
    words(&instruction.arguments)
        .iter()
        .filter_map(|word| open(word))
        .collect()
}

/// A word such as `<<EOF`, `3<<-'EOF'` or `<<"A B"`.
pub(crate) fn open(word: &str) -> Option<Heredoc> {
    let rest = word
        .trim_start_matches(|character: char| character.is_ascii_digit())
        .strip_prefix("<<")?;
    let (rest, strips_tabs) = match rest.strip_prefix('-') {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    if rest.contains('<') {
        return None;
    }
    let name: String = rest
        .chars()
        .filter(|character| !matches!(character, '"' | '\'' | '\\'))
        .collect();
    (!name.is_empty()).then(|| Heredoc {
        is_expanded: name.len() == rest.len(),
        name,
        strips_tabs,
        body: String::new(),
    })
}

impl Heredoc {
    /// Reads the body from these lines on and returns the index after its end.
    pub(super) fn read_body(&mut self, lines: &[&str], from: usize) -> Option<usize> {
        for (offset, line) in lines[from.min(lines.len())..].iter().enumerate() {
            let line = if self.strips_tabs {
                line.trim_start_matches('\t')
            } else {
                line
            };
            if line == self.name {
                return Some(from + offset + 1);
            }
            self.body.push_str(line);
            self.body.push('\n');
        }
        None
    }
}

/// The words between blanks; quotes hold a word together and stay in it.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for character in text.chars() {
        match quote {
            None if character.is_whitespace() => {
                words.push(std::mem::take(&mut word));
                continue;
            }
            None if matches!(character, '"' | '\'') => quote = Some(character),
            Some(open) if open == character => quote = None,
            _ => {}
        }
        word.push(character);
    }
    words.push(word);
    words
}
