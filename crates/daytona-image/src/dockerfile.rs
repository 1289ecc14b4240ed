//! The Dockerfile reader.
//!
//! It reads what BuildKit reads: parser directives, continued lines with comments and blank lines between them, heredocs
//! wherever they may stand, JSON forms and flags. It knows nothing of files; what an instruction takes from the build context
//! is worked out elsewhere.
//!
//! Reference: <https://docs.docker.com/reference/dockerfile/>.

pub(crate) mod glob;
mod heredoc;
pub(crate) mod stages;
pub(crate) mod word;

pub use heredoc::Heredoc;

/// A Dockerfile, read.
///
/// ```
/// use daytona_image::dockerfile::Dockerfile;
///
/// let dockerfile = Dockerfile::parse("FROM alpine:3.20\nCOPY --chown=1:1 [\"a b\", \"/x/\"]\n")?;
/// let copy = &dockerfile.instructions()[1];
/// assert_eq!((copy.line, copy.keyword.as_str()), (2, "COPY"));
/// assert_eq!(copy.flag("chown"), Some("1:1"));
/// assert_eq!(copy.words(), ["a b", "/x/"]);
/// # Ok::<(), daytona_image::dockerfile::SyntaxError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dockerfile {
    instructions: Vec<Instruction>,
    escape: char,
    ends_continued: bool,
}

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Instruction {
    /// The line on which it begins, counted from 1.
    pub line: usize,
    /// Its keyword, in upper case.
    pub keyword: String,
    /// Its flags: the name without dashes, and the value if there is one.
    pub flags: Vec<(String, Option<String>)>,
    /// What follows the flags, continued lines joined.
    pub arguments: String,
    /// The heredocs that it opens, with their bodies.
    pub heredocs: Vec<Heredoc>,
}

/// A text that is no Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
#[non_exhaustive]
pub struct SyntaxError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

/// Every instruction there is.
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

/// Those that may have flags.
const WITH_FLAGS: [&str; 6] = ["ADD", "COPY", "FROM", "HEALTHCHECK", "ONBUILD", "RUN"];

impl Dockerfile {
    /// Reads a Dockerfile. CRLF counts as a line feed, a byte order mark as nothing.
    ///
    /// # Errors
    ///
    /// [`SyntaxError`] with the line of what BuildKit would refuse too: an unknown instruction, an open heredoc, a file
    /// without an instruction.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let text = normalize(text);
        let escape = escape_directive(&text);
        let parsed = Self::parse_part(&text, escape)?;
        if parsed.instructions.is_empty() {
            return Err(SyntaxError {
                line: 1,
                problem: "a Dockerfile needs an instruction, and there is none".to_owned(),
            });
        }
        Ok(parsed)
    }

    /// Reads lines that stand somewhere in a Dockerfile with this escape character; there may be none.
    pub(crate) fn parse_part(text: &str, escape: char) -> Result<Self, SyntaxError> {
        let lines: Vec<&str> = text.split('\n').collect();
        let (mut instructions, mut ends_continued) = (Vec::new(), false);
        let mut index = 0;
        while index < lines.len() {
            if is_skipped(lines[index]) {
                index += 1;
                continue;
            }
            let first = index;
            let logical = join(&lines, &mut index, escape);
            ends_continued = logical.is_continued;
            let mut instruction = read_instruction(&logical.text, first + 1)?;
            for mut heredoc in heredoc::opened_by(&instruction) {
                index = heredoc.read_body(&lines, index).ok_or_else(|| SyntaxError {
                    line: first + 1,
                    problem: format!(
                        "the heredoc `{}` is not closed: its name has to stand alone on a line",
                        heredoc.name
                    ),
                })?;
                instruction.heredocs.push(heredoc);
                ends_continued = false;
            }
            instructions.push(instruction);
        }
        Ok(Self {
            instructions,
            escape,
            ends_continued,
        })
    }

    /// The instructions, in their order.
    pub fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }

    /// The escape character: a backslash, unless the directive `# escape` says a backtick.
    pub fn escape(&self) -> char {
        self.escape
    }

    /// Whether the last line asks for one more, which would glue itself to what is appended.
    pub(crate) fn ends_continued(&self) -> bool {
        self.ends_continued
    }
}

impl Instruction {
    /// The value of a flag; empty if it has none.
    pub fn flag(&self, name: &str) -> Option<&str> {
        let flag = self.flags.iter().find(|(other, _)| other == name)?;
        Some(flag.1.as_deref().unwrap_or_default())
    }

    /// The values of a flag that may stand several times.
    pub fn flag_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let flags = self.flags.iter().filter(move |(other, _)| other == name);
        flags.filter_map(|(_, value)| value.as_deref())
    }

    /// The words of its JSON form, or `None` if it is not in that form.
    pub fn json(&self) -> Option<Vec<String>> {
        serde_json::from_str(&self.arguments).ok()
    }

    /// Its words: of the JSON form, else what stands between blanks.
    pub fn words(&self) -> Vec<String> {
        self.json()
            .unwrap_or_else(|| self.arguments.split_whitespace().map(ToOwned::to_owned).collect())
    }

    /// The instruction that `ONBUILD` puts off.
    pub(crate) fn trigger(&self) -> Option<Result<Self, SyntaxError>> {
        (self.keyword == "ONBUILD").then(|| {
            let mut inner = read_instruction(&self.arguments, self.line)?;
            inner.heredocs.clone_from(&self.heredocs);
            Ok(inner)
        })
    }
}

/// The text with line feeds only, and without a byte order mark.
pub(crate) fn normalize(text: &str) -> String {
    text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n")
}

/// The escape character of a text: that of `# escape=` among the directives at its very top.
pub(crate) fn escape_directive(text: &str) -> char {
    for line in text.lines() {
        let directive = line
            .trim()
            .strip_prefix('#')
            .and_then(|comment| comment.split_once('='));
        let Some((name, value)) = directive else { break };
        let name = name.trim().to_ascii_lowercase();
        match name.as_str() {
            "escape" => return if value.trim() == "`" { '`' } else { '\\' },
            "syntax" | "check" => {}
            _ => break,
        }
    }
    '\\'
}

/// Whether a line is blank or a comment.
fn is_skipped(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with('#')
}

struct Logical {
    text: String,
    /// Whether the last line asked for one more.
    is_continued: bool,
}

/// Joins the line at `index` with those that continue it. Blank lines and comments between them do not count.
fn join(lines: &[&str], index: &mut usize, escape: char) -> Logical {
    let mut logical = Logical {
        text: String::new(),
        is_continued: true,
    };
    let first = *index;
    while logical.is_continued && *index < lines.len() {
        let line = lines[*index];
        *index += 1;
        if *index - 1 > first && is_skipped(line) {
            continue;
        }
        match continued(line, escape) {
            Some(start) => logical.text.push_str(start),
            None => {
                logical.text.push_str(line);
                logical.is_continued = false;
            }
        }
    }
    logical
}

/// The line without its escape character at the end, if it has one that is not escaped itself.
pub(crate) fn continued(line: &str, escape: char) -> Option<&str> {
    let start = line.trim_end_matches([' ', '\t']).strip_suffix(escape)?;
    (!start.ends_with(escape)).then_some(start)
}

fn read_instruction(text: &str, line: usize) -> Result<Instruction, SyntaxError> {
    let text = text.trim();
    let (keyword, mut rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let keyword = keyword.to_ascii_uppercase();
    if !KEYWORDS.contains(&keyword.as_str()) {
        let problem = format!("`{}` is no instruction of a Dockerfile", keyword.escape_debug());
        return Err(SyntaxError { line, problem });
    }
    rest = rest.trim_start();
    let mut flags = Vec::new();
    while let Some(flag) = rest
        .strip_prefix("--")
        .filter(|_| WITH_FLAGS.contains(&keyword.as_str()))
    {
        let (flag, after) = flag.split_once(char::is_whitespace).unwrap_or((flag, ""));
        rest = after.trim_start();
        if flag.is_empty() {
            break;
        }
        flags.push(match flag.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (flag.to_owned(), None),
        });
    }
    if rest.is_empty() && !matches!(keyword.as_str(), "CMD" | "ENTRYPOINT") {
        return Err(SyntaxError {
            line,
            problem: format!("{keyword} needs an argument"),
        });
    }
    Ok(Instruction {
        line,
        keyword,
        flags,
        arguments: rest.to_owned(),
        heredocs: Vec::new(),
    })
}
