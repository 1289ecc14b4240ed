//! What a sandbox of the snapshot will start.

use crate::dockerfile::Dockerfile;

/// What the service makes of a Dockerfile: it takes the last `ENTRYPOINT` anywhere in the text, comments included, in this
/// case only; a JSON array as it is, else the rest of the line as one word without its quotes. `CMD` is not looked at.
pub(crate) fn stored(dockerfile: &str) -> Vec<String> {
    let Some((_, rest)) = dockerfile.rsplit_once("ENTRYPOINT") else {
        return vec!["sleep".to_owned(), "infinity".to_owned()];
    };
    let line = rest.lines().next().unwrap_or_default().trim();
    serde_json::from_str(line).unwrap_or_else(|_| vec![line.replace(['"', '\''], "")])
}

/// What is to be said where Docker would start something else.
pub(crate) fn surprise(dockerfile: &str, stored: &[String]) -> Option<String> {
    let parsed = Dockerfile::parse(dockerfile).ok()?;
    let last_stage = parsed
        .instructions()
        .iter()
        .rposition(|instruction| instruction.keyword == "FROM")
        .unwrap_or_default();
    let stage = &parsed.instructions()[last_stage..];
    let last = |keyword: &str| stage.iter().rev().find(|instruction| instruction.keyword == keyword);
    let shown = stored.join(" ");
    match (last("ENTRYPOINT"), last("CMD")) {
        (Some(entrypoint), _) => match entrypoint.json() {
            Some(words) if words == stored => None,
            Some(words) => Some(format!(
                "sandboxes will start `{shown}`, where Docker would start `{}`",
                words.join(" ")
            )),
            None => Some(format!(
                "an ENTRYPOINT in the shell form is stored as the one word `{shown}`: write it as a JSON list"
            )),
        },
        (None, Some(_)) if stored == ["sleep", "infinity"] => {
            Some("CMD is not looked at: sandboxes will start `sleep infinity` unless there is an ENTRYPOINT".to_owned())
        }
        (None, _) if stored != ["sleep", "infinity"] => Some(format!(
            "sandboxes will start `{shown}`, as the service reads `ENTRYPOINT` in comments and other stages too"
        )),
        (None, _) => None,
    }
}
