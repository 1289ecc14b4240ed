//! Without an async runtime: the same client and the same builders, and `block` where one would await.
//!
//! `cargo run --example blocking` runs on the embedded emulator, or on the real service where `DAYTONA_API_KEY` is set.
#![expect(clippy::print_stdout, reason = "a program that shows what it does")]

use daytona_emulator::Emulator;
use daytona_sdk::blocking::{Block, BlockStream};
use daytona_sdk::transport::ServiceTransport;
use daytona_sdk::{BoxError, CreateSnapshotParams, Daytona, Image};

/// A client of an emulator in this process, without a socket between them.
fn emulated() -> Result<Daytona, BoxError> {
    let emulator = Emulator::builder().in_process()?;
    println!("The embedded emulator; set DAYTONA_API_KEY for the real service.");
    let daytona = Daytona::builder()
        .api_url(emulator.api_url())
        .api_key(emulator.api_key())
        .transport(ServiceTransport::new(emulator.service()))
        .build()?;
    Ok(daytona)
}

fn main() -> Result<(), BoxError> {
    let daytona = match place::real_service("a snapshot will be created, and deleted at the end")? {
        Some(daytona) => daytona,
        None => emulated()?,
    };
    let name = place::fresh_name("plain");
    let snapshots = daytona.snapshots();

    let image = Image::debian_slim("3.12").pip_install(["requests"]);
    let created = snapshots
        .create(CreateSnapshotParams::new(&name, image))
        .on_logs(|line| println!("  | {line}"))
        .block()?;
    println!("{} is {}", created.name, created.state);

    for snapshot in snapshots.list().stream().blocking_iter() {
        println!("listed: {}", snapshot?.name);
    }
    snapshots.delete(&name).wait().block()?;
    println!("deleted, and its name is free");
    Ok(())
}
