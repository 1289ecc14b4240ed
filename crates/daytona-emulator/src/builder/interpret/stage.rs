//! Follows the stages that an image needs, one after the other.

use std::collections::HashMap;

use super::budget::Budget;
use super::copy::{self, Missing};
use super::course::{Course, Failure, Step};
use super::files::Files;
use super::origin::Origin;
use super::planned::{Action, CopyPlan, Plan, RunPlan, Source, Step as Planned};
use super::stages::{Base, Stage, Stages};
use crate::builder::RunRule;
use crate::builder::doubt::Unknown;
use crate::builder::tree::{Attributes, Tree};

/// What all stages have in common.
struct Build<'a> {
    plans: &'a [Option<Plan>],
    /// The steps that take files from a stage, or from elsewhere, by their stage and their number in it.
    users: HashMap<Option<usize>, Vec<(usize, usize)>>,
    context: &'a Tree,
    rules: &'a [RunRule],
    budget: &'a mut Budget,
    course: &'a mut Course,
    /// What came of the stages; gone when nothing needs it any more.
    built: Vec<Option<Files>>,
    /// How many stages still need each.
    uses: Vec<usize>,
}

/// The files of the last stage.
pub(super) fn follow(
    stages: &Stages,
    plans: &[Option<Plan>],
    context: &Tree,
    rules: &[RunRule],
    budget: &mut Budget,
    course: &mut Course,
) -> Result<Files, Failure> {
    let needs: Vec<Vec<usize>> = stages
        .all
        .iter()
        .zip(plans)
        .map(|(stage, plan)| needs(stage, plan.as_ref()))
        .collect();
    let mut uses = vec![0; needs.len()];
    for index in needs.iter().flatten() {
        uses[*index] += 1;
    }
    let users = nearest_first(stages, plans);
    let mut build = Build {
        plans,
        users,
        context,
        rules,
        budget,
        course,
        built: Vec::new(),
        uses,
    };
    let late = build.check_sources(None)?;
    for ((stage, plan), needs) in stages.all.iter().zip(plans).zip(&needs) {
        // What is missing was found before anything is copied, even where it is found late.
        let late = |failure| late.clone().unwrap_or(failure);
        let files = match plan {
            Some(plan) => Some(build.stage(stage, plan).map_err(late)?),
            None => None,
        };
        build.built.push(files);
        if plan.is_some()
            && let Some(missing) = build.check_sources(Some(build.built.len() - 1))?
        {
            return Err(late(missing));
        }
        for index in needs {
            build.release(*index);
        }
    }
    Ok(build.built.pop().flatten().unwrap_or_default())
}

/// The steps that take files from each stage, and from elsewhere; those first that come last in the build. BuildKit begins
/// at the end of a build and goes back from there, so that of several steps whose sources are missing it finds the last one
/// first. Those with `--link` do not wait for the one before.
fn nearest_first(stages: &Stages, plans: &[Option<Plan>]) -> HashMap<Option<usize>, Vec<(usize, usize)>> {
    let mut distances = vec![usize::MAX; plans.len()];
    if let Some(last) = distances.last_mut() {
        *last = 0;
    }
    let mut steps = Vec::new();
    for (index, (stage, plan)) in stages.all.iter().zip(plans).enumerate().rev() {
        let Some(plan) = plan else { continue };
        let end = distances[index];
        let distance = |number: usize| end.saturating_add(plan.steps.len() - number);
        let mut reach = |index: usize, distance: usize| distances[index] = distances[index].min(distance);
        for (number, step) in plan.steps.iter().enumerate() {
            for source in sources(&step.action) {
                let source = match source {
                    Source::Stage(source, _) => Some(*source),
                    _ => None,
                };
                let is_linked = matches!(&step.action, Action::Copy(copy) if copy.is_linked);
                let order = (distance(number) - usize::from(is_linked), !is_linked, index);
                steps.push((order, source, (index, number)));
                if let Some(source) = source {
                    reach(source, distance(number));
                }
            }
        }
        if let Base::Stage(base) = stage.base {
            reach(base, distance(0));
        }
    }
    steps.sort_by_key(|(order, ..)| *order);
    let mut users = HashMap::<_, Vec<_>>::new();
    for (_, source, step) in steps {
        users.entry(source).or_default().push(step);
    }
    users
}

/// Where a step takes files from.
fn sources(action: &Action) -> Vec<&Source> {
    match action {
        Action::Copy(copy) => vec![&copy.from],
        Action::Run(run) => run.mounts.iter().map(|mount| &mount.from).collect(),
        Action::Workdir(..) => Vec::new(),
    }
}

/// The stages that a stage takes something of, each time that it does.
fn needs(stage: &Stage, plan: Option<&Plan>) -> Vec<usize> {
    let Some(plan) = plan else { return Vec::new() };
    let mut needs = Vec::new();
    for source in plan.steps.iter().flat_map(|step| sources(&step.action)) {
        if let Source::Stage(index, _) = source {
            needs.push(*index);
        }
    }
    // The one that it begins with is released when the stage has taken it over.
    if let Base::Stage(index) = stage.base {
        needs.push(index);
    }
    needs
}

impl Build<'_> {
    fn release(&mut self, index: usize) {
        self.uses[index] -= 1;
        if self.uses[index] == 0 {
            self.built[index] = None;
        }
    }

    /// Whether the context, or a stage that has just been followed, holds everything that is taken of it: BuildKit looks
    /// before it copies anything. What it finds late comes back.
    fn check_sources(&mut self, stage: Option<usize>) -> Result<Option<Failure>, Failure> {
        let mut late = None;
        let users = self.users.get(&stage).into_iter().flatten();
        for (user, number) in users {
            let Some(step) = self.plans[*user].as_ref().map(|plan| &plan.steps[*number]) else {
                continue;
            };
            let is_meant = |source: &Source| match source {
                Source::Stage(index, _) => Some(*index) == stage,
                _ => stage.is_none(),
            };
            let budget = &mut *self.budget;
            let checked = match &step.action {
                Action::Copy(plan) => with_origin(&plan.from, self.context, &self.built, |origin| {
                    copy::check(plan, origin, budget)
                }),
                Action::Run(run) => {
                    let mut mounts = run
                        .mounts
                        .iter()
                        .filter(|mount| mount.is_needed && is_meant(&mount.from));
                    mounts.try_for_each(|mount| {
                        with_origin(&mount.from, self.context, &self.built, |origin| {
                            check_mount(&mount.path, origin)
                        })
                    })
                }
                Action::Workdir(..) => Ok(()),
            };
            let Err(missing) = checked else { continue };
            let failure = Failure {
                line: Some(step.line),
                reason: missing.reason,
            };
            if !missing.is_late {
                return Err(failure);
            }
            late = late.or(Some(failure));
        }
        Ok(late)
    }

    fn stage(&mut self, stage: &Stage, plan: &Plan) -> Result<Files, Failure> {
        let mut files = match &stage.base {
            Base::Scratch => Files::default(),
            Base::Image(image) => Files::unknown(Unknown::BaseImage { image: image.clone() }),
            // The last stage that needs it takes it over, instead of sharing it.
            Base::Stage(index) if self.uses[*index] == 1 => self.built[*index].take().unwrap_or_default(),
            Base::Stage(index) => self.built[*index].clone().unwrap_or_default(),
        };
        let name = stage.name.as_ref().map(|name| format!("{name} ")).unwrap_or_default();
        let count = plan.steps.len() + 1;
        let label = |number: usize| format!("[{name}{number}/{count}]");
        self.begin_step(label(1), format!("FROM {}", stage.text), false);
        for (number, step) in (2..).zip(&plan.steps) {
            self.begin_step(label(number), step.text.clone(), true);
            self.step(step, &mut files).map_err(|reason| Failure {
                line: Some(step.line),
                reason,
            })?;
        }
        Ok(files)
    }

    fn begin_step(&mut self, label: String, text: String, takes_time: bool) {
        self.course.steps.push(Step {
            label,
            text,
            output: Vec::new(),
            takes_time,
        });
    }

    fn say(&mut self, text: String) {
        if let Some(step) = self.course.steps.last_mut() {
            step.output.push(text);
        }
    }

    fn step(&mut self, step: &Planned, files: &mut Files) -> Result<(), String> {
        match &step.action {
            Action::Copy(plan) => self.copy(plan, files),
            Action::Run(plan) => self.run(plan, step.line, files),
            Action::Workdir(path, user) => {
                let place = files.tree().resolve("", path, true);
                let place = place.map_err(|astray| format!("mkdir /{path}: {astray}"))?;
                if files.tree().is_directory(&place.path) {
                    return Ok(());
                }
                let owner = match user {
                    Some(user) => files.owner(user)?,
                    None => None,
                };
                files.make_folders(&place.path, &Attributes::new(0o755, owner), self.budget)
            }
        }
    }

    fn copy(&mut self, plan: &CopyPlan, files: &mut Files) -> Result<(), String> {
        let copied = with_origin(&plan.from, self.context, &self.built, |origin| {
            copy::carry_out(plan, files, origin, self.budget)
        })?;
        if plan.from == Source::Context {
            self.say(format!("0.001 {copied} files from the context"));
        }
        Ok(())
    }

    fn run(&mut self, plan: &RunPlan, line: usize, files: &mut Files) -> Result<(), String> {
        let rule = self.rules.iter().find(|rule| plan.command.contains(&rule.containing));
        let exit = match rule {
            Some(rule) => {
                for line in rule.prints.lines() {
                    self.say(format!("0.010 {line}"));
                }
                rule.exit
            }
            None => known_exit(plan),
        };
        if exit != 0 {
            return Err(format!(
                "process {:?} did not complete successfully: exit code: {exit}",
                plan.words.join(" ")
            ));
        }
        if rule.is_none() {
            self.say("0.001 (the emulator does not execute RUN steps)".to_owned());
        }
        files.runs.push(line);
        files.unknown.push(Unknown::Run { line });
        Ok(())
    }
}

/// A mount has to find its source, as far as that is known.
fn check_mount(path: &str, origin: &Origin<'_>) -> Result<(), Missing> {
    let reason = match origin.find(path) {
        Ok(true) => return Ok(()),
        Ok(false) if !origin.is_closed => return Ok(()),
        Ok(false) => origin.missing(path),
        Err(reason) => reason,
    };
    Err(Missing { reason, is_late: false })
}

fn with_origin<T>(source: &Source, context: &Tree, built: &[Option<Files>], with: impl FnOnce(&Origin<'_>) -> T) -> T {
    let nothing = Tree::default();
    match source {
        Source::Context => with(&Origin {
            name: "context",
            tree: context,
            is_closed: true,
            files: None,
        }),
        Source::Stage(index, name) => {
            let files = built[*index].as_ref();
            with(&Origin {
                name,
                tree: files.map_or(&nothing, Files::tree),
                is_closed: files.is_none_or(Files::is_closed),
                files,
            })
        }
        Source::Scratch | Source::Image(_) => with(&Origin {
            name: match source {
                Source::Image(name) => name,
                _ => "scratch",
            },
            tree: &nothing,
            is_closed: *source == Source::Scratch,
            files: None,
        }),
    }
}

/// The exit status of the few commands that need no running.
fn known_exit(plan: &RunPlan) -> i32 {
    if plan.is_exec_form {
        return i32::from(plan.words == ["false"]);
    }
    match plan.command.trim().split_once(' ') {
        None if plan.command.trim() == "false" => 1,
        Some(("exit", status)) => status.trim().parse().unwrap_or(0),
        _ => 0,
    }
}
