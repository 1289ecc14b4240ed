//! What a sandbox of the snapshot will start.

use crate::dockerfile::{Dockerfile, Instruction};
use crate::escape;
use crate::quote;

/// What the service makes of a Dockerfile: it takes the last `ENTRYPOINT` anywhere in the text, comments included, in this
/// case only; a JSON array as it is, else the rest of the line as one word without its quotes. `CMD` is not looked at.
pub(super) fn stored(dockerfile: &str) -> Vec<String> {
    let Some((_, rest)) = dockerfile.rsplit_once("ENTRYPOINT") else {
        return vec!["sleep".to_owned(), "infinity".to_owned()];
    };
    let line = rest.lines().next().unwrap_or_default().trim();
    serde_json::from_str(line).unwrap_or_else(|_| vec![line.replace(['"', '\''], "")])
}

/// What is to be said where Docker would start something else.
pub(super) fn surprise(dockerfile: &Dockerfile, stored: &[String]) -> Option<String> {
    let instructions = dockerfile.instructions();
    let last_stage = instructions.iter().rposition(Instruction::is_stage).unwrap_or_default();
    let stage = &instructions[last_stage..];
    let last = |keyword: &str| stage.iter().rev().find(|instruction| instruction.keyword() == keyword);
    let shown = escape::text(&stored.join(" ")).to_string();
    match (last("ENTRYPOINT"), last("CMD")) {
        (Some(entrypoint), cmd) => match entrypoint.json() {
            Some(words) if words != stored => Some(format!(
                "sandboxes will start `{shown}`, where Docker would start `{}`",
                escape::text(&words.join(" "))
            )),
            Some(words) => cmd
                .filter(|cmd| cmd.json().is_none_or(|words| !words.is_empty()))
                .map(|cmd| beside(words, cmd, &shown)),
            None => Some(format!(
                "an ENTRYPOINT in the shell form is stored as the one word `{shown}`: write it as a JSON list"
            )),
        },
        (None, Some(_)) if stored == ["sleep", "infinity"] => Some(
            "the service ignores CMD: sandboxes will start `sleep infinity` unless there is an ENTRYPOINT".to_owned(),
        ),
        (None, _) if stored != ["sleep", "infinity"] => Some(format!(
            "sandboxes will start `{shown}`, because the service also reads `ENTRYPOINT` in comments and other stages"
        )),
        (None, _) => None,
    }
}

/// A `CMD` beside an `ENTRYPOINT` has no effect on the service.
fn beside(entrypoint: &[String], cmd: &Instruction, shown: &str) -> String {
    let words: Vec<&str> = entrypoint.iter().chain(cmd.words()).map(String::as_str).collect();
    let started = if shown.is_empty() {
        "nothing of it".to_owned()
    } else {
        format!("`{shown}` alone")
    };
    format!(
        "the service ignores CMD: sandboxes will start {started}; write `ENTRYPOINT {}` if you need its words",
        escape::text(&quote::json_form(&words))
    )
}
