//! What BuildKit checks of each instruction before it builds anything.

use std::time::Duration;

use super::heredoc;
use super::instruction::{Arguments, Instruction};
use super::model::{Dockerfile, SyntaxError};
use super::mount::Mount;
use crate::bounded::Bounded;

/// What kind of value a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flag {
    Text,
    /// May stand several times.
    Texts,
    Boolean,
}

use Flag::{Boolean, Text, Texts};

/// The flags of a keyword.
fn flags_of(keyword: &str) -> &'static [(&'static str, Flag)] {
    match keyword {
        "ADD" => &[
            ("chmod", Text),
            ("chown", Text),
            ("link", Boolean),
            ("keep-git-dir", Boolean),
            ("checksum", Text),
            ("unpack", Boolean),
            ("exclude", Texts),
        ],
        "COPY" => &[
            ("chmod", Text),
            ("chown", Text),
            ("from", Text),
            ("link", Boolean),
            ("parents", Boolean),
            ("exclude", Texts),
        ],
        "FROM" => &[("platform", Text)],
        "HEALTHCHECK" => &[
            ("interval", Text),
            ("timeout", Text),
            ("start-period", Text),
            ("start-interval", Text),
            ("retries", Text),
        ],
        "RUN" => &[
            ("mount", Texts),
            ("network", Text),
            ("security", Text),
            ("device", Texts),
        ],
        _ => &[],
    }
}

/// Adds what is wrong with the instructions, each by itself and in their order.
pub(super) fn check(dockerfile: &Dockerfile, is_part: bool, errors: &mut Bounded<SyntaxError>) {
    let mut has_stage = is_part;
    for instruction in &dockerfile.instructions {
        if let Err(problem) = check_instruction(instruction) {
            errors.push(SyntaxError::new(instruction.line, problem));
        } else if instruction.keyword != "FROM" && instruction.keyword != "ARG" && !has_stage {
            let problem = format!("{} comes before the first FROM: only ARG may", instruction.keyword);
            errors.push(SyntaxError::new(instruction.line, problem));
        }
        has_stage |= instruction.keyword == "FROM";
    }
}

pub(super) fn check_instruction(instruction: &Instruction) -> Result<(), String> {
    let keyword = instruction.keyword();
    let words = instruction.words();
    match keyword {
        "ADD" | "COPY" => {
            if words.len() < 2 {
                return Err(format!("{keyword} needs a source and a target"));
            }
            check_flags(instruction)?;
            check_heredoc_place(instruction)
        }
        "ARG" => {
            at_least_one(instruction)?;
            not_blank(
                keyword,
                words.iter().map(|word| word.split('=').next().unwrap_or_default()),
            )
        }
        "CMD" | "ENTRYPOINT" => check_flags(instruction),
        "ENV" | "LABEL" => {
            check_flags(instruction)?;
            let Arguments::Pairs(pairs) = &instruction.arguments else {
                return Ok(());
            };
            if pairs.is_empty() {
                return Err(format!("{keyword} needs an argument"));
            }
            not_blank(keyword, pairs.iter().map(|pair| pair.name.as_str()))
        }
        "EXPOSE" => {
            at_least_one(instruction)?;
            check_flags(instruction)
        }
        "FROM" => {
            check_stage(words)?;
            check_flags(instruction)
        }
        "HEALTHCHECK" => check_health(instruction),
        // BuildKit does not look at the flags of ARG and STOPSIGNAL.
        "STOPSIGNAL" => exactly_one(instruction),
        "MAINTAINER" | "USER" | "WORKDIR" => {
            exactly_one(instruction)?;
            check_flags(instruction)
        }
        "ONBUILD" => check_trigger(instruction),
        "RUN" => {
            check_flags(instruction)?;
            check_run(instruction)
        }
        "SHELL" => {
            check_flags(instruction)?;
            match &instruction.arguments {
                Arguments::Json(words) if !words.is_empty() => Ok(()),
                Arguments::Text(_) => Err("SHELL must be a JSON list: write `SHELL [\"…\", \"…\"]`".to_owned()),
                _ => Err("SHELL needs an argument".to_owned()),
            }
        }
        "VOLUME" => {
            at_least_one(instruction)?;
            check_flags(instruction)?;
            if words.iter().any(|word| word.trim().is_empty()) {
                return Err("VOLUME has an empty path".to_owned());
            }
            Ok(())
        }
        _ => Err(unknown(keyword)),
    }
}

fn unknown(keyword: &str) -> String {
    format!("unknown instruction `{}`", keyword.escape_debug())
}

fn at_least_one(instruction: &Instruction) -> Result<(), String> {
    if instruction.words().is_empty() {
        Err(format!("{} needs an argument", instruction.keyword))
    } else {
        Ok(())
    }
}

fn exactly_one(instruction: &Instruction) -> Result<(), String> {
    if instruction.words().len() == 1 {
        Ok(())
    } else {
        Err(format!("{} needs exactly one argument", instruction.keyword))
    }
}

fn not_blank<'a>(keyword: &str, mut names: impl Iterator<Item = &'a str>) -> Result<(), String> {
    if names.any(str::is_empty) {
        Err(format!("{keyword} has a blank name"))
    } else {
        Ok(())
    }
}

fn check_flags(instruction: &Instruction) -> Result<(), String> {
    let known = flags_of(&instruction.keyword);
    let mut seen: Vec<&str> = Vec::new();
    for flag in &instruction.flags {
        let shown = flag.escape_debug();
        let Some(flag) = flag.strip_prefix("--") else {
            return Err(format!("the flag `{shown}` does not begin with `--`"));
        };
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (flag, None),
        };
        let Some((_, kind)) = known.iter().find(|(known, _)| *known == name) else {
            let known: Vec<String> = known.iter().map(|(name, _)| format!("`--{name}`")).collect();
            let hint = if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(", ")
            };
            return Err(format!(
                "{} has no flag `{shown}`: it knows {hint}",
                instruction.keyword
            ));
        };
        if seen.contains(&name) && *kind != Texts {
            return Err(format!("the flag `--{name}` is given twice"));
        }
        seen.push(name);
        match (kind, value) {
            (Text | Texts, None) | (Boolean, Some("")) => return Err(format!("the flag `--{name}` needs a value")),
            (Boolean, Some(value)) if !value.eq_ignore_ascii_case("true") && !value.eq_ignore_ascii_case("false") => {
                return Err(format!(
                    "the flag `--{name}` is `true` or `false`, not `{}`",
                    value.escape_debug()
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether a boolean flag is set.
pub(super) fn is_set(instruction: &Instruction, name: &str) -> bool {
    instruction
        .flag_values(name)
        .last()
        .is_some_and(|value| !value.eq_ignore_ascii_case("false"))
}

fn check_heredoc_place(instruction: &Instruction) -> Result<(), String> {
    match instruction.words().last().map(|target| heredoc::open(target)) {
        Some(Ok(Some(_))) => Err(format!(
            "the target of {} is a heredoc: a heredoc can only be a source",
            instruction.keyword
        )),
        _ => Ok(()),
    }
}

/// The name of a stage, in lower case.
pub(super) fn stage_name(words: &[String]) -> Option<String> {
    match words {
        [_, keyword, name] if keyword.eq_ignore_ascii_case("as") => Some(name.to_lowercase()),
        _ => None,
    }
}

fn check_stage(words: &[String]) -> Result<(), String> {
    if words.len() == 1 {
        return Ok(());
    }
    let Some(name) = stage_name(words) else {
        return Err("FROM needs an image and may have a name: write `FROM image AS name`".to_owned());
    };
    let valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    if name.starts_with(|first: char| first.is_ascii_lowercase()) && name.bytes().all(valid) {
        Ok(())
    } else {
        Err(format!(
            "`{}` cannot be the name of a stage: use letters, digits, `-`, `_` and `.`, and begin with a letter",
            name.escape_debug()
        ))
    }
}

fn check_health(instruction: &Instruction) -> Result<(), String> {
    at_least_one(instruction)?;
    let words = instruction.words();
    if words[0].eq_ignore_ascii_case("none") {
        return if words.len() == 1 {
            Ok(())
        } else {
            Err("HEALTHCHECK NONE takes no arguments".to_owned())
        };
    }
    check_flags(instruction)?;
    if !words[0].eq_ignore_ascii_case("cmd") {
        return Err(format!(
            "HEALTHCHECK is followed by CMD or NONE, not by `{}`",
            words[0].escape_debug()
        ));
    }
    if words.len() == 1 {
        return Err("HEALTHCHECK CMD needs a command".to_owned());
    }
    for name in ["interval", "timeout", "start-period", "start-interval"] {
        if let Some(value) = instruction.flag(name).filter(|value| !value.is_empty()) {
            match duration(value) {
                Some(duration) if duration.is_zero() || duration >= Duration::from_millis(1) => {}
                _ => {
                    return Err(format!(
                        "`--{name}={}` is not a duration of at least 1ms",
                        value.escape_debug()
                    ));
                }
            }
        }
    }
    match instruction.flag("retries").filter(|value| !value.is_empty()) {
        Some(value) if value.parse::<i32>().map_or(true, |count| count < 0) => {
            Err(format!("`--retries={}` is not a number", value.escape_debug()))
        }
        _ => Ok(()),
    }
}

/// A duration as Go writes it: `1m30s`, `1.5h`. Negative ones are none here.
fn duration(text: &str) -> Option<Duration> {
    let text = text.strip_prefix('+').unwrap_or(text);
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let end = rest
            .find(|character: char| character.is_ascii_digit() || character == '.')
            .unwrap_or(rest.len());
        total += number
            * match &rest[..end] {
                "ns" => 1e-9,
                "us" | "µs" | "μs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3_600.0,
                _ => return None,
            };
        rest = &rest[end..];
    }
    (!text.is_empty()).then(|| Duration::try_from_secs_f64(total).ok())?
}

fn check_trigger(instruction: &Instruction) -> Result<(), String> {
    let Arguments::Trigger(trigger) = &instruction.arguments else {
        return Err("ONBUILD needs an instruction".to_owned());
    };
    check_flags(instruction)?;
    match trigger.keyword() {
        "ONBUILD" => Err("ONBUILD cannot contain another ONBUILD".to_owned()),
        keyword @ ("FROM" | "MAINTAINER") => Err(format!("ONBUILD cannot contain {keyword}")),
        _ => Ok(()),
    }
}

fn check_run(instruction: &Instruction) -> Result<(), String> {
    for mount in instruction.flag_values("mount") {
        Mount::check(mount)?;
    }
    for (name, allowed) in [
        ("network", &["default", "none", "host"][..]),
        ("security", &["insecure", "sandbox"][..]),
    ] {
        if let Some(value) = instruction.flag(name)
            && !allowed.contains(&value)
        {
            return Err(format!(
                "`--{name}={}` is unknown: it is one of {}",
                value.escape_debug(),
                allowed.join(", ")
            ));
        }
    }
    Ok(())
}
