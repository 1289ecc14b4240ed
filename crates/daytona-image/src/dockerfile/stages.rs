//! Stages: which of them the last one needs, and what these take from the build context.

use std::collections::HashMap;

use super::budget::{Budget, WordError};
use super::check;
use super::dispatch::Dispatcher;
use super::followed::{Assignment, BaseImage, Command, Followed, Held, Note, Notes, Placed};
use super::instruction::Arguments;
use super::mount::Mount;
use super::reference;
use super::scope::{Base, Globals, Scopes};
use super::word::Lexer;
use super::{reader, values};

/// How many instructions the stages of a Dockerfile may take up from their bases, all together.
pub(super) const MAX_TRIGGERED: usize = 50_000;

/// A stage, or an image that an instruction takes from.
pub(super) struct Stage<'a> {
    pub(super) from: Placed<'a>,
    image: String,
    base: Option<usize>,
    pub(super) commands: Vec<Command<'a>>,
    /// Stages that instructions take from.
    dependencies: Vec<usize>,
    is_triggered: bool,
}

/// Follows the instructions of a Dockerfile. The last stage is the one that is built.
pub(crate) fn follow(escape: char, instructions: &[Placed<'_>]) -> Followed {
    let mut graph = Graph {
        escape,
        stages: Vec::new(),
        stage_count: 0,
        triggered: 0,
        by_name: HashMap::new(),
        followed: Followed::default(),
        problems: Notes::default(),
        warnings: Notes::default(),
        budget: Budget::default(),
    };
    graph.read(instructions);
    graph.finish()
}

struct Graph<'a> {
    escape: char,
    /// The stages, and behind them the images that instructions take from.
    stages: Vec<Stage<'a>>,
    stage_count: usize,
    /// How many instructions were taken up from bases.
    triggered: usize,
    /// The last stage of each name, in lower case.
    by_name: HashMap<String, usize>,
    followed: Followed,
    problems: Notes,
    warnings: Notes,
    budget: Budget,
}

impl<'a> Graph<'a> {
    fn problem(&mut self, at: Placed<'_>, text: impl Into<String>) {
        self.problems.push(Note {
            part: at.part,
            line: at.instruction.line,
            text: text.into(),
        });
    }

    /// Global arguments, stages and their bases.
    fn read(&mut self, instructions: &[Placed<'a>]) {
        let last = instructions.iter().rev().find(|placed| placed.instruction.is_stage());
        let target = last.and_then(|last| check::stage_name(last.instruction.words()));
        let mut globals = Globals::new(target.as_deref());
        let first = instructions.iter().position(|placed| placed.instruction.is_stage());
        let (global, staged) = instructions.split_at(first.unwrap_or(instructions.len()));
        for placed in global.iter().filter(|placed| placed.instruction.keyword == "ARG") {
            for word in placed.instruction.words() {
                self.assigned(*placed, "ARG", word.split('=').next().unwrap_or_default());
                let Some((name, value)) = word.split_once('=') else {
                    continue;
                };
                match self.global_word(&globals, value) {
                    Ok(value) => globals.set(name.to_owned(), value),
                    Err(error) => self.problem(*placed, error.to_string()),
                }
            }
        }
        for placed in staged {
            if placed.instruction.is_stage() {
                self.stage(*placed, &globals);
            } else if let Some(stage) = self.stages.last_mut() {
                stage.commands.push(Command {
                    part: placed.part,
                    line: placed.instruction.line,
                    instruction: Held::Written(placed.instruction),
                    sources: Vec::new(),
                });
            }
        }
        self.stage_count = self.stages.len();
        self.connect();
        self.refuse_circles();
        let reachable = self.reachable();
        self.followed.needed = (0..self.stage_count).map(|stage| reachable[stage]).collect();
        self.dispatch(&reachable, &globals);
    }

    pub(super) fn assigned(&mut self, at: Placed<'_>, keyword: &'static str, name: &str) {
        self.followed.assignments.push(Assignment {
            part: at.part,
            line: at.instruction.line,
            keyword,
            name: name.to_owned(),
        });
    }

    fn global_word(&self, globals: &Globals, word: &str) -> Result<String, WordError> {
        Lexer::new(self.escape, &|name| globals.get(name), &self.budget).word(word)
    }

    fn stage(&mut self, from: Placed<'a>, globals: &Globals) {
        let words = from.instruction.words();
        let written = words.first().map(String::as_str).unwrap_or_default();
        let image = match self.global_word(globals, written) {
            Ok(image) if image.is_empty() => {
                let text = format!(
                    "the image `{}` is blank: no ARG before the first FROM gives it a value",
                    written.escape_debug()
                );
                self.problem(from, text);
                "scratch".to_owned()
            }
            Ok(image) => image,
            Err(error) => {
                self.problem(from, error.to_string());
                "scratch".to_owned()
            }
        };
        if let Some(platform) = from
            .instruction
            .flag("platform")
            .filter(|platform| !platform.is_empty())
        {
            let checked = self.global_word(globals, platform).map_err(|error| error.to_string());
            if let Err(problem) = checked.and_then(|platform| values::platform(&platform)) {
                self.problem(from, problem);
            }
        }
        let name = check::stage_name(words);
        let number = self.stages.len();
        self.stages.push(Stage {
            from,
            base: self.by_name.get(&image).copied(),
            image,
            commands: Vec::new(),
            dependencies: Vec::new(),
            is_triggered: false,
        });
        self.by_name.extend(name.map(|name| (name, number)));
    }

    /// Finds the stages that instructions take from.
    fn connect(&mut self) {
        for stage in 0..self.stage_count {
            for command in 0..self.stages[stage].commands.len() {
                let sources = self.sources_of(stage, command);
                self.stages[stage].dependencies.extend(&sources);
                self.stages[stage].commands[command].sources = sources;
            }
        }
    }

    fn sources_of(&mut self, stage: usize, command: usize) -> Vec<usize> {
        let command = &self.stages[stage].commands[command];
        let (part, line) = (command.part, command.line);
        let instruction = &command.instruction;
        let note = |text: String| Note { part, line, text };
        match instruction.keyword() {
            "COPY" => {
                let Some(from) = instruction.flag("from").filter(|from| !from.is_empty()) else {
                    return Vec::new();
                };
                match from.parse::<i64>() {
                    Ok(number) => match usize::try_from(number)
                        .ok()
                        .filter(|number| *number < self.stages.len())
                    {
                        Some(number) => {
                            self.followed.has_numbers = true;
                            vec![number]
                        }
                        None => {
                            let text = format!(
                                "`--from={number}`: there are {} stages, counted from 0",
                                self.stage_count
                            );
                            self.problems.push(note(text));
                            Vec::new()
                        }
                    },
                    Err(_) => self.by_name.get(&from.to_lowercase()).copied().into_iter().collect(),
                }
            }
            "RUN" => instruction
                .flag_values("mount")
                .filter_map(|mount| self.by_name.get(&Mount::from(mount).to_lowercase()).copied())
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Stages that take from each other can never be built.
    fn refuse_circles(&mut self) {
        #[derive(Clone, Copy, PartialEq)]
        enum State {
            New,
            Open,
            Done,
        }
        let mut states = vec![State::New; self.stages.len()];
        for start in 0..self.stages.len() {
            let mut path = vec![(start, 0)];
            if states[start] != State::New {
                continue;
            }
            states[start] = State::Open;
            while let Some((stage, next)) = path.last_mut() {
                let stage = *stage;
                let Some(dependency) = self.stages[stage].dependencies.get(*next).copied() else {
                    states[stage] = State::Done;
                    path.pop();
                    continue;
                };
                *next += 1;
                match states[dependency] {
                    State::New => {
                        states[dependency] = State::Open;
                        path.push((dependency, 0));
                    }
                    State::Open => {
                        let command = self.stages[stage]
                            .commands
                            .iter()
                            .find(|command| command.sources.contains(&dependency));
                        let (part, line) = command.map_or((0, 1), |command| (command.part, command.line));
                        let text = "the stage copies from itself, directly or through other stages".to_owned();
                        self.problems.push(Note { part, line, text });
                        return;
                    }
                    State::Done => {}
                }
            }
        }
    }

    /// The stages that the last one needs. What a base has put off is taken up on the way.
    fn reachable(&mut self) -> Vec<bool> {
        let mut reachable = vec![false; self.stages.len()];
        let mut open: Vec<usize> = self.stage_count.checked_sub(1).into_iter().collect();
        while let Some(stage) = open.pop() {
            if std::mem::replace(&mut reachable[stage], true) {
                continue;
            }
            self.trigger(stage);
            open.extend(self.stages[stage].base);
            open.extend(&self.stages[stage].dependencies);
        }
        reachable
    }

    /// Takes up what the base of a stage has put off. BuildKit reads it anew, with a backslash as the escape character.
    fn trigger(&mut self, stage: usize) {
        let Some(base) = self.stages[stage].base else { return };
        if std::mem::replace(&mut self.stages[stage].is_triggered, true) {
            return;
        }
        let from = self.stages[stage].from;
        let (part, line) = (from.part, from.instruction.line);
        let mut triggered = Vec::new();
        let mut problems = Vec::new();
        for command in &self.stages[base].commands {
            let Arguments::Trigger(trigger) = &command.instruction.arguments else {
                continue;
            };
            self.triggered += 1;
            if self.triggered > MAX_TRIGGERED {
                let text =
                    format!("ONBUILD sets off more than {MAX_TRIGGERED} instructions in the stages of this Dockerfile");
                problems.push(Note { part, line, text });
                break;
            }
            let read = reader::instruction(&trigger.text, '\\', line, line).and_then(|mut instruction| {
                instruction.heredocs.clone_from(&command.instruction.heredocs);
                check::check_instruction(&instruction)?;
                Ok(instruction)
            });
            match read {
                Ok(instruction) => triggered.push(Command {
                    part,
                    line,
                    instruction: Held::PutOff(Box::new(instruction)),
                    sources: Vec::new(),
                }),
                Err(problem) => problems.push(Note {
                    part,
                    line,
                    text: format!("an ONBUILD instruction of its base: {problem}"),
                }),
            }
        }
        for note in problems {
            self.problems.push(note);
        }
        let count = triggered.len();
        self.stages[stage].commands.splice(0..0, triggered);
        for command in 0..count {
            let sources = self.sources_of(stage, command);
            self.stages[stage].dependencies.extend(&sources);
            self.stages[stage].commands[command].sources = sources;
        }
    }

    /// Follows the instructions of the stages that are needed.
    fn dispatch(&mut self, reachable: &[bool], globals: &Globals) {
        let base_of = |stage: &Stage<'_>| match stage.base {
            Some(base) => Base::Stage(base),
            None if stage.image == "scratch" => Base::Scratch,
            None => Base::Image,
        };
        let bases: Vec<Base> = self.stages.iter().map(base_of).collect();
        let mut scopes = Scopes::new(&bases);
        for (stage, is_needed) in reachable.iter().copied().enumerate().take(self.stage_count) {
            let base = bases[stage];
            scopes.begin(stage, base);
            if !is_needed {
                continue;
            }
            if base == Base::Image {
                self.image(stage);
            }
            let this = &self.stages[stage];
            let mut dispatcher = Dispatcher {
                escape: self.escape,
                stage,
                scopes: &mut scopes,
                globals,
                names: &self.by_name,
                budget: &self.budget,
                followed: &mut self.followed,
                problems: &mut self.problems,
                warnings: &mut self.warnings,
            };
            for command in &this.commands {
                dispatcher.command(command);
            }
        }
        self.followed.bases = bases;
    }

    fn image(&mut self, stage: usize) {
        let Stage { from, image, .. } = &self.stages[stage];
        let (from, image) = (*from, image.clone());
        let is_number = image.parse::<usize>().is_ok_and(|number| number < self.stage_count);
        let hint = match self.by_name.get(&image.to_lowercase()) {
            _ if is_number => "; use the name of the stage here, not its number",
            Some(_) if image != image.to_lowercase() => "; the name of a stage is in lower case here",
            _ => "",
        };
        let problem = reference::problem(&image).or(is_number.then_some("it is the number of a stage"));
        if let Some(problem) = problem {
            return self.problem(
                from,
                format!("`{}` is not an image: {problem}{hint}", image.escape_debug()),
            );
        }
        self.followed.images.push(BaseImage {
            part: from.part,
            line: from.instruction.line,
            image,
            platform: from.instruction.flag("platform").map(ToOwned::to_owned),
        });
    }

    fn finish(self) -> Followed {
        Followed {
            problems: self.problems.finish("problems"),
            warnings: self.warnings.finish("warnings"),
            ..self.followed
        }
    }
}
