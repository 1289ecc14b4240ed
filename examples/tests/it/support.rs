//! Runs example programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// An example's program. Cargo builds it along with the tests, beside their folder.
pub(crate) fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test
        .parent()
        .and_then(Path::parent)
        .unwrap()
        .join("examples")
        .join(name);
    let program = program.with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        program.exists(),
        "{} is not built: run `cargo test --workspace`",
        program.display()
    );
    program
}

/// An example without anything of ours in its environment.
pub(crate) fn example(name: &str) -> Command {
    let mut command = Command::new(program(name));
    for name in [
        "API_KEY",
        "JWT_TOKEN",
        "ORGANIZATION_ID",
        "API_URL",
        "SERVER_URL",
        "TARGET",
    ] {
        command.env_remove(format!("DAYTONA_{name}"));
    }
    command
}

pub(crate) async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
