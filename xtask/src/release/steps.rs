//! The steps of a release: versions, changelog, commit, tag, publication. Each may be repeated.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use toml_edit::{DocumentMut, Item, value};

use crate::tools::{self, PUBLISHED, say};

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
    #[error("`{0}` is not a version like 1.2.3")]
    Version(String),
    #[error("version {wanted} is not newer than the last tag, {last}")]
    NotNewer { wanted: String, last: String },
    #[error("CHANGELOG.md says nothing under `## Unreleased`")]
    NoChanges,
    #[error("Cargo.toml has no address in `repository`: set it before the first release")]
    NoRepository,
    #[error("{0}")]
    Rehearsal(String),
}

/// The registry that is published to; by default crates.io.
#[derive(Debug, Default)]
pub(super) struct Destination {
    /// Arguments of `cargo publish`.
    pub(super) arguments: Vec<&'static str>,
    /// The environment of every cargo.
    pub(super) variables: Vec<(&'static str, String)>,
}

impl Destination {
    pub(super) fn cargo(&self, folder: &Path, arguments: &[&str]) -> Command {
        let mut cargo = Command::new("cargo");
        cargo.args(arguments).current_dir(folder);
        for (name, value) in &self.variables {
            cargo.env(name, value);
        }
        cargo
    }
}

/// Commits, tags and publishes. What is done already is passed over, step by step, so that the same call resumes a
/// release that broke off. What could not be committed is taken back: the tree was clean, and is again.
pub(super) fn execute(folder: &Path, version: &str, crates: &[&str], destination: &Destination) -> Result<(), Error> {
    if is_tagged(folder, version)? {
        say(&format!(
            "v{version} is tagged: going on with what is not published yet"
        ));
    } else {
        if let Err(error) = commit(folder, version, destination) {
            git(folder, &["reset", "--quiet", "--hard"])?;
            return Err(error);
        }
        git(folder, &["tag", &format!("v{version}")])?;
    }
    publish(folder, crates, destination)
}

/// Whether what is checked out is the release of this version.
pub(super) fn is_tagged(folder: &Path, version: &str) -> Result<bool, Error> {
    let tags = git(folder, &["tag", "--points-at", "HEAD"])?;
    Ok(tags.lines().any(|tag| tag.strip_prefix('v') == Some(version)))
}

fn commit(folder: &Path, version: &str, destination: &Destination) -> Result<(), Error> {
    prepare(folder, version, destination)?;
    if !git(folder, &["status", "--porcelain"])?.is_empty() {
        let message = format!("Release {version}");
        git(folder, &["commit", "--quiet", "--all", "--message", &message])?;
    }
    Ok(())
}

/// Sets the version everywhere, and rolls the changelog. Doing it twice is doing it once.
pub(super) fn prepare(folder: &Path, version: &str, destination: &Destination) -> Result<(), Error> {
    edit_manifest(&folder.join("Cargo.toml"), |manifest| set_version(manifest, version))?;
    let path = folder.join("CHANGELOG.md");
    let text = read(&path)?;
    let today = git(folder, &["log", "-1", "--format=%cs"])?;
    if !is_rolled(&text, version) {
        let rolled = roll(&text, version, today.trim()).ok_or(Error::NoChanges)?;
        write(&path, &rolled)?;
    }
    // The versions stand in the lock file too.
    tools::quiet(&mut destination.cargo(folder, &["update", "--quiet", "--workspace"]))?;
    Ok(())
}

/// Publishes each crate after those that it needs. What is published already is passed over.
fn publish(folder: &Path, crates: &[&str], destination: &Destination) -> Result<(), Error> {
    for name in crates {
        let mut publish = destination.cargo(folder, &["publish", "--quiet", "--package", name]);
        publish.args(&destination.arguments);
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

pub(super) fn current_version(workspace: &Path) -> Result<String, Error> {
    let path = workspace.join("Cargo.toml");
    let manifest = parse(&path)?;
    let version = manifest["workspace"]["package"]["version"].as_str();
    Ok(version.unwrap_or_default().to_owned())
}

/// Checks that the registry page of a crate can link to the repository.
pub(super) fn check_repository(workspace: &Path) -> Result<(), Error> {
    let manifest = parse(&workspace.join("Cargo.toml"))?;
    let package = &manifest["workspace"]["package"];
    match package.get("repository").and_then(Item::as_str) {
        Some(address) if !address.is_empty() => Ok(()),
        _ => Err(Error::NoRepository),
    }
}

/// Major, minor, patch.
pub(super) fn parse_version(text: &str) -> Option<[u64; 3]> {
    let numbers: Vec<u64> = text.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
    numbers.try_into().ok()
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
pub(super) fn set(item: &mut Item, text: &str) {
    match item.as_value_mut() {
        Some(present) => {
            let decor = present.decor().clone();
            *present = text.into();
            *present.decor_mut() = decor;
        }
        None => *item = value(text),
    }
}

pub(super) fn dependency<'a>(manifest: &'a mut DocumentMut, name: &str) -> Option<&'a mut Item> {
    manifest["workspace"]["dependencies"].as_table_like_mut()?.get_mut(name)
}

fn is_rolled(changelog: &str, version: &str) -> bool {
    let heading = format!("## {version} - ");
    changelog.lines().any(|line| line.starts_with(&heading))
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

/// A clone of what is committed.
pub(super) fn clone(workspace: &Path, copy: &Path) -> Result<(), Error> {
    tools::remove_folder(copy)?;
    let mut clone = Command::new("git");
    clone
        .args(["clone", "--quiet", "--local", "--no-hardlinks"])
        .arg(workspace)
        .arg(copy);
    tools::quiet(&mut clone)?;
    Ok(())
}

pub(super) fn git(folder: &Path, arguments: &[&str]) -> Result<String, Error> {
    Ok(tools::quiet(Command::new("git").arg("-C").arg(folder).args(arguments))?)
}

pub(super) fn edit_manifest(path: &Path, edit: impl FnOnce(&mut DocumentMut)) -> Result<(), Error> {
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

pub(super) fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| file(path, source))
}

pub(super) fn write(path: &Path, text: &str) -> Result<(), Error> {
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
        assert!(is_rolled(&rolled, "0.2.0") && !is_rolled(&rolled, "0.2") && !is_rolled(text, "0.2.0"));
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
    fn what_could_not_be_committed_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = "[workspace.package]\nversion = \"0.1.0\"\n\n[workspace.dependencies]\n";
        fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
        fs::write(folder.path().join("CHANGELOG.md"), "# Changelog\n\n## Unreleased\n").unwrap();
        let git = |arguments: &[&str]| git(folder.path(), arguments).unwrap();
        git(&["init", "--quiet"]);
        git(&["config", "user.name", "test"]);
        git(&["config", "user.email", "test@localhost"]);
        git(&["add", "."]);
        git(&["commit", "--quiet", "--message", "All"]);
        let outcome = execute(folder.path(), "0.2.0", &[], &Destination::default());
        assert!(matches!(outcome, Err(Error::NoChanges)), "{outcome:?}");
        assert_eq!(git(&["status", "--porcelain"]) + &git(&["tag"]), "");
        assert_eq!(current_version(folder.path()).unwrap(), "0.1.0");
    }

    #[test]
    fn a_release_needs_the_address_of_the_repository() {
        let folder = tempfile::tempdir().unwrap();
        for (line, is_set) in [
            ("repository = \"https://example.com/x\"", true),
            ("repository = \"\"", false),
            ("", false),
        ] {
            fs::write(
                folder.path().join("Cargo.toml"),
                format!("[workspace.package]\n{line}\n"),
            )
            .unwrap();
            assert_eq!(check_repository(folder.path()).is_ok(), is_set, "{line}");
        }
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(parse_version("0.10.0") > parse_version("0.9.9"));
        assert_eq!([parse_version("1.2"), parse_version("1.2.x")], [None, None]);
    }
}
