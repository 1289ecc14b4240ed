//! The programs that push: ours, the official Python SDK, s5cmd; and the store.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde::Deserialize;

use super::error::{Error, about, output};
use crate::tools::{self, Server, python_environment};

const BUCKET: &str = "daytona";
const ACCESS_KEY: &str = "benchmark";
const SECRET_KEY: &str = "benchmark-secret";

pub(super) struct Programs {
    ours: PathBuf,
    store: PathBuf,
    python: PathBuf,
    script: PathBuf,
    s5cmd: PathBuf,
    /// Whether ours takes a stat index.
    pub(super) has_index: bool,
}

/// What a program prints of its push.
#[derive(Debug, Deserialize)]
pub(super) struct Pushed {
    pub(super) seconds: f64,
    pub(super) peak_kib: u64,
    /// Ours tells that.
    #[serde(default)]
    pub(super) sent: u64,
}

impl Programs {
    /// Builds and installs them. `target` is the folder of all builds.
    pub(super) fn install(workspace: &Path, target: &Path, scratch: &Path) -> Result<Self, Error> {
        let mut ours = tools::cargo(workspace);
        ours.args(["build", "--release", "--quiet", "--package", "daytona-context"])
            .args(["--example", "push_folder", "--target-dir"])
            .arg(target);
        output(ours.current_dir(workspace))?;
        let mut store = tools::cargo(workspace);
        store.args([
            "install",
            "--quiet",
            "s3s-fs",
            "--version",
            "~0.14",
            "--features",
            "binary",
        ]);
        // What our own program needs too is built once.
        store.arg("--target-dir").arg(target);
        output(store.arg("--root").arg(scratch))?;
        let bin = python_environment(&scratch.join("python"), &["daytona", "s5cmd"]);
        let bin = bin.map_err(about("the Python packages"))?;
        let ours = target.join("release/examples/push_folder");
        // Called with nothing it says what it takes.
        let usage = output(&mut Command::new(&ours)).err().map(|error| error.to_string());
        Ok(Self {
            has_index: usage.is_some_and(|usage| usage.contains("--index")),
            ours,
            store: scratch.join("bin/s3s-fs"),
            python: bin.join("python"),
            script: workspace.join("xtask/peers/upload.py"),
            s5cmd: bin.join("s5cmd"),
        })
    }

    /// The store in its own process, on a folder of its own.
    pub(super) fn start_store(&self, root: &Path) -> Result<Server, Error> {
        drop(fs::remove_dir_all(root));
        fs::create_dir_all(root.join(BUCKET)).map_err(about("the store's folder"))?;
        let store = Server::start(|address| {
            let mut command = Command::new(&self.store);
            command
                .args(["--host", &address.ip().to_string()])
                .args(["--port", &address.port().to_string()])
                .args(["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY])
                .arg(root)
                .env("RUST_LOG", "error");
            command
        });
        store.map_err(about("s3s-fs"))
    }

    /// Our push of a folder, with a stat index if one is named.
    pub(super) fn ours(&self, folder: &Path, store: SocketAddr, index: Option<&Path>) -> Result<Pushed, Error> {
        let mut command = Command::new(&self.ours);
        if let Some(index) = index {
            command.arg("--index").arg(index);
        }
        told(account(command.arg(folder), store, "ours"))
    }

    pub(super) fn python(&self, folder: &Path, store: SocketAddr) -> Result<Pushed, Error> {
        let mut command = Command::new(&self.python);
        command.arg(&self.script).arg(folder);
        told(account(&mut command, store, "python"))
    }

    /// The seconds in which s5cmd sends a file.
    pub(super) fn s5cmd(&self, file: &Path, store: SocketAddr) -> Result<f64, Error> {
        let begun = Instant::now();
        let mut command = Command::new(&self.s5cmd);
        command
            .args(["--endpoint-url", &format!("http://{store}"), "cp"])
            .arg(file)
            .arg(format!("s3://{BUCKET}/s5cmd/context.tar"))
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
            .env("AWS_REGION", "us-east-1");
        output(&mut command)?;
        Ok(begun.elapsed().as_secs_f64())
    }
}

fn account<'command>(command: &'command mut Command, store: SocketAddr, prefix: &str) -> &'command mut Command {
    command.args([&format!("http://{store}"), BUCKET, prefix, ACCESS_KEY, SECRET_KEY])
}

/// Runs a program that prints its figures as JSON.
fn told(command: &mut Command) -> Result<Pushed, Error> {
    let text = output(command)?;
    serde_json::from_str(text.trim()).map_err(|error| Error::Failed {
        what: command.get_program().display().to_string(),
        said: error.to_string(),
    })
}
