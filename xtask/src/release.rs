//! `cargo xtask release`: from a clean tree to all crates in the registry.
//!
//! Without `--execute` nothing is changed: the release is made in a clone, compared with the last one, packaged and built there,
//! and shown. With it, it is committed, tagged and published. One that broke off is resumed by the same command.

use std::path::Path;
use std::process::Command;

use crate::tools::{self, PUBLISHED, say};

mod rehearsal;
mod steps;

pub(crate) use rehearsal::rehearse;
pub(crate) use steps::Error;
use steps::{Destination, check_repository, clone, current_version, execute, git, is_tagged, parse_version, prepare};

/// Version of cargo-semver-checks; it is installed where it is not there.
const SEMVER_CHECKS: &str = "0.51.0";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The version to release; by default the one in Cargo.toml.
    version: Option<String>,

    /// Commit, tag and publish. Without it the release is only shown.
    #[arg(long, conflicts_with = "rehearse")]
    execute: bool,

    /// Publish to a registry of its own on this machine, and build and run what depends on it.
    #[arg(long, conflicts_with = "version")]
    rehearse: bool,
}

pub(crate) fn run(arguments: &Arguments, workspace: &Path) -> Result<(), Error> {
    if arguments.rehearse {
        return rehearse(workspace);
    }
    let status = git(workspace, &["status", "--porcelain"])?;
    if !status.is_empty() {
        return Err(Error::Dirty(status));
    }
    let version = match &arguments.version {
        Some(version) => version.clone(),
        None => current_version(workspace)?,
    };
    parse_version(&version).ok_or_else(|| Error::Version(version.clone()))?;
    if !is_tagged(workspace, &version)? {
        check_newer(workspace, &version)?;
        show(workspace, &version)?;
    }
    if !arguments.execute {
        say("nothing was changed; `--execute` commits, tags and publishes");
        return Ok(());
    }
    check_repository(workspace)?;
    execute(workspace, &version, &PUBLISHED, &Destination::default())?;
    say(&format!(
        "published {version}; push the commit and the tag: git push origin HEAD v{version}"
    ));
    Ok(())
}

/// Compares the crates of a folder with the last tag, if there is one. What breaks them has to show in the version.
pub(crate) fn semver(workspace: &Path, folder: &Path) -> Result<(), Error> {
    let Some(tag) = last_tag(folder)? else {
        say("semver: there is no tag to compare with yet");
        return Ok(());
    };
    let program = tools::cargo_tool(workspace, "cargo-semver-checks", SEMVER_CHECKS)?;
    for name in PUBLISHED {
        let mut check = Command::new(&program);
        check
            .args(["semver-checks", "--baseline-rev", &tag, "--package", name])
            .env("CARGO_TARGET_DIR", workspace.join("target/semver"))
            .current_dir(folder);
        tools::quiet(&mut check)?;
        say(&format!("semver: {name} may follow {tag}"));
    }
    Ok(())
}

/// Makes the release in a clone, compares it with the last one, builds each crate from its package, and says what would be done.
fn show(workspace: &Path, version: &str) -> Result<(), Error> {
    let copy = workspace.join("target/release-plan");
    clone(workspace, &copy)?;
    prepare(&copy, version, &Destination::default())?;
    say(&git(&copy, &["diff", "--stat"])?);
    semver(workspace, &copy)?;
    package(workspace, &copy)?;
    say(&format!("  commit `Release {version}`, tag `v{version}`"));
    for name in PUBLISHED {
        say(&format!("  cargo publish --package {name}"));
    }
    Ok(())
}

/// Packages the crates of a folder, and builds each from its package and those of the others.
pub(crate) fn package(workspace: &Path, folder: &Path) -> Result<(), Error> {
    let mut package = Command::new("cargo");
    package
        .args(["package", "--quiet", "--allow-dirty"])
        .current_dir(folder);
    package.env("CARGO_TARGET_DIR", workspace.join("target/package"));
    for name in PUBLISHED {
        package.args(["--package", name]);
    }
    tools::quiet(&mut package)?;
    say("each crate was packaged, and built from its package");
    Ok(())
}

fn check_newer(workspace: &Path, version: &str) -> Result<(), Error> {
    match last_tag(workspace)? {
        Some(last) if parse_version(version) <= parse_version(last.trim_start_matches('v')) => Err(Error::NotNewer {
            wanted: version.to_owned(),
            last,
        }),
        _ => Ok(()),
    }
}

fn last_tag(workspace: &Path) -> Result<Option<String>, Error> {
    let tags = git(workspace, &["tag", "--list", "v*", "--sort=-version:refname"])?;
    Ok(tags.lines().next().map(ToOwned::to_owned))
}
