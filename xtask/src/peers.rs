//! `cargo xtask peers`: the official SDKs of other languages, and the SDKs and tools that people have for S3, as they are
//! published, against our emulator.
//!
//! The scripts in `xtask/peers/` do what their users do, and print a line for each thing. What had to be changed of an SDK is
//! in its script, with the reason. Where the package registries cannot be reached, the SDK is skipped, and that is said.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use crate::emulator::Emulator;
use crate::tools::{cargo, done, python_environment, say};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{what}: {source}")]
    Process { what: String, source: io::Error },
    #[error("not everything went as with the real server: {0}")]
    Differs(String),
}

pub(crate) fn run(workspace: &Path) -> Result<(), Error> {
    // This program lies in the folder of the build, wherever that is, and so do the emulator and what is installed here.
    let built = std::env::current_exe().map_err(|source| failed("this program", source))?;
    let target = built.ancestors().nth(2).unwrap_or(workspace).to_owned();
    let scratch = target.join("peers");
    fs::create_dir_all(&scratch).map_err(|source| failed("the scratch folder", source))?;
    Emulator::build(workspace, &target).map_err(|source| failed("the emulator", source))?;
    let mut failures = Vec::new();
    let peers: [(&str, Prepare); 4] = [
        ("python", python),
        ("typescript", typescript),
        ("storage", storage),
        ("rust", rust),
    ];
    for (name, peer) in peers {
        let Some(mut command) = peer(workspace, &scratch)? else {
            say(&format!(
                "skip {name}: what it needs cannot be installed here; are the registries out of reach?"
            ));
            continue;
        };
        let emulator = Emulator::start(&target, &scratch).map_err(|source| failed("the emulator", source))?;
        let status = command
            .env("DAYTONA_API_URL", &emulator.api_url)
            .env("DAYTONA_API_KEY", &emulator.api_key)
            .env("DAYTONA_EMULATOR_ADMIN_KEY", &emulator.admin_key)
            .env_remove("DAYTONA_SERVER_URL")
            .env_remove("DAYTONA_JWT_TOKEN")
            .env_remove("DAYTONA_ORGANIZATION_ID")
            .status()
            .map_err(|source| failed(name, source))?;
        if !status.success() {
            failures.push(name);
        }
    }
    if failures.is_empty() {
        Ok(())
    } else {
        Err(Error::Differs(failures.join(", ")))
    }
}

/// Installs an SDK, and gives the command that runs its script; `None` if it cannot be installed.
type Prepare = fn(&Path, &Path) -> Result<Option<Command>, Error>;

fn python(workspace: &Path, scratch: &Path) -> Result<Option<Command>, Error> {
    let Ok(bin) = python_environment(&scratch.join("python"), &["daytona"]) else {
        return Ok(None);
    };
    let version = "import importlib.metadata; print('python SDK', importlib.metadata.version('daytona'))";
    done(Command::new(bin.join("python")).args(["-c", version])).map_err(|source| failed("the Python SDK", source))?;
    let mut command = Command::new(bin.join("python"));
    command
        .arg(workspace.join("xtask/peers/python.py"))
        .current_dir(scratch);
    Ok(Some(command))
}

/// boto3, aws-cli, s5cmd, and rclone where the system has it.
#[expect(clippy::unnecessary_wraps, reason = "the type of all that prepare a peer")]
fn storage(workspace: &Path, scratch: &Path) -> Result<Option<Command>, Error> {
    let Ok(bin) = python_environment(&scratch.join("storage"), &["boto3", "awscli", "s5cmd"]) else {
        return Ok(None);
    };
    let mut command = Command::new(bin.join("python"));
    command
        .arg(workspace.join("xtask/peers/storage.py"))
        .current_dir(scratch);
    Ok(Some(command))
}

fn typescript(workspace: &Path, scratch: &Path) -> Result<Option<Command>, Error> {
    let folder = scratch.join("typescript");
    fs::create_dir_all(&folder).map_err(|source| failed("the scratch folder", source))?;
    let manifest = folder.join("package.json");
    fs::write(&manifest, "{\"private\": true}\n").map_err(|source| failed("package.json", source))?;
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let installed = Command::new(npm)
        .args(["install", "--silent", "--no-audit", "--no-fund", "@daytona/sdk@latest"])
        .current_dir(&folder)
        .status();
    if !installed.is_ok_and(|status| status.success()) {
        return Ok(None);
    }
    // Modules are looked for beside the script.
    let script = folder.join("typescript.mjs");
    fs::copy(workspace.join("xtask/peers/typescript.mjs"), &script).map_err(|source| failed("the script", source))?;
    let package = folder.join("node_modules/@daytona/sdk/package.json");
    let version = fs::read_to_string(package).ok().and_then(|text| {
        let package: serde_json::Value = serde_json::from_str(&text).ok()?;
        Some(package["version"].as_str()?.to_owned())
    });
    say(&format!("typescript SDK {}", version.unwrap_or_default()));
    let mut command = Command::new("node");
    command.arg("--no-warnings").arg(script).current_dir(&folder);
    Ok(Some(command))
}

/// The AWS SDK for Rust: a program of its own, with the newest that is published.
fn rust(workspace: &Path, scratch: &Path) -> Result<Option<Command>, Error> {
    const MANIFEST: &str = "\
[workspace]
[package]
name = \"peer\"
edition = \"2024\"
[[bin]]
name = \"peer\"
path = \"rust.rs\"
[dependencies]
aws-sdk-s3 = \"1\"
serde_json = \"1\"
tokio = { version = \"1\", features = [\"macros\", \"rt\"] }
";
    let folder = scratch.join("rust");
    fs::create_dir_all(&folder).map_err(|source| failed("the scratch folder", source))?;
    fs::write(folder.join("Cargo.toml"), MANIFEST).map_err(|source| failed("Cargo.toml", source))?;
    fs::copy(workspace.join("xtask/peers/rust.rs"), folder.join("rust.rs"))
        .map_err(|source| failed("the program", source))?;
    let fetched = cargo(workspace)
        .args(["update", "--quiet"])
        .current_dir(&folder)
        .status();
    if !fetched.is_ok_and(|status| status.success()) {
        return Ok(None);
    }
    let mut build = cargo(workspace);
    build.args(["build", "--quiet", "--target-dir", "target"]);
    done(build.current_dir(&folder)).map_err(|source| failed("the program with the AWS SDK for Rust", source))?;
    let mut command = Command::new(folder.join(format!("target/debug/peer{}", std::env::consts::EXE_SUFFIX)));
    command.current_dir(&folder);
    Ok(Some(command))
}

fn failed(what: &str, source: io::Error) -> Error {
    Error::Process {
        what: what.to_owned(),
        source,
    }
}
