//! An instruction as it was read.

use std::borrow::Cow;

use super::heredoc::Heredoc;

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    pub(super) line: usize,
    pub(super) last_line: usize,
    pub(super) keyword: Cow<'static, str>,
    pub(super) flags: Vec<String>,
    pub(super) arguments: Arguments,
    pub(super) heredocs: Vec<Heredoc>,
    /// Its line, continued ones joined, of what `ONBUILD` puts off.
    pub(super) text: String,
}

/// What follows the flags of an instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Arguments {
    /// The rest of the line, of `RUN`, `CMD`, `ENTRYPOINT`, `SHELL`, `USER`, `WORKDIR`, `STOPSIGNAL` and `MAINTAINER`.
    Text(String),
    /// Words: between blanks, or of `ARG` with their quotes. Also where there is nothing.
    Words(Vec<String>),
    /// The words of the JSON form. Those of `HEALTHCHECK` begin with its kind.
    Json(Vec<String>),
    /// The pairs of `ENV` and `LABEL`, with their quotes.
    Pairs(Vec<Pair>),
    /// The instruction that `ONBUILD` puts off. Its heredocs are those of the `ONBUILD`.
    Trigger(Box<Instruction>),
    /// Those of an unknown instruction are not read.
    Unknown,
}

/// A pair of `ENV` or `LABEL`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pair {
    /// The name, as it was written.
    pub name: String,
    /// The value, as it was written.
    pub value: String,
    /// Whether it was written `ENV name value`.
    pub is_old_form: bool,
}

impl Instruction {
    /// The line on which it begins, counted from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The line on which it ends, with its heredocs.
    pub fn last_line(&self) -> usize {
        self.last_line
    }

    /// Its keyword, in upper case.
    pub fn keyword(&self) -> &str {
        &self.keyword
    }

    /// Its flags without their quotes, each with its dashes.
    pub fn flags(&self) -> &[String] {
        &self.flags
    }

    /// What follows the flags.
    pub fn arguments(&self) -> &Arguments {
        &self.arguments
    }

    /// The heredocs that it opens, with their bodies.
    pub fn heredocs(&self) -> &[Heredoc] {
        &self.heredocs
    }

    /// The value of a flag; empty if it has none.
    pub fn flag(&self, name: &str) -> Option<&str> {
        self.flags.iter().find_map(|flag| value_of(flag, name))
    }

    /// The values of a flag that may stand several times.
    pub fn flag_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.flags.iter().filter_map(move |flag| value_of(flag, name))
    }

    /// The words of its JSON form, or `None` if it is not in that form.
    pub fn json(&self) -> Option<&[String]> {
        match &self.arguments {
            Arguments::Json(words) => Some(words),
            _ => None,
        }
    }

    /// Its words, or the one text that it has.
    pub fn words(&self) -> &[String] {
        match &self.arguments {
            Arguments::Json(words) | Arguments::Words(words) => words,
            Arguments::Text(text) => std::slice::from_ref(text),
            Arguments::Pairs(_) | Arguments::Trigger(_) | Arguments::Unknown => &[],
        }
    }

    /// Whether it, or what it puts off, can have heredocs.
    pub(super) fn may_open_heredocs(&self) -> bool {
        let instruction = match &self.arguments {
            Arguments::Trigger(trigger) => trigger,
            _ => self,
        };
        matches!(instruction.keyword(), "ADD" | "COPY" | "RUN") && instruction.json().is_none()
    }
}

/// The value of a flag of this name; empty if it has none.
fn value_of<'a>(flag: &'a str, name: &str) -> Option<&'a str> {
    let flag = flag.strip_prefix("--")?;
    let (found, value) = flag.split_once('=').unwrap_or((flag, ""));
    (found == name).then_some(value)
}
