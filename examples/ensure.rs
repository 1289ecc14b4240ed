//! Get or create: the snapshot that a program needs, whoever made it.
//!
//! `cargo run --example ensure` runs on the embedded emulator, or on the real service where `DAYTONA_API_KEY` is set.
#![expect(clippy::print_stdout, reason = "a program that shows what it does")]

use daytona_emulator::Emulator;
use daytona_sdk::{BoxError, CreateSnapshotParams, ErrorKind, Image};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let there = "a snapshot will be created, replaced, and deleted at the end";
    let (daytona, emulator) = place::connect(there, Emulator::builder()).await?;
    let snapshots = daytona.snapshots();
    let image = Image::debian_slim("3.12").pip_install(["requests"]);
    let name = place::fresh_name("worker");
    let params = || CreateSnapshotParams::new(&name, &image);

    // Two programs start at the same time; one of them creates it, both get it.
    let (one, two) = tokio::join!(async { snapshots.ensure(params()).await }, async {
        snapshots.ensure(params()).await
    });
    let (one, two) = (one?, two?);
    println!("both have {}: {}", one.name, one.id == two.id);

    // The next day it is there: one request.
    let requests = || emulator.as_ref().map_or(0, |emulator| emulator.requests().len());
    let before = requests();
    let found = snapshots.ensure(params()).await?;
    println!("found {}", found.name);
    if emulator.is_some() {
        println!("with {} request", requests() - before);
    }

    // The definition has changed: that is an error, unless it may be replaced.
    let changed = || CreateSnapshotParams::new(&name, image.clone().pip_install(["numpy"]));
    match snapshots.ensure(changed()).await {
        Err(error) if error.kind() == ErrorKind::DefinitionMismatch => println!("refused: {error}"),
        other => println!("unexpected: {other:?}"),
    }
    let replaced = snapshots.ensure(changed()).replace().await?;
    println!("replaced: another id, {}", replaced.id != found.id);
    snapshots.delete(&replaced).wait().await?;
    println!("deleted {name}");
    Ok(())
}
