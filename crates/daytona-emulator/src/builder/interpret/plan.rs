//! What a stage is going to do: its instructions with their variables put in, before anything is copied.
//!
//! BuildKit does this for all stages first, so that a mistake in a late instruction is found before a missing file of an
//! earlier one.

use std::sync::Arc;

use super::budget::Budget;
use super::command::{self, Command};
use super::course::Failure;
use super::instruction::Instruction;
use super::lexer::Options;
use super::planned::{Action, MountPlan, Plan, RunPlan, Source, State, Step};
use super::planner::{self, Planner};
use super::stages::{Base, Checked, Stage, Stages};
use super::{copy_plan, mount, network};
use crate::builder::path::clean;

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
                    planner::insert(&mut env, &name, &value, self.budget)?;
                    self.state.env = env;
                }
            }
            Command::Label(pairs) => {
                for (name, value) in self.expanded_pairs(pairs)? {
                    planner::insert(&mut self.state.labels, &name, &value, self.budget)?;
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

    fn run(&mut self, step: &Checked, run: &command::Run) -> Result<(), String> {
        let mut mounts = Vec::new();
        for text in &run.mounts {
            let mount = mount::read(text, |value| self.expand(value))?;
            let is_root = self.absolute(&mount.target).is_empty() && !self.has_unknown_workdir();
            if is_root && !matches!(mount.kind.as_str(), "secret" | "ssh") {
                return Err(format!("invalid mount target {:?}", mount.target));
            }
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
