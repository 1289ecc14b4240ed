//! `cargo xtask cross`: the other platforms, from one Linux machine.
//!
//! The workspace is checked for each of them, and its tests run as Windows programs under wine. Debian's own rustc
//! builds the standard library for a target from its source, so no toolchain is downloaded. Two suites of this
//! machine's own stand for what is usual elsewhere: a temporary folder below a link and 256 descriptors, as on macOS,
//! and a checkout with CRLF, as on Windows.
//!
//! What is missing is installed with apt. Where that cannot be, the task says what is missing and that it skips.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::tools::{self, say};

mod results;
mod toolchain;
mod wine;

use results::counted;
use toolchain::Toolchain;

/// The platforms that the workspace is checked for.
const TARGETS: [&str; 5] = [
    wine::TARGET,
    "x86_64-pc-windows-msvc",
    "aarch64-apple-darwin",
    "aarch64-unknown-linux-gnu",
    "x86_64-unknown-linux-musl",
];

/// Those of a check that has to be quick: one of Windows, one of macOS.
const QUICK: [&str; 2] = ["x86_64-pc-windows-msvc", "aarch64-apple-darwin"];

/// The crates that read local files, whose suites run in other surroundings.
const READERS: [&str; 4] = ["--package", "daytona-image", "--package", "daytona-context"];

#[derive(Debug, Default, clap::Args)]
pub(crate) struct Arguments {
    /// Check two targets, and run nothing.
    #[arg(long, conflicts_with = "target")]
    quick: bool,
    /// Check only this target; may be given several times. Tests run if it is that of wine.
    #[arg(long)]
    target: Vec<String>,
    /// Run only the two suites of this machine.
    #[arg(long, conflicts_with_all = ["quick", "target"])]
    suites: bool,
}

impl Arguments {
    fn targets(&self) -> Vec<&str> {
        match self {
            Self { suites: true, .. } => Vec::new(),
            Self { quick: true, .. } => QUICK.to_vec(),
            Self { target, .. } if target.is_empty() => TARGETS.to_vec(),
            Self { target, .. } => target.iter().map(String::as_str).collect(),
        }
    }

    fn has_suites(&self) -> bool {
        self.suites || !self.quick && self.target.is_empty()
    }
}

/// What came of one row of the table.
struct Row {
    name: String,
    what: &'static str,
    outcome: Result<String, io::Error>,
    took: Duration,
}

pub(crate) fn run(arguments: &Arguments, workspace: &Path) -> io::Result<()> {
    let targets = arguments.targets();
    if let Some(unknown) = targets.iter().find(|target| !TARGETS.contains(target)) {
        let message = format!("`{unknown}` is not one of {}", TARGETS.join(", "));
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let folder = workspace.join("target/cross");
    fs::create_dir_all(&folder)?;
    let runs_windows = !arguments.quick && targets.contains(&wine::TARGET);
    let mut rows = Vec::new();
    if !targets.is_empty() {
        let packages = toolchain::PACKAGES
            .iter()
            .chain(wine::PACKAGES.iter().filter(|_| runs_windows));
        let missing = toolchain::install(packages);
        if !missing.is_empty() {
            say(&format!(
                "SKIPPED: the other platforms are not checked, as these are missing: {}",
                missing.join(", ")
            ));
            return Ok(());
        }
        let toolchain = Toolchain::new(workspace, &folder)?;
        for target in targets {
            rows.push(row(target, "check", || toolchain.check(target)));
        }
        if runs_windows {
            rows.push(row(wine::TARGET, "tests under wine", || {
                wine::test(&toolchain, &folder)
            }));
        }
    }
    if arguments.has_suites() {
        rows.push(row("this machine", "tests, surroundings as on macOS", || {
            as_on_macos(workspace, &folder)
        }));
        rows.push(row("this machine", "tests of a checkout with CRLF", || {
            with_crlf(workspace, &folder)
        }));
    }
    finish(&rows, &folder)
}

fn row(name: &str, what: &'static str, work: impl FnOnce() -> io::Result<String>) -> Row {
    say(&format!("== {name}: {what}"));
    let begun = Instant::now();
    let outcome = work();
    if let Err(error) = &outcome {
        say(&error.to_string());
    }
    Row {
        name: name.to_owned(),
        what,
        outcome,
        took: begun.elapsed(),
    }
}

/// Shows the table; an error if a row failed.
fn finish(rows: &[Row], folder: &Path) -> io::Result<()> {
    let mut text = format!("\n{:<28} {:<38} {:<24} seconds\n", "platform", "what", "outcome");
    for row in rows {
        let outcome = row.outcome.as_deref().unwrap_or("FAILED");
        let seconds = row.took.as_secs_f64();
        let _ = writeln!(text, "{:<28} {:<38} {outcome:<24} {seconds:>7.1}", row.name, row.what);
    }
    say(&text);
    say(&format!("{} MB in {}", size(folder)? / 1_000_000, folder.display()));
    let failed = rows.iter().filter(|row| row.outcome.is_err()).count();
    if failed == 0 {
        return Ok(());
    }
    Err(io::Error::other(format!("{failed} of {} rows failed", rows.len())))
}

/// How many files a program on macOS may have open by default.
const DESCRIPTORS: u32 = 256;

/// The suites that read local files, where every temporary folder lies below a link, and few files can be open at once.
fn as_on_macos(workspace: &Path, folder: &Path) -> io::Result<String> {
    let (real, link) = (folder.join("temporary"), folder.join("link"));
    fs::create_dir_all(&real)?;
    match fs::remove_file(&link) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    link_folder(&real, &link)?;
    // The compiler and the linker may open more.
    let mut build = suite(workspace, workspace, None);
    tools::quiet(build.arg("--no-run"))?;
    let mut test = suite(workspace, workspace, Some(DESCRIPTORS));
    counted(&tools::quiet(test.env("TMPDIR", &link))?)
}

#[cfg(unix)]
fn link_folder(real: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(real, link)
}

#[cfg(not(unix))]
fn link_folder(_real: &Path, _link: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The same suites from a checkout whose texts have CRLF.
fn with_crlf(workspace: &Path, folder: &Path) -> io::Result<String> {
    let checkout = folder.join("crlf");
    tools::remove_folder(&checkout)?;
    let mut clone = Command::new("git");
    clone
        .args(["clone", "--quiet", "--config", "core.autocrlf=true"])
        .args([workspace, &checkout]);
    tools::quiet(&mut clone)?;
    counted(&tools::quiet(&mut suite(workspace, &checkout, None))?)
}

/// The test suites of a checkout, with this many file descriptors if given.
fn suite(workspace: &Path, at: &Path, descriptors: Option<u32>) -> Command {
    let mut test = tools::cargo(workspace);
    test.args(["test", "--quiet", "--lib", "--tests", "--no-fail-fast"])
        .args(READERS)
        .env("CARGO_TARGET_DIR", workspace.join("target"))
        .current_dir(at);
    if let Some(descriptors) = descriptors {
        test = limited(&test, descriptors);
    }
    tools::without_account(&mut test);
    test
}

/// The same call, by a shell that lowers the limit for it.
fn limited(command: &Command, descriptors: u32) -> Command {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("ulimit -n {descriptors} && exec \"$@\""), "sh"])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        shell.current_dir(folder);
    }
    shell
}

/// Bytes below a folder.
fn size(folder: &Path) -> io::Result<u64> {
    let mut size = 0;
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                folders.push(entry.path());
            } else {
                size += metadata.len();
            }
        }
    }
    Ok(size)
}
