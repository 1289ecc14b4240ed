//! `cargo xtask weight`: what each crate costs who depends on it, as a table in the README: how many crates come with
//! it, and how long it takes to build them all.
//!
//! The numbers follow from the lock file, so that `--check` can say whether they are still true. The times are
//! measured, in a new target folder each, and depend on the machine; the table says what it was.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::tools::{self, say};

const README: &str = "README.md";
const BEGIN: &str = "<!-- cargo xtask weight -->\n";
const END: &str = "<!-- -->\n";

/// Crates with the feature sets that somebody may want of them.
const SETS: [(&str, &str, &[&str]); 9] = [
    ("daytona-image", "", &[]),
    ("daytona-api", "", &[]),
    ("daytona-context", "none", &["--no-default-features"]),
    (
        "daytona-context",
        "`s3`",
        &["--no-default-features", "--features", "s3"],
    ),
    ("daytona-context", "default", &[]),
    ("daytona-sdk", "none", &["--no-default-features"]),
    ("daytona-sdk", "default", &[]),
    ("daytona-sdk", "all", &["--all-features"]),
    ("daytona-emulator", "", &[]),
];

/// Whose numbers are counted, on every machine.
const TARGET: &str = "x86_64-unknown-linux-gnu";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Measure nothing and change nothing; fail if a number in the README is wrong.
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{README}: {0}")]
    Readme(io::Error),
    #[error("{README} has no table between its two comments")]
    NoTable,
    #[error("{0}")]
    Command(#[from] io::Error),
    #[error("{package} ({features}) brings {now} crates, and {README} says otherwise: run `cargo xtask weight`")]
    Changed {
        package: &'static str,
        features: &'static str,
        now: usize,
    },
}

pub(crate) fn run(arguments: &Arguments, workspace: &Path) -> Result<(), Error> {
    let path = workspace.join(README);
    let text = fs::read_to_string(&path).map_err(Error::Readme)?;
    let (before, rest) = text.split_once(BEGIN).ok_or(Error::NoTable)?;
    let (table, after) = rest.split_once(END).ok_or(Error::NoTable)?;
    if arguments.check {
        return check(table, workspace);
    }
    // The time of a download is not that of a build.
    tools::quiet(
        Command::new("cargo")
            .args(["fetch", "--quiet", "--locked"])
            .current_dir(workspace),
    )?;
    let mut table = String::from("| crate | features | dependencies | clean build |\n|---|---|---|---|\n");
    for (package, features, flags) in SETS {
        let count = count(package, flags, workspace)?;
        let seconds = build(package, flags, workspace)?.as_secs_f64();
        say(&format!("{package} {features}: {count} crates, {seconds:.0} s"));
        let _ = writeln!(table, "{} {seconds:.0} s |", row(package, features, count));
    }
    let _ = writeln!(table, "\n{}", machine(workspace)?);
    fs::write(&path, format!("{before}{BEGIN}{table}{END}{after}")).map_err(Error::Readme)
}

fn check(table: &str, workspace: &Path) -> Result<(), Error> {
    for (package, features, flags) in SETS {
        let now = count(package, flags, workspace)?;
        let row = row(package, features, now);
        if !table.lines().any(|line| line.starts_with(&row)) {
            return Err(Error::Changed { package, features, now });
        }
    }
    Ok(())
}

/// A row of the table, except its time.
fn row(package: &str, features: &str, count: usize) -> String {
    format!("| `{package}` | {features} | {count} |")
}

/// The crates that are built for this one, itself not counted: dependencies, theirs, and what runs at build time.
fn count(package: &str, flags: &[&str], workspace: &Path) -> io::Result<usize> {
    let more = [flags, &["--target", TARGET]].concat();
    let crates = tools::crates_of(workspace, package, "normal,build", &more)?;
    Ok(crates.len().saturating_sub(1))
}

/// How long it takes to build a crate and all that comes with it, from nothing but the sources.
fn build(package: &str, flags: &[&str], workspace: &Path) -> io::Result<Duration> {
    let folder = workspace.join("target/weight");
    tools::remove_folder(&folder)?;
    let mut build = Command::new("cargo");
    build
        .args(["build", "--quiet", "--locked", "--lib", "--package", package])
        .args(flags)
        .env("CARGO_TARGET_DIR", &folder)
        .current_dir(workspace);
    let begun = Instant::now();
    tools::quiet(&mut build)?;
    let took = begun.elapsed();
    tools::remove_folder(&folder)?;
    Ok(took)
}

/// What the times were measured with.
fn machine(workspace: &Path) -> io::Result<String> {
    let compiler = tools::quiet(Command::new("rustc").arg("--version").current_dir(workspace))?;
    let version = compiler.split(' ').nth(1).unwrap_or_default().to_owned();
    let cores = std::thread::available_parallelism()?;
    Ok(format!(
        "Measured by `cargo xtask weight` with rustc {version} on {cores} cores, in the dev profile, after the download."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_readme_has_a_row_for_each_set() {
        let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(README)).unwrap();
        let (_, rest) = readme.split_once(BEGIN).unwrap();
        let (table, _) = rest.split_once(END).unwrap();
        for (package, features, _) in SETS {
            let begin = format!("| `{package}` | {features} | ");
            assert_eq!(table.matches(&begin).count(), 1, "{begin}");
        }
    }
}
