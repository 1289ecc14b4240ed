//! The stages of a Dockerfile, and which of them its image needs.

use std::collections::HashMap;

use super::dockerfile::{Dockerfile, Instruction};
use super::flags::Flags;
use super::word;

/// A stage: its `FROM`, and what follows.
#[derive(Debug)]
pub(super) struct Stage<'a> {
    pub(super) name: Option<String>,
    pub(super) from: &'a Instruction,
    pub(super) base: Base,
    pub(super) instructions: &'a [Instruction],
    /// Whether the last stage needs it.
    pub(super) is_needed: bool,
}

/// What a stage begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Base {
    Scratch,
    Stage(usize),
    Image(String),
}

/// The stages of a Dockerfile.
#[derive(Debug)]
pub(super) struct Stages<'a> {
    pub(super) stages: Vec<Stage<'a>>,
    /// Arguments from before the first stage.
    pub(super) global: HashMap<String, String>,
}

/// What BuildKit sets by itself, for the one platform that the service builds for.
pub(super) const PLATFORM_ARGUMENTS: [(&str, &str); 7] = [
    ("BUILDPLATFORM", "linux/amd64"),
    ("BUILDOS", "linux"),
    ("BUILDARCH", "amd64"),
    ("TARGETPLATFORM", "linux/amd64"),
    ("TARGETOS", "linux"),
    ("TARGETARCH", "amd64"),
    ("TARGETSTAGE", "default"),
];

/// An error with the line of its instruction.
pub(super) type Failed = (Option<usize>, String);

pub(super) fn stages(dockerfile: &Dockerfile) -> Result<Stages<'_>, Failed> {
    let mut global = HashMap::new();
    let instructions = &dockerfile.instructions;
    let begins: Vec<usize> = instructions
        .iter()
        .enumerate()
        .filter(|(_, instruction)| instruction.keyword == "FROM")
        .map(|(index, _)| index)
        .collect();
    let first = begins.first().copied().unwrap_or(instructions.len());
    for instruction in &instructions[..first] {
        if instruction.keyword != "ARG" {
            return Err((Some(instruction.line), "no build stage in current context".to_owned()));
        }
        for (name, value) in assignments(&instruction.rest, false) {
            let Some(value) = value else { continue };
            let value = word::process(&value, &in_global(&global), dockerfile.escape)
                .map_err(|reason| (Some(instruction.line), reason))?;
            global.insert(name, value);
        }
    }
    let mut stages: Vec<Stage<'_>> = Vec::new();
    for (number, begin) in begins.iter().enumerate() {
        let end = begins.get(number + 1).copied().unwrap_or(instructions.len());
        let from = &instructions[*begin];
        let (name, base) =
            read_from(from, &stages, &global, dockerfile.escape).map_err(|reason| (Some(from.line), reason))?;
        stages.push(Stage {
            name,
            from,
            base,
            instructions: &instructions[begin + 1..end],
            is_needed: false,
        });
    }
    if stages.is_empty() {
        return Err((None, "no build stage in current context".to_owned()));
    }
    mark_needed(&mut stages);
    Ok(Stages { stages, global })
}

fn in_global(global: &HashMap<String, String>) -> impl Fn(&str) -> Option<String> {
    |name| {
        let platform = PLATFORM_ARGUMENTS.iter().find(|(other, _)| *other == name);
        global
            .get(name)
            .cloned()
            .or_else(|| platform.map(|(_, value)| (*value).to_owned()))
    }
}

fn read_from(
    from: &Instruction,
    before: &[Stage<'_>],
    global: &HashMap<String, String>,
    escape: char,
) -> Result<(Option<String>, Base), String> {
    let (_, rest) = Flags::read(&from.rest, &["platform"])?;
    let words: Vec<&str> = rest.split_whitespace().collect();
    let name = match words.as_slice() {
        [_] => None,
        [_, keyword, name] if keyword.eq_ignore_ascii_case("as") => Some(name.to_ascii_lowercase()),
        _ => return Err("FROM requires either one or three arguments".to_owned()),
    };
    let image = word::process(words[0], &in_global(global), escape)?;
    if image.is_empty() {
        return Err(format!("base name ({}) should not be blank", words[0]));
    }
    let base = match find(before, &image) {
        Some(index) => Base::Stage(index),
        None if image == "scratch" => Base::Scratch,
        None => Base::Image(image),
    };
    Ok((name, base))
}

/// The last stage of that name. Case does not count.
pub(super) fn find(stages: &[Stage<'_>], name: &str) -> Option<usize> {
    stages.iter().rposition(|stage| {
        stage
            .name
            .as_deref()
            .is_some_and(|other| other.eq_ignore_ascii_case(name))
    })
}

/// The stage that `--from` means, by name or by number; `None` if it is an image.
pub(super) fn find_from(stages: &[Stage<'_>], from: &str) -> Option<usize> {
    find(stages, from).or_else(|| from.parse().ok().filter(|index| *index < stages.len()))
}

/// The image builder leaves out what the last stage does not need. Stages need earlier ones only, so one pass will do.
fn mark_needed(stages: &mut [Stage<'_>]) {
    if let Some(last) = stages.last_mut() {
        last.is_needed = true;
    }
    for index in (0..stages.len()).rev() {
        if !stages[index].is_needed {
            continue;
        }
        let (before, rest) = stages.split_at_mut(index);
        let stage = &rest[0];
        if let Base::Stage(base) = stage.base {
            before[base].is_needed = true;
        }
        for instruction in stage.instructions {
            for from in sources(instruction) {
                if let Some(found) = find_from(before, from) {
                    before[found].is_needed = true;
                }
            }
        }
    }
}

/// What `--from=` and `--mount=…,from=` of an instruction name. `ONBUILD` counts as if it were carried out.
fn sources(instruction: &Instruction) -> impl Iterator<Item = &str> {
    let words = instruction.rest.split_whitespace();
    words.flat_map(|word| {
        let from = word.strip_prefix("--from=");
        let mounts = word.strip_prefix("--mount=").unwrap_or_default();
        from.into_iter()
            .chain(mounts.split(',').filter_map(|option| option.strip_prefix("from=")))
    })
}

/// The assignments of `ARG`, `ENV` and `LABEL`; the old `ENV name value` is one of them. Quotes stay.
pub(super) fn assignments(rest: &str, has_old_form: bool) -> Vec<(String, Option<String>)> {
    if has_old_form && !rest.split_whitespace().next().unwrap_or_default().contains('=') {
        let (name, value) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        return vec![(name.to_owned(), Some(value.trim().to_owned()))];
    }
    let words = super::flags::quoted_words(rest);
    let pairs = words.into_iter().map(|word| match word.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (word, None),
    });
    pairs.collect()
}
