//! The stage that is planned: its state so far, and texts with their variables put in.

use std::sync::Arc;

use super::budget::Budget;
use super::instruction::Pair;
use super::lexer::{Lexer, Options};
use super::planned::{Source, State, Step};
use super::stages::{Stages, Values};
use crate::builder::path::clean;

/// Variables that hold where a stage does not say otherwise.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A stage while it is planned.
pub(super) struct Planner<'a> {
    pub(super) stages: &'a Stages,
    /// Of the stage that is planned.
    pub(super) number: usize,
    pub(super) state: State,
    pub(super) steps: Vec<Step>,
    pub(super) escape: char,
    pub(super) budget: &'a mut Budget,
}

impl Planner<'_> {
    /// The text with variables put in.
    pub(super) fn expand(&self, text: &str) -> Result<String, String> {
        self.lexer(self.escape, Options::default(), |lexer| lexer.word(text))
    }

    /// The text of a heredoc with variables put in. Quotes stay, and the escape character is always a backslash.
    pub(super) fn expand_heredoc(&self, text: &str) -> Result<String, String> {
        let options = Options {
            ignores_quotes: true,
            ..Options::default()
        };
        self.lexer('\\', options, |lexer| lexer.word(text))
    }

    pub(super) fn lexer<T>(
        &self,
        escape: char,
        options: Options,
        with: impl FnOnce(Lexer<'_>) -> Result<T, String>,
    ) -> Result<T, String> {
        let variables = |name: &str| match self.state.variables.get(name) {
            Some(value) => Some(value.to_string()),
            None => (name == "PATH").then(|| PATH.to_owned()),
        };
        with(Lexer {
            escape,
            variables: &variables,
            options,
            work: &self.budget.work,
        })
    }

    pub(super) fn expanded_pairs(&self, pairs: &[Pair]) -> Result<Vec<(String, String)>, String> {
        let pairs = pairs.iter();
        let expanded = pairs.map(|pair| Ok((self.expand(&pair.name)?, self.expand(&pair.value)?)));
        expanded.collect()
    }

    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        insert(&mut self.state.variables, name, value, self.budget)
    }

    /// A path without its leading slash, below the working directory if it is relative.
    pub(super) fn absolute(&self, path: &str) -> String {
        match &self.state.workdir {
            Some(workdir) if !path.starts_with('/') => clean(&format!("{workdir}/{path}")),
            _ => clean(path),
        }
    }

    /// Whether relative paths are below a directory that is not known.
    pub(super) fn has_unknown_workdir(&self) -> bool {
        self.state.workdir.is_none() && self.state.has_base_image
    }

    /// The words that Docker starts.
    pub(super) fn command(&mut self, words: &[String], is_exec_form: bool) -> Result<Arc<[String]>, String> {
        if is_exec_form {
            return self.kept(words);
        }
        let words: Vec<String> = self.shell().into_iter().chain(words.iter().cloned()).collect();
        self.kept(&words)
    }

    pub(super) fn kept(&mut self, words: &[String]) -> Result<Arc<[String]>, String> {
        self.budget.texts(words.iter().map(String::len).sum())?;
        Ok(words.into())
    }

    pub(super) fn shell(&self) -> Vec<String> {
        match &self.state.shell {
            Some(shell) => shell.to_vec(),
            None => vec!["/bin/sh".to_owned(), "-c".to_owned()],
        }
    }

    /// Where `--from` of an instruction takes its files.
    pub(super) fn source(&self, found: Option<usize>, from: &str) -> Result<Source, String> {
        match found {
            Some(index) if index >= self.number => Err(format!(
                "cannot copy from stage {from:?}, it needs to be defined before current stage"
            )),
            Some(index) => Ok(Source::Stage(index, from.to_owned())),
            None if from == "scratch" => Ok(Source::Scratch),
            None => Ok(Source::Image(from.to_owned())),
        }
    }
}

/// Sets a value. Stages share what they have in common; a map that is copied because of that is paid for.
pub(super) fn insert(values: &mut Values, name: &str, value: &str, budget: &mut Budget) -> Result<(), String> {
    if Arc::strong_count(values) > 1 {
        budget.texts(values.len() * 64)?;
    }
    budget.texts(name.len() + value.len() + 64)?;
    Arc::make_mut(values).insert(name.into(), value.into());
    Ok(())
}
