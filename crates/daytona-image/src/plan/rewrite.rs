//! Build arguments and the target stage, put into the text: the service takes neither.

use std::collections::{BTreeMap, BTreeSet};

use crate::dockerfile::followed::Placed;
use crate::dockerfile::scope::is_set_by_builder;
use crate::dockerfile::stages::follow;
use crate::dockerfile::word::unquoted;
use crate::dockerfile::{Arguments, Dockerfile, Instruction};
use crate::escape;
use crate::problem::ProblemKind;
use crate::quote;

/// What is to be changed.
pub(super) struct Changes<'a> {
    pub(super) build_args: &'a [(String, String)],
    pub(super) target: Option<&'a str>,
}

impl Changes<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.build_args.is_empty() && self.target.is_none()
    }
}

/// The text with the changes.
#[derive(Debug)]
pub(super) struct Rewritten {
    pub(super) text: String,
    /// For each of its lines the one of the old text that it stands for.
    pub(super) lines: Vec<usize>,
    pub(super) warnings: Vec<String>,
}

impl Rewritten {
    /// The line of the old text that a line stands for.
    pub(super) fn line(&self, line: usize) -> usize {
        let old = self.lines.get(line.saturating_sub(1)).or(self.lines.last());
        old.copied().unwrap_or(line)
    }
}

/// Arguments that BuildKit knows without an `ARG`, and gives to every command.
const PROXIES: [&str; 5] = ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"];

/// Whether an argument is for BuildKit itself, wherever it is declared.
fn is_for_builder(name: &str) -> bool {
    name.starts_with("BUILDKIT_") || name == "SOURCE_DATE_EPOCH"
}

fn is_proxy(name: &str) -> bool {
    PROXIES
        .iter()
        .any(|proxy| *proxy == name || proxy.to_ascii_lowercase() == name)
}

/// Rewrites a text that was read without errors.
pub(super) fn rewrite(text: &str, read: &Dockerfile, changes: &Changes<'_>) -> Result<Rewritten, Vec<ProblemKind>> {
    let args: BTreeMap<&str, &str> = changes
        .build_args
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let problems: Vec<ProblemKind> = args
        .values()
        .filter_map(|value| ProblemKind::one_line("the build argument", value))
        .collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    if let Some(target) = changes.target
        && !args.is_empty()
    {
        return in_two_steps(text, read, changes.build_args, target);
    }
    let instructions = read.instructions();
    let kept = match changes.target {
        Some(target) => kept_stages(instructions, read.escape(), target)?,
        None => vec![true; instructions.iter().filter(|one| one.is_stage()).count()],
    };
    let mut rewriter = Rewriter {
        old: text.split_inclusive('\n').collect(),
        escape: read.escape(),
        args,
        kept,
        used: BTreeSet::new(),
        text: String::with_capacity(text.len()),
        lines: Vec::new(),
        has_newline: true,
    };
    rewriter.run(instructions);
    let unused = rewriter.args.keys().filter(|name| !rewriter.used.contains(*name));
    let warnings = unused
        .map(|name| {
            let shown = escape::text(name);
            if is_for_builder(name) {
                format!("the build argument `{shown}` is for the builder itself, which the service does not pass on: it has no effect")
            } else {
                format!("no ARG declares the build argument `{shown}`, so it has no effect: check its spelling")
            }
        })
        .collect();
    Ok(Rewritten {
        text: rewriter.text,
        lines: rewriter.lines,
        warnings,
    })
}

/// The arguments first: which stages the target needs may depend on them.
fn in_two_steps(
    text: &str,
    read: &Dockerfile,
    build_args: &[(String, String)],
    target: &str,
) -> Result<Rewritten, Vec<ProblemKind>> {
    let arguments = Changes {
        build_args,
        target: None,
    };
    let first = rewrite(text, read, &arguments)?;
    let (read, errors) = Dockerfile::read(&first.text);
    if !errors.is_empty() {
        // The caller finds them, too.
        return Ok(first);
    }
    let stages = Changes {
        build_args: &[],
        target: Some(target),
    };
    let second = rewrite(&first.text, &read, &stages)?;
    Ok(Rewritten {
        text: second.text,
        lines: second.lines.iter().map(|line| first.lines[line - 1]).collect(),
        warnings: first.warnings,
    })
}

/// Which stages a target needs.
fn kept_stages(instructions: &[Instruction], escape: char, target: &str) -> Result<Vec<bool>, Vec<ProblemKind>> {
    let stages: Vec<(usize, Option<String>)> = instructions
        .iter()
        .enumerate()
        .filter(|(_, instruction)| instruction.is_stage())
        .map(|(index, instruction)| (index, instruction.stage_name()))
        .collect();
    let wanted = target.to_lowercase();
    let Some(number) = stages.iter().rposition(|(_, name)| name.as_ref() == Some(&wanted)) else {
        let names: Vec<String> = stages
            .iter()
            .filter_map(|(_, name)| name.as_ref().map(|name| format!("`{name}`")))
            .collect();
        let known = if names.is_empty() {
            "no stage has a name: give it one with `FROM … AS name`".to_owned()
        } else {
            format!("the stages are {}", names.join(", "))
        };
        let problem = format!("the target stage `{}` does not exist: {known}", escape::text(target));
        return Err(vec![ProblemKind::Dockerfile { problem }]);
    };
    let end = stages.get(number + 1).map_or(instructions.len(), |(index, _)| *index);
    let placed: Vec<Placed<'_>> = instructions[..end]
        .iter()
        .map(|instruction| Placed { part: 0, instruction })
        .collect();
    let followed = follow(escape, &placed);
    let mut kept = followed.needed;
    if followed.has_numbers {
        // A stage that is named by its number has to keep it.
        kept.fill(true);
    }
    kept.resize(stages.len(), false);
    Ok(kept)
}

struct Rewriter<'a> {
    old: Vec<&'a str>,
    escape: char,
    args: BTreeMap<&'a str, &'a str>,
    kept: Vec<bool>,
    used: BTreeSet<&'a str>,
    text: String,
    lines: Vec<usize>,
    has_newline: bool,
}

impl<'a> Rewriter<'a> {
    fn run(&mut self, instructions: &[Instruction]) {
        let global = instructions.iter().take_while(|instruction| !instruction.is_stage());
        // Before the first stage quotes belong to a name.
        let global: BTreeSet<String> = global.flat_map(|one| declared(one).map(str::to_owned)).collect();
        let mut next_line = 1;
        let mut stage = None;
        for (index, instruction) in instructions.iter().enumerate() {
            if instruction.is_stage() {
                if stage.is_none() {
                    self.copy_gap(next_line, instruction.line(), None);
                    next_line = instruction.line();
                    self.platform_arguments(instruction.line(), &global);
                }
                stage = Some(stage.map_or(0, |stage: usize| stage + 1));
            }
            self.copy_gap(next_line, instruction.line(), stage);
            next_line = instruction.last_line() + 1;
            if !self.is_kept(stage) {
                continue;
            }
            self.instruction(instruction, stage.is_some());
            if instruction.is_stage() {
                let rest = &instructions[index + 1..];
                let stage = || rest.iter().take_while(|other| !other.is_stage());
                if stage().any(|other| other.keyword() == "RUN") {
                    let declared = stage()
                        .flat_map(|other| declared(other).map(|name| self.plain(name)))
                        .collect();
                    self.proxies(instruction.line(), &declared);
                }
            }
        }
        self.copy_gap(next_line, self.old.len() + 1, stage);
    }

    fn is_kept(&self, stage: Option<usize>) -> bool {
        stage.is_none_or(|stage| self.kept.get(stage).copied().unwrap_or(true))
    }

    /// Comments and blank lines between instructions.
    fn copy_gap(&mut self, from: usize, to: usize, stage: Option<usize>) {
        if self.is_kept(stage) {
            for line in from..to {
                self.copy(line);
            }
        }
    }

    fn copy(&mut self, line: usize) {
        if let Some(old) = self.old.get(line - 1) {
            self.push(old, line);
        }
    }

    fn push(&mut self, text: &str, line: usize) {
        if !self.has_newline {
            self.text.push('\n');
        }
        self.text.push_str(text);
        self.has_newline = text.ends_with('\n');
        self.lines.push(line);
    }

    fn instruction(&mut self, instruction: &Instruction, is_in_stage: bool) {
        let (start, argument) = match instruction.arguments() {
            Arguments::Trigger(trigger) => ("ONBUILD ", &**trigger),
            _ => ("", instruction),
        };
        let mut words = Vec::new();
        let mut is_changed = false;
        for (word, name) in argument.words().iter().zip(declared(argument)) {
            let name = if is_in_stage { self.plain(name) } else { name.to_owned() };
            match self.args.get_key_value(name.as_str()) {
                Some((name, value)) => {
                    let (name, value) = (*name, *value);
                    self.used.insert(name);
                    words.push(assignment(name, value));
                    is_changed = true;
                }
                None => words.push(word.clone()),
            }
        }
        if is_changed {
            self.push(&format!("{start}ARG {}\n", words.join(" ")), instruction.line());
        } else {
            (instruction.line()..=instruction.last_line()).for_each(|line| self.copy(line));
        }
    }

    /// A name as a stage declares it, without quotes. A variable stays in it.
    fn plain(&self, name: &str) -> String {
        unquoted(name, self.escape).unwrap_or_else(|| name.to_owned())
    }

    /// Those that BuildKit sets itself have another value only if they are declared before the first stage.
    fn platform_arguments(&mut self, line: usize, declared: &BTreeSet<String>) {
        let set: Vec<(&str, &str)> = self
            .args
            .iter()
            .filter(|(name, _)| is_set_by_builder(name) && !declared.contains(**name))
            .map(|(name, value)| (*name, *value))
            .collect();
        self.declare(line, set);
    }

    /// BuildKit gives them to every command, whether the stage declares them or not.
    fn proxies(&mut self, line: usize, declared: &BTreeSet<String>) {
        let set: Vec<(&str, &str)> = self
            .args
            .iter()
            .filter(|(name, _)| is_proxy(name) && !declared.contains(**name))
            .map(|(name, value)| (*name, *value))
            .collect();
        self.declare(line, set);
    }

    fn declare(&mut self, line: usize, arguments: Vec<(&'a str, &'a str)>) {
        for (name, value) in arguments {
            self.used.insert(name);
            self.push(&format!("ARG {}\n", assignment(name, value)), line);
        }
    }
}

/// `name=value` as one word that means itself.
fn assignment(name: &str, value: &str) -> String {
    format!("{name}={}", quote::shell_word(value))
}

/// The names that an `ARG` declares, as they are written.
fn declared(instruction: &Instruction) -> impl Iterator<Item = &str> {
    let words = match instruction.keyword() {
        "ARG" => instruction.words(),
        _ => &[],
    };
    words.iter().map(|word| word.split('=').next().unwrap_or_default())
}
