//! The emulator's own reading of a Dockerfile: enough to know the steps and their sources.

/// One instruction, with the line on which it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) line: usize,
    /// In upper case.
    pub(crate) keyword: String,
    /// All that follows, on one line; without the bodies of heredocs.
    pub(crate) rest: String,
    /// The heredocs that it opens, in their order.
    pub(crate) heredocs: Vec<Heredoc>,
}

/// A heredoc of an instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heredoc {
    /// Its delimiter without quotes, which is also the name of the file that `COPY` makes of it.
    pub(crate) name: String,
    /// Its lines, tabs stripped where it says so.
    pub(crate) body: String,
    /// Whether variables in it are put in.
    pub(crate) expands: bool,
    strips_tabs: bool,
}

/// A Dockerfile, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dockerfile {
    pub(crate) instructions: Vec<Instruction>,
    /// The escape character.
    pub(crate) escape: char,
}

const KEYWORDS: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// Reads the text, or says what the image builder would say.
pub(crate) fn read(text: &str) -> Result<Dockerfile, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines: Vec<&str> = text
        .split('\n')
        .map(|line| line.strip_suffix('\r').unwrap_or(line))
        .collect();
    let escape = escape_directive(&lines);
    let mut instructions = Vec::new();
    let mut index = 0;
    while index < lines.len() {
        let first = index;
        if is_skipped(lines[index]) {
            index += 1;
            continue;
        }
        let mut logical = String::new();
        loop {
            let line = lines[index];
            index += 1;
            // Comments and blank lines between continued lines do not count.
            if index - 1 > first && is_skipped(line) {
                if index == lines.len() {
                    break;
                }
                continue;
            }
            match line.trim_end().strip_suffix(escape) {
                Some(start) => logical.push_str(start),
                None => {
                    logical.push_str(line);
                    break;
                }
            }
            if index == lines.len() {
                break;
            }
        }
        let logical = logical.trim();
        let (keyword, rest) = logical.split_once(char::is_whitespace).unwrap_or((logical, ""));
        let keyword = keyword.to_ascii_uppercase();
        if !KEYWORDS.contains(&keyword.as_str()) {
            return Err(format!(
                "dockerfile parse error on line {}: unknown instruction: {keyword}",
                first + 1
            ));
        }
        let mut heredocs = heredocs(&keyword, rest);
        for heredoc in &mut heredocs {
            let end = end_of_heredoc(&lines, index, heredoc)
                .ok_or_else(|| format!("dockerfile parse error on line {}: unterminated heredoc", first + 1))?;
            for line in &lines[index..end] {
                let line = if heredoc.strips_tabs {
                    line.trim_start_matches('\t')
                } else {
                    line
                };
                heredoc.body.push_str(line);
                heredoc.body.push('\n');
            }
            index = end + 1;
        }
        instructions.push(Instruction {
            line: first + 1,
            keyword,
            rest: rest.trim().to_owned(),
            heredocs,
        });
    }
    if instructions.is_empty() {
        return Err("the Dockerfile cannot be empty".to_owned());
    }
    Ok(Dockerfile { instructions, escape })
}

/// `# escape=` among the comments at the very top.
fn escape_directive(lines: &[&str]) -> char {
    for line in lines {
        let directive = line
            .trim()
            .strip_prefix('#')
            .and_then(|comment| comment.split_once('='));
        let Some((name, value)) = directive else { break };
        if name.trim().eq_ignore_ascii_case("escape") {
            return if value.trim() == "`" { '`' } else { '\\' };
        }
    }
    '\\'
}

fn is_skipped(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with('#')
}

/// The heredocs that an instruction opens, still without their bodies.
fn heredocs(keyword: &str, rest: &str) -> Vec<Heredoc> {
    let opens = match keyword {
        "RUN" | "COPY" | "ADD" => true,
        "ONBUILD" => rest.split_whitespace().next().is_some_and(|inner| {
            ["RUN", "COPY", "ADD"]
                .iter()
                .any(|name| inner.eq_ignore_ascii_case(name))
        }),
        _ => false,
    };
    if !opens {
        return Vec::new();
    }
    rest.split_whitespace().filter_map(heredoc).collect()
}

/// The heredoc that a word opens.
pub(crate) fn heredoc(word: &str) -> Option<Heredoc> {
    // A file descriptor may stand before it.
    let word = word.trim_start_matches(|character: char| character.is_ascii_digit());
    let delimiter = word.strip_prefix("<<")?;
    let (delimiter, strips_tabs) = match delimiter.strip_prefix('-') {
        Some(rest) => (rest, true),
        None => (delimiter, false),
    };
    let bare = delimiter.trim_matches(['"', '\'']);
    let is_word = bare
        .chars()
        .all(|character| character.is_alphanumeric() || matches!(character, '_' | '.' | '-'));
    (!bare.is_empty() && is_word).then(|| Heredoc {
        name: bare.to_owned(),
        body: String::new(),
        expands: bare == delimiter,
        strips_tabs,
    })
}

/// The line that closes a heredoc.
fn end_of_heredoc(lines: &[&str], from: usize, heredoc: &Heredoc) -> Option<usize> {
    let closes = |line: &str| {
        let line = if heredoc.strips_tabs {
            line.trim_start_matches('\t')
        } else {
            line
        };
        line == heredoc.name
    };
    lines[from..]
        .iter()
        .position(|line| closes(line))
        .map(|offset| from + offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keywords(text: &str) -> Vec<String> {
        read(text)
            .unwrap()
            .instructions
            .into_iter()
            .map(|instruction| instruction.keyword)
            .collect()
    }

    #[test]
    fn continuations_comments_and_heredocs_are_no_instructions() {
        let text = "# escape=`\nFROM a:1\nRUN one && `\n# comment\n\n  two\nRUN <<EOF cat <<-'X'\nCOPY a b\nEOF\n\tUSER x\n\tX\nuser me\n";
        assert_eq!(keywords(text), ["FROM", "RUN", "RUN", "USER"]);
        assert_eq!(read(text).unwrap().instructions[1].rest, "one &&   two");
    }

    #[test]
    fn what_is_no_dockerfile_is_refused() {
        assert!(read("").unwrap_err().contains("empty"));
        assert!(
            read("FROM a\nFOO b")
                .unwrap_err()
                .contains("line 2: unknown instruction: FOO")
        );
        assert!(
            read("FROM a\nRUN <<EOF\nx")
                .unwrap_err()
                .contains("unterminated heredoc")
        );
    }
}
