//! The whole job: a folder is described as an image, packed, uploaded, built, followed, listed, fetched and deleted.
//!
//! `cargo run --example quickstart` does it on the embedded emulator with a sample project, `-- PATH` with any folder.
//! Where `DAYTONA_API_KEY` is set it runs against the real service, and says so before it creates anything.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that shows what it does"
)]

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use daytona_emulator::Emulator;
use daytona_sdk::{
    BoxError, Build, CreateSnapshotParams, Daytona, Error, ErrorKind, Event, Image, PlanOptions, Snapshot, Source,
};
use indicatif::{ProgressBar, ProgressStyle};

/// Makes a snapshot of a folder, shows each step, and deletes it again.
#[derive(Debug, Parser)]
struct Arguments {
    /// The folder to put into the snapshot; a sample project by default.
    path: Option<PathBuf>,

    /// Make the snapshot straight from this image of a registry instead, such as `python:3.12-slim`.
    #[arg(long, conflicts_with = "path")]
    image: Option<String>,

    /// Start a sandbox of the snapshot before it counts as made, and delete that again.
    #[arg(long)]
    verify: bool,

    /// Name of the snapshot; a fresh random one by default.
    #[arg(long)]
    name: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let report = error.downcast_ref::<Error>().map(Error::report);
            eprintln!("error: {}", report.unwrap_or_else(|| error.to_string()));
            match error.downcast_ref::<Interrupted>() {
                Some(_) => ExitCode::from(Interrupted::EXIT_CODE),
                None => ExitCode::FAILURE,
            }
        }
    }
}

/// Ctrl-C was pressed.
#[derive(Debug)]
struct Interrupted;

impl Interrupted {
    /// What shells report of a program that was interrupted: 128 and the number of the signal.
    const EXIT_CODE: u8 = 130;
}

impl std::fmt::Display for Interrupted {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

async fn run(arguments: Arguments) -> Result<(), BoxError> {
    let there = "a snapshot will be created, and deleted at the end";
    let (daytona, emulator) = place::connect(there, Emulator::builder().build_time(Duration::from_secs(2))).await?;
    if emulator.is_some() {
        println!("Files are packed, uploaded and checked for real; RUN steps are not executed.");
    }
    let source = match arguments.image {
        Some(image) => Source::from(image),
        None => plan(arguments.path.as_deref())?,
    };
    let name = arguments.name.unwrap_or_else(|| place::fresh_name("quickstart"));

    println!("\nCreate {name}");
    let start = Instant::now();
    let build = create(&daytona, &name, source, arguments.verify, start).await?;
    let id = build.id().clone();
    let outcome = tokio::select! {
        outcome = build.wait() => outcome.map_err(BoxError::from),
        _ = tokio::signal::ctrl_c() => Err(Interrupted.into()),
    };
    // Whatever happened: only what was created here, by its id. It is another one if the snapshot had to be created again.
    let (id, outcome) = match outcome {
        Ok(snapshot) => (snapshot.id.clone(), show(&daytona, &snapshot).await),
        Err(error) => {
            let last = error.downcast_ref::<Error>().and_then(Error::snapshot);
            (last.map_or(id, |last| last.id.clone()), Err(error))
        }
    };
    println!("\nDelete {name} ({id})");
    match daytona.snapshots().delete(&id).await {
        Err(error) if error.kind() == ErrorKind::NotFound => println!("  it is gone already"),
        deleted => deleted?,
    }
    if arguments.verify && outcome.as_ref().is_err_and(|error| error.is::<Interrupted>()) {
        println!("  a sandbox that was being started stops a minute after its start, and goes");
    }
    println!("  done, {:.1?} in all", start.elapsed());
    outcome
}

/// Everything that will be built and sent, without a request.
fn plan(path: Option<&Path>) -> Result<Source, BoxError> {
    let sample = PlanOptions::default().base_dir(env!("CARGO_MANIFEST_DIR"));
    let (path, options) = match path {
        Some(path) => (path, PlanOptions::default()),
        None => (Path::new("sample"), sample),
    };
    let image = Image::debian_slim("3.12")
        .add_local_dir(path, "/home/daytona/app")
        .env([("APP_ENV", "quickstart")])
        .workdir("/home/daytona/app")
        .entrypoint(["python", "main.py"]);
    let start = Instant::now();
    let plan = image.plan_with(&options)?;

    println!("\nPlan of {}", path.display());
    for line in plan.dockerfile().lines() {
        println!("  {line}");
    }
    println!(
        "  {} files, {}, found in {:.1?}",
        plan.members().len(),
        bytes(plan.total_size()),
        start.elapsed()
    );
    for member in plan.members().iter().take(5) {
        println!(
            "    {:o} {:>10}  {}",
            member.mode(),
            bytes(member.size()),
            member.name()
        );
    }
    if plan.members().len() > 5 {
        println!("    … and {} more", plan.members().len() - 5);
    }
    for warning in plan.warnings() {
        println!("  warning: {warning}");
    }
    Ok(plan.into())
}

/// Uploads and creates. Ctrl-C ends it, and what was created by then is deleted.
async fn create(
    daytona: &Daytona,
    name: &str,
    source: Source,
    is_verified: bool,
    start: Instant,
) -> Result<Build, BoxError> {
    let mut screen = Screen::new(start);
    let creation = daytona
        .snapshots()
        .create(CreateSnapshotParams::new(name, source))
        .on_event(move |event| screen.show(event));
    let creation = if is_verified { creation.verified() } else { creation };
    let mut creation = Box::pin(creation.start());
    tokio::select! {
        build = &mut creation => Ok(build?),
        _ = tokio::signal::ctrl_c() => {
            // The request may be under way: its answer says what there is to delete.
            if let Ok(Ok(build)) = tokio::time::timeout(Duration::from_secs(5), creation).await {
                build.cancel().await?;
            }
            Err(Interrupted.into())
        }
    }
}

/// Finds the snapshot again, in the list and by its name.
async fn show(daytona: &Daytona, snapshot: &Snapshot) -> Result<(), BoxError> {
    println!("\nList");
    for item in daytona.snapshots().list().name(&snapshot.name).await?.items {
        println!("  {}  {}  {}", item.id, item.state, item.name);
    }
    println!("\nGet by name");
    let found = daytona.snapshots().get(&snapshot.name).await?;
    println!("  {}  entrypoint {:?}", found.id, found.entrypoint.unwrap_or_default());
    Ok(())
}

/// Shows what happens: with one progress bar over all archives on a terminal, in plain lines elsewhere.
struct Screen {
    start: Instant,
    bar: Option<ProgressBar>,
}

impl Screen {
    fn new(start: Instant) -> Self {
        Self { start, bar: None }
    }

    /// The bar of the upload, whose end moves on with each archive that is found.
    fn bar(&mut self, more: u64) {
        let is_shown = std::io::stderr().is_terminal();
        let bar = self.bar.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("  upload {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}");
            let bar = if is_shown {
                ProgressBar::new(0)
            } else {
                ProgressBar::hidden()
            };
            style.map(|style| bar.clone().with_style(style)).unwrap_or(bar)
        });
        bar.inc_length(more);
    }

    /// A line above the bar.
    fn line(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| println!("{line}")),
            None => println!("{line}"),
        }
    }

    fn show(&mut self, event: &Event) {
        match event {
            Event::Hashed { hash, bytes: size } => {
                self.line(&format!("  archive sha256 {hash}, {}", bytes(*size)));
                self.bar(*size);
            }
            Event::Sent { bytes, .. } => self.bar.iter().for_each(|bar| bar.inc(*bytes)),
            Event::Unsent { bytes, .. } => self.bar.iter().for_each(|bar| bar.dec(*bytes)),
            Event::Stored { bytes: size, .. } => {
                self.line(&format!(
                    "  uploaded {} after {:.1?}",
                    bytes(*size),
                    self.start.elapsed()
                ));
            }
            Event::Skipped { bytes: size, .. } => {
                self.bar.iter().for_each(|bar| bar.inc(*size));
                self.line(&format!("  {} stored already, nothing to upload", bytes(*size)));
            }
            Event::Accepted { id, .. } => {
                self.bar.take().iter().for_each(ProgressBar::finish_and_clear);
                println!("  accepted as {id}");
            }
            Event::Adopted { id, reason, .. } => println!("  taken for it: {id} ({reason})"),
            Event::Recreated { reason } => println!("  made again, under another id: {reason}"),
            Event::State { state, .. } => println!("  {state} after {:.1?}", self.start.elapsed()),
            Event::Starting { sandbox } => println!("  starting sandbox {sandbox}"),
            Event::Started { .. } => println!("  it starts, {:.1?} after the beginning", self.start.elapsed()),
            Event::Log(line) => println!("  | {line}"),
            Event::LogGap(gap) => println!("  | ({gap})"),
            Event::Retry { reason, .. } => self.line(&format!("  asking again: {reason}")),
            _ => {}
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit after the point")]
fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}
