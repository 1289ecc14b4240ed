//! A trace of a creation, as it is printed; with `--features otel` of the crate it goes on to the service.
//!
//! `cargo run --example tracing` runs on the embedded emulator.
#![expect(clippy::print_stdout, reason = "a program that shows what it does")]

use std::io::IsTerminal;

use daytona_emulator::{Emulator, Fault, Operation};
use daytona_sdk::{BoxError, CreateSnapshotParams, Daytona};
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
    let emulator = Emulator::builder().start().await?;
    let daytona = Daytona::builder()
        .api_url(emulator.api_url())
        .api_key(emulator.api_key())
        .build()?;
    daytona
        .snapshots()
        .create(CreateSnapshotParams::new("traced", "python:3.12-slim"))
        .await?;
    // So that there is something to see: one request fails, and is sent again.
    emulator.inject(Fault::status(503).on(Operation::GetSnapshot).times(1));
    let snapshot = daytona.snapshots().get("traced").await?;
    println!("{} is {}", snapshot.name, snapshot.state);
    Ok(())
}
