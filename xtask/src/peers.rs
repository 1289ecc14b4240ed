//! `cargo xtask peers`: the official SDKs of other languages, as they are published, against our emulator.
//!
//! The scripts in `xtask/peers/` do what their users do, and print a line for each thing. What had to be changed of an SDK is
//! in its script, with the reason. Where the package registries cannot be reached, the SDK is skipped, and that is said.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::tools::{done, python_environment, say};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{what}: {source}")]
    Process { what: String, source: io::Error },
    #[error("the emulator said nothing of {0}")]
    Silent(&'static str),
    #[error("not everything went as with the real server: {0}")]
    Differs(String),
}

pub(crate) fn run(workspace: &Path) -> Result<(), Error> {
    // This program lies in the folder of the build, wherever that is, and so do the emulator and what is installed here.
    let built = std::env::current_exe().map_err(|source| failed("this program", source))?;
    let built = built.parent().unwrap_or(workspace).to_owned();
    let scratch = built.join("peers");
    fs::create_dir_all(&scratch).map_err(|source| failed("the scratch folder", source))?;
    done(
        Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "daytona-emulator"])
            .current_dir(workspace),
    )
    .map_err(|source| failed("the emulator", source))?;
    let mut failures = Vec::new();
    for (name, peer) in [("python", python as Prepare), ("typescript", typescript as Prepare)] {
        let Some(mut command) = peer(workspace, &scratch)? else {
            say(&format!(
                "skip {name}: its SDK cannot be installed here; are the registries out of reach?"
            ));
            continue;
        };
        let emulator = Emulator::start(&built, &scratch)?;
        let status = command
            .env("DAYTONA_API_URL", &emulator.api_url)
            .env("DAYTONA_API_KEY", &emulator.api_key)
            .env("DAYTONA_EMULATOR_ADMIN_KEY", &emulator.admin_key)
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

/// A running emulator, which is stopped with this value.
struct Emulator {
    child: Child,
    api_url: String,
    api_key: String,
    admin_key: String,
}

impl Emulator {
    fn start(built: &Path, scratch: &Path) -> Result<Self, Error> {
        let program = built.join(format!("daytona-emulator{}", std::env::consts::EXE_SUFFIX));
        // The SDKs need a region for the storage, which server 0.190.0 does not tell, but the published contract promises.
        let mut child = Command::new(&program)
            .args(["--storage-region", "us-east-1", "--quiet"])
            // It is killed, and cannot clean up then.
            .env("TMPDIR", scratch)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|source| failed(&program.display().to_string(), source))?;
        let mut lines = child.stdout.take().map(|stdout| BufReader::new(stdout).lines());
        let mut variable = |name: &'static str| {
            let line = lines.as_mut().and_then(|lines| lines.next()?.ok());
            let value = line.and_then(|line| Some(line.split_once('=')?.1.to_owned()));
            value.ok_or(Error::Silent(name))
        };
        let (api_url, api_key, admin_key) = (
            variable("its address")?,
            variable("its key")?,
            variable("its admin key")?,
        );
        Ok(Self {
            child,
            api_url,
            api_key,
            admin_key,
        })
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn failed(what: &str, source: io::Error) -> Error {
    Error::Process {
        what: what.to_owned(),
        source,
    }
}
