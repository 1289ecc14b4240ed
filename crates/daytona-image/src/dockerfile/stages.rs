//! What the instructions of a Dockerfile take from the build context, followed through stages and variables.

use std::collections::HashMap;

use crate::dockerfile::glob;
use crate::dockerfile::{Dockerfile, Instruction, word};
use crate::plan::advice;

/// Something that an instruction takes from the build context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Need {
    /// The line, counted from 1 in the text of its step.
    pub(crate) line: usize,
    /// Path relative to the root of the context, clean; empty for all of it. May be a pattern.
    pub(crate) path: String,
}

impl Need {
    pub(crate) fn is_pattern(&self) -> bool {
        self.path.split('/').any(glob::is_pattern)
    }

    /// Whether it takes in a file of this name.
    pub(crate) fn covers(&self, name: &str) -> bool {
        if self.path.is_empty() {
            return true;
        }
        let (patterns, mut names) = (self.path.split('/'), name.split('/'));
        let is_pattern = self.is_pattern();
        patterns.into_iter().all(|pattern| {
            names.next().is_some_and(|name| {
                if is_pattern {
                    glob::matches(pattern, name)
                } else {
                    pattern == name
                }
            })
        })
    }
}

/// Remarks on a line.
pub(crate) type Remarks = Vec<(usize, String)>;

/// What following some instructions gave.
#[derive(Debug, Default)]
pub(crate) struct Followed {
    pub(crate) needs: Vec<Need>,
    pub(crate) warnings: Remarks,
    pub(crate) problems: Remarks,
}

/// Where in a Dockerfile one is: its stages so far, and the variables of the present one.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) escape: char,
    stages: Vec<Stage>,
    /// `ARG`s before the first stage.
    global: HashMap<String, String>,
}

#[derive(Debug, Clone, Default)]
struct Stage {
    name: Option<String>,
    /// `ENV`, which a stage that starts from this one inherits.
    env: HashMap<String, Option<String>>,
    /// `ARG`, which it does not.
    arg: HashMap<String, Option<String>>,
    triggers: Vec<Instruction>,
}

/// What BuildKit itself sets, as the service builds for linux/amd64 only.
const PLATFORM: [(&str, &str); 8] = [
    ("TARGETPLATFORM", "linux/amd64"),
    ("TARGETOS", "linux"),
    ("TARGETARCH", "amd64"),
    ("TARGETVARIANT", ""),
    ("BUILDPLATFORM", "linux/amd64"),
    ("BUILDOS", "linux"),
    ("BUILDARCH", "amd64"),
    ("BUILDVARIANT", ""),
];

impl Default for Scope {
    fn default() -> Self {
        Self {
            escape: '\\',
            stages: Vec::new(),
            global: HashMap::new(),
        }
    }
}

impl Scope {
    /// Follows the instructions of a part.
    pub(crate) fn follow(&mut self, part: &Dockerfile) -> Followed {
        let mut followed = Followed::default();
        for instruction in part.instructions() {
            self.one(instruction, &mut followed);
        }
        followed
    }

    fn one(&mut self, instruction: &Instruction, followed: &mut Followed) {
        match instruction.keyword.as_str() {
            "FROM" => self.from(instruction, followed),
            "ARG" | "ENV" => self.assign(instruction, followed),
            "COPY" | "ADD" => self.copy(instruction, followed),
            "RUN" => self.run(instruction, followed),
            "ONBUILD" => match instruction.trigger() {
                Some(Ok(trigger)) => {
                    if let Some(stage) = self.stages.last_mut() {
                        stage.triggers.push(trigger);
                    }
                }
                Some(Err(error)) => followed.problems.push((error.line, error.problem)),
                None => {}
            },
            _ => {}
        }
    }

    fn from(&mut self, instruction: &Instruction, followed: &mut Followed) {
        let words: Vec<&str> = instruction.arguments.split_whitespace().collect();
        let image = match word::expand(words.first().unwrap_or(&""), self.escape, &|name| self.global(name)) {
            Ok(image) => image,
            Err(problem) => return followed.problems.push((instruction.line, problem)),
        };
        let name = match words.as_slice() {
            [_, keyword, name] if keyword.eq_ignore_ascii_case("as") => Some(name.to_ascii_lowercase()),
            _ => None,
        };
        let parent = self.stage(&image).cloned();
        if parent.is_none() {
            let remarks = advice::base_image(instruction, &image);
            followed
                .warnings
                .extend(remarks.into_iter().map(|remark| (instruction.line, remark)));
        }
        self.stages.push(Stage {
            name,
            env: parent.as_ref().map(|parent| parent.env.clone()).unwrap_or_default(),
            ..Stage::default()
        });
        // What the parent has put off is done now.
        for trigger in parent.into_iter().flat_map(|parent| parent.triggers) {
            let mut triggered = trigger;
            triggered.line = instruction.line;
            self.one(&triggered, followed);
        }
    }

    /// The last stage of that name, or the one of that number.
    fn stage(&self, reference: &str) -> Option<&Stage> {
        let name = reference.to_ascii_lowercase();
        let named = self
            .stages
            .iter()
            .rev()
            .find(|stage| stage.name.as_deref() == Some(&name));
        named.or_else(|| self.stages.get(reference.parse::<usize>().ok()?))
    }

    fn assign(&mut self, instruction: &Instruction, followed: &mut Followed) {
        let is_env = instruction.keyword == "ENV";
        for (name, value) in assignments(&instruction.arguments, is_env) {
            let remark = advice::variable(&instruction.keyword, &name);
            followed
                .warnings
                .extend(remark.map(|remark| (instruction.line, remark)));
            let value = match value {
                Some(value) => word::expand(&value, self.escape, &|name| self.value(name)).ok(),
                // An argument that is only declared has the value from before the first stage.
                None => self.global(&name),
            };
            match self.stages.last_mut() {
                None => drop(value.map(|value| self.global.insert(name, value))),
                Some(stage) if is_env => drop(stage.env.insert(name, value)),
                Some(stage) => drop(stage.arg.insert(name, value)),
            }
        }
    }

    fn global(&self, name: &str) -> Option<String> {
        let platform = || {
            PLATFORM
                .iter()
                .find(|(other, _)| *other == name)
                .map(|(_, value)| (*value).to_owned())
        };
        self.global.get(name).cloned().or_else(platform)
    }

    /// The value of a variable in the present stage, if it can be known.
    fn value(&self, name: &str) -> Option<String> {
        match self.stages.last() {
            None => self.global(name),
            Some(stage) => stage.env.get(name).or_else(|| stage.arg.get(name)).cloned().flatten(),
        }
    }

    fn copy(&self, instruction: &Instruction, followed: &mut Followed) {
        let line = instruction.line;
        if instruction.flags.iter().any(|(name, _)| name == "from") {
            return;
        }
        let mut words = instruction.words();
        if words
            .iter()
            .any(|word| self.expand(word).is_err_and(|error| error.contains("quote")))
            && instruction.json().is_none()
        {
            followed.warnings.push((
                line,
                format!(
                    "{} is split at blanks, quotes or not: use the form `{0} [\"…\", \"…\"]`",
                    instruction.keyword
                ),
            ));
            words = match quoted_words(&instruction.arguments) {
                Some(words) => words,
                None => return,
            };
        }
        if words.len() < 2 {
            return followed.warnings.push((
                line,
                format!(
                    "{} needs a source and a target: the build will refuse it",
                    instruction.keyword
                ),
            ));
        }
        words.pop();
        for source in words {
            if instruction
                .heredocs
                .iter()
                .any(|heredoc| source.contains(&heredoc.name) && source.contains("<<"))
            {
                continue;
            }
            if instruction.keyword == "ADD" && is_remote(&source) {
                continue;
            }
            match self.expand(&source) {
                Ok(path) => followed.needs.push(Need {
                    line,
                    path: clean(&path),
                }),
                Err(problem) => followed
                    .problems
                    .push((line, format!("the source `{source}`: {problem}; write the path itself"))),
            }
        }
    }

    fn run(&self, instruction: &Instruction, followed: &mut Followed) {
        let line = instruction.line;
        for mount in instruction.flag_values("mount") {
            let options: HashMap<&str, &str> = mount
                .split(',')
                .map(|option| option.split_once('=').unwrap_or((option, "true")))
                .collect();
            let option = |names: &[&str]| names.iter().find_map(|name| options.get(name).copied());
            match option(&["type"]).unwrap_or("bind") {
                "bind" if options.contains_key("from") => {}
                "bind" => match self.expand(option(&["source", "src"]).unwrap_or_default()) {
                    Ok(path) => followed.needs.push(Need {
                        line,
                        path: clean(&path),
                    }),
                    Err(problem) => followed
                        .problems
                        .push((line, format!("the mount `{mount}`: {problem}"))),
                },
                kind @ ("secret" | "ssh") => {
                    let what = format!("the service has no build secrets, and `--mount=type={kind}` gets nothing");
                    match option(&["required"]) {
                        Some("true" | "1") => followed
                            .problems
                            .push((line, format!("{what}: take the mount out, or `required`"))),
                        _ => followed.warnings.push((line, what)),
                    }
                }
                _ => {}
            }
        }
    }

    fn expand(&self, text: &str) -> Result<String, String> {
        word::expand(text, self.escape, &|name| self.value(name))
    }
}

/// A source of `ADD` that is fetched from elsewhere.
fn is_remote(source: &str) -> bool {
    ["http://", "https://", "git://", "ssh://", "git@", "github.com/"]
        .iter()
        .any(|start| source.starts_with(start))
}

/// A path of the context: `..` and a leading `/` end at its root.
fn clean(path: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    names.join("/")
}

/// The assignments of `ARG` and `ENV`. An argument may have no value; the old form `ENV name value` has one.
fn assignments(arguments: &str, is_env: bool) -> Vec<(String, Option<String>)> {
    let first = arguments.split_whitespace().next().unwrap_or_default();
    if is_env && !first.contains('=') {
        let (name, value) = arguments.split_once(char::is_whitespace).unwrap_or((arguments, ""));
        return vec![(name.to_owned(), Some(value.trim().to_owned()))];
    }
    let words = split_outside_quotes(arguments);
    let pairs = words.into_iter().map(|word| match word.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (word, None),
    });
    pairs.collect()
}

/// The words without their quotes, as a shell would split them; `None` if a quote is not closed.
fn quoted_words(text: &str) -> Option<Vec<String>> {
    let words = split_outside_quotes(text);
    let is_whole = |word: &String| {
        ['\'', '"']
            .iter()
            .all(|quote| word.matches(*quote).count().is_multiple_of(2))
    };
    words.iter().all(is_whole).then_some(words)
}

fn split_outside_quotes(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match quote {
            None if character.is_whitespace() => {
                words.push(std::mem::take(&mut word));
                continue;
            }
            None if matches!(character, '"' | '\'') => quote = Some(character),
            Some(open) if open == character => quote = None,
            _ => {}
        }
        word.push(character);
        if character == '\\' {
            word.extend(characters.next());
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}
