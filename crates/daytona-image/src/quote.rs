//! The only module that quotes text.

use std::fmt::Write;

use crate::problem::ProblemKind;

/// One word for a POSIX shell, as Python's `shlex.quote` writes it. In `ENV` and `WORKDIR`, Docker gives single quotes
/// the same meaning.
pub(crate) fn shell_word(text: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "_@%+=:,./-".contains(character);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r#"'"'"'"#))
    }
}

/// Packages as words of a shell, sorted by code point; `None` if there are none.
pub(crate) fn packages(packages: &[String]) -> Result<Option<String>, Vec<ProblemKind>> {
    let mut sorted: Vec<&String> = packages.iter().collect();
    sorted.sort();
    let problem = |package: &&String| {
        if package.trim().is_empty() {
            Some(ProblemKind::Empty { what: "a package" })
        } else {
            ProblemKind::one_line("a package", package)
        }
    };
    let problems: Vec<ProblemKind> = sorted.iter().filter_map(problem).collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    let words: Vec<String> = sorted.iter().map(|package| shell_word(package)).collect();
    Ok((!words.is_empty()).then(|| words.join(" ")))
}

/// Whether a path means itself in the plain form of `COPY`, whatever the escape character.
pub(crate) fn is_plain_copy_source(path: &str) -> bool {
    let plain = |character: char| character.is_alphanumeric() || "_@%+=:,./-".contains(character);
    !path.is_empty() && !path.starts_with('-') && path.chars().all(plain)
}

/// The JSON form of an instruction: `["a", "b"]`, with a blank after each comma.
pub(crate) fn json_form<S: AsRef<str>>(words: &[S]) -> String {
    let strings: Vec<String> = words.iter().map(|word| json_string(word.as_ref())).collect();
    format!("[{}]", strings.join(", "))
}

/// The JSON form with every character outside ASCII escaped, as the official SDKs write it for `COPY`.
pub(crate) fn ascii_json_form<S: AsRef<str>>(words: &[S]) -> String {
    let mut ascii = String::new();
    for character in json_form(words).chars() {
        if character.is_ascii() {
            ascii.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(ascii, "\\u{unit:04x}").expect("a String takes all that is written");
            }
        }
    }
    ascii
}

fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A target of `COPY`, which BuildKit reads as a word of its shell. Quotes and the escape character mean themselves,
/// and variables are replaced, as Docker's users expect of a target.
pub(crate) fn copy_target(target: &str, escape: char) -> String {
    escaped(target, escape, &['\'', '"'])
}

/// The name of a file at the end of a target. All of its characters mean themselves.
pub(crate) fn copy_target_name(name: &str, escape: char) -> String {
    escaped(name, escape, &['\'', '"', '$'])
}

fn escaped(text: &str, escape: char, special: &[char]) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        if character == escape || special.contains(&character) {
            escaped.push(escape);
        }
        escaped.push(character);
    }
    escaped
}

/// A path of the context as a source of `COPY` that means itself.
///
/// BuildKit reads a source three times: as a word of its shell (quotes, `$`, the escape character), as a pattern of the
/// files that it asks the client for, and as a pattern in the manner of Go's `path.Match` when it copies.
pub(crate) fn copy_source(path: &str, escape: char) -> String {
    copy_target_name(&literal_pattern(path), escape)
}

/// A pattern that matches only this path, with both kinds of patterns.
///
/// Each special character is put into a class of its own. A backslash alone is not enough: without a class the second
/// pattern is not a pattern, and keeps the backslash. Some characters need a backslash even in the class, because the
/// first pattern becomes a regular expression in which `*` and `?` are replaced there too. A `!` at the beginning makes
/// an exception, and blanks at the ends are cut off.
fn literal_pattern(path: &str) -> String {
    let mut pattern = String::new();
    for (index, character) in path.char_indices() {
        let is_first = index == 0;
        let is_last = index + character.len_utf8() == path.len();
        let written = match character {
            '*' | '?' | '^' | '\\' => write!(pattern, "[\\{character}]"),
            '[' => write!(pattern, "[{character}]"),
            '!' if is_first => write!(pattern, "[{character}]"),
            blank if blank.is_whitespace() && (is_first || is_last) => write!(pattern, "[{blank}]"),
            plain => write!(pattern, "{plain}"),
        };
        written.expect("a String takes all that is written");
    }
    pattern
}
