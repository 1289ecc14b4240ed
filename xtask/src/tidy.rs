//! `cargo xtask tidy`: every rule of ARCHITECTURE.md and CONTRIBUTING.md that a machine can check.
//!
//! A rule looks at one file, or at all manifests; what it finds is told with file and line. Exceptions stand in `tidy.toml`,
//! each with its reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Value;

use crate::tools::{self, say};

mod circles;
mod english;
mod pages;

/// Lines of a file written by hand beyond which one looks for the seam.
const LONGEST_FILE: usize = 500;

/// What each crate may depend on of the others, and what its tests may.
const ARROWS: [(&str, &[&str], &[&str]); 7] = [
    ("daytona-api", &[], &[]),
    ("daytona-image", &[], &[]),
    ("daytona-context", &["daytona-image"], &["daytona-emulator"]),
    ("daytona-emulator", &["daytona-api"], &[]),
    (
        "daytona-sdk",
        &["daytona-api", "daytona-context", "daytona-image"],
        &["daytona-emulator"],
    ),
    ("daytona-examples", &["daytona-emulator", "daytona-sdk"], &[]),
    ("xtask", &[], &[]),
];

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
    for name in exceptions.long.keys().filter(|name| !files.contains(name)) {
        findings.tell(name, 0, "has an exception in tidy.toml, and is not there");
    }
    manifests(workspace, &files, &mut findings)?;
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

/// Rules for the manifests: arrows, and what a published crate says of itself.
fn manifests(workspace: &Path, files: &[String], findings: &mut Findings) -> Result<(), Error> {
    let mut known = BTreeSet::new();
    let manifests = files.iter().filter(|name| name.ends_with("Cargo.toml"));
    for name in
        manifests.filter(|name| *name != "Cargo.toml" && !name.contains("/fuzz/") && !name.contains("/projects/"))
    {
        let manifest: Value = parse(&workspace.join(name))?;
        let package = &manifest["package"];
        let crate_name = package["name"].as_str().unwrap_or_default().to_owned();
        match ARROWS.iter().find(|(known, ..)| *known == crate_name) {
            Some((_, normal, tests)) => {
                arrows(name, &manifest, "dependencies", normal, findings);
                arrows(name, &manifest, "build-dependencies", &[], findings);
                let tests: Vec<&str> = normal.iter().chain(*tests).copied().collect();
                arrows(name, &manifest, "dev-dependencies", &tests, findings);
            }
            None => findings.tell(name, 0, "is a crate whose arrows xtask/src/tidy.rs does not know"),
        }
        if manifest.get("lints").is_none() {
            findings.tell(name, 0, "does not take on the lints of the workspace");
        }
        if package.get("publish").and_then(Value::as_bool) != Some(false) {
            for field in [
                "description",
                "readme",
                "license",
                "repository",
                "keywords",
                "categories",
                "rust-version",
            ] {
                if package.get(field).is_none() {
                    findings.tell(name, 0, &format!("is published without `{field}`"));
                }
            }
            let root = name.replace("Cargo.toml", "src/lib.rs");
            if !read(&workspace.join(&root))?.starts_with("#![doc = include_str!(\"../README.md\")]") {
                findings.tell(&root, 1, "the README is the crate's documentation");
            }
        }
        known.insert(crate_name);
    }
    for (name, ..) in ARROWS.iter().filter(|(name, ..)| !known.contains(*name)) {
        findings.tell("xtask/src/tidy.rs", 0, &format!("knows `{name}`, which is not there"));
    }
    Ok(())
}

fn has_extension(name: &str, wanted: &[&str]) -> bool {
    let extension = Path::new(name).extension();
    extension.is_some_and(|extension| wanted.iter().any(|wanted| extension == *wanted))
}

fn arrows(file: &str, manifest: &Value, table: &str, allowed: &[&str], findings: &mut Findings) {
    let dependencies = manifest.get(table).and_then(Value::as_table).into_iter().flatten();
    for (name, _) in dependencies.filter(|(name, _)| name.starts_with("daytona-")) {
        if !allowed.contains(&name.as_str()) {
            findings.tell(file, 0, &format!("`{name}` in [{table}] is an arrow the wrong way"));
        }
    }
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
        let long = format!("//! D.\n{}", "//\n".repeat(LONGEST_FILE));
        assert!(rust("a.rs", &long)[0].contains("over 500"));
        let mut findings = Findings::default();
        findings.text("a.md", "see /somewhere/here/x\n", Path::new("/somewhere/here"));
        assert!(findings.0[0].contains("a.md:1: names a path"), "{findings:?}");
    }

    #[test]
    fn an_arrow_the_wrong_way_is_found() {
        let manifest: Value = toml::from_str("[dependencies]\ndaytona-sdk = \"1\"\ndaytona-api = \"1\"\n").unwrap();
        let mut findings = Findings::default();
        arrows("Cargo.toml", &manifest, "dependencies", &["daytona-api"], &mut findings);
        assert_eq!(findings.0.len(), 1);
        assert!(findings.0[0].contains("daytona-sdk"));
    }
}
