//! The stages of a Dockerfile, what each begins with, and which of them its image needs.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::budget::{self, Budget};
use super::command::{self, Command};
use super::course::Failure;
use super::instruction::Instruction;
use super::lexer::{Lexer, Options};
use super::mount;
use super::reader::Dockerfile;

/// A stage: its `FROM`, and what follows.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) name: Option<String>,
    /// The line of its `FROM`.
    pub(super) line: usize,
    /// What its `FROM` says.
    pub(super) text: String,
    pub(super) base: Base,
    pub(super) steps: Vec<Checked>,
    /// Whether the last stage needs it.
    pub(super) is_needed: bool,
}

/// What a stage begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Base {
    Scratch,
    Stage(usize),
    Image(String),
}

/// An instruction that was checked.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) line: usize,
    /// The keyword and what follows it.
    pub(super) text: String,
    pub(super) command: Command,
}

/// The stages of a Dockerfile.
#[derive(Debug)]
pub(super) struct Stages {
    pub(super) all: Vec<Stage>,
    /// Arguments from before the first stage, and those of the platform.
    pub(super) global: BTreeMap<String, String>,
    names: HashMap<String, usize>,
}

/// What BuildKit sets by itself, for the one platform that the service builds for.
const PLATFORM_ARGUMENTS: [(&str, &str); 9] = [
    ("BUILDPLATFORM", "linux/amd64"),
    ("BUILDOS", "linux"),
    ("BUILDOSVERSION", ""),
    ("BUILDARCH", "amd64"),
    ("TARGETPLATFORM", "linux/amd64"),
    ("TARGETOS", "linux"),
    ("TARGETOSVERSION", ""),
    ("TARGETARCH", "amd64"),
    ("TARGETSTAGE", "default"),
];

/// More that are set to nothing.
const EMPTY_ARGUMENTS: [&str; 2] = ["BUILDVARIANT", "TARGETVARIANT"];

impl Checked {
    pub(super) fn new(instruction: &Instruction) -> Result<Self, String> {
        Ok(Self {
            line: instruction.line,
            text: format!("{} {}", instruction.keyword, instruction.rest),
            command: command::check(instruction)?,
        })
    }
}

fn at(line: usize) -> impl FnOnce(String) -> Failure {
    move |reason| Failure {
        line: Some(line),
        reason,
    }
}

fn nowhere(reason: String) -> Failure {
    Failure { line: None, reason }
}

/// Checks all instructions, and finds the stages. Names of images are expanded.
pub(super) fn stages(dockerfile: &Dockerfile, budget: &mut Budget) -> Result<Stages, Failure> {
    let (first, stages) = divide(dockerfile)?;
    if stages.is_empty() {
        return Err(nowhere("dockerfile contains no stages to build".to_owned()));
    }
    budget::check_stages(stages.len()).map_err(nowhere)?;
    let platform = PLATFORM_ARGUMENTS.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut global = BTreeMap::from(platform);
    global.extend(EMPTY_ARGUMENTS.map(|name| (name.to_owned(), String::new())));
    for argument in first {
        let Command::Arg(arguments) = argument.command else {
            continue;
        };
        for (name, value) in arguments {
            let Some(value) = value else { continue };
            let value = expand(&value, &global, dockerfile.escape, budget).map_err(at(argument.line))?;
            budget.texts(name.len() + value.len()).map_err(at(argument.line))?;
            global.insert(name, value);
        }
    }
    let mut found = Stages {
        all: Vec::new(),
        global,
        names: HashMap::new(),
    };
    for (from, line, text, steps) in stages {
        found
            .begin(&from, line, &text, steps, dockerfile.escape, budget)
            .map_err(at(line))?;
    }
    found.check_sources()?;
    found.mark_needed();
    Ok(found)
}

pub(super) type Divided = (command::From, usize, String, Vec<Checked>);

/// What stands before the first `FROM`, and the stages.
pub(super) fn divide(dockerfile: &Dockerfile) -> Result<(Vec<Checked>, Vec<Divided>), Failure> {
    let mut first = Vec::new();
    let mut stages: Vec<Divided> = Vec::new();
    for instruction in &dockerfile.instructions {
        let line = instruction.line;
        let checked = Checked::new(instruction)
            .map_err(|reason| at(line)(format!("dockerfile parse error on line {line}: {reason}")))?;
        match (checked.command, stages.last_mut()) {
            (Command::From(from), _) => stages.push((from, checked.line, checked.text, Vec::new())),
            (command, Some(stage)) => stage.3.push(Checked { command, ..checked }),
            (command @ Command::Arg(_), None) => first.push(Checked { command, ..checked }),
            (_, None) => return Err(at(checked.line)("no build stage in current context".to_owned())),
        }
    }
    Ok((first, stages))
}

fn expand(text: &str, global: &BTreeMap<String, String>, escape: char, budget: &mut Budget) -> Result<String, String> {
    let lexer = Lexer {
        escape,
        variables: &|name| global.get(name).cloned(),
        options: Options::default(),
        work: &budget.work,
    };
    lexer.word(text)
}

/// How far a search for circles has come with a stage.
#[derive(Clone, Copy, PartialEq)]
enum Visit {
    Not,
    Under,
    Done,
}

impl Stages {
    fn begin(
        &mut self,
        from: &command::From,
        line: usize,
        text: &str,
        steps: Vec<Checked>,
        escape: char,
        budget: &mut Budget,
    ) -> Result<(), String> {
        let image = expand(&from.base, &self.global, escape, budget)?;
        budget.texts(image.len())?;
        if image.is_empty() {
            return Err(format!("base name ({}) should not be blank", from.base));
        }
        if let Some(platform) = &from.platform {
            let value = expand(platform, &self.global, escape, budget)?;
            if value.is_empty() {
                return Err(format!("empty platform value from expression {platform}"));
            }
            check_platform(&value)?;
        }
        let base = match self.names.get(&image) {
            Some(index) => Base::Stage(*index),
            None if image == "scratch" => Base::Scratch,
            None => Base::Image(image),
        };
        if let Some(name) = &from.name {
            self.names.insert(name.clone(), self.all.len());
        }
        self.all.push(Stage {
            name: from.name.clone(),
            line,
            text: text.trim_start_matches("FROM ").to_owned(),
            base,
            steps,
            is_needed: false,
        });
        Ok(())
    }

    /// The last stage of that name. Case does not count.
    pub(super) fn named(&self, name: &str) -> Option<usize> {
        self.names.get(&name.to_lowercase()).copied()
    }

    /// The stage that `COPY --from` means, by number or by name; `None` if it is an image.
    pub(super) fn source(&self, from: &str) -> Result<Option<usize>, String> {
        let Ok(index) = from.parse::<i64>() else {
            return Ok(self.named(from));
        };
        let index = usize::try_from(index).ok().filter(|index| *index < self.all.len());
        index.map(Some).ok_or_else(|| format!("invalid stage index {from}"))
    }

    /// The stages whose files an instruction takes.
    fn sources(&self, command: &Command) -> Result<Vec<usize>, String> {
        let is_variable = |from: &str| {
            let name = from.split_once('$').map(|(_, name)| name);
            name.is_some_and(|name| {
                name.starts_with(|first: char| first == '{' || first == '_' || first.is_alphanumeric())
            })
        };
        let variable = |from: &str| {
            Err(format!(
                "variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope \
                 as a workaround: {from}"
            ))
        };
        match command {
            Command::Copy(copy) => match &copy.from {
                Some(from) if is_variable(from) => variable(from),
                Some(from) => Ok(self.source(from)?.into_iter().collect()),
                None => Ok(Vec::new()),
            },
            Command::Run(run) => {
                let mut found = Vec::new();
                for from in run.mounts.iter().filter_map(|mount| mount::from(mount)) {
                    if is_variable(&from) {
                        return variable(&from);
                    }
                    found.extend(self.named(&from));
                }
                Ok(found)
            }
            _ => Ok(Vec::new()),
        }
    }

    /// What `ONBUILD` of a stage's base adds to the stage.
    pub(super) fn triggers(&self, stage: &Stage) -> impl Iterator<Item = &Instruction> {
        let steps = match stage.base {
            Base::Stage(index) => self.all[index].steps.as_slice(),
            _ => &[],
        };
        steps.iter().filter_map(|step| match &step.command {
            Command::OnBuild(trigger) => Some(trigger.as_ref()),
            _ => None,
        })
    }

    /// Stages that a stage needs, with the line that says so.
    fn needs(&self, stage: &Stage) -> Result<Vec<(usize, usize)>, String> {
        let mut needs = Vec::new();
        if let Base::Stage(base) = stage.base {
            needs.push((base, stage.line));
        }
        for step in &stage.steps {
            needs.extend(
                self.sources(&step.command)?
                    .into_iter()
                    .map(|source| (source, step.line)),
            );
        }
        for trigger in self.triggers(stage) {
            // One that is wrong is found when the stage is followed.
            if let Ok(command) = command::check(trigger) {
                let sources = self.sources(&command).unwrap_or_default();
                needs.extend(sources.into_iter().map(|source| (source, stage.line)));
            }
        }
        Ok(needs)
    }

    /// Finds `--from` of what is no stage, and circles.
    fn check_sources(&self) -> Result<(), Failure> {
        let needs = self.all.iter().map(|stage| self.needs(stage).map_err(nowhere));
        let needs: Vec<Vec<(usize, usize)>> = needs.collect::<Result<_, _>>()?;
        let mut visits = vec![Visit::Not; needs.len()];
        for begin in 0..needs.len() {
            // A stage, and how many of its needs were followed.
            let mut path = if visits[begin] == Visit::Not {
                visits[begin] = Visit::Under;
                vec![(begin, 0)]
            } else {
                Vec::new()
            };
            while let Some((stage, followed)) = path.last_mut() {
                let Some((next, line)) = needs[*stage].get(*followed) else {
                    visits[*stage] = Visit::Done;
                    path.pop();
                    continue;
                };
                *followed += 1;
                match visits[*next] {
                    Visit::Done => {}
                    Visit::Under => {
                        let name = self.all[begin].name.clone().unwrap_or_else(|| begin.to_string());
                        return Err(at(*line)(format!("circular dependency detected on stage: {name}")));
                    }
                    Visit::Not => {
                        visits[*next] = Visit::Under;
                        path.push((*next, 0));
                    }
                }
            }
        }
        Ok(())
    }

    /// BuildKit leaves out what the last stage does not need.
    fn mark_needed(&mut self) {
        let needs: Vec<Vec<usize>> = self
            .all
            .iter()
            .map(|stage| {
                let needs = self.needs(stage).unwrap_or_default();
                needs.into_iter().map(|(stage, _)| stage).collect()
            })
            .collect();
        let mut open = vec![self.all.len() - 1];
        while let Some(index) = open.pop() {
            if !std::mem::replace(&mut self.all[index].is_needed, true) {
                open.extend(&needs[index]);
            }
        }
    }
}

/// `os/architecture`, with a variant at most, in the characters that names have.
fn check_platform(platform: &str) -> Result<(), String> {
    let parts: Vec<&str> = platform.split('/').collect();
    let is_name = |part: &str| {
        !part.is_empty()
            && part
                .chars()
                .all(|character| character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.' | '(' | ')'))
    };
    let known = ["linux", "windows", "darwin", "freebsd", "wasip1", "js"];
    let architectures = [
        "amd64", "arm64", "arm", "386", "ppc64le", "s390x", "riscv64", "mips64le", "wasm", "x86_64", "aarch64",
    ];
    let is_known = match parts.as_slice() {
        [one] => known.contains(one) || architectures.contains(&one.to_lowercase().as_str()),
        [_, _] | [_, _, _] => true,
        _ => false,
    };
    if is_known && parts.iter().all(|part| is_name(part)) {
        return Ok(());
    }
    Err(format!("failed to parse platform {platform}"))
}

/// Values that stages share.
pub(super) type Values = Arc<BTreeMap<Arc<str>, Arc<str>>>;
