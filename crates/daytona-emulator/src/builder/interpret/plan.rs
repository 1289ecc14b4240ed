//! What a stage is going to do: its instructions with their variables put in, before anything is copied.
//!
//! BuildKit does this for all stages first, so that a mistake in a late instruction is found before a missing file of an
//! earlier one.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Failure;
use super::budget::Budget;
use super::chmod::Chmod;
use super::command::{self, Command};
use super::lexer::{Lexer, Options};
use super::reader::{Instruction, Pair};
use super::stages::{Base, Checked, Stage, Stages, Values};
use super::{copy_plan, mount, network};
use crate::builder::path::clean;

/// Variables that hold where a stage does not say otherwise.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A stage, ready to be followed.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) state: State,
}

/// A step with a layer of its own.
#[derive(Debug)]
pub(super) struct Step {
    /// The line that BuildKit blames if it fails.
    pub(super) line: usize,
    pub(super) text: String,
    pub(super) action: Action,
}

#[derive(Debug)]
pub(super) enum Action {
    Copy(Box<CopyPlan>),
    /// `WORKDIR` makes its folder, for this user.
    Workdir(String, Option<String>),
    Run(RunPlan),
}

/// `COPY` or `ADD`, expanded.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "flags of the instruction")]
pub(super) struct CopyPlan {
    pub(super) line: usize,
    pub(super) from: Source,
    pub(super) owner: Option<String>,
    pub(super) chmod: Option<Chmod>,
    pub(super) excluded: Vec<String>,
    pub(super) keeps_parents: bool,
    pub(super) is_linked: bool,
    pub(super) unpacks: bool,
    pub(super) sources: Vec<CopySource>,
    pub(super) heredocs: Vec<(String, String)>,
    /// Absolute; a slash at its end stays.
    pub(super) target: String,
    /// Whether the target depends on the working directory of a base image.
    pub(super) is_below_unknown_workdir: bool,
}

#[derive(Debug)]
pub(super) enum CopySource {
    Path(String),
    /// From elsewhere: `http`, git.
    Remote(String),
}

/// Where files come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    Context,
    Scratch,
    /// A stage, and how it was named.
    Stage(usize, String),
    Image(String),
}

/// `RUN`.
#[derive(Debug)]
pub(super) struct RunPlan {
    /// What the shell or the system gets.
    pub(super) words: Vec<String>,
    pub(super) command: String,
    pub(super) is_exec_form: bool,
    pub(super) mounts: Vec<MountPlan>,
}

/// A mount of a `RUN`.
#[derive(Debug)]
pub(super) struct MountPlan {
    pub(super) from: Source,
    pub(super) path: String,
    /// Whether its source has to be there.
    pub(super) is_needed: bool,
}

/// What an instruction finds from those before it, and what stages hand down.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    /// Variables: of `ENV` and of `ARG`, the last one counts.
    variables: Values,
    /// Those of `ENV`.
    pub(super) env: Values,
    pub(super) labels: Values,
    pub(super) exposed: Arc<Vec<Arc<str>>>,
    /// Absolute.
    pub(super) workdir: Option<Arc<str>>,
    pub(super) user: Option<Arc<str>>,
    pub(super) entrypoint: Option<Arc<[String]>>,
    pub(super) cmd: Option<Arc<[String]>>,
    shell: Option<Arc<[String]>>,
    /// Whether it began with an image from a registry.
    has_base_image: bool,
}

/// Works out what a stage is going to do. `before` are the plans of the stages before it.
pub(super) fn plan(
    stage: &Stage,
    stages: &Stages,
    before: &[Option<Plan>],
    escape: char,
    budget: &mut Budget,
) -> Result<Plan, Failure> {
    let at = |line| {
        move |reason| Failure {
            line: Some(line),
            reason,
        }
    };
    let state = match &stage.base {
        Base::Scratch => State::default(),
        Base::Image(_) => State {
            has_base_image: true,
            ..State::default()
        },
        Base::Stage(index) => before[*index]
            .as_ref()
            .map(|plan| plan.state.clone())
            .unwrap_or_default(),
    };
    let mut planner = Planner {
        stages,
        number: before.len(),
        state,
        steps: Vec::new(),
        escape,
        budget,
    };
    for trigger in stages.triggers(stage) {
        planner.trigger(trigger, stage.line).map_err(at(stage.line))?;
    }
    for step in &stage.steps {
        planner.follow(step).map_err(at(step.line))?;
    }
    Ok(Plan {
        steps: planner.steps,
        state: planner.state,
    })
}

pub(super) struct Planner<'a> {
    pub(super) stages: &'a Stages,
    /// Of the stage that is planned.
    number: usize,
    pub(super) state: State,
    steps: Vec<Step>,
    escape: char,
    pub(super) budget: &'a mut Budget,
}

impl Planner<'_> {
    /// What `ONBUILD` left happens on behalf of the line with `FROM`.
    fn trigger(&mut self, trigger: &Instruction, line: usize) -> Result<(), String> {
        let mut checked = Checked::new(trigger)?;
        checked.line = line;
        self.follow(&checked)
    }

    fn follow(&mut self, step: &Checked) -> Result<(), String> {
        match &step.command {
            Command::Arg(arguments) => self.arguments(arguments)?,
            Command::Env(pairs) => {
                // All of one instruction see the values from before it.
                for (name, value) in self.expanded_pairs(pairs)? {
                    self.set(&name, &value)?;
                    let mut env = Arc::clone(&self.state.env);
                    insert(&mut env, &name, &value, self.budget)?;
                    self.state.env = env;
                }
            }
            Command::Label(pairs) => {
                for (name, value) in self.expanded_pairs(pairs)? {
                    insert(&mut self.state.labels, &name, &value, self.budget)?;
                }
            }
            Command::Copy(copy) => {
                let plan = copy_plan::plan(self, copy, step.line)?;
                self.push(step, Action::Copy(Box::new(plan)));
            }
            Command::Run(run) => self.run(step, run)?,
            Command::Workdir(path) => {
                let path = self.expand(path)?;
                let path = format!("/{}", self.absolute(&path));
                self.budget.texts(path.len())?;
                self.state.workdir = Some(path.as_str().into());
                let user = self.state.user.as_ref().map(ToString::to_string);
                self.push(step, Action::Workdir(clean(&path), user));
            }
            Command::User(user) => {
                let user = self.expand(user)?;
                self.budget.texts(user.len())?;
                self.state.user = Some(user.into());
            }
            Command::Volume(volumes) => {
                for volume in volumes {
                    if self.expand(volume)?.is_empty() {
                        return Err("VOLUME specified can not be an empty string".to_owned());
                    }
                }
            }
            Command::Expose(ports) => {
                for word in ports {
                    for port in self.lexer(self.escape, Options::default(), |lexer| lexer.words(word))? {
                        network::check_port(&port)?;
                        self.budget.texts(port.len())?;
                        Arc::make_mut(&mut self.state.exposed).push(port.into());
                    }
                }
            }
            Command::StopSignal(signal) => network::check_signal(&self.expand(signal)?)?,
            Command::Shell(words) => self.state.shell = Some(self.kept(words)?),
            Command::Cmd(words, is_exec_form) => self.state.cmd = Some(self.command(words, *is_exec_form)?),
            Command::Entrypoint(words, is_exec_form) => {
                self.state.entrypoint = Some(self.command(words, *is_exec_form)?);
            }
            Command::From(_) | Command::OnBuild(_) | Command::Nothing => {}
        }
        Ok(())
    }

    fn push(&mut self, step: &Checked, action: Action) {
        self.steps.push(Step {
            line: step.line,
            text: step.text.clone(),
            action,
        });
    }

    /// The text with variables put in.
    pub(super) fn expand(&self, text: &str) -> Result<String, String> {
        self.lexer(self.escape, Options::default(), |lexer| lexer.word(text))
    }

    /// The text of a heredoc with variables put in. Quotes stay, and the escape character is always a back slash.
    pub(super) fn expand_heredoc(&self, text: &str) -> Result<String, String> {
        let options = Options {
            ignores_quotes: true,
            ..Options::default()
        };
        self.lexer('\\', options, |lexer| lexer.word(text))
    }

    fn lexer<T>(
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

    fn expanded_pairs(&self, pairs: &[Pair]) -> Result<Vec<(String, String)>, String> {
        let pairs = pairs.iter();
        let expanded = pairs.map(|pair| Ok((self.expand(&pair.name)?, self.expand(&pair.value)?)));
        expanded.collect()
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        insert(&mut self.state.variables, name, value, self.budget)
    }

    /// An argument has its own value, or that of the same name before the first stage or of the platform.
    fn arguments(&mut self, arguments: &[(String, Option<String>)]) -> Result<(), String> {
        for (name, value) in arguments {
            let name = self.expand(name)?;
            let value = value.as_ref().map(|value| self.expand(value)).transpose()?;
            if let Some(value) = value.or_else(|| self.stages.global.get(&name).cloned()) {
                self.set(&name, &value)?;
            }
        }
        Ok(())
    }

    /// A path without its leading slash, below the working directory if it is relative.
    pub(super) fn absolute(&self, path: &str) -> String {
        match &self.state.workdir {
            Some(workdir) if !path.starts_with('/') => clean(&format!("{workdir}/{path}")),
            _ => clean(path),
        }
    }

    /// Whether relative paths are below a folder that is not known.
    pub(super) fn has_unknown_workdir(&self) -> bool {
        self.state.workdir.is_none() && self.state.has_base_image
    }

    /// The words that Docker starts.
    fn command(&mut self, words: &[String], is_exec_form: bool) -> Result<Arc<[String]>, String> {
        if is_exec_form {
            return self.kept(words);
        }
        let words: Vec<String> = self.shell().into_iter().chain(words.iter().cloned()).collect();
        self.kept(&words)
    }

    fn kept(&mut self, words: &[String]) -> Result<Arc<[String]>, String> {
        self.budget.texts(words.iter().map(String::len).sum())?;
        Ok(words.into())
    }

    fn shell(&self) -> Vec<String> {
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

    fn run(&mut self, step: &Checked, run: &command::Run) -> Result<(), String> {
        let mut mounts = Vec::new();
        for text in &run.mounts {
            let mount = mount::read(text, |value| self.expand(value))?;
            let from = match (&mount.from, mount.kind.as_str()) {
                (Some(from), _) => self.source(self.stages.named(from), from)?,
                (None, "bind" | "tmpfs") => Source::Context,
                (None, _) => Source::Scratch,
            };
            self.budget.texts(mount.source.len())?;
            mounts.push(MountPlan {
                from,
                path: clean(&mount.source),
                is_needed: matches!(mount.kind.as_str(), "bind" | "cache"),
            });
        }
        let text = run.words.first().map(String::as_str).unwrap_or_default();
        // A command that is a heredoc alone is the heredoc's text.
        let command = match run.heredocs.as_slice() {
            [heredoc] if !run.is_exec_form && super::heredoc::heredoc(text)?.is_some() => {
                heredoc.text().trim_end().to_owned()
            }
            _ if run.is_exec_form => run.words.join(" "),
            _ => text.to_owned(),
        };
        let words = if run.is_exec_form {
            run.words.clone()
        } else {
            let mut words = self.shell();
            words.push(command.clone());
            words
        };
        self.push(
            step,
            Action::Run(RunPlan {
                words,
                command,
                is_exec_form: run.is_exec_form,
                mounts,
            }),
        );
        Ok(())
    }
}

/// Sets a value. Stages share what they have in common; a map that is copied because of that is paid for.
fn insert(values: &mut Values, name: &str, value: &str, budget: &mut Budget) -> Result<(), String> {
    if Arc::strong_count(values) > 1 {
        budget.texts(values.len() * 64)?;
    }
    budget.texts(name.len() + value.len() + 64)?;
    Arc::make_mut(values).insert(name.into(), value.into());
    Ok(())
}

/// The values as an image shows them.
pub(super) fn shown(values: &Values) -> BTreeMap<String, String> {
    let values = values.iter();
    values
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}
