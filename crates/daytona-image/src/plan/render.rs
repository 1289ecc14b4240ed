//! Renders instructions as lines of a Dockerfile, and checks all their values.

use super::files::Taken;
use super::part::{Body, LocalCopy, Part};
use super::requirements;
use super::resolve::{self, Source};
use super::source::{self, At};
use crate::dockerfile::{Dockerfile, SyntaxError};
use crate::escape;
use crate::image::instruction::{Command, Instruction};
use crate::image::local::Owner;
use crate::image::requirements::REQUIREMENTS_FOLDER;
use crate::image::{Pyproject, Requirements};
use crate::plan::PlanOptions;
use crate::problem::ProblemKind;
use crate::quote;

type Problems = Vec<ProblemKind>;

/// Renders the steps of an image, one after the other.
pub(super) struct Renderer<'a> {
    options: &'a PlanOptions,
    escape: char,
}

/// The result of a step.
pub(super) struct Rendered {
    pub(super) parts: Vec<Part>,
    pub(super) problems: Vec<At>,
    pub(super) warnings: Vec<String>,
}

impl<'a> Renderer<'a> {
    pub(super) fn new(options: &'a PlanOptions) -> Self {
        Self { options, escape: '\\' }
    }

    /// The escape character of the Dockerfile.
    pub(super) fn escape(&self) -> char {
        self.escape
    }

    /// The parts of one step.
    pub(super) fn parts(&mut self, instruction: &Instruction) -> Result<Rendered, Problems> {
        let sourced = match instruction {
            Instruction::Dockerfile(source) => {
                let sourced = source::from_dockerfile(self.options, source)?;
                self.escape = sourced.part.read.escape();
                sourced
            }
            Instruction::DockerfileCommands(commands) => source::commands(commands, self.escape)?,
            other => {
                let parts: Result<_, Problems> = self.lines(other)?.into_iter().map(|body| self.part(body)).collect();
                return Ok(Rendered {
                    parts: parts?,
                    problems: Vec::new(),
                    warnings: Vec::new(),
                });
            }
        };
        Ok(Rendered {
            parts: vec![sourced.part],
            problems: sourced.problems,
            warnings: sourced.warnings,
        })
    }

    /// Each of our lines must be one instruction, and must not join the next line to it.
    fn part(&self, body: Body) -> Result<Part, Problems> {
        let read = match &body {
            Body::Line(text) => self.read(text)?,
            Body::Copy(_) | Body::Raw(_) => Dockerfile::default(),
        };
        Ok(Part {
            step: 0,
            body,
            read,
            taken: Taken::default(),
        })
    }

    fn read(&self, text: &str) -> Result<Dockerfile, Problems> {
        let (read, errors) = Dockerfile::read_part(text, self.escape);
        if !errors.is_empty() {
            let problem = |error: SyntaxError| ProblemKind::Dockerfile {
                problem: escape::text(&error.problem).to_string(),
            };
            return Err(errors.into_iter().map(problem).collect());
        }
        if read.instructions().len() != 1 {
            return Err(vec![ProblemKind::ControlCharacter {
                what: "the instruction",
                value: format!("`{}`", text.escape_debug()),
            }]);
        }
        if read.open_continuation().is_some() {
            let problem = format!("it ends in `{}`, which would join the next line to it", self.escape);
            return Err(vec![ProblemKind::Dockerfile { problem }]);
        }
        Ok(read)
    }

    fn lines(&self, instruction: &Instruction) -> Result<Vec<Body>, Problems> {
        let options = self.options;
        match instruction {
            Instruction::From(image) => no_blanks("the image", image).map(|image| vec![text(format!("FROM {image}"))]),
            Instruction::DebianSlim(version) => {
                let release = version.release().map_err(|problem| vec![problem])?;
                Ok(vec![
                    text(format!("FROM python:{release}-slim-bookworm")),
                    text("RUN apt-get update"),
                    text("RUN apt-get install -y gcc gfortran build-essential"),
                    text("RUN pip install --upgrade pip"),
                    text("RUN echo 'debconf debconf/frontend select Noninteractive' | debconf-set-selections"),
                ])
            }
            Instruction::PipInstall(pip) => pip.command().map(run_lines),
            Instruction::UvPipInstall(uv) => uv.command().map(run_lines),
            Instruction::AptInstall(apt) => apt.command().map(run_lines),
            Instruction::Requirements(requirements) => requirements_lines(options, requirements),
            Instruction::Pyproject(pyproject) => pyproject_command(options, pyproject).map(run_lines),
            Instruction::AddLocalFile { file, target } => {
                let found = both(resolve::file(options, &file.path), owner_flags(&file.owner));
                let ((source, flags), ()) = both(found, copy_target(target))?;
                let name = target.ends_with('/').then(|| source.last.clone());
                Ok(vec![json_copy(source.with_mode(file.owner.chmod), target, name, flags)])
            }
            Instruction::AddLocalDir { dir, target } => {
                let found = both(resolve::folder(options, dir), owner_flags(&dir.owner));
                let ((source, flags), ()) = both(found, copy_target(target))?;
                Ok(vec![json_copy(source.with_mode(dir.owner.chmod), target, None, flags)])
            }
            Instruction::RunCommands(commands) => all(commands.iter().map(|command| self.run(command).map(Body::Line))),
            Instruction::Env(variables) => all(variables.iter().map(|(name, value)| pair("ENV", name, value))),
            Instruction::Arg { name, default } => pair("ARG", name, default).map(|line| vec![line]),
            Instruction::Label(labels) => all(labels.iter().map(|(key, value)| label(key, value))),
            Instruction::Workdir(path) => quoted_word("WORKDIR", "the path", path),
            Instruction::User(user) => quoted_word("USER", "the user", user),
            Instruction::Expose(port) => expose(port),
            Instruction::Entrypoint(words) => exec("ENTRYPOINT", words),
            Instruction::Cmd(words) => exec("CMD", words),
            Instruction::Shell(words) if words.is_empty() => Err(vec![ProblemKind::Empty { what: "the shell" }]),
            Instruction::Shell(words) => exec("SHELL", words),
            Instruction::CopyFrom { from, source, target } => {
                let from = one_word("the image or stage", from)?;
                copy_target(source)?;
                copy_target(target)?;
                let words = [source, target].map(|path| quote::copy_target(path, self.escape));
                let words = quote::ascii_json_form(&words);
                Ok(vec![text(format!("COPY --from={} {words}", quote::shell_word(&from)))])
            }
            // They are read, not rendered.
            Instruction::Dockerfile(_) | Instruction::DockerfileCommands(_) => Ok(Vec::new()),
        }
    }

    fn run(&self, command: &Command) -> Result<String, Problems> {
        match command {
            Command::Shell(text) => {
                not_empty("the command", text)?;
                let text = text.replace("\r\n", "\n");
                if text.contains(['\r', '\0']) {
                    one_line("the command", &text)?;
                }
                // Lines are continued with a backslash here, whatever the Dockerfile has for it.
                let text = if self.escape == '\\' {
                    text
                } else {
                    text.replace("\\\n", "`\n")
                };
                Ok(format!("RUN {text}"))
            }
            Command::Exec(words) if words.is_empty() => Err(vec![ProblemKind::Empty { what: "the command" }]),
            Command::Exec(words) => exec_text("RUN", words),
        }
    }
}

fn text(line: impl Into<String>) -> Body {
    Body::Line(line.into())
}

fn run_lines(command: Option<String>) -> Vec<Body> {
    command
        .map(|command| text(format!("RUN {command}")))
        .into_iter()
        .collect()
}

fn json_copy(source: Source, target: &str, name: Option<String>, flags: String) -> Body {
    Body::Copy(Box::new(LocalCopy {
        source,
        flags,
        target: target.to_owned(),
        name,
        prefers_plain: false,
    }))
}

/// The flags of a `COPY`. The modes 0644 and 0755 are those of the files in the context, and need none.
fn owner_flags(owner: &Owner) -> Result<String, Problems> {
    let is_name = |name: &str| {
        let plain = |character: char| character.is_ascii_alphanumeric() || "_.-".contains(character);
        !name.is_empty() && !name.starts_with('-') && name.chars().all(plain)
    };
    let mut flags = String::new();
    let mut problems = Vec::new();
    if let Some(owner) = &owner.chown {
        let (user, group) = owner.split_once(':').unwrap_or((owner, "root"));
        if is_name(user) && is_name(group) {
            flags.extend(["--chown=", owner, " "]);
        } else {
            problems.push(ProblemKind::InvalidOwner { owner: owner.clone() });
        }
    }
    match owner.chmod {
        None | Some(0o644 | 0o755) => {}
        Some(mode) if mode <= 0o7777 => flags.extend(["--chmod=", &format!("{mode:03o}"), " "]),
        Some(mode) => problems.push(ProblemKind::InvalidMode { mode }),
    }
    if problems.is_empty() { Ok(flags) } else { Err(problems) }
}

fn requirements_lines(options: &PlanOptions, requirements: &Requirements) -> Result<Vec<Body>, Problems> {
    let collected = requirements::collect(options, requirements);
    let target = collected
        .as_ref()
        .map_or_else(|_| String::new(), requirements::Collected::target);
    let (collected, command) = both(collected, requirements.command(&quote::shell_word(&target)))?;
    let is_alone = collected.files.len() == 1;
    let copy = |(source, name): (Source, String)| {
        Body::Copy(Box::new(LocalCopy {
            source,
            target: if is_alone {
                target.clone()
            } else {
                format!("{REQUIREMENTS_FOLDER}/")
            },
            name: (!is_alone).then_some(name),
            prefers_plain: true,
            flags: String::new(),
        }))
    };
    let mut lines: Vec<Body> = collected.files.into_iter().map(copy).collect();
    lines.push(text(format!("RUN {command}")));
    Ok(lines)
}

fn pyproject_command(options: &PlanOptions, pyproject: &Pyproject) -> Result<Option<String>, Problems> {
    let path = &pyproject.path;
    let text = resolve::text(options, path)?;
    pyproject.command(&text)
}

fn exec(instruction: &str, words: &[String]) -> Result<Vec<Body>, Problems> {
    exec_text(instruction, words).map(|line| vec![Body::Line(line)])
}

fn exec_text(instruction: &str, words: &[String]) -> Result<String, Problems> {
    match words.iter().find(|word| word.contains('\0')) {
        Some(word) => Err(ProblemKind::one_line("a word", word).into_iter().collect()),
        None => Ok(format!("{instruction} {}", quote::json_form(words))),
    }
}

/// `ENV name=value` and `ARG name=value`.
fn pair(instruction: &str, name: &str, value: &str) -> Result<Body, Problems> {
    let valid = |character: char| character == '_' || character.is_ascii_alphanumeric();
    if name.is_empty() || !name.chars().all(valid) || name.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(vec![ProblemKind::InvalidVariableName { name: name.to_owned() }]);
    }
    one_line("the value", value)?;
    Ok(text(format!("{instruction} {name}={}", quote::shell_word(value))))
}

fn label(key: &str, value: &str) -> Result<Body, Problems> {
    let key = one_word("the label", key)?;
    if key.contains(['=', '"', '\'']) {
        return Err(vec![ProblemKind::InvalidLabel { label: key }]);
    }
    one_line("the value", value)?;
    Ok(text(format!(
        "LABEL {}={}",
        quote::shell_word(&key),
        quote::shell_word(value)
    )))
}

fn quoted_word(instruction: &str, what: &'static str, word: &str) -> Result<Vec<Body>, Problems> {
    let word = one_word(what, word)?;
    Ok(vec![text(format!("{instruction} {}", quote::shell_word(&word)))])
}

fn expose(port: &str) -> Result<Vec<Body>, Problems> {
    let (numbers, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
    let is_port = |number: &str| number.parse::<u16>().is_ok_and(|number| number > 0);
    let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
    if is_port(first) && is_port(last) && matches!(protocol, "tcp" | "udp" | "sctp") {
        Ok(vec![text(format!("EXPOSE {port}"))])
    } else {
        Err(vec![ProblemKind::InvalidPort { port: port.to_owned() }])
    }
}

/// A target that `COPY` can name. The JSON form can express every character except NUL.
fn copy_target(target: &str) -> Result<(), Problems> {
    not_empty("the target", target)?;
    if target.contains('\0') {
        one_line("the target", target)
    } else {
        Ok(())
    }
}

fn no_blanks(what: &'static str, text: &str) -> Result<String, Problems> {
    let text = one_word(what, text)?;
    if text.trim().contains(char::is_whitespace) {
        return Err(vec![ProblemKind::Dockerfile {
            problem: format!(
                "{what} `{}` contains a space: write it as `name:tag`, such as `python:3.12-slim`",
                escape::text(&text)
            ),
        }]);
    }
    Ok(text)
}

fn one_word(what: &'static str, text: &str) -> Result<String, Problems> {
    not_empty(what, text)?;
    one_line(what, text)?;
    Ok(text.to_owned())
}

fn not_empty(what: &'static str, text: &str) -> Result<(), Problems> {
    if text.trim().is_empty() {
        Err(vec![ProblemKind::Empty { what }])
    } else {
        Ok(())
    }
}

fn one_line(what: &'static str, text: &str) -> Result<(), Problems> {
    ProblemKind::one_line(what, text).map_or(Ok(()), |problem| Err(vec![problem]))
}

/// Both results, or the problems of both.
fn both<T, U>(one: Result<T, Problems>, other: Result<U, Problems>) -> Result<(T, U), Problems> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (one, other) => Err(one.err().into_iter().chain(other.err()).flatten().collect()),
    }
}

fn all<T>(results: impl Iterator<Item = Result<T, Problems>>) -> Result<Vec<T>, Problems> {
    let (mut values, mut problems) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(value) => values.push(value),
            Err(more) => problems.extend(more),
        }
    }
    if problems.is_empty() { Ok(values) } else { Err(problems) }
}
