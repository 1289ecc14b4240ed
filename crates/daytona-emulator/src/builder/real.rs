//! A real image builder of this machine, in place of the interpreter.

use std::fmt;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};
use std::process::Stdio;
use std::str::FromStr;

use tokio::io::AsyncRead;
use tokio::process::Command;
use tokio::sync::mpsc;

use self::lines::Lines;
use self::plain::Plain;
use super::assemble::{AssemblyError, BuildContext, assemble};
use super::image::BuiltImage;
use super::interpret;
use super::job::Job;
use super::tree::Node;
use crate::storage::Storage;

mod lines;
mod plain;

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

    /// Checks that the program is installed and can be used.
    ///
    /// # Errors
    ///
    /// Fails if the program cannot be started, or reports that it cannot work. The error has its message.
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
                    "{program} is installed but cannot be used: {reason}; start it, or leave out --engine to follow Dockerfiles without running anything"
                )))
            }
            Err(error) => Err(io::Error::new(
                error.kind(),
                format!(
                    "{program} cannot be started ({error}); install it, or leave out --engine to follow Dockerfiles without running anything"
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
        found.ok_or_else(|| format!("{text:?} is not an engine: use docker, podman or buildah"))
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
    job: Job,
    storage: Storage,
    verify_digests: bool,
    progress: mpsc::UnboundedSender<Progress>,
) -> Result<Option<BuiltImage>, String> {
    let prepared = tokio::task::spawn_blocking(move || {
        let context = assemble(&job, &storage, verify_digests).map_err(|AssemblyError(reason)| reason)?;
        let folder = tempfile::Builder::new()
            .prefix("daytona-emulator-context-")
            .tempdir()
            .and_then(|folder| unpack(&context, folder.path()).map(|()| folder))
            .map_err(|error| format!("the context could not be unpacked: {error}"))?;
        // What is known of the image is known whoever builds it.
        let image = interpret::course(&context, &[]).image;
        Ok::<_, String>((folder, image, job.reference))
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
    let mut output = Output {
        plain: (engine != Engine::Docker).then(Plain::new),
        reason: None,
        progress,
    };
    let mut stdout = child.stdout.take().map(Lines::new);
    let mut stderr = child.stderr.take().map(Lines::new);
    while stdout.is_some() || stderr.is_some() {
        tokio::select! {
            line = next(&mut stdout) => output.take(line, &mut stdout),
            line = next(&mut stderr) => output.take(line, &mut stderr),
        }
    }
    let status = child.wait().await.map_err(|error| error.to_string())?;
    if status.success() {
        return Ok(image);
    }
    let fallback = || format!("{engine} build ended with {status}");
    Err(output.reason.unwrap_or_else(fallback))
}

/// The next line; never, if there are no more.
async fn next<R: AsyncRead + Unpin>(lines: &mut Option<Lines<R>>) -> Option<String> {
    match lines {
        Some(lines) => lines.next().await,
        None => std::future::pending().await,
    }
}

/// What an engine says.
struct Output {
    plain: Option<Plain>,
    /// The last that sounds like a reason.
    reason: Option<String>,
    progress: mpsc::UnboundedSender<Progress>,
}

impl Output {
    /// Sends a line on, or takes note that there are no more.
    fn take<L>(&mut self, line: Option<String>, source: &mut Option<L>) {
        let Some(line) = line else {
            *source = None;
            return;
        };
        let docker = line.split_once("ERROR: ").map(|(_, reason)| reason.to_owned());
        self.reason = plain::reason(&line).or(docker).or(self.reason.take());
        let lines = match &mut self.plain {
            Some(plain) => plain.lines(&line),
            None => vec![line],
        };
        for line in lines {
            drop(self.progress.send(Progress::Line(line)));
        }
    }
}

/// Writes the context as files.
fn unpack(context: &BuildContext, folder: &Path) -> io::Result<()> {
    for (name, entry) in context.tree.below("") {
        let Node::File(file) = &entry.node else { continue };
        let inside = on_disk(&name, cfg!(windows));
        let inside = inside.ok_or_else(|| io::Error::other(format!("{name:?} cannot be the name of a file here")))?;
        let path = folder.join(inside);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let mut target = std::fs::File::create_new(&path)?;
        io::copy(&mut file.content.reader()?, &mut target)?;
        target.flush()?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            target.set_permissions(std::fs::Permissions::from_mode(file.attributes.mode))?;
        }
    }
    Ok(())
}

/// The path of a member on the disk; none if it could be another place than the one below the directory that it is
/// joined to.
///
/// On Windows a backslash divides names, a colon names a drive or a stream, dots and blanks at the end of a name do not
/// count, and some names are devices, whatever their ending.
fn on_disk(name: &str, is_windows: bool) -> Option<PathBuf> {
    let is_plain = |part: &str| {
        let is_other = is_windows && (part.contains(['\\', ':']) || part.ends_with(['.', ' ']) || is_device(part));
        !matches!(part, "" | "." | "..") && !part.contains('\0') && !is_other
    };
    let path = PathBuf::from(name);
    let is_normal = path
        .components()
        .all(|component| matches!(component, Component::Normal(_)));
    (name.split('/').all(is_plain) && is_normal).then_some(path)
}

/// Whether Windows takes the name for a device.
fn is_device(name: &str) -> bool {
    let stem = name
        .split('.')
        .next()
        .unwrap_or_default()
        .trim_end()
        .to_ascii_uppercase();
    let is_numbered = |start: &str| {
        let number = stem.strip_prefix(start).and_then(|number| number.parse::<char>().ok());
        number.is_some_and(|number| matches!(number, '1'..='9' | '¹' | '²' | '³'))
    };
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$")
        || is_numbered("COM")
        || is_numbered("LPT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_member_is_written_outside() {
        for (name, on_unix, on_windows) in [
            ("a/b.txt", true, true),
            ("a/../../x", false, false),
            ("/etc/passwd", false, false),
            ("a//b", false, false),
            ("..", false, false),
            ("..\\..\\x", true, false),
            ("C:/x", true, false),
            ("C:x", true, false),
            ("a/file:stream", true, false),
            ("a/.. /x", true, false),
            ("a/... /x", true, false),
            ("a/b.", true, false),
            ("NUL", true, false),
            ("a/nul.txt", true, false),
            ("com1 .log", true, false),
            ("lpt²", true, false),
            ("command.com", true, true),
            ("com10", true, true),
            ("\\\\host\\share\\x", true, false),
        ] {
            assert_eq!(on_disk(name, true).is_some(), on_windows, "{name} on Windows");
            if cfg!(unix) {
                assert_eq!(on_disk(name, false).is_some(), on_unix, "{name} on Unix");
            }
        }
    }
}
