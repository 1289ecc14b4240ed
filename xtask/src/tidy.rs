//! `cargo xtask tidy`: every rule of ARCHITECTURE.md and CONTRIBUTING.md that a machine can check.
//!
//! A rule looks at one file, or at all manifests; what it finds is told with file and line. Exceptions stand in `tidy.toml`,
//! each with its reason.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::tools::{self, say};

mod circles;
mod english;
mod manifests;
mod pages;

/// Lines of a file written by hand beyond which one looks for the seam.
const LONGEST_FILE: usize = 400;

/// Text that no Rust file holds, with where it may stand all the same and why.
const FORBIDDEN: [(&str, &[&str], &str); 11] = [
    (
        "#[allow(",
        &[],
        "a lint is silenced with `#[expect(…, reason = \"…\")]`",
    ),
    (
        "#![allow(",
        &[],
        "a lint is silenced with `#![expect(…, reason = \"…\")]`",
    ),
    ("#[ignore", &[], "a test that is ignored tests nothing"),
    ("todo!(", &[], "the whole of it"),
    ("unimplemented!(", &[], "the whole of it"),
    ("thread::sleep", &[], "wait on the clock seam"),
    (
        "0.0.0.0",
        // The facade refuses it as the address of a server.
        &["crates/daytona-emulator/src/", "crates/daytona-sdk/src/"],
        "servers bind to the loopback address",
    ),
    ("env::set_var", &[], "the process's environment is the user's"),
    ("env::set_current_dir", &[], "the process's folder is the user's"),
    (
        "env::current_dir",
        &["crates/daytona-image/src/plan/options.rs"],
        "folders come from `PlanOptions::default` alone",
    ),
    (
        "env::home_dir",
        &["crates/daytona-image/src/plan/options.rs"],
        "folders come from `PlanOptions::default` alone",
    ),
];

/// Where the environment is read. The last is a program of its own.
const ENVIRONMENT: [&str; 3] = [
    "crates/daytona-sdk/src/config/environment.rs",
    "crates/daytona-sdk/tests/it/schedules.rs",
    "xtask/peers/rust.rs",
];

#[derive(Debug, Default, clap::Args)]
pub(crate) struct Arguments {
    /// Only show the circles between modules, allowed ones too: of one crate, or of all.
    #[arg(long, value_name = "CRATE", num_args = 0..=1, default_missing_value = "")]
    circles: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{path}: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("{path}: {source}")]
    Toml { path: PathBuf, source: toml::de::Error },
    #[error("git: {0}")]
    Git(io::Error),
    #[error(transparent)]
    Circles(#[from] circles::Error),
    #[error("{count} rules are broken:\n{list}")]
    Broken { count: usize, list: String },
}

/// `tidy.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exceptions {
    /// Files that may be longer, and why.
    #[serde(default)]
    long: BTreeMap<String, String>,
}

/// `tasks` are the names of all tasks of `cargo xtask`.
pub(crate) fn run(arguments: &Arguments, workspace: &Path, tasks: &[String]) -> Result<(), Error> {
    if let Some(package) = &arguments.circles {
        let package = Some(package.as_str()).filter(|package| !package.is_empty());
        say(&circles::report(workspace, package)?);
        return Ok(());
    }
    let files = tools::tracked_files(workspace).map_err(Error::Git)?;
    let exceptions: Exceptions = parse(&workspace.join("xtask/tidy.toml"))?;
    let mut findings = Findings::default();
    for name in &files {
        let path = workspace.join(name);
        // Fixtures are what they are, and may be no text.
        let Ok(text) = fs::read_to_string(&path) else { continue };
        findings.text(name, &text, workspace);
        findings.english(name, &text);
        if has_extension(name, &["md"]) && !name.contains("/fixtures/") {
            findings.page(name, &text, &files, tasks);
        }
        let is_ours = has_extension(name, &["rs"]) && !name.contains("/projects/") && !name.contains("/fixtures/");
        if is_ours {
            findings.rust(name, &text, &exceptions);
        }
    }
    findings.exceptions(&exceptions, &files);
    findings.manifests(workspace, &files)?;
    let allowed = parse(&workspace.join(circles::ALLOWED))?;
    let circles = circles::check(workspace, &allowed)?.into_iter();
    findings.0.extend(circles.map(|finding| format!("  {finding}")));
    let changelog = read(&workspace.join("CHANGELOG.md"))?;
    if !changelog.contains("\n## Unreleased\n") {
        findings.tell("CHANGELOG.md", 0, "has no section `## Unreleased`");
    }
    findings.conclude(files.len())
}

#[derive(Debug, Default)]
struct Findings(Vec<String>);

impl Findings {
    /// A line of 0 is the whole file.
    fn tell(&mut self, file: &str, line: usize, problem: &str) {
        self.0.push(match line {
            0 => format!("  {file}: {problem}"),
            line => format!("  {file}:{line}: {problem}"),
        });
    }

    fn conclude(self, files: usize) -> Result<(), Error> {
        if self.0.is_empty() {
            say(&format!("tidy: {files} files"));
            return Ok(());
        }
        Err(Error::Broken {
            count: self.0.len(),
            list: self.0.join("\n"),
        })
    }

    /// Rules for every text.
    fn text(&mut self, name: &str, text: &str, workspace: &Path) {
        let here = workspace.to_string_lossy();
        for (number, _) in (1..).zip(text.lines()).filter(|(_, line)| line.contains(here.as_ref())) {
            self.tell(name, number, "names a path of this machine");
        }
        if name
            .rsplit('/')
            .next()
            .is_some_and(|name| name.starts_with("official-"))
        {
            self.tell(name, 0, "is an official contract: compared with, not kept");
        }
        let is_text_of_ours = has_extension(name, &["rs", "md", "toml", "yaml"]);
        if is_text_of_ours && !name.contains("/fixtures/") {
            if !text.ends_with('\n') && !text.is_empty() {
                self.tell(name, 0, "does not end with a line feed");
            }
            let trailing = (1..).zip(text.lines()).find(|(_, line)| line.ends_with([' ', '\t']));
            if let Some((number, _)) = trailing.filter(|_| !name.contains("/projects/")) {
                self.tell(name, number, "ends with blanks");
            }
        }
    }

    /// Each exception is of a file that is there, and gives a reason. That it is still needed is seen with the file.
    fn exceptions(&mut self, exceptions: &Exceptions, files: &[String]) {
        for (name, reason) in &exceptions.long {
            if !files.contains(name) {
                self.tell(name, 0, "has an exception in tidy.toml, and is not there");
            }
            if reason.trim().is_empty() {
                self.tell(name, 0, "has an exception in tidy.toml without a reason");
            }
        }
    }

    /// Rules for Rust that is written here.
    fn rust(&mut self, name: &str, text: &str, exceptions: &Exceptions) {
        let is_generated = text.starts_with("// @generated");
        let has_docs = ["//!", "#![doc", "// @generated"]
            .iter()
            .any(|begin| text.starts_with(begin));
        // A fuzz target begins with an attribute.
        if !has_docs && !text.lines().take(3).any(|line| line.starts_with("//!")) {
            self.tell(name, 1, "has no module documentation");
        }
        let length = text.lines().count();
        match exceptions.long.get(name) {
            None if length > LONGEST_FILE && !is_generated => {
                let problem = format!(
                    "has {length} lines, over {LONGEST_FILE}: look for the seam, or give a reason in tidy.toml"
                );
                self.tell(name, 0, &problem);
            }
            Some(_) if length <= LONGEST_FILE => self.tell(name, 0, "needs no exception in tidy.toml any more"),
            _ => {}
        }
        if name == "xtask/src/tidy.rs" {
            return;
        }
        if name.starts_with("crates/") && name.contains("/src/") {
            self.closed(name, text);
        }
        for (number, line) in (1..).zip(text.lines()) {
            for (word, places, why) in FORBIDDEN {
                if line.contains(word) && !places.iter().any(|place| name.starts_with(place)) {
                    self.tell(name, number, &format!("`{word}`: {why}"));
                }
            }
            let reads = line.contains("env::var") && !line.trim_start().starts_with("//");
            if reads && !ENVIRONMENT.contains(&name) {
                self.tell(name, number, "reads the environment, which one module does");
            }
            if line.contains("unsafe ") && !line.trim_start().starts_with("//") {
                self.tell(name, number, "`unsafe` is forbidden");
            }
            let is_wire = line.contains("wiremock")
                && name.starts_with("crates/")
                && !name.starts_with("crates/daytona-sdk/tests/");
            if is_wire {
                self.tell(name, number, "the emulator is the one fake");
            }
        }
    }

    /// Public enums, and public structs with public fields, that could not grow without breaking their users.
    fn closed(&mut self, name: &str, text: &str) {
        let mut is_open = false;
        let mut closed_struct = None;
        for (number, line) in (1..).zip(text.lines()) {
            if line == "#[non_exhaustive]" {
                is_open = true;
            } else if line.starts_with("pub enum ") || line.starts_with("pub struct ") {
                let is_enum = line.starts_with("pub enum ");
                if is_enum && !is_open {
                    self.tell(name, number, "a public enum is `#[non_exhaustive]`");
                }
                closed_struct = (!is_enum && !is_open && line.ends_with('{')).then_some(number);
                is_open = false;
            } else if line == "}" {
                closed_struct = None;
            } else if line.starts_with("    pub ")
                && let Some(number) = closed_struct.take()
            {
                self.tell(
                    name,
                    number,
                    "a public struct with public fields is `#[non_exhaustive]`",
                );
            }
        }
    }
}

fn has_extension(name: &str, wanted: &[&str]) -> bool {
    let extension = Path::new(name).extension();
    extension.is_some_and(|extension| wanted.iter().any(|wanted| extension == *wanted))
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Error> {
    toml::from_str(&read(path)?).map_err(|source| Error::Toml {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rust(name: &str, text: &str) -> Vec<String> {
        let mut findings = Findings::default();
        findings.rust(name, text, &Exceptions::default());
        findings.0
    }

    #[test]
    fn what_is_in_order_is_passed() {
        assert!(rust("crates/x/src/a.rs", "//! Docs.\n\nfn f() {}\n").is_empty());
        assert!(
            rust(
                "crates/daytona-sdk/src/config/environment.rs",
                "//! D.\nstd::env::var(\"X\")\n"
            )
            .is_empty()
        );
    }

    #[test]
    fn a_long_file_needs_a_reason_and_a_short_one_has_none() {
        let of_lines = |count: usize| format!("//! D.\n{}", "//\n".repeat(count - 1));
        let (short, long) = (of_lines(LONGEST_FILE), of_lines(LONGEST_FILE + 1));
        assert!(rust("a.rs", &short).is_empty());
        assert_eq!(
            rust("a.rs", &long),
            [format!(
                "  a.rs: has {} lines, over {LONGEST_FILE}: look for the seam, or give a reason in tidy.toml",
                LONGEST_FILE + 1
            )]
        );
        assert!(rust("a.rs", &format!("// @generated\n{long}")).is_empty());
        let exceptions = Exceptions {
            long: BTreeMap::from([("a.rs", "why"), ("b.rs", " ")].map(|(name, why)| (name.to_owned(), why.to_owned()))),
        };
        let with_exceptions = |text: &str| {
            let mut findings = Findings::default();
            findings.rust("a.rs", text, &exceptions);
            findings.0
        };
        assert!(with_exceptions(&long).is_empty());
        assert_eq!(
            with_exceptions(&short),
            ["  a.rs: needs no exception in tidy.toml any more"]
        );
        let mut findings = Findings::default();
        findings.exceptions(&exceptions, &["a.rs".to_owned()]);
        assert_eq!(
            findings.0,
            [
                "  b.rs: has an exception in tidy.toml, and is not there",
                "  b.rs: has an exception in tidy.toml without a reason"
            ]
        );
    }

    #[test]
    fn each_rule_finds_what_breaks_it() {
        for (text, part) in [
            ("fn f() {}\n", "no module documentation"),
            ("//! D.\n#[allow(dead_code)]\n", "#[expect("),
            ("//! D.\n#[ignore]\n", "ignored"),
            ("//! D.\nstd::env::var(\"X\")\n", "environment"),
            ("//! D.\nunsafe { f() }\n", "`unsafe`"),
            ("//! D.\nstd::thread::sleep(d)\n", "clock seam"),
            ("//! D.\nbind(\"0.0.0.0:80\")\n", "loopback"),
            ("//! D.\nuse wiremock::Mock;\n", "one fake"),
        ] {
            let found = rust("crates/daytona-context/src/a.rs", text);
            assert!(found.iter().any(|found| found.contains(part)), "{part}: {found:?}");
        }
        for (text, count) in [
            ("//! D.\npub enum A {\n    B,\n}\n", 1),
            (
                "//! D.\npub struct A {\n    b: u8,\n    pub c: u8,\n    pub d: u8,\n}\n",
                1,
            ),
            (
                "//! D.\npub struct A {\n    b: u8,\n}\n\nimpl A {\n    pub const C: u8 = 1;\n}\n",
                0,
            ),
            (
                "//! D.\n#[non_exhaustive]\npub enum A {}\n#[non_exhaustive]\npub struct B {\n    pub c: u8,\n}\n",
                0,
            ),
            ("//! D.\npub struct A;\n\nimpl A {\n    pub const C: u8 = 1;\n}\n", 0),
            ("//! D.\npub(crate) enum A {}\n", 0),
        ] {
            assert_eq!(rust("crates/daytona-context/src/a.rs", text).len(), count, "{text}");
        }
        let mut findings = Findings::default();
        findings.text("a.md", "see /somewhere/here/x\n", Path::new("/somewhere/here"));
        assert!(findings.0[0].contains("a.md:1: names a path"), "{findings:?}");
    }
}
