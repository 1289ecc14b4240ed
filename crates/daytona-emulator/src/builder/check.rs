//! The steps of a build, and whether what they copy from the context is there.

use std::collections::HashMap;

use super::assemble::{BuildContext, clean};
use super::dockerfile::{self, Dockerfile, Instruction};
use super::{pattern, word};

/// The course of a build: its steps, up to the one that fails.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) base_images: Vec<String>,
    pub(super) steps: Vec<Step>,
    pub(super) failure: Option<Failure>,
}

/// A step with a layer of its own.
#[derive(Debug)]
pub(super) struct Step {
    /// `[2/5]`, or `[build 2/5]` in a named stage.
    pub(super) label: String,
    /// The instruction on one line.
    pub(super) text: String,
    pub(super) is_run: bool,
    /// How many files it copies from the context.
    pub(super) files: Option<usize>,
}

/// Why the build fails, at its last step.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) line: Option<usize>,
    pub(super) reason: String,
}

/// Follows the Dockerfile of the context.
pub(super) fn course(context: &BuildContext) -> Course {
    let mut course = Course {
        base_images: Vec::new(),
        steps: Vec::new(),
        failure: None,
    };
    match dockerfile::read(&context.dockerfile) {
        Ok(dockerfile) => course.failure = follow(&dockerfile, context, &mut course).err(),
        Err(reason) => course.failure = Some(Failure { line: None, reason }),
    }
    course
}

fn follow(dockerfile: &Dockerfile, context: &BuildContext, course: &mut Course) -> Result<(), Failure> {
    let mut stage = Stage::default();
    let mut global = HashMap::new();
    let mut has_stage = false;
    for (index, instruction) in dockerfile.instructions.iter().enumerate() {
        let failed = |reason: String| Failure {
            line: Some(instruction.line),
            reason,
        };
        let process = |text: &str, variables: &HashMap<String, String>| {
            word::process(text, variables, dockerfile.escape).map_err(failed)
        };
        match instruction.keyword.as_str() {
            "FROM" => {
                let words: Vec<&str> = instruction
                    .rest
                    .split_whitespace()
                    .filter(|word| !word.starts_with("--"))
                    .collect();
                let image = words
                    .first()
                    .ok_or_else(|| failed("FROM requires either one or three arguments".to_owned()))?;
                let image = process(image, &global)?;
                if image.is_empty() {
                    return Err(failed(format!("base name ({}) should not be blank", words[0])));
                }
                let name = match words.as_slice() {
                    [_, keyword, name] if keyword.eq_ignore_ascii_case("as") => Some(name.to_ascii_lowercase()),
                    _ => None,
                };
                stage = Stage::begin(name, &dockerfile.instructions[index..]);
                stage.variables.clone_from(&global);
                has_stage = true;
                course.base_images.push(image);
            }
            "ARG" | "ENV" => {
                let variables = if has_stage { &mut stage.variables } else { &mut global };
                for (name, value) in assignments(&instruction.rest, instruction.keyword == "ENV") {
                    let value = process(&value, variables)?;
                    variables.insert(name, value);
                }
                continue;
            }
            _ if !has_stage => return Err(failed("no build stage in current context".to_owned())),
            "RUN" | "COPY" | "ADD" | "WORKDIR" => {}
            _ => continue,
        }
        stage.step += 1;
        course.steps.push(Step {
            label: stage.label(),
            text: format!("{} {}", instruction.keyword, instruction.rest),
            is_run: instruction.keyword == "RUN",
            files: None,
        });
        if matches!(instruction.keyword.as_str(), "COPY" | "ADD") {
            for source in sources(instruction).map_err(failed)? {
                let source = process(&source, &stage.variables)?;
                let files = find(&source, context).map_err(failed)?;
                if let Some(step) = course.steps.last_mut() {
                    step.files = Some(step.files.unwrap_or(0) + files);
                }
            }
        }
    }
    if has_stage {
        Ok(())
    } else {
        Err(Failure {
            line: None,
            reason: "no build stage in current context".to_owned(),
        })
    }
}

#[derive(Debug, Default)]
struct Stage {
    name: Option<String>,
    step: usize,
    steps: usize,
    variables: HashMap<String, String>,
}

impl Stage {
    /// A stage that begins with the first of these instructions.
    fn begin(name: Option<String>, instructions: &[Instruction]) -> Self {
        let rest = instructions[1..]
            .iter()
            .take_while(|instruction| instruction.keyword != "FROM");
        let has_layer =
            |instruction: &&Instruction| matches!(instruction.keyword.as_str(), "RUN" | "COPY" | "ADD" | "WORKDIR");
        Self {
            name,
            step: 0,
            steps: rest.filter(has_layer).count() + 1,
            variables: HashMap::new(),
        }
    }

    fn label(&self) -> String {
        let name = self.name.as_ref().map(|name| format!("{name} ")).unwrap_or_default();
        format!("[{name}{}/{}]", self.step, self.steps)
    }
}

/// The assignments of `ARG` and `ENV`; the old `ENV name value` is one of them.
fn assignments(rest: &str, is_env: bool) -> Vec<(String, String)> {
    if is_env && !rest.split_whitespace().next().unwrap_or_default().contains('=') {
        let (name, value) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        return vec![(name.to_owned(), value.trim().to_owned())];
    }
    let mut found = Vec::new();
    for word in quoted_words(rest) {
        if let Some((name, value)) = word.split_once('=') {
            found.push((name.to_owned(), value.to_owned()));
        }
    }
    found
}

/// Splits at blanks outside of quotes; the quotes stay.
fn quoted_words(text: &str) -> Vec<String> {
    let (mut words, mut quote) = (vec![String::new()], None);
    for character in text.chars() {
        match (quote, character) {
            (None, ' ' | '\t') => words.push(String::new()),
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            _ => {}
        }
        if let (Some(word), true) = (words.last_mut(), quote.is_some() || !matches!(character, ' ' | '\t')) {
            word.push(character);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The sources of `COPY` and `ADD` that come from the context.
fn sources(instruction: &Instruction) -> Result<Vec<String>, String> {
    let mut rest = instruction.rest.as_str();
    while let Some(flag) = rest.strip_prefix("--") {
        let (flag, after) = flag.split_once(char::is_whitespace).unwrap_or((flag, ""));
        // Another stage or image: what is in there is not known.
        if flag.starts_with("from=") {
            return Ok(Vec::new());
        }
        rest = after.trim_start();
    }
    let mut words: Vec<String> = match serde_json::from_str(rest) {
        Ok(words) => words,
        Err(_) => rest.split_whitespace().map(ToOwned::to_owned).collect(),
    };
    if words.len() < 2 {
        return Err(format!(
            "{} requires at least two arguments, but only {} were provided",
            instruction.keyword,
            words.len()
        ));
    }
    words.pop();
    let is_remote = |word: &str| {
        ["http://", "https://", "git@", "git://", "ssh://"]
            .iter()
            .any(|start| word.starts_with(start))
    };
    if instruction.keyword == "ADD" {
        words.retain(|word| !is_remote(word));
    }
    words.retain(|word| !word.starts_with("<<"));
    Ok(words)
}

/// How many files of the context a source stands for. A directory exists if there is a file in it.
fn find(source: &str, context: &BuildContext) -> Result<usize, String> {
    let path = clean(source);
    let missing = || {
        let shown = format!("/{path}");
        format!("failed to calculate checksum of ref emulator::context: {shown:?}: not found")
    };
    let count = |path: &str| context.files.keys().filter(|name| is_at_or_below(name, path)).count();
    if !pattern::is_pattern(&path) {
        return Some(count(&path)).filter(|count| *count > 0).ok_or_else(missing);
    }
    // A pattern may match nothing, but its folder has to be there.
    let fixed: Vec<&str> = path.split('/').take_while(|name| !pattern::is_pattern(name)).collect();
    if count(&fixed.join("/")) == 0 {
        return Err(missing());
    }
    let depth = path.split('/').count();
    let matched = context.files.keys().filter(|name| {
        let start: Vec<&str> = name.split('/').take(depth).collect();
        start.len() == depth && pattern::matches(&path, &start.join("/"))
    });
    Ok(matched.count())
}

fn is_at_or_below(name: &str, path: &str) -> bool {
    let rest = name.strip_prefix(path);
    path.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
