//! Instructions that were checked: what is wrong here, BuildKit finds before it builds anything.

use super::flags::{Flags, Kind};
use super::heredoc::{self, Heredoc};
use super::instruction::{Arguments, Instruction, Pair};

/// What an instruction says.
#[derive(Debug, Clone)]
pub(super) enum Command {
    From(From),
    /// Names, and their defaults.
    Arg(Vec<(String, Option<String>)>),
    Env(Vec<Pair>),
    Label(Vec<Pair>),
    Copy(Box<Copy>),
    Run(Run),
    Workdir(String),
    User(String),
    Volume(Vec<String>),
    Expose(Vec<String>),
    StopSignal(String),
    Shell(Vec<String>),
    /// The words, and whether they were in the JSON form.
    Cmd(Vec<String>, bool),
    Entrypoint(Vec<String>, bool),
    OnBuild(Box<Instruction>),
    /// `HEALTHCHECK` and `MAINTAINER` leave nothing that the emulator keeps.
    Nothing,
}

/// The beginning of a stage.
#[derive(Debug, Clone)]
pub(super) struct From {
    pub(super) base: String,
    /// In lower case.
    pub(super) name: Option<String>,
    pub(super) platform: Option<String>,
}

/// `COPY` or `ADD`, not yet expanded.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "flags of the instruction")]
pub(super) struct Copy {
    pub(super) is_add: bool,
    pub(super) from: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) mode: Option<String>,
    pub(super) excluded: Vec<String>,
    pub(super) checksum: Option<String>,
    pub(super) keeps_parents: bool,
    pub(super) is_linked: bool,
    pub(super) unpacks: bool,
    pub(super) sources: Vec<String>,
    /// Files whose text stands in the Dockerfile.
    pub(super) heredocs: Vec<Heredoc>,
    pub(super) target: String,
}

/// `RUN`.
#[derive(Debug, Clone)]
pub(super) struct Run {
    /// The values of `--mount`, as they are written.
    pub(super) mounts: Vec<String>,
    pub(super) words: Vec<String>,
    pub(super) is_exec_form: bool,
    pub(super) heredocs: Vec<Heredoc>,
}

/// Checks an instruction.
pub(super) fn check(instruction: &Instruction) -> Result<Command, String> {
    let keyword = instruction.keyword.as_str();
    match keyword {
        "FROM" => from(instruction).map(Command::From),
        "ADD" | "COPY" => copy(instruction).map(|copy| Command::Copy(Box::new(copy))),
        "RUN" => run(instruction).map(Command::Run),
        "HEALTHCHECK" => healthcheck(instruction),
        "ONBUILD" => on_build(instruction),
        "ARG" => {
            // Flags are not looked at here, nor with STOPSIGNAL.
            let words = at_least_one(instruction)?;
            let arguments = words.iter().map(|word| match word.split_once('=') {
                Some(("", _)) => Err(blank_name(keyword)),
                Some((name, value)) => Ok((name.to_owned(), Some(value.to_owned()))),
                None => Ok((word.clone(), None)),
            });
            Ok(Command::Arg(arguments.collect::<Result<_, _>>()?))
        }
        "ENV" | "LABEL" => {
            let Arguments::Pairs(pairs) = &instruction.arguments else {
                return Err(none_given(keyword));
            };
            if pairs.is_empty() {
                return Err(none_given(keyword));
            }
            no_flags(instruction)?;
            if pairs.iter().any(|pair| pair.name.is_empty()) {
                return Err(blank_name(keyword));
            }
            let pairs = pairs.clone();
            Ok(if keyword == "ENV" {
                Command::Env(pairs)
            } else {
                Command::Label(pairs)
            })
        }
        "MAINTAINER" => exactly_one(instruction).map(|_| Command::Nothing),
        "WORKDIR" => exactly_one(instruction).map(Command::Workdir),
        "USER" => exactly_one(instruction).map(Command::User),
        "STOPSIGNAL" => exactly_one(instruction).map(Command::StopSignal),
        "EXPOSE" => {
            let ports = at_least_one(instruction)?;
            no_flags(instruction)?;
            Ok(Command::Expose(ports.to_vec()))
        }
        "VOLUME" => {
            let volumes = at_least_one(instruction)?;
            no_flags(instruction)?;
            if volumes.iter().any(|volume| volume.trim().is_empty()) {
                return Err("VOLUME specified can not be an empty string".to_owned());
            }
            Ok(Command::Volume(volumes.to_vec()))
        }
        "SHELL" => {
            no_flags(instruction)?;
            let words = at_least_one(instruction)?;
            if !matches!(instruction.arguments, Arguments::Json(_)) {
                return Err("SHELL requires the arguments to be in JSON form".to_owned());
            }
            Ok(Command::Shell(words.to_vec()))
        }
        "CMD" | "ENTRYPOINT" => {
            no_flags(instruction)?;
            let (words, is_exec_form) = (words(instruction).to_vec(), is_json(instruction));
            Ok(if keyword == "CMD" {
                Command::Cmd(words, is_exec_form)
            } else {
                Command::Entrypoint(words, is_exec_form)
            })
        }
        _ => Err(format!("unknown instruction: {keyword}")),
    }
}

fn words(instruction: &Instruction) -> &[String] {
    match &instruction.arguments {
        Arguments::Words(words) | Arguments::Json(words) => words,
        _ => &[],
    }
}

fn is_json(instruction: &Instruction) -> bool {
    matches!(instruction.arguments, Arguments::Json(_))
}

fn none_given(keyword: &str) -> String {
    format!("{keyword} requires at least one argument")
}

fn blank_name(keyword: &str) -> String {
    format!("{keyword} names can not be blank")
}

fn at_least_one(instruction: &Instruction) -> Result<&[String], String> {
    match words(instruction) {
        [] => Err(none_given(&instruction.keyword)),
        words => Ok(words),
    }
}

fn exactly_one(instruction: &Instruction) -> Result<String, String> {
    let [word] = words(instruction) else {
        return Err(format!("{} requires exactly one argument", instruction.keyword));
    };
    if instruction.keyword != "STOPSIGNAL" {
        no_flags(instruction)?;
    }
    Ok(word.clone())
}

fn no_flags(instruction: &Instruction) -> Result<(), String> {
    Flags::read(&instruction.flags, &[]).map(|_| ())
}

fn from(instruction: &Instruction) -> Result<From, String> {
    let (base, name) = match words(instruction) {
        [base] => (base, None),
        [base, keyword, name] if keyword.eq_ignore_ascii_case("as") => (base, Some(name)),
        _ => return Err("FROM requires either one or three arguments".to_owned()),
    };
    let valid = |name: &String| {
        name.starts_with(|first: char| first.is_ascii_lowercase())
            && name
                .chars()
                .all(|character| matches!(character, 'a'..='z' | '0'..='9' | '-' | '_' | '.'))
    };
    let lower = name.map(|name| name.to_lowercase());
    if let (Some(name), false) = (name, lower.as_ref().is_none_or(valid)) {
        return Err(format!(
            "invalid name for build stage: {name:?}, name can't start with a number or contain symbols"
        ));
    }
    let flags = Flags::read(&instruction.flags, &[("platform", Kind::Text)])?;
    Ok(From {
        base: base.clone(),
        name: lower,
        platform: flags.text("platform"),
    })
}

fn copy(instruction: &Instruction) -> Result<Copy, String> {
    let keyword = instruction.keyword.as_str();
    let is_add = keyword == "ADD";
    let [sources @ .., target] = words(instruction) else {
        return Err(too_few(keyword, 0));
    };
    if sources.is_empty() {
        return Err(too_few(keyword, 1));
    }
    let known: &[(&str, Kind)] = if is_add {
        &[
            ("chmod", Kind::Text),
            ("chown", Kind::Text),
            ("checksum", Kind::Text),
            ("exclude", Kind::Texts),
            ("keep-git-dir", Kind::Switch),
            ("link", Kind::Switch),
            ("unpack", Kind::Switch),
        ]
    } else {
        &[
            ("chmod", Kind::Text),
            ("chown", Kind::Text),
            ("exclude", Kind::Texts),
            ("from", Kind::Text),
            ("link", Kind::Switch),
            ("parents", Kind::Switch),
        ]
    };
    let flags = Flags::read(&instruction.flags, known)?;
    // Quotes that do not end are found when the words are expanded.
    let opened = |word: &str| heredoc::heredoc(word).ok().flatten();
    if opened(target).is_some() {
        return Err(format!("{keyword} cannot accept a heredoc as a destination"));
    }
    let mut paths = Vec::new();
    let mut heredocs = Vec::new();
    for source in sources {
        match opened(source) {
            None => paths.push(source.clone()),
            // By its name: of two with the same name the last one's text.
            Some(opened) => {
                let found = instruction.heredocs.iter().rfind(|heredoc| heredoc.name == opened.name);
                heredocs.push(Heredoc {
                    body: found.map(|heredoc| heredoc.body.clone()).unwrap_or_default(),
                    ..opened
                });
            }
        }
    }
    Ok(Copy {
        is_add,
        from: flags.text("from"),
        owner: flags.text("chown"),
        mode: flags.text("chmod"),
        excluded: flags.texts("exclude"),
        checksum: flags.text("checksum"),
        keeps_parents: flags.switch("parents").unwrap_or_default(),
        is_linked: flags.switch("link").unwrap_or_default(),
        unpacks: flags.switch("unpack").unwrap_or(is_add),
        sources: paths,
        heredocs,
        target: target.clone(),
    })
}

fn too_few(keyword: &str, given: usize) -> String {
    format!("{keyword} requires at least two arguments, but only {given} were provided")
}

fn run(instruction: &Instruction) -> Result<Run, String> {
    let known = [
        ("device", Kind::Texts),
        ("mount", Kind::Texts),
        ("network", Kind::Text),
        ("security", Kind::Text),
    ];
    let flags = Flags::read(&instruction.flags, &known)?;
    for (name, values) in [
        ("network", ["default", "none", "host"].as_slice()),
        ("security", ["sandbox", "insecure"].as_slice()),
    ] {
        let value = flags.texts(name).pop();
        if value.as_ref().is_some_and(|value| !values.contains(&value.as_str())) {
            return Err(format!("unsupported {name} mode {:?}", value.unwrap_or_default()));
        }
    }
    Ok(Run {
        mounts: flags.texts("mount"),
        words: words(instruction).to_vec(),
        is_exec_form: is_json(instruction),
        heredocs: instruction.heredocs.clone(),
    })
}

fn healthcheck(instruction: &Instruction) -> Result<Command, String> {
    let [kind, command @ ..] = at_least_one(instruction)? else {
        return Ok(Command::Nothing);
    };
    match kind.to_uppercase().as_str() {
        "NONE" => {
            no_flags(instruction)?;
            if command.is_empty() {
                Ok(Command::Nothing)
            } else {
                Err("HEALTHCHECK NONE takes no arguments".to_owned())
            }
        }
        kind => {
            let known = ["interval", "timeout", "start-period", "start-interval", "retries"];
            let flags = Flags::read(&instruction.flags, &known.map(|name| (name, Kind::Text)))?;
            if kind != "CMD" {
                return Err(format!("Unknown type {kind:?} in HEALTHCHECK (try CMD)"));
            }
            if command.is_empty() {
                return Err("Missing command after HEALTHCHECK CMD".to_owned());
            }
            for name in &known[..4] {
                if let Some(value) = flags.text(name) {
                    check_duration(name, &value)?;
                }
            }
            if let Some(retries) = flags.text("retries") {
                let count = retries.parse::<i32>();
                count.ok().filter(|count| *count >= 0).ok_or_else(|| {
                    format!("invalid value {retries:?} for --retries: must be a number and not negative")
                })?;
            }
            Ok(Command::Nothing)
        }
    }
}

/// A duration as Go writes it, of no time or of at least a millisecond.
fn check_duration(name: &str, text: &str) -> Result<(), String> {
    let invalid = || format!("invalid duration {text:?} for --{name}");
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut rest = unsigned;
    let mut nanoseconds = 0.0;
    if rest.is_empty() {
        return Err(invalid());
    }
    while rest != "0" && !rest.is_empty() {
        let end = rest.find(|character: char| !character.is_ascii_digit() && character != '.');
        let (number, after) = rest.split_at(end.ok_or_else(invalid)?);
        let number: f64 = number.parse().map_err(|_| invalid())?;
        let units = [
            ("ns", 1.0),
            ("us", 1e3),
            ("µs", 1e3),
            ("μs", 1e3),
            ("ms", 1e6),
            ("s", 1e9),
            ("m", 60e9),
            ("h", 3600e9),
        ];
        let end = after
            .find(|character: char| character.is_ascii_digit() || character == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let unit = units.iter().find(|(name, _)| *name == unit).ok_or_else(invalid)?;
        nanoseconds += number * unit.1;
        rest = after;
    }
    let is_negative = text.starts_with('-');
    if nanoseconds != 0.0 && (is_negative || nanoseconds < 1e6) {
        return Err(format!("Interval {name:?} cannot be less than 1ms"));
    }
    Ok(())
}

fn on_build(instruction: &Instruction) -> Result<Command, String> {
    no_flags(instruction)?;
    let Arguments::Trigger(trigger) = &instruction.arguments else {
        return Err(none_given("ONBUILD"));
    };
    match trigger.keyword.as_str() {
        "ONBUILD" => Err("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed".to_owned()),
        keyword @ ("FROM" | "MAINTAINER") => Err(format!("{keyword} isn't allowed as an ONBUILD trigger")),
        _ => {
            let mut trigger = trigger.clone();
            trigger.heredocs.clone_from(&instruction.heredocs);
            Ok(Command::OnBuild(trigger))
        }
    }
}
