//! A trace of a creation, as it is printed; with `--features otel` of the crate it goes on to the service.
//!
//! `cargo run --example tracing` runs on the embedded emulator, or on the real service where `DAYTONA_API_KEY` is set.
#![expect(clippy::print_stdout, reason = "a program that shows what it does")]

use std::io::IsTerminal;

use daytona_emulator::{Emulator, Fault, Operation};
use daytona_sdk::{BoxError, CreateSnapshotParams};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::{EnvFilter, fmt};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    // One line when a span ends, with how long it took. Fields have the names of OpenTelemetry; no header is among them.
    fmt()
        .with_env_filter(EnvFilter::new("daytona_sdk=debug"))
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(std::io::stdout().is_terminal())
        .with_target(false)
        .without_time()
        .compact()
        .with_writer(std::io::stdout)
        .init();
    let there = "a snapshot will be created, and deleted at the end";
    let (daytona, emulator) = place::connect(there, Emulator::builder()).await?;
    let name = place::fresh_name("traced");
    daytona
        .snapshots()
        .create(CreateSnapshotParams::new(&name, "python:3.12-slim"))
        .await?;
    // So that there is something to see: one request fails, and is sent again.
    if let Some(emulator) = &emulator {
        emulator.inject(Fault::status(503).on(Operation::GetSnapshot).times(1));
    }
    let snapshot = daytona.snapshots().get(&name).await?;
    println!("{} is {}", snapshot.name, snapshot.state);
    daytona.snapshots().delete(&snapshot).wait().await?;
    Ok(())
}
