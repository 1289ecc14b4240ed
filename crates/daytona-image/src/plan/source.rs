//! The caller's own lines: read, and with the directory that their sources are in.

use std::path::{Path, PathBuf};

use super::context_root::ContextRoot;
use super::files::Taken;
use super::part::{Body, Part, Raw};
use super::{PlanOptions, resolve, rewrite};
use crate::dockerfile::{Dockerfile, SyntaxError};
use crate::escape;
use crate::image::dockerfile_source::{DockerfileCommands, DockerfileSource, Origin};
use crate::problem::{DockerfileLine, ProblemKind};
use crate::walk::ReadError;

/// A problem, with its line if it has one.
pub(super) type At = (Option<DockerfileLine>, ProblemKind);

/// What a step of the caller's own lines gives: as much as could be read of them, and what is wrong with the rest.
pub(super) struct Sourced {
    pub(super) part: Part,
    pub(super) problems: Vec<At>,
    pub(super) warnings: Vec<String>,
}

/// A Dockerfile from a file or a text, which may only stand first.
pub(super) fn from_dockerfile(options: &PlanOptions, source: &DockerfileSource) -> Result<Sourced, Vec<ProblemKind>> {
    let (text, path, file, folder) = match &source.origin {
        Origin::Text(text) => (text.clone(), None, None, PathBuf::new()),
        Origin::Path(path) => {
            let folder = path.parent().map(Path::to_owned).unwrap_or_default();
            let (file, text) = resolve::dockerfile(options, path)?;
            (text.clone(), Some(path.clone()), Some((file, text)), folder)
        }
    };
    refuse_nul(&text)?;
    let mut text = text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned();
    let (mut read, errors) = Dockerfile::read(&text);
    if is_normalized(&mut text, &read) {
        (read, _) = Dockerfile::read(&text);
    }
    let mut problems = syntax(path.as_deref(), errors);
    let mut warnings = Vec::new();
    let changes = rewrite::Changes {
        build_args: &source.build_args,
        target: source.target.as_deref(),
    };
    let (text, read, lines) = if problems.is_empty() && !changes.is_empty() {
        match rewrite::rewrite(&text, &read, &changes) {
            Ok(rewritten) => {
                let (read, mut errors) = Dockerfile::read(&rewritten.text);
                for error in &mut errors {
                    error.line = rewritten.line(error.line);
                }
                problems.extend(syntax(path.as_deref(), errors));
                warnings = rewritten.warnings;
                (rewritten.text, read, Some(rewritten.lines))
            }
            Err(kinds) => {
                problems.extend(kinds.into_iter().map(|kind| (None, kind)));
                (text, read, None)
            }
        }
    } else {
        (text, read, None)
    };
    let own_rules = path.as_ref().map(|path| {
        let mut rules = path.clone().into_os_string();
        rules.push(".dockerignore");
        PathBuf::from(rules)
    });
    let context = ContextRoot {
        path: source.context.path.clone().unwrap_or(folder),
        own_rules,
        dir: source.context.clone(),
    };
    let part = part(
        Raw {
            text,
            path,
            file,
            lines,
            context,
        },
        read,
    );
    Ok(Sourced {
        part,
        problems,
        warnings,
    })
}

/// Lines somewhere in a Dockerfile.
pub(super) fn commands(commands: &DockerfileCommands, escape: char) -> Result<Sourced, Vec<ProblemKind>> {
    let mut text = commands.lines.join("\n");
    refuse_nul(&text)?;
    let (mut read, errors) = Dockerfile::read_part(&text, escape);
    if is_normalized(&mut text, &read) {
        (read, _) = Dockerfile::read_part(&text, escape);
    }
    let context = ContextRoot {
        path: commands.context.path.clone().unwrap_or_default(),
        own_rules: None,
        dir: commands.context.clone(),
    };
    Ok(Sourced {
        part: part(
            Raw {
                text,
                path: None,
                file: None,
                lines: None,
                context,
            },
            read,
        ),
        problems: syntax(None, errors),
        warnings: Vec::new(),
    })
}

/// No file with a NUL is read; nor is another text with one.
fn refuse_nul(text: &str) -> Result<(), Vec<ProblemKind>> {
    let Some(nul) = text.find('\0') else { return Ok(()) };
    let error = ReadError::Nul {
        line: text[..nul].matches('\n').count() + 1,
    };
    let problem = format!("the text {error}");
    Err(vec![ProblemKind::Dockerfile { problem }])
}

/// Makes line feeds of CRLF, unless a heredoc has them in its body. Returns whether the text has changed.
fn is_normalized(text: &mut String, read: &Dockerfile) -> bool {
    let has_heredocs = read.instructions().iter().any(|one| !one.heredocs().is_empty());
    let is_changed = text.contains("\r\n") && !has_heredocs;
    if is_changed {
        *text = text.replace("\r\n", "\n");
    }
    is_changed
}

fn part(mut raw: Raw, read: Dockerfile) -> Part {
    if !raw.text.ends_with('\n') {
        raw.text.push('\n');
    }
    Part {
        step: 0,
        body: Body::Raw(Box::new(raw)),
        read,
        taken: Taken::default(),
    }
}

fn syntax(path: Option<&Path>, errors: Vec<SyntaxError>) -> Vec<At> {
    let at = |error: SyntaxError| {
        let line = DockerfileLine {
            path: path.map(Path::to_owned),
            line: error.line,
        };
        let problem = escape::text(&error.problem).to_string();
        (Some(line), ProblemKind::Dockerfile { problem })
    };
    errors.into_iter().map(at).collect()
}
