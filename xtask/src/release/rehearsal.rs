//! A release to a registry of its own: what a stranger would get, before anybody gets it.
//!
//! The registry is `cargo-http-registry` on the loopback address. Each crate is published to it, and built from what was
//! published; then projects outside the workspace depend on it, and are run. It has a cargo home of its own, so that nothing
//! of it stays in the user's, and nothing of the user's helps.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::steps::{
    Destination, Error, clone, current_version, dependency, edit_manifest, execute, git, parse_version, read, set,
    write,
};
use crate::tools::{self, PUBLISHED, Server, say};

/// Version of cargo-http-registry; it is installed where it is not there.
const REGISTRY: &str = "0.1.8";

/// Name of the registry in manifests.
const NAME: &str = "rehearsal";

/// A project that depends on the published crates.
struct Consumer {
    name: &'static str,
    /// The dependencies, except the version and the registry.
    dependencies: &'static [(&'static str, &'static str)],
    others: &'static str,
    program: &'static str,
    /// What it prints.
    prints: &'static str,
}

const CONSUMERS: [Consumer; 4] = [
    Consumer {
        name: "facade",
        dependencies: &[("daytona-sdk", ""), ("daytona-emulator", "")],
        others: "tokio = { version = \"1\", features = [\"macros\", \"rt-multi-thread\"] }",
        program: include_str!("consumers/facade.rs"),
        prints: "facade is active",
    },
    Consumer {
        name: "facade-blocking",
        dependencies: &[("daytona-sdk", ", features = [\"blocking\"]"), ("daytona-emulator", "")],
        others: "",
        program: include_str!("consumers/blocking.rs"),
        prints: "blocking is active",
    },
    Consumer {
        name: "image-alone",
        dependencies: &[("daytona-image", "")],
        others: "",
        program: include_str!("consumers/image.rs"),
        prints: "FROM alpine:3.20",
    },
    Consumer {
        name: "context-alone",
        dependencies: &[("daytona-context", ", default-features = false")],
        others: "tokio = { version = \"1\", features = [\"macros\", \"rt\"] }",
        program: include_str!("consumers/context.rs"),
        prints: "1 archive, 1 object",
    },
];

/// Releases what is committed, as the next version, to a registry of its own, and builds and runs what depends on it.
pub(crate) fn rehearse(workspace: &Path) -> Result<(), Error> {
    let folder = workspace.join("target/rehearsal");
    let copy = folder.join("workspace");
    clone(workspace, &copy)?;
    let present = current_version(&copy)?;
    let [major, minor, patch] = parse_version(&present).ok_or(Error::Version(present))?;
    let version = format!("{major}.{minor}.{}", patch + 1);
    let program = tools::cargo_tool(workspace, "cargo-http-registry", REGISTRY)?;
    let registry = Registry::start(&program, &folder)?;
    say(&format!("registry at {}", registry.index));
    let home = folder.join("cargo-home");
    forget_registries(&home)?;
    let destination = registry.destination(&home, &folder.join("target"));

    depend_on_the_registry(&copy)?;
    // One that broke off after two crates, and the same command again.
    execute(&copy, &version, &PUBLISHED[..2], &destination)?;
    execute(&copy, &version, &PUBLISHED, &destination)?;

    let outside = std::env::temp_dir().join(format!("daytona-rehearsal-{}", std::process::id()));
    let outcome = CONSUMERS
        .iter()
        .try_for_each(|consumer| run(consumer, &outside, &version, &destination));
    drop(fs::remove_dir_all(&outside));
    outcome
}

/// Commits what differs in a rehearsal: where the crates find each other, a word of the changelog, and who does it.
fn depend_on_the_registry(copy: &Path) -> Result<(), Error> {
    edit_manifest(&copy.join("Cargo.toml"), |manifest| {
        for name in PUBLISHED {
            if let Some(dependency) = dependency(manifest, name) {
                set(&mut dependency["registry"], NAME);
            }
        }
    })?;
    let changelog = copy.join("CHANGELOG.md");
    let text = read(&changelog)?.replacen("## Unreleased\n", "## Unreleased\n\n- A rehearsal.\n", 1);
    write(&changelog, &text)?;
    git(copy, &["config", "user.name", NAME])?;
    git(copy, &["config", "user.email", "rehearsal@localhost"])?;
    git(copy, &["commit", "--quiet", "--all", "--message", "Rehearse"])?;
    Ok(())
}

/// Builds and runs a project outside the workspace.
fn run(consumer: &Consumer, outside: &Path, version: &str, registry: &Destination) -> Result<(), Error> {
    let project = outside.join(consumer.name);
    fs::create_dir_all(project.join("src"))?;
    let ours = consumer
        .dependencies
        .iter()
        .map(|(name, more)| format!("{name} = {{ version = \"{version}\", registry = \"{NAME}\"{more} }}"));
    let head = format!(
        "[package]\nname = \"{}\"\nedition = \"2024\"\n\n[dependencies]",
        consumer.name
    );
    let lines: Vec<String> = [head]
        .into_iter()
        .chain(ours)
        .chain([consumer.others.to_owned()])
        .collect();
    let manifest = lines.join("\n") + "\n";
    write(&project.join("Cargo.toml"), &manifest)?;
    write(&project.join("src/main.rs"), consumer.program)?;
    let printed = tools::quiet(&mut registry.cargo(&project, &["run", "--quiet"]))?;
    if !printed.contains(consumer.prints) {
        let message = format!("{} printed:\n{printed}\ninstead of: {}", consumer.name, consumer.prints);
        return Err(Error::Rehearsal(message));
    }
    say(&format!(
        "{}: built and run, and it says `{}`",
        consumer.name, consumer.prints
    ));
    Ok(())
}

/// Removes what an earlier rehearsal left of its registry; downloads from elsewhere stay.
fn forget_registries(home: &Path) -> io::Result<()> {
    for kind in ["index", "cache", "src"] {
        let Ok(entries) = fs::read_dir(home.join("registry").join(kind)) else {
            continue;
        };
        for entry in entries {
            let path = entry?.path();
            let is_ours = path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("127.0.0.1"));
            if is_ours {
                fs::remove_dir_all(path)?;
            }
        }
    }
    Ok(())
}

/// The registry, and the address of its index.
struct Registry {
    _server: Server,
    index: String,
}

impl Registry {
    fn start(program: &Path, folder: &Path) -> Result<Self, Error> {
        let root: PathBuf = folder.join("registry");
        tools::remove_folder(&root)?;
        fs::create_dir_all(&root)?;
        let server = Server::start(|address| {
            let mut command = Command::new(program);
            command.arg(&root).args(["--addr", &address.to_string()]);
            command
        })?;
        Ok(Self {
            index: format!("http://{}/git", server.address),
            _server: server,
        })
    }

    fn destination(&self, home: &Path, target: &Path) -> Destination {
        Destination {
            arguments: vec!["--registry", NAME],
            variables: vec![
                ("CARGO_HOME", home.display().to_string()),
                ("CARGO_TARGET_DIR", target.display().to_string()),
                ("CARGO_REGISTRIES_REHEARSAL_INDEX", self.index.clone()),
                ("CARGO_REGISTRIES_REHEARSAL_TOKEN", NAME.to_owned()),
                // The registry's index is a repository that only git itself can fetch over http.
                ("CARGO_NET_GIT_FETCH_WITH_CLI", "true".to_owned()),
            ],
        }
    }
}
