//! `cargo xtask ci`: everything that has to hold before a change lands, in one command.
//!
//! Each step says what it does and how long it took; what it prints is shown only if it fails, except for the tests,
//! which are watched. The first failure ends it. `--full` adds what takes long, or needs a network or a nightly
//! toolchain.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::tools::{self, PUBLISHED, say};
use crate::{addresses, api, codegen, cross, lines, peers, release, tidy, weight};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Also other platforms, the official SDKs, slow lines, each feature alone, semver, the public API, and the
    /// rehearsal of a release.
    #[arg(long)]
    full: bool,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("`{step}` failed after {seconds} s:\n\n{source}")]
    Step {
        step: &'static str,
        seconds: u64,
        source: Box<dyn std::error::Error>,
    },
}

/// Version of typos, as in `.github/workflows/ci.yml`.
const TYPOS: &str = "1.52.0";
/// Version of cargo-deny; it is installed where it is not there.
const DENY: &str = "0.18.9";

/// What must not be in the tree of a crate: the arrows of the design, and its features.
const ABSENT: [(&str, &[&str], &[&str]); 6] = [
    (
        "daytona-api",
        &[],
        &[
            "tokio",
            "hyper",
            "reqwest",
            "aws-",
            "daytona-image",
            "daytona-context",
            "daytona-sdk",
            "daytona-emulator",
        ],
    ),
    (
        "daytona-image",
        &[],
        &[
            "tokio",
            "http",
            "hyper",
            "reqwest",
            "aws-",
            "daytona-api",
            "daytona-context",
            "daytona-sdk",
            "daytona-emulator",
        ],
    ),
    (
        "daytona-context",
        &["--no-default-features"],
        &[
            "http",
            "hyper",
            "reqwest",
            "rustls",
            "aws-",
            "daytona-api",
            "daytona-sdk",
            "daytona-emulator",
        ],
    ),
    (
        "daytona-sdk",
        &["--no-default-features"],
        &["rustls", "native-tls", "aws-", "opentelemetry", "daytona-emulator"],
    ),
    (
        "daytona-emulator",
        &[],
        &["reqwest", "aws-", "daytona-image", "daytona-context", "daytona-sdk"],
    ),
    ("xtask", &[], &["daytona-"]),
];

/// Sets of features that are linted: of all crates by default, then these.
const FEATURES: [(&str, &[&str]); 5] = [
    ("daytona-context", &["--no-default-features"]),
    ("daytona-context", &["--no-default-features", "--features", "s3"]),
    ("daytona-sdk", &["--no-default-features"]),
    (
        "daytona-sdk",
        &["--no-default-features", "--features", "rustls,blocking"],
    ),
    ("daytona-sdk", &["--all-features", "--all-targets"]),
];

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// `tasks` are the names of all tasks of `cargo xtask`.
pub(crate) fn run(arguments: &Arguments, workspace: &Path, tasks: &[String]) -> Result<(), Error> {
    let mut steps = Steps::default();
    let cargo = |arguments: &[&str]| -> Outcome { quiet(workspace, "cargo", arguments) };

    steps.run("format", || cargo(&["fmt", "--all", "--check"]))?;
    steps.run("generated code", || codegen::check(workspace).map_err(Into::into))?;
    steps.run("drift from the official contract", || drift(workspace))?;
    steps.run("tidy", || {
        tidy::run(&tidy::Arguments::default(), workspace, tasks).map_err(Into::into)
    })?;
    steps.run("spelling", || spelling(workspace))?;
    steps.run("arrows and features", || {
        ABSENT.iter().try_for_each(|absent| absent_from_tree(workspace, absent))
    })?;
    steps.run("numbers of crates", || {
        weight::run(&weight::Arguments { check: true }, workspace).map_err(Into::into)
    })?;
    steps.run("lints", || {
        cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "--deny",
            "warnings",
        ])?;
        FEATURES.iter().try_for_each(|(package, features)| {
            let arguments = [
                &["clippy", "--quiet", "--package", package],
                *features,
                &["--", "--deny", "warnings"],
            ]
            .concat();
            cargo(&arguments)
        })
    })?;
    steps.run("licences, bans, sources", || deny(workspace))?;
    steps.run("documentation", || {
        let mut doc = command(
            workspace,
            "cargo",
            &["doc", "--workspace", "--no-deps", "--all-features", "--quiet"],
        );
        tools::quiet(doc.env("RUSTDOCFLAGS", "--deny warnings"))?;
        addresses::check(workspace)?;
        Ok(())
    })?;
    if arguments.full {
        steps.run("each feature alone", || {
            each_feature(workspace)?;
            Ok(())
        })?;
        steps.run("public API", || {
            api::run(&api::Arguments { check: true }, workspace).map_err(Into::into)
        })?;
        steps.run("other platforms", || {
            cross::run(&cross::Arguments::default(), workspace).map_err(Into::into)
        })?;
        steps.run("official SDKs", || peers::run(workspace).map_err(Into::into))?;
        steps.run("the emulator, killed 200 times", || {
            let arguments = [
                "test",
                "--quiet",
                "--package",
                "daytona-emulator",
                "--test",
                "it",
                "killed::",
            ];
            tools::quiet(command(workspace, "cargo", &arguments).env("DAYTONA_EMULATOR_KILLS", "200"))?;
            Ok(())
        })?;
        steps.run("slow lines", || lines::run(workspace).map_err(Into::into))?;
        steps.run("semver", || release::semver(workspace, workspace).map_err(Into::into))?;
        steps.run("packages", || {
            release::package(workspace, workspace).map_err(Into::into)
        })?;
        steps.run("release, rehearsed", || {
            release::rehearse(workspace).map_err(Into::into)
        })?;
    }
    steps.run("examples", || examples(workspace))?;
    let mut results = Vec::new();
    steps.run("tests that are not run by default", || {
        // Of the whole workspace where that will do: what its crates need together is built once.
        let chosen: [&[&str]; 3] = [
            &[
                "--workspace",
                "--test",
                "it",
                "--features",
                "daytona-sdk/otel",
                "--",
                "traces::",
            ],
            &["--workspace", "--test", "mistakes"],
            &["--package", "daytona-sdk", "--no-default-features", "--test", "bare"],
        ];
        for chosen in chosen {
            results.extend(test(workspace, chosen)?);
        }
        Ok(())
    })?;
    steps.run("tests", || {
        results.extend(test(workspace, &["--workspace"])?);
        Ok(())
    })?;
    say(&steps.summary());
    // The test runner's own words at the end.
    say(&results.join("\n"));
    Ok(())
}

/// What was done, and how long it took.
#[derive(Debug, Default)]
struct Steps(Vec<(&'static str, Duration)>);

impl Steps {
    fn run(&mut self, name: &'static str, step: impl FnOnce() -> Outcome) -> Result<(), Error> {
        say(&format!("== {name}"));
        let begun = Instant::now();
        let outcome = step();
        let took = begun.elapsed();
        self.0.push((name, took));
        outcome.map_err(|source| {
            say(&self.summary());
            Error::Step {
                step: name,
                seconds: took.as_secs(),
                source,
            }
        })
    }

    fn summary(&self) -> String {
        let mut text = String::from("\nstep                                            seconds\n");
        for (name, took) in &self.0 {
            let _ = writeln!(text, "{name:<45} {:>9.1}", took.as_secs_f64());
        }
        let total: Duration = self.0.iter().map(|(_, took)| *took).sum();
        let _ = writeln!(text, "{:<45} {:>9.1}", "all", total.as_secs_f64());
        text
    }
}

fn command(workspace: &Path, program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(workspace);
    tools::without_account(&mut command);
    command
}

fn quiet(workspace: &Path, program: &str, arguments: &[&str]) -> Outcome {
    tools::quiet(&mut command(workspace, program, arguments))?;
    Ok(())
}

fn drift(workspace: &Path) -> Outcome {
    let folder = workspace.join("../shared/openapi");
    let mut official: Vec<_> = match folder.read_dir() {
        Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect(),
        Err(_) => Vec::new(),
    };
    official.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    official.sort();
    if official.is_empty() {
        say("skipped: there is no official contract beside the workspace");
        return Ok(());
    }
    Ok(codegen::drift(official, workspace)?)
}

fn absent_from_tree(workspace: &Path, (package, features, absent): &(&str, &[&str], &[&str])) -> Outcome {
    let crates = tools::crates_of(workspace, package, "normal", features)?;
    let names = crates.iter().filter_map(|one| one.split(' ').next());
    // A name that ends in a dash stands for all that begin with it.
    let is_absent = |name: &str| {
        let is_same = |absent: &&str| *absent == name || absent.ends_with('-') && name.starts_with(*absent);
        name != *package && absent.iter().any(is_same)
    };
    let found: Vec<_> = names.filter(|name| is_absent(name)).collect();
    if found.is_empty() {
        return Ok(());
    }
    Err(format!("{package} {} depends on {}", features.join(" "), found.join(", ")).into())
}

/// Looks for typos. Where the tool cannot be installed, it says so: the public workflow checks the same.
fn spelling(workspace: &Path) -> Outcome {
    let folder = workspace.join("target/tools").join(format!("typos-{TYPOS}"));
    let program = folder.join("bin/typos");
    if !program.exists()
        && let Err(error) = tools::python_environment(&folder, &[&format!("typos=={TYPOS}")])
    {
        say(&format!("skipped: typos {TYPOS} could not be installed: {error}"));
        return Ok(());
    }
    quiet(workspace, &program.to_string_lossy(), &[])
}

fn deny(workspace: &Path) -> Outcome {
    let program = tools::cargo_tool(workspace, "cargo-deny", DENY)?;
    quiet(
        workspace,
        &program.to_string_lossy(),
        &["--all-features", "check", "bans", "licenses", "sources"],
    )
}

/// Checks each feature of each published crate without the others.
fn each_feature(workspace: &Path) -> io::Result<()> {
    for package in tools::packages(workspace)? {
        let name = package["name"].as_str().unwrap_or_default();
        if !PUBLISHED.contains(&name) {
            continue;
        }
        for feature in package["features"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(feature, _)| feature)
        {
            let arguments = [
                "check",
                "--quiet",
                "--package",
                name,
                "--no-default-features",
                "--features",
                feature,
            ];
            tools::quiet(&mut command(workspace, "cargo", &arguments))?;
        }
    }
    Ok(())
}

/// The README's first command as it stands there, and those that no test runs.
fn examples(workspace: &Path) -> Outcome {
    let run = |example: &str, arguments: &[&str]| {
        let all = [&["run", "--quiet", "--example", example, "--"], arguments].concat();
        quiet(workspace, "cargo", &all)
    };
    run("quickstart", &[])?;
    run("testing_with_the_emulator", &[])?;
    let archive = workspace.join("target/context.tar.gz");
    run("export_context", &["--output", &archive.to_string_lossy()])
}

/// Runs tests, shows what they say, and returns their results.
fn test(workspace: &Path, arguments: &[&str]) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let all = [&["test"], arguments].concat();
    let mut child = command(workspace, "cargo", &all).stdout(Stdio::piped()).spawn()?;
    let mut results = Vec::new();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines() {
            let line = line?;
            say(&line);
            if line.starts_with("test result:") {
                results.push(line);
            }
        }
    }
    let status = child.wait()?;
    let all = all.join(" ");
    if !status.success() {
        return Err(format!("`cargo {all}` ended with {status}").into());
    }
    // A filter that names no test any more would pass forever.
    if results.iter().all(|result| result.contains(" 0 passed")) {
        return Err(format!("`cargo {all}` ran no test").into());
    }
    Ok(results)
}
