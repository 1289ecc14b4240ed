//! Get or create: the snapshot that a program needs, whoever made it.
//!
//! `cargo run --example ensure` runs on the embedded emulator.
#![expect(clippy::print_stdout, reason = "a program that shows what it does")]

use daytona_emulator::Emulator;
use daytona_sdk::{BoxError, CreateSnapshotParams, Daytona, ErrorKind, Image};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let emulator = Emulator::builder().start().await?;
    let daytona = Daytona::builder()
        .api_url(emulator.api_url())
        .api_key(emulator.api_key())
        .build()?;
    let snapshots = daytona.snapshots();
    let image = Image::debian_slim("3.12").pip_install(["requests"]);
    let params = || CreateSnapshotParams::new("worker", &image);

    // Two programs start at the same time; one of them creates it, both get it.
    let (one, two) = tokio::join!(async { snapshots.ensure(params()).await }, async {
        snapshots.ensure(params()).await
    });
    let (one, two) = (one?, two?);
    println!("both have {}: {}", one.name, one.id == two.id);

    // The next day it is there: one request.
    let before = emulator.requests().len();
    let found = snapshots.ensure(params()).await?;
    println!(
        "found {} with {} request",
        found.name,
        emulator.requests().len() - before
    );

    // The definition has changed: that is an error, unless it may be replaced.
    let changed = || CreateSnapshotParams::new("worker", image.clone().pip_install(["numpy"]));
    match snapshots.ensure(changed()).await {
        Err(error) if error.kind() == ErrorKind::DefinitionMismatch => println!("refused: {error}"),
        other => println!("unexpected: {other:?}"),
    }
    let replaced = snapshots.ensure(changed()).replace().await?;
    println!("replaced: another id, {}", replaced.id != found.id);
    Ok(())
}
