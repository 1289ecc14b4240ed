//! `cargo xtask api`: the public API of each crate, as text in the repository, so that a change of it shows in review.
//!
//! rustdoc's JSON is a nightly's affair, and its format is the one that the library `public-api` reads: without the nightly the
//! snapshots are not looked at, and this says so.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use similar::TextDiff;

use crate::tools::{self, PUBLISHED, say};

/// Crates whose types are not part of ours.
const FOREIGN: [&str; 4] = ["reqwest::", "hyper::", "hyper_util::", "aws_"];

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Change nothing; fail with a diff if a snapshot is not what the crate is.
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{path}: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("the documentation of {name}: {source}")]
    Rustdoc { name: String, source: io::Error },
    #[error("the documentation of {name}: {source}")]
    Json { name: String, source: public_api::Error },
    #[error("{name} shows types of others in public:\n{list}")]
    Foreign { name: String, list: String },
    #[error("the public API has changed; run `cargo xtask api` and look at the difference\n{0}")]
    Changed(String),
}

pub(crate) fn run(arguments: &Arguments, workspace: &Path) -> Result<(), Error> {
    let has_nightly = Command::new("cargo").args(["+nightly", "--version"]).output();
    if !has_nightly.is_ok_and(|output| output.status.success()) {
        say("skipped: there is no nightly toolchain for rustdoc's JSON");
        return Ok(());
    }
    let mut changes = String::new();
    for name in PUBLISHED {
        let text = public_api(name, workspace)?;
        let path = workspace.join("crates").join(name).join("api.txt");
        let at = |source| Error::File {
            path: path.clone(),
            source,
        };
        let present = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(at(error)),
        };
        if present == text {
            continue;
        }
        if arguments.check {
            let diff = TextDiff::from_lines(&present, &text);
            changes += &diff.unified_diff().context_radius(0).header(name, "now").to_string();
        } else {
            fs::write(&path, text).map_err(at)?;
            say(&format!("wrote {}", path.display()));
        }
    }
    if changes.is_empty() {
        Ok(())
    } else {
        Err(Error::Changed(changes))
    }
}

/// One line for each public item, with all features.
fn public_api(name: &str, workspace: &Path) -> Result<String, Error> {
    let target = workspace.join("target/api");
    let mut rustdoc = Command::new("cargo");
    rustdoc
        .args([
            "+nightly",
            "rustdoc",
            "--quiet",
            "--lib",
            "--all-features",
            "--package",
            name,
            "--target-dir",
        ])
        .arg(&target)
        .args([
            "--",
            "-Z",
            "unstable-options",
            "--output-format",
            "json",
            "--cap-lints",
            "allow",
        ])
        .current_dir(workspace);
    tools::quiet(&mut rustdoc).map_err(|source| Error::Rustdoc {
        name: name.to_owned(),
        source,
    })?;
    let json = target.join("doc").join(format!("{}.json", name.replace('-', "_")));
    let api = public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .map_err(|source| Error::Json {
            name: name.to_owned(),
            source,
        })?;
    let lines: BTreeSet<String> = api.items().map(ToString::to_string).collect();
    let foreign: Vec<_> = lines
        .iter()
        .filter(|line| FOREIGN.iter().any(|other| line.contains(other)))
        .collect();
    if !foreign.is_empty() {
        let list: Vec<_> = foreign.iter().map(|line| format!("  {line}")).collect();
        return Err(Error::Foreign {
            name: name.to_owned(),
            list: list.join("\n"),
        });
    }
    Ok(lines.into_iter().map(|line| line + "\n").collect())
}
