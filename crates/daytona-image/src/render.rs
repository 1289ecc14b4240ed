//! From an instruction to lines of a Dockerfile, all of its values checked.

use crate::instruction::{Command, Instruction};
use crate::plan::PlanOptions;
use crate::problem::ProblemKind;
use crate::quote;
use crate::resolve::{self, Source};

/// What a step contributes to the Dockerfile.
pub(crate) enum Line {
    /// A line as it is, without its line feed.
    Text(String),
    /// A `COPY` of local files, whose place in the context is yet to be found.
    Copy { source: Source, target: String },
}

impl Line {
    pub(crate) fn source(&self) -> Option<&Source> {
        match self {
            Line::Text(_) => None,
            Line::Copy { source, .. } => Some(source),
        }
    }
}

/// The lines of one instruction.
pub(crate) fn lines(instruction: &Instruction, options: &PlanOptions) -> Result<Vec<Line>, Vec<ProblemKind>> {
    match instruction {
        Instruction::From(image) => one_word("the image", image).map(|image| vec![text(format!("FROM {image}"))]),
        Instruction::DebianSlim(version) => {
            let release = version.release().map_err(|problem| vec![problem])?;
            Ok(vec![
                text(format!("FROM python:{release}-slim-bookworm")),
                text("RUN apt-get update"),
                text("RUN apt-get install -y gcc gfortran build-essential"),
                text("RUN pip install --upgrade pip"),
                text("RUN echo 'debconf debconf/frontend select Noninteractive' | debconf-set-selections"),
            ])
        }
        Instruction::PipInstall(pip) => Ok(pip
            .command()?
            .map(|command| text(format!("RUN {command}")))
            .into_iter()
            .collect()),
        Instruction::AddLocalFile { file, target } => {
            let source = collect(resolve::file(options, file), copy_target(target))?;
            let target = if target.ends_with('/') {
                format!("{target}{}", source.last)
            } else {
                target.clone()
            };
            Ok(vec![Line::Copy { source, target }])
        }
        Instruction::AddLocalDir { dir, target } => {
            let source = collect(resolve::folder(options, dir), copy_target(target))?;
            Ok(vec![Line::Copy {
                source,
                target: target.clone(),
            }])
        }
        Instruction::RunCommands(commands) => all(commands.iter().map(|command| run(command).map(Line::Text))),
        Instruction::Env(variables) => all(variables.iter().map(|(name, value)| env(name, value).map(Line::Text))),
        Instruction::Workdir(path) => {
            not_empty("the path", path)?;
            one_line("the path", path)?;
            Ok(vec![text(format!("WORKDIR {}", quote::shell_word(path)))])
        }
        Instruction::Entrypoint(words) => exec("ENTRYPOINT", words).map(|line| vec![Line::Text(line)]),
        Instruction::Cmd(words) => exec("CMD", words).map(|line| vec![Line::Text(line)]),
    }
}

fn text(line: impl Into<String>) -> Line {
    Line::Text(line.into())
}

fn run(command: &Command) -> Result<String, Vec<ProblemKind>> {
    match command {
        Command::Shell(text) => {
            not_empty("the command", text)?;
            // A line feed after a backslash continues the instruction.
            let joined = text.replace("\\\r\n", "").replace("\\\n", "");
            one_line("the command", &joined)?;
            Ok(format!("RUN {text}"))
        }
        Command::Exec(words) if words.is_empty() => Err(vec![ProblemKind::Empty { what: "the command" }]),
        Command::Exec(words) => exec("RUN", words),
    }
}

fn exec(instruction: &str, words: &[String]) -> Result<String, Vec<ProblemKind>> {
    match words.iter().find(|word| word.contains('\0')) {
        Some(word) => Err(ProblemKind::one_line("a word", word).into_iter().collect()),
        None => Ok(format!("{instruction} {}", quote::json_form(words))),
    }
}

fn env(name: &str, value: &str) -> Result<String, Vec<ProblemKind>> {
    let valid = |character: char| character == '_' || character.is_ascii_alphanumeric();
    if name.is_empty() || !name.chars().all(valid) || name.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(vec![ProblemKind::InvalidVariableName { name: name.to_owned() }]);
    }
    one_line("the value", value)?;
    Ok(format!("ENV {name}={}", quote::shell_word(value)))
}

/// A target that `COPY` can name. The JSON form carries every character but NUL.
fn copy_target(target: &str) -> Result<(), Vec<ProblemKind>> {
    not_empty("the target", target)?;
    if target.contains('\0') {
        one_line("the target", target)
    } else {
        Ok(())
    }
}

fn one_word(what: &'static str, text: &str) -> Result<String, Vec<ProblemKind>> {
    not_empty(what, text)?;
    one_line(what, text)?;
    Ok(text.to_owned())
}

fn not_empty(what: &'static str, text: &str) -> Result<(), Vec<ProblemKind>> {
    if text.trim().is_empty() {
        Err(vec![ProblemKind::Empty { what }])
    } else {
        Ok(())
    }
}

fn one_line(what: &'static str, text: &str) -> Result<(), Vec<ProblemKind>> {
    ProblemKind::one_line(what, text).map_or(Ok(()), |problem| Err(vec![problem]))
}

/// The first result, or the problems of both.
fn collect<T>(one: Result<T, Vec<ProblemKind>>, other: Result<(), Vec<ProblemKind>>) -> Result<T, Vec<ProblemKind>> {
    match (one, other) {
        (Ok(value), Ok(())) => Ok(value),
        (one, other) => Err(one.err().into_iter().chain(other.err()).flatten().collect()),
    }
}

fn all<T>(results: impl Iterator<Item = Result<T, Vec<ProblemKind>>>) -> Result<Vec<T>, Vec<ProblemKind>> {
    let (mut values, mut problems) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(value) => values.push(value),
            Err(more) => problems.extend(more),
        }
    }
    if problems.is_empty() { Ok(values) } else { Err(problems) }
}
