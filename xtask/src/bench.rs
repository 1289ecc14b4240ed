//! `cargo xtask bench`: how long users wait, ours beside others', in one run on one machine.
//!
//! Everything that is needed is made, built and installed here. Runs alternate between the programs; the figures are medians.

use std::fs;
use std::path::{Path, PathBuf};

use crate::tools::say;

mod error;
mod figures;
mod programs;
mod push;
mod report;
mod rows;
mod service;
mod trees;

pub(crate) use error::Error;
use error::about;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: Option<What>,

    #[command(flatten)]
    push: push::Arguments,

    /// Where to write all figures as JSON.
    #[arg(long, default_value = "bench.json", global = true)]
    output: PathBuf,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Creations over a long line: how soon they are accepted, and how soon they return. Takes ten minutes.
    Service(service::Arguments),
}

pub(crate) fn run(arguments: &Arguments, workspace: &Path) -> Result<(), Error> {
    // This program lies in the folder of the build, wherever that is.
    let built = std::env::current_exe().map_err(about("this program"))?;
    let target = built.ancestors().nth(2).unwrap_or(workspace).to_owned();
    let figures = match &arguments.what {
        None => push::run(&arguments.push, workspace, &target)?,
        Some(What::Service(arguments)) => service::run(arguments, workspace, &target)?,
    };
    let text = serde_json::to_string_pretty(&figures).unwrap_or_default();
    fs::write(&arguments.output, text + "\n").map_err(about("the figures"))?;
    say(&format!("all figures: {}", arguments.output.display()));
    Ok(())
}
