//! A real image builder of this machine, in place of the interpreter.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::process::Stdio;
use std::str::FromStr;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;
use tokio::sync::mpsc;

use super::assemble::{AssemblyError, BuildContext, assemble};
use super::{BuildOptions, interpret};
use crate::storage::Storage;
use crate::world::BuildJob;

/// A program that builds images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Engine {
    /// `docker build`
    Docker,
    /// `podman build`
    Podman,
    /// `buildah build`
    Buildah,
}

impl Engine {
    fn program(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Buildah => "buildah",
        }
    }

    /// Finds out whether it is there and can be used.
    ///
    /// # Errors
    ///
    /// If it cannot be started, or says that it cannot work, with what it says.
    pub async fn check(self) -> io::Result<()> {
        let program = self.program();
        // `docker --version` answers without a server; `info` needs one.
        let output = Command::new(program).arg("info").stdin(Stdio::null()).output().await;
        match output {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                let reason = said
                    .lines()
                    .rfind(|line| !line.trim().is_empty())
                    .unwrap_or("no reason given");
                Err(io::Error::other(format!(
                    "{program} is installed but cannot be used: {reason}; start it, or leave --engine away to have Dockerfiles \
                     followed without running anything"
                )))
            }
            Err(error) => Err(io::Error::new(
                error.kind(),
                format!(
                    "{program} cannot be started ({error}); install it, or leave --engine away to have Dockerfiles followed \
                     without running anything"
                ),
            )),
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.program())
    }
}

impl FromStr for Engine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Docker, Self::Podman, Self::Buildah];
        let found = all.into_iter().find(|engine| engine.program() == text);
        found.ok_or_else(|| format!("{text:?} is none of docker, podman, buildah"))
    }
}

/// What a running build reports.
#[derive(Debug)]
pub(crate) enum Progress {
    /// All archives are there, and the log is open.
    Opened,
    Line(String),
}

/// Builds for real. Lines of the log go out as they come.
pub(crate) async fn build(
    engine: Engine,
    job: BuildJob,
    storage: Storage,
    options: BuildOptions,
    progress: mpsc::UnboundedSender<Progress>,
) -> Result<Option<super::BuiltImage>, String> {
    let organization = job.organization.clone();
    let prepared = tokio::task::spawn_blocking(move || {
        let hashes = job.info.hashes.as_deref().unwrap_or_default();
        let context = assemble(
            &organization,
            hashes,
            &job.info.dockerfile,
            &storage,
            options.verify_digests,
        )
        .map_err(|AssemblyError(reason)| reason)?;
        let folder = tempfile::Builder::new()
            .prefix("daytona-emulator-context-")
            .tempdir()
            .and_then(|folder| unpack(&context, folder.path()).map(|()| folder))
            .map_err(|error| format!("the context could not be unpacked: {error}"))?;
        // What is known of the image is known whoever builds it.
        let image = interpret::course(&context, &[]).image;
        Ok::<_, String>((folder, image, job.info.snapshot_ref))
    });
    let (folder, image, tag) = prepared.await.map_err(|error| error.to_string())??;
    drop(progress.send(Progress::Opened));

    let mut command = Command::new(engine.program());
    command.arg("build");
    match engine {
        Engine::Docker => command.args(["--progress", "plain"]),
        Engine::Podman | Engine::Buildah => command.args(["--layers"]),
    };
    let name = tag.split(':').next().unwrap_or("daytona");
    let mut child = command
        .args(["--tag", &format!("{name}:emulator"), "--file"])
        .arg(folder.path().join("Dockerfile"))
        .arg(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{engine} cannot be started: {error}"))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (_, last) = tokio::join!(forward(stdout, &progress), forward(stderr, &progress));
    let status = child.wait().await.map_err(|error| error.to_string())?;
    if status.success() {
        return Ok(image);
    }
    let fallback = || format!("{engine} build ended with {status}");
    Err(last.unwrap_or_else(fallback))
}

/// Sends lines on, and keeps the last that is not blank.
async fn forward(output: Option<impl AsyncRead + Unpin>, progress: &mpsc::UnboundedSender<Progress>) -> Option<String> {
    let mut last = None;
    let mut lines = BufReader::new(output?).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if !line.trim().is_empty() {
            last = Some(
                line.trim_start_matches("ERROR: ")
                    .trim_start_matches("Error: ")
                    .to_owned(),
            );
        }
        drop(progress.send(Progress::Line(line)));
    }
    last
}

/// Writes the context as files. Names were cleaned of `..` when they were read; links are empty files by then.
fn unpack(context: &BuildContext, folder: &Path) -> io::Result<()> {
    for (name, file) in &context.files {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let mut target = std::fs::File::create_new(&path)?;
        io::copy(&mut file.content.reader()?, &mut target)?;
        target.flush()?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            target.set_permissions(std::fs::Permissions::from_mode(file.mode))?;
        }
    }
    Ok(())
}
