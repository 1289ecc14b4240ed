//! Requirements files.

use std::path::{Path, PathBuf};

use super::local::from_path;
use super::pip::{PipOptions, pip_options};
use super::requirement;
use crate::problem::ProblemKind;

/// The path of a requirements file in the image.
pub(crate) const REQUIREMENTS_TARGET: &str = "/.requirements.txt";

/// The directory for a requirements file and the files that it names.
pub(crate) const REQUIREMENTS_FOLDER: &str = "/.requirements";

/// A requirements file and pip's options.
///
/// Files that it names with `-r` and `-c` are sent too, and so are the files that those name. They must be in its
/// directory or below.
///
/// ```
/// use daytona_image::{Image, Requirements};
///
/// let requirements =
///     Requirements::new("requirements.txt").index_url("https://pypi.example/simple");
/// let image = Image::debian_slim("3.12").pip_install_from_requirements(requirements);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Requirements {
    pub(crate) path: PathBuf,
    pub(super) options: PipOptions,
}

pip_options!(Requirements);
from_path!(Requirements);

impl Requirements {
    /// The requirements file at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            options: PipOptions::default(),
        }
    }

    /// The command for the file at this path in the image, which is a word of a shell.
    pub(crate) fn command(&self, target: &str) -> Result<String, Vec<ProblemKind>> {
        let options = self.options.render(" --pre")?;
        Ok(format!("python -m pip install -r {target}{options}"))
    }
}

/// A line of a requirements file that concerns this machine.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// Another file, by its path relative to this file.
    File(String),
    /// A line that cannot work, and what to do.
    Problem(String),
}

/// The files that the lines of a requirements file name, each with its line number, counted from 1.
pub(crate) fn named(text: &str) -> Vec<(usize, Named)> {
    let mut named = Vec::new();
    for (line, text) in logical_lines(text) {
        let found = of_line(&text);
        named.extend(found.into_iter().map(|found| (line, found)));
    }
    named
}

/// Lines without comments. A line that ends in a backslash is joined with the next.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = Vec::new();
    let mut begun: Option<(usize, String)> = None;
    for (index, line) in text.lines().enumerate() {
        let is_comment = line.trim_start().starts_with('#');
        let (number, mut whole) = begun.take().unwrap_or((index + 1, String::new()));
        match line.strip_suffix('\\') {
            Some(start) if !is_comment => {
                whole.push_str(start);
                begun = Some((number, whole));
            }
            // A comment ends a line that goes on.
            _ => {
                whole.push_str(if is_comment { " " } else { "" });
                whole.push_str(line);
                lines.push((number, whole));
            }
        }
    }
    lines.extend(begun);
    for (_, line) in &mut lines {
        let comment = line
            .match_indices('#')
            .find(|(index, _)| line[..*index].chars().next_back().is_none_or(char::is_whitespace));
        if let Some((index, _)) = comment {
            line.truncate(index);
        }
    }
    lines.retain(|(_, line)| !line.trim().is_empty());
    lines
}

fn of_line(line: &str) -> Vec<Named> {
    let line = line.trim();
    if !line.starts_with('-') {
        let problem = requirement::local_path(line).map(|problem| Named::Problem(format!("`{line}` {problem}")));
        return problem.into_iter().collect();
    }
    let mut named = Vec::new();
    let mut words = words(line).into_iter();
    while let Some(word) = words.next() {
        let Some((option, value)) = split_option(&word) else {
            continue;
        };
        let Some(value) = value.or_else(|| words.next()) else {
            continue;
        };
        let is_address = value.contains("://") && !value.to_ascii_lowercase().starts_with("file:");
        match option {
            File::Requirements if !is_address => named.push(Named::File(value)),
            File::Links if !is_address => named.push(Named::Problem(format!(
                "`{line}` names a directory on this machine, which is not sent: copy it with `add_local_dir` and install from it with \
                 `run_commands`"
            ))),
            File::Editable if !is_address || requirement::local_path(&value).is_some() => {
                named.push(Named::Problem(format!(
                    "`{line}` installs a project on this machine, which is not sent: copy it with `add_local_dir` and install it \
                     with `run_commands`"
                )));
            }
            _ => {}
        }
    }
    named
}

/// Options whose value is a file or directory.
#[derive(Clone, Copy)]
enum File {
    Requirements,
    Editable,
    Links,
}

/// An option of interest, and its value if that is in the same word.
fn split_option(word: &str) -> Option<(File, Option<String>)> {
    const LONG: [(&str, File); 4] = [
        ("--requirement", File::Requirements),
        ("--constraint", File::Requirements),
        ("--editable", File::Editable),
        ("--find-links", File::Links),
    ];
    const SHORT: [(&str, File); 4] = [
        ("-r", File::Requirements),
        ("-c", File::Requirements),
        ("-e", File::Editable),
        ("-f", File::Links),
    ];
    if word.starts_with("--") {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (word, None),
        };
        let option = LONG.iter().find(|(long, _)| *long == name)?.1;
        return Some((option, value));
    }
    let (short, option) = SHORT.iter().find(|(short, _)| word.starts_with(short))?;
    let value = word.strip_prefix(short).filter(|value| !value.is_empty());
    Some((*option, value.map(str::to_owned)))
}

/// The words of a line, as a shell splits it.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut has_word) = (Vec::new(), String::new(), None, false);
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (None, blank) if blank.is_whitespace() => {
                if has_word {
                    words.push(std::mem::take(&mut word));
                }
                has_word = false;
                continue;
            }
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            (None | Some('"'), '\\') => word.extend(characters.next()),
            (_, other) => word.push(other),
        }
        has_word = true;
    }
    if has_word {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_paths_are_found_in_their_lines() {
        let text = "# -r no\nrequests\n-r base.txt # yes\n-cother/c.txt\n--requirement=a.txt\n--constraint  'b c.txt'\n\
                    numpy \\\n  >= 2\n-e .\n-r https://example.com/r.txt\n./x.whl\n-f wheels\n-i https://x\n\
                    -e git+https://example.com/x.git\nx --hash=sha256:ab/#c\n-r \\\nlast.txt\n";
        let file = |name: &str| Named::File(name.to_owned());
        let found = named(text);
        let files: Vec<_> = found
            .iter()
            .filter(|(_, named)| matches!(named, Named::File(_)))
            .collect();
        assert_eq!(
            files,
            [
                &(3, file("base.txt")),
                &(4, file("other/c.txt")),
                &(5, file("a.txt")),
                &(6, file("b c.txt")),
                &(16, file("last.txt")),
            ]
        );
        let problems: Vec<usize> = found
            .iter()
            .filter(|(_, named)| matches!(named, Named::Problem(_)))
            .map(|(line, _)| *line)
            .collect();
        assert_eq!(problems, [9, 11, 12]);
    }
}
