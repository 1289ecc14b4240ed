//! The build log of a snapshot: while it is built, and at any time afterwards.
//!
//! `cargo run --example build_logs` runs on the embedded emulator, or on the real service where `DAYTONA_API_KEY` is set.
#![expect(clippy::print_stdout, reason = "a program that shows what it does")]

use std::time::Duration;

use daytona_emulator::{Emulator, Script};
use daytona_sdk::{BoxError, CreateSnapshotParams, Image};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let there = "a snapshot whose build fails will be created, and deleted at the end";
    let (daytona, emulator) = place::connect(there, Emulator::builder()).await?;
    if let Some(emulator) = &emulator {
        emulator.script(
            Script::for_dockerfile("make test")
                .takes(Duration::from_secs(4))
                .run_fails("make test", 2, "12 passed, 1 failed: test_login"),
        );
    }

    // With the creation: the lines come while the image is built. There is nothing to make in this image.
    let name = place::fresh_name("logs");
    let image = Image::debian_slim("3.12").run_commands(["make test"]);
    let build = daytona
        .snapshots()
        .create(CreateSnapshotParams::new(&name, image))
        .start()
        .await?;
    println!("following {} ({})", build.name(), build.id());

    // Anybody can follow it, here by the id. A line that breaks off is read again; each line comes once.
    let mut log = daytona.snapshots().build_logs(build.id()).follow().stream();
    while let Some(event) = log.next().await {
        println!("  | {}", event?);
    }

    // The log never decides: the snapshot's state does, and the error has the reason and the last lines.
    match build.wait().await {
        Ok(snapshot) => println!("{} is {}", snapshot.name, snapshot.state),
        Err(error) => println!(
            "{error}\nthe last of {} lines: {:?}",
            error.log_tail().len(),
            error.log_tail().last()
        ),
    }

    // And later, all of it at once.
    let lines = daytona.snapshots().build_logs(&name).await?;
    println!("read again: {} lines", lines.len());
    daytona.snapshots().delete(&name).wait().await?;
    println!("deleted {name}");
    Ok(())
}
