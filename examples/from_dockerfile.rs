//! Any project with a Dockerfile: shows what would be built and sent, offline; with `--create` it makes the snapshot, on
//! the embedded emulator or, where `DAYTONA_API_KEY` is set, on the real service.
//!
//! ```text
//! cargo run --example from_dockerfile -- FOLDER [--file docker/prod.Dockerfile] [--target STAGE] [--build-arg NAME=VALUE]
//!     [--explain PATH] [--create]
//! ```
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that shows what it does"
)]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use daytona_emulator::Emulator;
use daytona_sdk::{BoxError, CreateSnapshotParams, DockerfileSource, Explanation, Image, ImagePlan, PlanOptions};

/// Plans the image of a project's Dockerfile.
#[derive(Debug, Parser)]
struct Arguments {
    /// The project's folder, which is the build context; a sample project by default.
    folder: Option<PathBuf>,

    /// The Dockerfile, relative to the folder.
    #[arg(long, default_value = "Dockerfile")]
    file: PathBuf,

    /// The stage to build; the last one by default.
    #[arg(long)]
    target: Option<String>,

    /// The value of an ARG, as NAME=VALUE. It is public.
    #[arg(long = "build-arg", value_name = "NAME=VALUE", value_parser = build_arg)]
    build_args: Vec<(String, String)>,

    /// Say what becomes of this path, relative to the folder.
    #[arg(long)]
    explain: Option<PathBuf>,

    /// Make the snapshot: on the embedded emulator, or on the real service where `DAYTONA_API_KEY` is set.
    #[arg(long)]
    create: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), BoxError> {
    let folder = arguments
        .folder
        .unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/projects/python-web").into());
    let mut source = DockerfileSource::path(&arguments.file).context_dir(".");
    if let Some(target) = &arguments.target {
        source = source.target(target);
    }
    for (name, value) in &arguments.build_args {
        source = source.build_arg(name, value);
    }
    let image = Image::from_dockerfile(source);
    let plan = image.plan_with(&PlanOptions::default().base_dir(folder).warn_over(100_000_000))?;
    match &arguments.explain {
        Some(path) => explain(&plan, path),
        None => show(&plan),
    }
    if arguments.create { create(plan).await } else { Ok(()) }
}

fn build_arg(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn show(plan: &ImagePlan) {
    println!("the Dockerfile that is sent:");
    for line in plan.dockerfile().lines() {
        println!("  {line}");
    }
    println!("{} files, {} bytes are sent:", plan.members().len(), plan.total_size());
    for member in plan.members() {
        println!("  {:o} {:>10}  {}", member.mode(), member.size(), member.name());
    }
    match plan.excluded().len() {
        0 => println!("nothing is left out"),
        count => println!("{count} left out:"),
    }
    for excluded in plan.excluded() {
        println!("  {}  by {}", excluded.name, excluded.rule);
    }
    println!("sandboxes start {:?}", plan.entrypoint());
    for warning in plan.warnings() {
        println!("warning: {warning}");
    }
}

fn explain(plan: &ImagePlan, path: &std::path::Path) {
    match plan.explain(path) {
        Explanation::Sent(members) => {
            println!("{} is sent:", path.display());
            for member in members {
                println!("  {}", member.name());
            }
        }
        Explanation::Excluded(excluded) => println!("{} is left out by the rule {}", path.display(), excluded.rule),
        _ => println!("{} is not taken by any step", path.display()),
    }
}

async fn create(plan: ImagePlan) -> Result<(), BoxError> {
    let (daytona, _emulator) = place::connect("a snapshot will be created", Emulator::builder()).await?;
    let params = CreateSnapshotParams::new(place::fresh_name("from-dockerfile"), plan);
    let snapshot = daytona
        .snapshots()
        .create(params)
        .on_logs(|line| println!("| {line}"))
        .await?;
    println!("{} is {}", snapshot.name, snapshot.state);
    Ok(())
}
