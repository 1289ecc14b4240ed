//! Plain English: phrases that made readers stop, and what to write instead.

use super::{Findings, has_extension};

/// A phrase in lower case, and what replaces it.
const PHRASES: [(&str, &str); 12] = [
    ("so many", "this many"),
    ("but for", "except"),
    ("is none of", "is not one of"),
    ("of one's own", "your own"),
    ("inside of", "inside"),
    ("outside of", "outside"),
    ("for ever", "forever"),
    ("borne", "handled"),
    ("back slash", "backslash"),
    ("time-out", "timeout"),
    ("time-outs", "timeouts"),
    ("is no instruction", "unknown instruction"),
];

impl Findings {
    /// Looks for the phrases in a text that is written here.
    pub(super) fn english(&mut self, name: &str, text: &str) {
        let is_ours = has_extension(name, &["json", "md", "rs", "toml", "yaml", "yml"])
            && !["/fixtures/", "/projects/", "/generated/"]
                .iter()
                .any(|part| name.contains(part))
            && name != "xtask/src/tidy/english.rs";
        if !is_ours {
            return;
        }
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.to_lowercase();
            for (phrase, instead) in PHRASES.iter().filter(|(phrase, _)| has_words(&line, phrase)) {
                self.tell(name, number, &format!("says `{phrase}`: write `{instead}`"));
            }
        }
    }
}

/// Whether a line contains a phrase as whole words.
fn has_words(line: &str, phrase: &str) -> bool {
    line.match_indices(phrase).any(|(start, _)| {
        let is_part = |neighbour: char| neighbour.is_alphanumeric() || neighbour == '_' || neighbour == '-';
        let before = line[..start].chars().next_back();
        let after = line[start + phrase.len()..].chars().next();
        ![before, after].into_iter().flatten().any(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, text: &str) -> Vec<String> {
        let mut findings = Findings::default();
        findings.english(name, text);
        findings.0
    }

    #[test]
    fn phrases_are_found_as_whole_words() {
        let found = found(
            "crates/x/src/a.rs",
            "/// Fine.\n/// So many bytes.\n// For everybody, airborne.\n",
        );
        assert_eq!(found, ["  crates/x/src/a.rs:2: says `so many`: write `this many`"]);
    }

    #[test]
    fn descriptions_in_json_are_looked_at() {
        assert_eq!(
            found("crates/x/src/openapi.json", "\"Reads so many bytes.\"\n").len(),
            1
        );
    }

    #[test]
    fn each_phrase_is_found() {
        for (phrase, instead) in PHRASES {
            let found = found("README.md", &format!("It {phrase} it.\n"));
            assert!(found.iter().any(|found| found.contains(instead)), "{phrase}: {found:?}");
        }
    }

    #[test]
    fn text_of_others_is_left_alone() {
        assert!(found("crates/x/tests/fixtures/a.md", "inside of\n").is_empty());
        assert!(found("crates/x/src/generated/a.rs", "// inside of\n").is_empty());
    }
}
