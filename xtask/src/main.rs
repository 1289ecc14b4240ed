//! Tasks of the maintainers. `cargo xtask help` lists them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

mod addresses;
mod api;
mod bench;
mod ci;
mod codegen;
mod cross;
mod emulator;
mod line;
mod lines;
mod peers;
mod picture;
mod release;
mod tidy;
mod tools;
mod weight;

/// Tasks of the maintainers of this workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Generate the types and operations of daytona-api from its contract.
    Codegen(codegen::Arguments),
    /// Compare our upload with the official Python SDK's and s5cmd's on three lines, or the service's creations with Python's.
    Bench(bench::Arguments),
    /// Check everything that has to hold before a change lands.
    Ci(ci::Arguments),
    /// Check the workspace for Windows, macOS and other targets, and run its tests under wine.
    Cross(cross::Arguments),
    /// Show, rehearse or make a release.
    Release(release::Arguments),
    /// Create over lines that are slow, pause, or end in a black hole. Takes minutes.
    Lines,
    /// Make the picture of the README from a run of quickstart.
    Picture,
    /// Write the public API of each crate into the repository.
    Api(api::Arguments),
    /// Check every rule that a machine can check.
    Tidy(tidy::Arguments),
    /// Count and build what each crate brings along, for the README.
    Weight(weight::Arguments),
    /// Run the official Python and TypeScript SDKs against the emulator.
    Peers,
}

fn main() -> ExitCode {
    let result: Result<(), Box<dyn std::error::Error>> = match Arguments::parse().task {
        Task::Codegen(arguments) => codegen::run(&arguments, &workspace()).map_err(Into::into),
        Task::Bench(arguments) => bench::run(&arguments, &workspace()).map_err(Into::into),
        Task::Ci(arguments) => ci::run(&arguments, &workspace(), &tasks()).map_err(Into::into),
        Task::Cross(arguments) => cross::run(&arguments, &workspace()).map_err(Into::into),
        Task::Release(arguments) => release::run(&arguments, &workspace()).map_err(Into::into),
        Task::Lines => lines::run(&workspace()).map_err(Into::into),
        Task::Picture => picture::run(&workspace()).map_err(Into::into),
        Task::Api(arguments) => api::run(&arguments, &workspace()).map_err(Into::into),
        Task::Tidy(arguments) => tidy::run(&arguments, &workspace(), &tasks()).map_err(Into::into),
        Task::Weight(arguments) => weight::run(&arguments, &workspace()).map_err(Into::into),
        Task::Peers => peers::run(&workspace()).map_err(Into::into),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "a command-line tool")]
            {
                eprintln!("error: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

/// The names of all tasks.
fn tasks() -> Vec<String> {
    let command = Arguments::command();
    command
        .get_subcommands()
        .map(|task| task.get_name().to_owned())
        .collect()
}

/// The root of the workspace: this package's parent folder.
fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package lies in the workspace")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_whole() {
        Arguments::command().debug_assert();
    }
}
