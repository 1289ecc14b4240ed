//! Follows a Dockerfile as far as can be known without running anything.

use std::collections::HashMap;
use std::sync::Arc;

use super::assemble::{BuildContext, clean};
use super::copy;
use super::dockerfile::{self, Dockerfile, Instruction};
use super::flags::{Flags, exec_form, quoted_words};
use super::image::{BuiltImage, Doubt, Node, Unknown};
use super::origin::Origin;
use super::stage::{Base, PLATFORM_ARGUMENTS, Stages, assignments, find_from, stages};
use super::word;
use crate::script::RunRule;

/// The course of a build: its steps, up to the one that fails.
#[derive(Debug, Default)]
pub(super) struct Course {
    pub(super) base_images: Vec<String>,
    pub(super) steps: Vec<Step>,
    pub(super) failure: Option<Failure>,
    /// What is known of the image, if the build succeeds.
    pub(super) image: Option<BuiltImage>,
}

/// A step with a layer of its own.
#[derive(Debug)]
pub(super) struct Step {
    /// `[2/5]`, or `[build 2/5]` in a named stage.
    pub(super) label: String,
    /// The instruction on one line.
    pub(super) text: String,
    /// Output lines.
    pub(super) output: Vec<String>,
    pub(super) takes_time: bool,
}

/// Why the build fails, at its last step.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) line: Option<usize>,
    pub(super) reason: String,
}

/// Files that a build looks at or copies, all stages together, so that no Dockerfile keeps the builder busy for ever or fills
/// the memory.
const FILES: usize = 3_000_000;

/// Bytes that the heredocs and the compressed archives of a build may make.
const BYTES: usize = 256 * 1024 * 1024;

/// Follows the Dockerfile of the context.
pub(super) fn course(context: &BuildContext, rules: &[RunRule]) -> Course {
    let mut course = Course::default();
    let failed = |(line, reason)| Failure { line, reason };
    let dockerfile = match dockerfile::read(&context.dockerfile) {
        Ok(dockerfile) => dockerfile,
        Err(reason) => {
            course.failure = Some(failed((None, reason)));
            return course;
        }
    };
    match stages(&dockerfile) {
        Ok(stages) => match follow(&dockerfile, &stages, context, rules, &mut course) {
            Ok(image) => course.image = Some(image),
            Err(failure) => course.failure = Some(failure),
        },
        Err(error) => course.failure = Some(failed(error)),
    }
    course
}

fn follow(
    dockerfile: &Dockerfile,
    stages: &Stages<'_>,
    context: &BuildContext,
    rules: &[RunRule],
    course: &mut Course,
) -> Result<BuiltImage, Failure> {
    let mut built: Vec<Option<Built>> = Vec::new();
    let mut budget = Budget {
        files: FILES,
        bytes: BYTES,
    };
    for stage in &stages.stages {
        if !stage.is_needed {
            built.push(None);
            continue;
        }
        let mut begin = match &stage.base {
            Base::Scratch => Built::default(),
            Base::Image(image) => {
                // The metadata of an image are loaded once.
                if !course.base_images.contains(image) {
                    course.base_images.push(image.clone());
                }
                let mut begin = Built::default();
                begin.image.unknown.push(Unknown::BaseImage { image: image.clone() });
                begin
            }
            Base::Stage(index) => {
                let base = built[*index].clone().unwrap_or_default();
                budget.spend(base.image.nodes.len()).map_err(|reason| Failure {
                    line: Some(stage.from.line),
                    reason,
                })?;
                base
            }
        };
        let inherited = std::mem::take(&mut begin.triggers);
        let mut builder = StageBuilder {
            dockerfile,
            stages,
            built: &built,
            context,
            rules,
            budget: &mut budget,
            course,
            label: stage.name.clone(),
            step: 1,
            steps: 1 + inherited
                .iter()
                .chain(stage.instructions)
                .filter(|one| has_layer(one))
                .count(),
            arguments: HashMap::new(),
            shell: begin.shell.clone(),
            runs: Vec::new(),
            placed: HashMap::new(),
            out: begin,
        };
        builder.begin_step(&format!("FROM {}", stage.from.rest));
        for instruction in inherited.iter().chain(stage.instructions) {
            builder.carry_out(instruction).map_err(|reason| Failure {
                line: Some(instruction.line),
                reason,
            })?;
        }
        let out = builder.finish();
        built.push(Some(out));
    }
    let last = built.pop().flatten().unwrap_or_default();
    Ok(last.image)
}

fn has_layer(instruction: &Instruction) -> bool {
    matches!(instruction.keyword.as_str(), "RUN" | "COPY" | "ADD" | "WORKDIR")
}

/// What is left to spend on a build.
pub(super) struct Budget {
    files: usize,
    bytes: usize,
}

impl Budget {
    pub(super) fn spend(&mut self, files: usize) -> Result<(), String> {
        let left = self.files.checked_sub(files);
        self.files = left.ok_or_else(|| format!("the emulator gives up: its builds may copy at most {FILES} files"))?;
        Ok(())
    }

    /// For bytes that are kept in memory, as they are in no archive that was uploaded.
    pub(super) fn spend_bytes(&mut self, bytes: usize) -> Result<(), String> {
        let left = self.bytes.checked_sub(bytes);
        self.bytes =
            left.ok_or_else(|| format!("the emulator gives up: its builds may write or unpack at most {BYTES} bytes"))?;
        Ok(())
    }
}

/// A stage that was followed to its end.
#[derive(Debug, Clone, Default)]
pub(super) struct Built {
    pub(super) image: BuiltImage,
    /// What `ONBUILD` left for stages that begin with this one.
    triggers: Vec<Instruction>,
    shell: Option<Vec<String>>,
}

pub(super) struct StageBuilder<'a> {
    pub(super) dockerfile: &'a Dockerfile,
    pub(super) stages: &'a Stages<'a>,
    pub(super) built: &'a [Option<Built>],
    pub(super) context: &'a BuildContext,
    rules: &'a [RunRule],
    pub(super) budget: &'a mut Budget,
    course: &'a mut Course,
    label: Option<String>,
    step: usize,
    steps: usize,
    arguments: HashMap<String, String>,
    shell: Option<Vec<String>>,
    /// Lines of the `RUN` steps, and how many files had been placed before each.
    runs: Vec<(usize, usize)>,
    /// When each file was placed.
    placed: HashMap<Arc<str>, usize>,
    pub(super) out: Built,
}

impl<'a> StageBuilder<'a> {
    fn begin_step(&mut self, text: &str) {
        let name = self.label.as_ref().map(|name| format!("{name} ")).unwrap_or_default();
        self.course.steps.push(Step {
            label: format!("[{name}{}/{}]", self.step, self.steps),
            text: text.to_owned(),
            output: Vec::new(),
            takes_time: self.step > 1,
        });
        self.step += 1;
    }

    pub(super) fn say(&mut self, text: String) {
        if let Some(step) = self.course.steps.last_mut() {
            step.output.push(text);
        }
    }

    /// Puts something at a path. Whatever is below a path is gone when a file comes there; the caller has checked that.
    pub(super) fn place(&mut self, path: &str, node: Node) -> Result<(), String> {
        self.budget.spend(1)?;
        let path: Arc<str> = path.into();
        if matches!(node, Node::File(_)) {
            let count = self.placed.len();
            self.placed.insert(Arc::clone(&path), count + self.runs.len());
        }
        self.out.image.nodes.insert(path, node);
        Ok(())
    }

    /// The text with variables put in.
    pub(super) fn process(&self, text: &str) -> Result<String, String> {
        word::process(text, &|name| self.variable(name), self.dockerfile.escape)
    }

    pub(super) fn process_heredoc(&self, text: &str) -> Result<String, String> {
        word::process_heredoc(text, &|name| self.variable(name), self.dockerfile.escape)
    }

    /// What came of an earlier stage, by its name or number; `None` if that is an image.
    pub(super) fn built_stage(&self, from: &str) -> Option<&'a Built> {
        let before = &self.stages.stages[..self.built.len()];
        self.built[find_from(before, from)?].as_ref()
    }

    /// What `ENV` says counts more than what `ARG` says.
    fn variable(&self, name: &str) -> Option<String> {
        let env = self.out.image.env.get(name);
        env.or_else(|| self.arguments.get(name)).cloned()
    }

    fn carry_out(&mut self, instruction: &Instruction) -> Result<(), String> {
        let rest = instruction.rest.as_str();
        if has_layer(instruction) {
            self.begin_step(&format!("{} {rest}", instruction.keyword));
        }
        match instruction.keyword.as_str() {
            "RUN" => self.run(instruction)?,
            "COPY" | "ADD" => copy::carry_out(self, instruction)?,
            "WORKDIR" => {
                let path = self.absolute(&self.process(rest)?);
                self.out.image.workdir = Some(format!("/{path}"));
                if !path.is_empty() {
                    self.out
                        .image
                        .nodes
                        .entry(path.as_str().into())
                        .or_insert(Node::Directory);
                }
            }
            "ARG" => {
                for (name, value) in assignments(rest, false) {
                    self.argument(name, value)?;
                }
            }
            "ENV" => {
                // All of one instruction see the values from before it.
                let mut values = Vec::new();
                for (name, value) in assignments(rest, true) {
                    values.push((name, self.process(&value.unwrap_or_default())?));
                }
                self.out.image.env.extend(values);
            }
            "LABEL" => {
                for (name, value) in assignments(rest, true) {
                    let value = self.process(&value.unwrap_or_default())?;
                    self.out.image.labels.insert(self.process(&name)?, value);
                }
            }
            "USER" => self.out.image.user = Some(self.process(rest)?),
            "EXPOSE" => {
                for port in quoted_words(rest) {
                    let port = self.process(&port)?;
                    self.out.image.exposed.push(port);
                }
            }
            "SHELL" => {
                let shell = exec_form(rest).filter(|words| !words.is_empty());
                self.shell = Some(shell.ok_or("SHELL requires the arguments to be in JSON form")?);
            }
            "ENTRYPOINT" => self.out.image.entrypoint = Some(self.command(rest)),
            "CMD" => self.out.image.cmd = Some(self.command(rest)),
            "ONBUILD" => {
                let (keyword, inner) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
                let keyword = keyword.to_ascii_uppercase();
                if matches!(keyword.as_str(), "ONBUILD" | "FROM" | "MAINTAINER") {
                    return Err(format!("{keyword} isn't allowed as an ONBUILD trigger"));
                }
                self.out.triggers.push(Instruction {
                    line: instruction.line,
                    keyword,
                    rest: inner.trim().to_owned(),
                    heredocs: instruction.heredocs.clone(),
                });
            }
            _ => {}
        }
        Ok(())
    }

    /// An argument has its own value, or that of the same name before the first stage or of the platform.
    fn argument(&mut self, name: String, value: Option<String>) -> Result<(), String> {
        let value = match value {
            Some(value) => Some(self.process(&value)?),
            None => self.stages.global.get(&name).cloned(),
        };
        let platform = PLATFORM_ARGUMENTS.iter().find(|(other, _)| *other == name);
        let value = value.or_else(|| platform.map(|(_, value)| (*value).to_owned()));
        if let Some(value) = value {
            self.arguments.insert(name, value);
        }
        Ok(())
    }

    /// A path without its leading slash, below the working directory if it is relative.
    pub(super) fn absolute(&self, path: &str) -> String {
        match &self.out.image.workdir {
            Some(workdir) if !path.starts_with('/') => clean(&format!("{workdir}/{path}")),
            _ => clean(path),
        }
    }

    /// The words that Docker starts.
    fn command(&self, rest: &str) -> Vec<String> {
        exec_form(rest).unwrap_or_else(|| {
            let mut words = self.shell();
            words.push(rest.to_owned());
            words
        })
    }

    fn shell(&self) -> Vec<String> {
        let usual = || vec!["/bin/sh".to_owned(), "-c".to_owned()];
        self.shell.clone().unwrap_or_else(usual)
    }

    fn run(&mut self, instruction: &Instruction) -> Result<(), String> {
        let (flags, command) = Flags::read(&instruction.rest, &["mount", "network", "security", "device"])?;
        for mount in flags.all("mount") {
            self.check_mount(mount)?;
        }
        let command = command_text(instruction, command);
        let words = exec_form(&command);
        let process = match &words {
            Some(words) => words.join(" "),
            None => {
                let mut words = self.shell();
                words.push(command.clone());
                words.join(" ")
            }
        };
        let rule = self.rules.iter().find(|rule| command.contains(&rule.containing));
        let exit = match rule {
            Some(rule) => {
                for line in rule.prints.lines() {
                    self.say(format!("0.010 {line}"));
                }
                rule.exit
            }
            None => match known_exit(words.as_deref(), &command) {
                0 => {
                    self.say("0.001 (the emulator does not execute RUN steps)".to_owned());
                    0
                }
                exit => exit,
            },
        };
        if exit != 0 {
            return Err(format!(
                "process {process:?} did not complete successfully: exit code: {exit}"
            ));
        }
        self.runs.push((instruction.line, self.placed.len() + self.runs.len()));
        self.out.image.unknown.push(Unknown::Run { line: instruction.line });
        Ok(())
    }

    /// A mount of the context or of a stage has to find its source, as far as that is known.
    fn check_mount(&self, mount: &str) -> Result<(), String> {
        let mount = self.process(mount)?;
        let option = |names: &[&str]| {
            let mut options = mount.split(',').filter_map(|option| option.split_once('='));
            options
                .find(|(name, _)| names.contains(name))
                .map(|(_, value)| value.to_owned())
        };
        if option(&["type"]).is_some_and(|kind| kind != "bind") {
            return Ok(());
        }
        let source = option(&["source", "src"]).unwrap_or_default();
        let from = option(&["from"]);
        let origin = match &from {
            None => Origin::Context(&self.context.files),
            Some(name) => match self.built_stage(name) {
                Some(built) => Origin::Image {
                    name,
                    image: &built.image,
                },
                None => return Ok(()),
            },
        };
        let path = clean(&source);
        if path.is_empty() || !origin.is_closed() || origin.exists(&path) {
            return Ok(());
        }
        Err(origin.missing(&path))
    }

    /// Notes which files a later `RUN` may have changed.
    fn finish(mut self) -> Built {
        self.out.shell = self.shell;
        for (path, node) in &mut self.out.image.nodes {
            let Node::File(file) = node else { continue };
            // A file of the stage that this one began with was there from the beginning.
            let placed = self.placed.get(path).copied();
            let after = self
                .runs
                .iter()
                .find(|(_, count)| placed.is_none_or(|placed| *count > placed));
            if let Some((line, _)) = after {
                file.doubt.get_or_insert(Doubt::RunAfter { line: *line });
            }
        }
        self.out
    }
}

/// A command that is a heredoc alone is the heredoc's text.
fn command_text(instruction: &Instruction, command: &str) -> String {
    match instruction.heredocs.as_slice() {
        [heredoc] if dockerfile::heredoc(command).is_some() => heredoc.body.trim_end().to_owned(),
        _ => command.to_owned(),
    }
}

/// The exit status of the few commands that need no running.
fn known_exit(words: Option<&[String]>, command: &str) -> i32 {
    if let Some(words) = words {
        return i32::from(words.iter().map(String::as_str).eq(["false"]));
    }
    match command.trim().split_once(' ') {
        None if command.trim() == "false" => 1,
        Some(("exit", status)) => status.trim().parse().unwrap_or(0),
        _ => 0,
    }
}
