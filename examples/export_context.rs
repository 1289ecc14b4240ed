//! Writes what the service would build from into a file, for a builder of this machine.
//!
//! `cargo run --example export_context -- FOLDER --output context.tar.gz`, and then
//! `docker build - < context.tar.gz`, `podman build -f Dockerfile - < context.tar.gz` or the like.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that shows what it does"
)]

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use daytona_sdk::{BoxError, ExportFormat, Image, PlanOptions, export};

/// Exports the build context of a project.
#[derive(Debug, Parser)]
struct Arguments {
    /// The project's folder; a sample project by default. A Dockerfile in it is used, else the folder is copied into an image.
    folder: Option<PathBuf>,

    /// Where to write it; compressed if the name ends in `.gz`.
    #[arg(long, short, default_value = "context.tar.gz")]
    output: PathBuf,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), BoxError> {
    let sample = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/projects/python-web"));
    let folder = arguments.folder.as_deref().unwrap_or(sample);
    let image = if folder.join("Dockerfile").is_file() {
        Image::from_dockerfile("Dockerfile")
    } else {
        Image::debian_slim("3.12").add_local_dir(".", "/home/daytona/project")
    };
    let plan = image.plan_with(&PlanOptions::default().base_dir(folder))?;
    for warning in plan.warnings() {
        println!("warning: {warning}");
    }
    let is_packed = arguments.output.extension().is_some_and(|extension| extension == "gz");
    let format = if is_packed {
        ExportFormat::TarGz
    } else {
        ExportFormat::Tar
    };
    let failed = |error: std::io::Error| format!("cannot write `{}`: {error}", arguments.output.display());
    let mut file = BufWriter::new(File::create(&arguments.output).map_err(failed)?);
    export(&plan, &mut file, format).map_err(failed)?;
    file.flush().map_err(failed)?;
    let size = file.get_ref().metadata().map_err(failed)?.len();
    println!(
        "{}: the Dockerfile and {} files, {size} bytes",
        arguments.output.display(),
        plan.members().len()
    );
    println!("build it with `docker build - < {}`", arguments.output.display());
    Ok(())
}
