//! Makes text of others safe for a message.

use std::error::Error;
use std::fmt::Write;

/// Escapes characters that a terminal obeys instead of showing them. Line feeds and tabs stay.
pub(crate) fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.replace("\r\n", "\n").chars() {
        if is_obeyed(character) {
            // Writing to a string cannot fail.
            let _ = write!(shown, "{}", character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Control characters, separators of lines and paragraphs, and characters that change the direction of text.
fn is_obeyed(character: char) -> bool {
    let is_layout = matches!(character, '\n' | '\t');
    let turns_text = matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    character.is_control() && !is_layout || turns_text
}

/// The text on one line, and escaped.
pub(crate) fn one_line(text: &str) -> String {
    let text = escaped(text);
    if !text.contains('\n') {
        return text;
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

/// The beginning of a text, on one line.
pub(crate) fn beginning(text: &str) -> String {
    const LONGEST: usize = 500;
    let line = one_line(text);
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// The text of an error and its sources, on one line. What a source repeats is left out.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = one_line(&error.to_string());
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = one_line(&error.to_string());
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        assert_eq!(
            escaped("a\u{1b}]0;title\u{7}\u{9b}31m\u{202e}b\r"),
            "a\\u{1b}]0;title\\u{7}\\u{9b}31m\\u{202e}b\\u{d}"
        );
        assert_eq!(escaped("Grüße, \u{1f980}\n\tnext"), "Grüße, \u{1f980}\n\tnext");
    }

    #[test]
    fn lines_become_one() {
        assert_eq!(one_line("a.\r\n\n  b\n"), "a. b");
        assert_eq!(one_line(" as it is "), " as it is ");
        assert!(beginning(&"x".repeat(600)).ends_with("x…"));
    }
}
