//! What several tasks need.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Installs Python packages, as they are newest, into an environment of their own. Returns the folder with its programs.
pub(crate) fn python_environment(folder: &Path, packages: &[&str]) -> io::Result<PathBuf> {
    let bin = folder.join(if cfg!(windows) { "Scripts" } else { "bin" });
    done(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    done(
        Command::new(bin.join("python"))
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--upgrade",
            ])
            .args(packages),
    )?;
    Ok(bin)
}

/// Runs a program to its end; what it says is shown.
pub(crate) fn done(command: &mut Command) -> io::Result<()> {
    let status = command.status()?;
    if status.success() {
        return Ok(());
    }
    let program = command.get_program().display().to_string();
    Err(io::Error::other(format!("{program} ended with {status}")))
}

#[expect(clippy::print_stdout, reason = "a command-line tool")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}
