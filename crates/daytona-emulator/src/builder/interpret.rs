//! Follows a Dockerfile as far as can be known without running anything.
//!
//! The way is BuildKit's: the text is read ([`reader`]), its instructions are checked ([`command`]) and divided into stages
//! ([`stages`]), variables are put in ([`plan`]), and then the stages that the image needs are followed ([`stage`]).

use super::assemble::BuildContext;
use super::image::BuiltImage;
use super::job::RunRule;
use super::tree::Tree;

mod budget;
mod chmod;
mod command;
mod context;
mod copy;
mod copy_plan;
mod course;
mod files;
mod flags;
mod glob;
mod heredoc;
mod instruction;
mod json;
mod lexer;
mod mount;
mod network;
mod origin;
mod plan;
mod planned;
mod planner;
mod reader;
mod rules;
mod stage;
mod stages;
mod substitution;
mod unpack;
#[cfg(test)]
mod vectors;
mod walk;

use budget::Budget;
pub(super) use course::{Course, Failure, Step};
use files::Files;
use planned::{State, shown};

/// Follows the Dockerfile of the context.
pub(super) fn course(context: &BuildContext, rules: &[RunRule]) -> Course {
    let mut course = Course::default();
    match follow(&context.dockerfile, "Dockerfile", &context.tree, rules, &mut course) {
        Ok((files, state)) => course.image = Some(image(files, &state)),
        Err(failure) => course.failure = Some(failure.shortened()),
    }
    course
}

/// Follows a Dockerfile that has this name in its context, to the files and the configuration of its last stage.
fn follow(
    dockerfile: &str,
    name: &str,
    tree: &Tree,
    rules: &[RunRule],
    course: &mut Course,
) -> Result<(Files, State), Failure> {
    let mut budget = Budget::default();
    let dockerfile = reader::read(dockerfile)?;
    let stages = stages::stages(&dockerfile, &mut budget)?;
    let mut plans = Vec::new();
    for stage in &stages.all {
        let plan = if stage.is_needed {
            let plan = plan::plan(stage, &stages, &plans, dockerfile.escape, &mut budget)?;
            if let stages::Base::Image(image) = &stage.base {
                course.images.insert(image.clone(), true);
            }
            for image in plan.images() {
                course.images.entry(image.clone()).or_default();
            }
            Some(plan)
        } else {
            None
        };
        plans.push(plan);
    }
    let context = context::sent(tree, name, &plans, &mut budget)?;
    let files = stage::follow(&stages, &plans, &context, rules, &mut budget, course)?;
    let state = plans.pop().flatten().map(|plan| plan.state).unwrap_or_default();
    Ok((files, state))
}

fn image(files: Files, state: &State) -> BuiltImage {
    let mut image = BuiltImage {
        unknown: files.unknown.clone(),
        env: shown(&state.env),
        labels: shown(&state.labels),
        workdir: state.workdir.as_ref().map(ToString::to_string),
        user: state.user.as_ref().map(ToString::to_string),
        entrypoint: state.entrypoint.as_ref().map(|words| words.to_vec()),
        cmd: state.cmd.as_ref().map(|words| words.to_vec()),
        exposed: state.exposed.iter().map(ToString::to_string).collect(),
        ..BuiltImage::default()
    };
    let runs = files.runs.clone();
    image.set_files(files.into_tree(), &runs);
    image
}

/// Whether a pattern of Go's `path.Match` matches the whole path. One that is none matches nothing.
pub(super) fn matches(pattern: &str, path: &str) -> bool {
    glob::Glob::new(pattern).is_ok_and(|glob| glob.matches(path))
}
