//! Parser directives: `# escape=` and its like, at the very top of a Dockerfile.

use std::collections::HashSet;

/// What the directives say, as far as they have been read.
pub(super) struct Directives {
    pub(super) escape: char,
    seen: HashSet<String>,
    are_over: bool,
}

impl Default for Directives {
    fn default() -> Self {
        Self {
            escape: '\\',
            seen: HashSet::new(),
            are_over: false,
        }
    }
}

impl Directives {
    /// Those of lines somewhere in a Dockerfile: there are none.
    pub(super) fn of_a_part(escape: char) -> Self {
        Self {
            escape,
            are_over: true,
            ..Self::default()
        }
    }

    /// Looks at a line; returns whether it is a directive.
    pub(super) fn line(&mut self, line: &str) -> Result<bool, String> {
        if self.are_over {
            return Ok(false);
        }
        let Some((name, value)) =
            split(line).filter(|(name, _)| matches!(name.as_str(), "escape" | "syntax" | "check"))
        else {
            self.are_over = true;
            return Ok(false);
        };
        if !self.seen.insert(name.clone()) {
            return Err(format!("there is more than one directive `# {name}=`"));
        }
        if name == "escape" {
            self.escape = match value {
                "`" => '`',
                "\\" => '\\',
                other => {
                    return Err(format!(
                        "the escape character `{}` is neither a backslash nor a backtick",
                        other.escape_debug()
                    ));
                }
            };
        }
        Ok(true)
    }
}

/// `# name = value`, the name in lower case.
fn split(line: &str) -> Option<(String, &str)> {
    let is_space = |character: char| matches!(character, ' ' | '\t' | '\n' | '\r' | '\u{c}');
    let (name, value) = line.strip_prefix('#')?.split_once('=')?;
    let name = name.trim_matches(is_space);
    let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let value = value.trim_matches(is_space);
    (is_name && !value.is_empty()).then(|| (name.to_ascii_lowercase(), value))
}
