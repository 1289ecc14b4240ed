//! Plans the steps of an image.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use super::context_root::ContextRoot;
use super::effort::Effort;
use super::files::Finder;
use super::image_plan::{ExcludedPath, ImagePlan};
use super::layout::Tree;
use super::member::Member;
use super::options::PlanOptions;
use super::part::{Body, Part};
use super::render::Renderer;
use super::source::At;
use super::warnings::Warnings;
use super::{advice, entrypoint, targets};
use crate::bounded::{Bounded, Place, Said};
use crate::dockerfile::Dockerfile;
use crate::dockerfile::followed::{Followed, Note, Placed, Taking};
use crate::dockerfile::stages::follow;
use crate::escape;
use crate::image::Step;
use crate::image::instruction::Instruction;
use crate::problem::{DockerfileLine, MOST_PROBLEMS, PlanError, Problem, ProblemKind};

/// Plans the steps of an image.
pub(super) fn plan(steps: &[Step], options: &PlanOptions) -> Result<ImagePlan, PlanError> {
    let mut planner = Planner {
        steps,
        options,
        effort: Arc::new(Effort::new(options.stop())),
        parts: Vec::new(),
        problems: Bounded::new(MOST_PROBLEMS),
        warnings: Warnings::default(),
    };
    let escape = planner.render();
    let followed = planner.follow(escape);
    planner.advise(&followed);
    planner.find(&followed.takings);
    planner.refuse_conflicts(&followed);
    planner.stop_at_problems()?;
    planner.finish(escape)
}

struct Planner<'a> {
    steps: &'a [Step],
    options: &'a PlanOptions,
    effort: Arc<Effort>,
    parts: Vec<Part>,
    problems: Bounded<Problem>,
    warnings: Warnings,
}

impl Planner<'_> {
    fn problem(&mut self, step: usize, (line, kind): At) {
        let of = &self.steps[step - 1];
        self.problems.push(Problem {
            step,
            method: of.method,
            location: of.location,
            line,
            kind,
        });
    }

    /// All problems at once, in the order of the steps and lines.
    fn stop_at_problems(&mut self) -> Result<(), PlanError> {
        if self.problems.is_empty() {
            return Ok(());
        }
        let problems = std::mem::replace(&mut self.problems, Bounded::new(MOST_PROBLEMS));
        let (problems, more) = problems.into_parts();
        Err(PlanError::new(problems, more))
    }

    /// Renders each step; returns the escape character of the Dockerfile.
    fn render(&mut self) -> char {
        let steps = self.steps;
        let mut renderer = Renderer::new(self.options);
        for (index, step) in steps.iter().enumerate() {
            let number = index + 1;
            if let Err(kind) = self.options.check_stop() {
                self.problem(number, (None, kind));
                break;
            }
            match renderer.parts(&step.instruction) {
                Ok(rendered) => {
                    let at = |part: Part| Part { step: number, ..part };
                    self.parts.extend(rendered.parts.into_iter().map(at));
                    rendered.problems.into_iter().for_each(|at| self.problem(number, at));
                    let warnings = rendered.warnings.into_iter();
                    self.warnings.extend(warnings.map(|message| (number, message)));
                }
                Err(problems) => problems.into_iter().for_each(|kind| self.problem(number, (None, kind))),
            }
        }
        renderer.escape()
    }

    /// Follows the instructions of all parts through stages and variables.
    fn follow(&mut self, escape: char) -> Followed {
        let instructions = self.parts.iter().enumerate().flat_map(|(part, this)| {
            let instructions = this.read.instructions().iter();
            instructions.map(move |instruction| Placed { part, instruction })
        });
        let instructions: Vec<Placed<'_>> = instructions.collect();
        let followed = follow(escape, &instructions);
        // An invalid instruction has already been reported.
        let told: HashSet<Place> = self.problems.iter().map(Said::place).collect();
        for note in &followed.problems {
            let problem = escape::text(&note.text).to_string();
            let line = self.line(note.part, note.line);
            let step = self.parts[note.part].step;
            if line.is_none() || !told.contains(&(step, line.as_ref().map(|at| at.line))) {
                self.problem(step, (line, ProblemKind::Dockerfile { problem }));
            }
        }
        followed
    }

    /// The line of the caller's own text. Our own lines have none.
    fn line(&self, part: usize, line: usize) -> Option<DockerfileLine> {
        let part = &self.parts[part];
        part.raw().map(|raw| DockerfileLine {
            path: raw.path.clone(),
            line: part.line(line),
        })
    }

    fn warn(&mut self, part: usize, line: usize, message: &str) {
        let (step, line) = (self.parts[part].step, self.line(part, line));
        self.warnings.push(step, line, escape::text(message).to_string());
    }

    /// Adds warnings about what is probably a mistake.
    fn advise(&mut self, followed: &Followed) {
        for image in &followed.images {
            for remark in advice::base_image(&image.image, image.platform.as_deref()) {
                self.warn(image.part, image.line, &remark);
            }
        }
        for assignment in &followed.assignments {
            if let Some(remark) = advice::variable(assignment.keyword, &assignment.name) {
                self.warn(assignment.part, assignment.line, &remark);
            }
        }
        for Note { part, line, text } in &followed.warnings {
            self.warn(*part, *line, text);
        }
        // An argument that a Dockerfile uses has got its value there.
        for (index, step) in self.steps.iter().enumerate() {
            let Instruction::Arg { name, .. } = &step.instruction else {
                continue;
            };
            let declares = |part: &Part| part.raw().is_some() && part.step <= index;
            let is_late = followed.assignments.iter().any(|assignment| {
                assignment.keyword == "ARG" && assignment.name == *name && declares(&self.parts[assignment.part])
            });
            if is_late {
                let message = format!(
                    "the Dockerfile declares `{name}` itself, before this step: set it with `DockerfileSource::build_arg`"
                );
                self.warnings.push(index + 1, None, message);
            }
        }
    }

    /// Finds the files that the parts take from their contexts.
    fn find(&mut self, takings: &[Taking]) {
        let mut of_parts: Vec<Vec<&Taking>> = self.parts.iter().map(|_| Vec::new()).collect();
        for taking in takings {
            of_parts[taking.part].push(taking);
        }
        let default = ContextRoot::default();
        for (part, takings) in of_parts.into_iter().enumerate() {
            let context = self.parts[part].raw().map_or(&default, |raw| &raw.context);
            // A context that is named has to be there; one that is not, only if something is taken from it.
            if takings.is_empty() && context.dir.path.is_none() {
                continue;
            }
            let step = self.parts[part].step;
            if let Err(kind) = self.options.check_stop() {
                return self.problem(step, (None, kind));
            }
            let mut finder = match Finder::open(self.options, &self.effort, context, &takings) {
                Ok(finder) => finder,
                Err(kinds) => {
                    for kind in kinds {
                        self.problem(step, (None, kind));
                    }
                    continue;
                }
            };
            finder.take_all(&takings);
            let found = finder.finish();
            for (line, kind) in found.problems {
                let line = line.and_then(|line| self.line(part, line));
                self.problem(step, (line, kind));
            }
            for (line, message) in found.warnings {
                self.warn(part, line, &message);
            }
            self.parts[part].taken = found.taken;
        }
    }

    /// Refuses impossible targets.
    fn refuse_conflicts(&mut self, followed: &Followed) {
        for (part, line, problem) in targets::conflicts(&self.parts, followed) {
            let line = self.line(part, line);
            self.problem(self.parts[part].step, (line, ProblemKind::Dockerfile { problem }));
        }
    }

    /// Gives each local source its place in the one tree that the server makes.
    fn finish(mut self, escape: char) -> Result<ImagePlan, PlanError> {
        let parts = std::mem::take(&mut self.parts);
        let dockerfiles = parts.iter().filter_map(|part| part.raw()?.file.as_ref());
        let effort = Arc::clone(&self.effort);
        let mut tree = Tree::new(parts.iter().filter_map(Part::source), dockerfiles, &effort);
        // What cannot move has to be there first.
        for part in &parts {
            tree.place_raw(part.step, &part.taken);
        }
        let mut dockerfile = String::new();
        for (index, part) in parts.iter().enumerate() {
            match &part.body {
                Body::Line(text) => dockerfile.extend([text, "\n"]),
                Body::Copy(copy) => {
                    let root = tree.place(part.step, &copy.source);
                    if root.contains(|character: char| character.is_ascii_control()) {
                        let path = root.clone().into();
                        self.problem(part.step, (None, ProblemKind::UnaskableName { path }));
                    }
                    dockerfile.push_str(&copy.line(&root, escape));
                }
                Body::Raw(raw) if index + 1 == parts.len() => dockerfile.push_str(&raw.text),
                Body::Raw(raw) => {
                    dockerfile.push_str(&part.text_to_append_to(raw));
                    if !dockerfile.ends_with('\n') {
                        dockerfile.push('\n');
                    }
                }
            }
        }
        // A text that is one part has been read.
        let read = match parts.as_slice() {
            [part] if part.raw().is_some_and(|raw| raw.text == dockerfile) => Cow::Borrowed(&part.read),
            _ => Cow::Owned(Dockerfile::read(&dockerfile).0),
        };
        self.refuse_glue(&parts, &read);
        self.refuse_reserved(&parts, &tree, &dockerfile);
        for (step, kind) in tree.overlaps() {
            self.problem(step, (None, kind));
        }
        if let Some(kind) = self.effort.problem() {
            self.problem(self.steps.len(), (None, kind));
        }
        self.stop_at_problems()?;
        let entrypoint = entrypoint::stored(&dockerfile);
        self.remark(&parts, &tree, &dockerfile, &read, &entrypoint);
        Ok(ImagePlan {
            members: tree.members().map(|(name, found)| Member::new(name, found)).collect(),
            excluded: parts.iter().flat_map(excluded).collect(),
            warnings: self.warnings.finish(self.steps),
            options: self.options.clone(),
            entrypoint,
            dockerfile,
        })
    }

    /// Checks that the whole text consists of exactly the instructions of its parts.
    fn refuse_glue(&mut self, parts: &[Part], read: &Dockerfile) {
        let count = |part: &Part| match part.body {
            Body::Copy(_) => 1,
            Body::Line(_) | Body::Raw(_) => part.read.instructions().len(),
        };
        let mut expected = 0;
        let found = read.instructions().len();
        for part in parts {
            expected += count(part);
        }
        if expected != found {
            let problem = format!(
                "the steps make {expected} instructions, but together they read as {found}: a line runs into the next step"
            );
            self.problem(self.steps.len(), (None, ProblemKind::Dockerfile { problem }));
        }
    }

    /// Names with a special meaning at the root cannot be copied from there, except the Dockerfile itself.
    fn refuse_reserved(&mut self, parts: &[Part], tree: &Tree<'_>, dockerfile: &str) {
        for part in parts {
            for (line, name) in &part.taken.named {
                if tree.is_generated(name, dockerfile) {
                    continue;
                }
                let problem = format!(
                    "`{name}` has a special meaning at the root of a build context and cannot be copied from there: copy it under another name, or add it with `add_local_file(\"{name}\", …)`"
                );
                let line = part.raw().map(|raw| DockerfileLine {
                    path: raw.path.clone(),
                    line: part.line(*line),
                });
                self.problem(part.step, (line, ProblemKind::Dockerfile { problem }));
            }
        }
    }

    /// Adds warnings about the plan as a whole.
    fn remark(&mut self, parts: &[Part], tree: &Tree<'_>, dockerfile: &str, read: &Dockerfile, stored: &[String]) {
        let mut remarks = tree.displaced(dockerfile);
        remarks.extend(tree.secrets());
        let oversize = self.options.warn_over.and_then(|limit| tree.oversize(limit));
        remarks.extend(oversize.map(|message| (self.steps.len(), message)));
        for part in parts {
            let (folder, walked) = match &part.body {
                Body::Copy(copy) => (copy.source.last.as_str(), &copy.source.walked),
                Body::Line(_) | Body::Raw(_) => ("", &part.taken.walked),
            };
            remarks.extend(walked.remarks(folder).into_iter().map(|message| (part.step, message)));
        }
        let surprise = entrypoint::surprise(read, stored);
        remarks.extend(surprise.map(|message| (self.steps.len(), message)));
        self.warnings.extend(remarks);
    }
}

fn excluded(part: &Part) -> Vec<ExcludedPath> {
    let walked = part.source().map_or(&part.taken.walked, |source| &source.walked);
    let excluded = walked.excluded.iter().map(|found| ExcludedPath {
        step: part.step,
        name: found.name.clone(),
        path: found.path.clone(),
        rule: found.rule.clone(),
    });
    excluded.collect()
}
