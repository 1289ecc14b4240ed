//! Makes names and texts of others safe for messages. The name of a file may contain control characters, which would
//! reach the reader's terminal.

use std::borrow::Cow;
use std::fmt::{self, Display, Write};
use std::path::Path;

/// A path, with its control characters escaped. On Windows without the prefix `\\?\`.
pub(crate) fn path(path: &Path) -> Escaped {
    let shown = path.to_string_lossy();
    if cfg!(windows) {
        text(&plain(&shown))
    } else {
        text(&shown)
    }
}

/// `\\?\C:\x` as `C:\x`, and `\\?\UNC\host\share` as `\\host\share`.
fn plain(path: &str) -> Cow<'_, str> {
    match path.strip_prefix(r"\\?\") {
        Some(rest) => match rest.strip_prefix(r"UNC\") {
            Some(share) => Cow::Owned(format!(r"\\{share}")),
            None => Cow::Borrowed(rest),
        },
        None => Cow::Borrowed(path),
    }
}

/// A text, with its control characters escaped.
pub(crate) fn text(text: &str) -> Escaped {
    Escaped(text.to_owned())
}

/// A text that has no effect on a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Escaped(String);

impl Display for Escaped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if is_harmless(character) {
                formatter.write_char(character)?;
            } else {
                write!(formatter, "{}", character.escape_default())?;
            }
        }
        Ok(())
    }
}

/// How many bytes of a long message are shown, at its beginning and at its end.
const SHOWN: (usize, usize) = (1_500, 500);

/// The message, without its middle if it is very long.
pub(crate) fn cut(message: &str) -> Cow<'_, str> {
    let left_out = message.len().saturating_sub(SHOWN.0 + SHOWN.1);
    if left_out == 0 {
        return Cow::Borrowed(message);
    }
    let start = message.floor_char_boundary(SHOWN.0);
    let end = message.ceil_char_boundary(message.len() - SHOWN.1);
    let count = end - start;
    Cow::Owned(format!(
        "{} [… {count} bytes more …] {}",
        &message[..start],
        &message[end..]
    ))
}

/// Whether it is neither a control character nor one that changes the direction of text.
fn is_harmless(character: char) -> bool {
    let turns = matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !character.is_control() && !turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_of_a_literal_path_is_not_shown() {
        for (path, shown) in [
            (r"\\?\C:\a b", r"C:\a b"),
            (r"\\?\UNC\host\share\x", r"\\host\share\x"),
            (r"C:\x", r"C:\x"),
            ("a/b", "a/b"),
        ] {
            assert_eq!(plain(path), shown);
        }
    }

    #[test]
    fn what_would_steer_a_terminal_is_escaped_and_nothing_else() {
        for (name, shown) in [
            ("a b\\é日'\"`", "a b\\é日'\"`"),
            ("\u{1b}]0;owned\u{7}", "\\u{1b}]0;owned\\u{7}"),
            ("a\nb\t\u{9b}2J", "a\\nb\\t\\u{9b}2J"),
            ("a\u{202e}txt.exe", "a\\u{202e}txt.exe"),
        ] {
            assert_eq!(text(name).to_string(), shown);
            assert_eq!(path(Path::new(name)).to_string(), shown);
        }
    }
}
