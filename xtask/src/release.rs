//! `cargo xtask release`: from a clean tree to all crates in the registry.
//!
//! Without `--execute` nothing is changed: the release is made in a clone, packaged and built there, and shown. With it, it is
//! committed, tagged and published. One that broke off is resumed by the same command: what is done is passed over.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use toml_edit::{DocumentMut, Item, value};

use crate::tools::{self, PUBLISHED, say};

mod rehearsal;

pub(crate) use rehearsal::rehearse;

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

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{path}: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("{path}: {source}")]
    Manifest {
        path: PathBuf,
        source: toml_edit::TomlError,
    },
    #[error("{0}")]
    Command(#[from] io::Error),
    #[error("the tree is not clean; commit or stash first:\n{0}")]
    Dirty(String),
    #[error("`{0}` is no version like 1.2.3")]
    Version(String),
    #[error("version {wanted} is not newer than the last tag, {last}")]
    NotNewer { wanted: String, last: String },
    #[error("CHANGELOG.md says nothing under `## Unreleased`")]
    NoChanges,
    #[error("{0}")]
    Rehearsal(String),
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
    let tag = format!("v{version}");
    let is_resumed = git(workspace, &["tag", "--points-at", "HEAD"])?
        .lines()
        .any(|one| one == tag);
    if !is_resumed {
        check_newer(workspace, &version)?;
        semver(workspace)?;
        show(workspace, &version)?;
    }
    if !arguments.execute {
        say("nothing was changed; `--execute` commits, tags and publishes");
        return Ok(());
    }
    if is_resumed {
        say(&format!("{tag} is tagged: going on with what is not published yet"));
    } else {
        prepare(workspace, &version)?;
        git(
            workspace,
            &["commit", "--quiet", "--all", "--message", &format!("Release {version}")],
        )?;
        git(workspace, &["tag", &tag])?;
    }
    publish(workspace, &[])?;
    say(&format!(
        "published {version}; push the commit and the tag: git push origin HEAD {tag}"
    ));
    Ok(())
}

/// Compares the crates with the last tag, if there is one.
pub(crate) fn semver(workspace: &Path) -> Result<(), Error> {
    let Some(tag) = last_tag(workspace)? else {
        say("semver: there is no tag to compare with yet");
        return Ok(());
    };
    let bin = tools::cargo_tool(workspace, "cargo-semver-checks", SEMVER_CHECKS)?;
    for name in PUBLISHED {
        let mut check = Command::new(bin.join("cargo-semver-checks"));
        check
            .args(["semver-checks", "--baseline-rev", &tag, "--package", name])
            .current_dir(workspace);
        tools::quiet(&mut check)?;
        say(&format!("semver: {name} is compatible with {tag}"));
    }
    Ok(())
}

/// Makes the release in a clone, builds each crate from its package, and says what would be done.
fn show(workspace: &Path, version: &str) -> Result<(), Error> {
    let copy = workspace.join("target/release-plan");
    clone(workspace, &copy)?;
    prepare(&copy, version)?;
    say(&git(&copy, &["diff", "--stat"])?);
    let mut package = Command::new("cargo");
    package.args(["package", "--quiet", "--allow-dirty"]).current_dir(&copy);
    package.env("CARGO_TARGET_DIR", workspace.join("target/release-plan-target"));
    for name in PUBLISHED {
        package.args(["--package", name]);
    }
    tools::quiet(&mut package)?;
    say(&format!(
        "release {version}: each crate was packaged, and built from its package"
    ));
    say(&format!("  commit `Release {version}`, tag `v{version}`"));
    for name in PUBLISHED {
        say(&format!("  cargo publish --package {name}"));
    }
    Ok(())
}

/// A clone of what is committed.
fn clone(workspace: &Path, copy: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(copy) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let mut clone = Command::new("git");
    clone
        .args(["clone", "--quiet", "--local", "--no-hardlinks"])
        .arg(workspace)
        .arg(copy);
    tools::quiet(&mut clone)?;
    Ok(())
}

/// Sets the version everywhere, and rolls the changelog.
fn prepare(folder: &Path, version: &str) -> Result<(), Error> {
    edit_manifest(&folder.join("Cargo.toml"), |manifest| set_version(manifest, version))?;
    let path = folder.join("CHANGELOG.md");
    let text = read(&path)?;
    let today = git(folder, &["log", "-1", "--format=%cs"])?;
    let rolled = roll(&text, version, today.trim()).ok_or(Error::NoChanges)?;
    write(&path, &rolled)?;
    // The versions stand in the lock file too.
    tools::quiet(
        Command::new("cargo")
            .args(["update", "--quiet", "--workspace"])
            .current_dir(folder),
    )?;
    Ok(())
}

fn set_version(manifest: &mut DocumentMut, version: &str) {
    set(&mut manifest["workspace"]["package"]["version"], version);
    for name in PUBLISHED {
        if let Some(dependency) = dependency(manifest, name) {
            set(&mut dependency["version"], version);
        }
    }
}

/// Sets a text, and leaves what stands around it.
fn set(item: &mut Item, text: &str) {
    match item.as_value_mut() {
        Some(present) => {
            let decor = present.decor().clone();
            *present = text.into();
            *present.decor_mut() = decor;
        }
        None => *item = value(text),
    }
}

fn dependency<'a>(manifest: &'a mut DocumentMut, name: &str) -> Option<&'a mut Item> {
    manifest["workspace"]["dependencies"].as_table_like_mut()?.get_mut(name)
}

/// The changelog with what was unreleased under the version; none if nothing was.
fn roll(text: &str, version: &str, date: &str) -> Option<String> {
    const HEADING: &str = "## Unreleased\n";
    let (before, after) = text.split_once(HEADING)?;
    let end = after.find("\n## ").map_or(after.len(), |end| end + 1);
    if after[..end].trim().is_empty() {
        return None;
    }
    Some(format!("{before}{HEADING}\n## {version} - {date}\n{after}"))
}

/// Publishes each crate after those that it needs. What is published already is passed over.
fn publish(folder: &Path, settings: &[(&str, &str)]) -> Result<(), Error> {
    for name in PUBLISHED {
        let mut publish = Command::new("cargo");
        publish
            .args(["publish", "--quiet", "--package", name])
            .current_dir(folder);
        for (key, value) in settings {
            match key.strip_prefix("--") {
                Some(_) => publish.args([key, value].iter().filter(|text| !text.is_empty())),
                None => publish.env(key, value),
            };
        }
        match tools::quiet(&mut publish) {
            Ok(_) => say(&format!("published {name}")),
            Err(error)
                if error.to_string().contains("already exists") || error.to_string().contains("already uploaded") =>
            {
                say(&format!("{name} is published already"));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn current_version(workspace: &Path) -> Result<String, Error> {
    let path = workspace.join("Cargo.toml");
    let manifest = parse(&path)?;
    let version = manifest["workspace"]["package"]["version"].as_str();
    Ok(version.unwrap_or_default().to_owned())
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

/// Major, minor, patch.
fn parse_version(text: &str) -> Option<[u64; 3]> {
    let numbers: Vec<u64> = text.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
    numbers.try_into().ok()
}

fn git(folder: &Path, arguments: &[&str]) -> Result<String, Error> {
    Ok(tools::quiet(Command::new("git").arg("-C").arg(folder).args(arguments))?)
}

fn edit_manifest(path: &Path, edit: impl FnOnce(&mut DocumentMut)) -> Result<(), Error> {
    let mut manifest = parse(path)?;
    edit(&mut manifest);
    write(path, &manifest.to_string())
}

fn parse(path: &Path) -> Result<DocumentMut, Error> {
    read(path)?.parse().map_err(|source| Error::Manifest {
        path: path.to_owned(),
        source,
    })
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| file(path, source))
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|source| file(path, source))
}

fn file(path: &Path, source: io::Error) -> Error {
    Error::File {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_changelog_is_rolled() {
        let text = "# Changelog\n\n## Unreleased\n\n- More.\n\n## 0.1.0 - 2026-01-01\n\n- All.\n";
        let rolled = roll(text, "0.2.0", "2026-11-25").unwrap();
        assert_eq!(
            rolled,
            "# Changelog\n\n## Unreleased\n\n## 0.2.0 - 2026-11-25\n\n- More.\n\n## 0.1.0 - 2026-01-01\n\n- All.\n"
        );
        assert!(roll(&rolled, "0.3.0", "2026-11-26").is_none(), "nothing is unreleased");
        assert!(roll("# Changelog\n", "0.1.0", "x").is_none());
    }

    #[test]
    fn versions_stand_in_all_their_places() {
        let mut manifest: DocumentMut = "[workspace.package]\nversion = \"0.1.0\" # ours\n\n[workspace.dependencies]\n\
             daytona-api = { path = \"crates/daytona-api\", version = \"0.1.0\" }\nserde = \"1\"\n"
            .parse()
            .unwrap();
        set_version(&mut manifest, "0.2.0");
        let text = manifest.to_string();
        assert_eq!(text.matches("0.2.0").count(), 2, "{text}");
        assert!(text.contains("# ours") && !text.contains("daytona-image"), "{text}");
        assert!(!text.contains("0.1.0") && text.contains("serde = \"1\""), "{text}");
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(parse_version("0.10.0") > parse_version("0.9.9"));
        assert_eq!([parse_version("1.2"), parse_version("1.2.x")], [None, None]);
    }
}
