//! What `COPY` and `ADD` are going to take, and where it goes.

use super::chmod::Chmod;
use super::command::Copy;
use super::planned::{CopyPlan, CopySource, Source};
use super::planner::Planner;

pub(super) fn plan(planner: &mut Planner<'_>, copy: &Copy, line: usize) -> Result<CopyPlan, String> {
    let expand = |text: &Option<String>| text.as_ref().map(|text| planner.expand(text)).transpose();
    let owner = expand(&copy.owner)?;
    let mode = expand(&copy.mode)?;
    let checksum = expand(&copy.checksum)?;
    let sources: Vec<String> = copy
        .sources
        .iter()
        .map(|source| planner.expand(source))
        .collect::<Result<_, _>>()?;
    let target = planner.expand(&copy.target)?;
    let mut heredocs = Vec::new();
    for heredoc in &copy.heredocs {
        let text = heredoc.text();
        let text = if heredoc.expands {
            planner.expand_heredoc(&text)?
        } else {
            text
        };
        planner.budget.bytes(text.len())?;
        heredocs.push((heredoc.name.clone(), text));
    }
    let from = match &copy.from {
        None => Source::Context,
        Some(from) => planner.source(planner.stages.source(from)?, from)?,
    };
    let chmod = match mode.as_deref() {
        None | Some("") => None,
        Some(mode) => Some(Chmod::read(mode)?),
    };
    let sources: Vec<CopySource> = sources
        .into_iter()
        .map(|source| classify(source, copy.is_add))
        .collect::<Result<_, _>>()?;
    if checksum.is_some_and(|checksum| !checksum.is_empty()) {
        match sources.as_slice() {
            [CopySource::Remote(_)] => {}
            [_] => return Err("checksum can't be specified for non-HTTP(S) sources".to_owned()),
            _ => return Err("checksum can't be specified for multiple sources".to_owned()),
        }
    }
    for source in &sources {
        let (CopySource::Path(text) | CopySource::Remote(text)) = source;
        planner.budget.texts(text.len())?;
    }
    planner.budget.texts(target.len())?;
    Ok(CopyPlan {
        line,
        from,
        owner: owner.filter(|owner| !owner.is_empty()),
        chmod,
        excluded: copy.excluded.clone(),
        keeps_parents: copy.keeps_parents,
        is_linked: copy.is_linked,
        unpacks: copy.unpacks,
        sources,
        heredocs,
        is_below_unknown_workdir: !target.starts_with('/') && planner.has_unknown_workdir(),
        target: absolute(planner, &target),
    })
}

/// The target, which keeps a slash at its end.
fn absolute(planner: &Planner<'_>, target: &str) -> String {
    let path = format!("/{}", planner.absolute(target));
    let is_folder = (target.ends_with('/') || target.ends_with("/.")) && path != "/";
    if is_folder { path + "/" } else { path }
}

fn classify(source: String, is_add: bool) -> Result<CopySource, String> {
    if !is_git(&source) && !is_http(&source) {
        return Ok(CopySource::Path(source));
    }
    if !is_add {
        return Err("source can't be a git ref or a URL for COPY".to_owned());
    }
    Ok(CopySource::Remote(source))
}

fn is_http(source: &str) -> bool {
    source.starts_with("http://") || source.starts_with("https://")
}

pub(super) fn is_git(source: &str) -> bool {
    if is_http(source) {
        let path = source.split(['?', '#']).next().unwrap_or(source);
        let path = path.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
        return path.is_some_and(|(_, path)| path.strip_suffix(".git").is_some());
    }
    if source.starts_with("git://") || source.starts_with("ssh://") {
        return true;
    }
    // `user@host:path`
    let is_name = |name: &str, more: &[char]| {
        !name.is_empty()
            && name
                .chars()
                .all(|character| character.is_ascii_alphanumeric() || more.contains(&character))
    };
    source
        .split_once('@')
        .and_then(|(user, rest)| Some((user, rest.split_once(':')?)))
        .is_some_and(|(user, (host, path))| {
            is_name(user, &['-', '_', '.']) && is_name(host, &['-', '.']) && !path.is_empty()
        })
}
