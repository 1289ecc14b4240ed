//! A snapshot of a sandbox that was prepared by hand or by a program, and who uses it.
//!
//! `cargo run --example capture` runs on the embedded emulator.
#![expect(clippy::print_stdout, reason = "a program that shows what it does")]

use daytona_emulator::SeededSnapshot;
use daytona_sdk::{BoxError, ErrorKind};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let (daytona, emulator) = place::emulator_only("it is given the sandbox").await?;
    emulator.add_snapshot(SeededSnapshot::from_image("base", "python:3.12-slim"));
    emulator.add_sandbox("base", "workbench");
    // … here somebody installs and configures what they need, with an official SDK …

    // The name is checked first: the server would take this one, and nobody could use it.
    match daytona.snapshots().capture("workbench", "prepared/").await {
        Err(error) if error.kind() == ErrorKind::InvalidRequest => println!("refused: {error}"),
        other => println!("unexpected: {other:?}"),
    }
    let prepared = daytona.snapshots().capture("workbench", "prepared:1").await?;
    println!("{} is {}", prepared.name, prepared.state);

    // Whoever starts from it is a reason to keep it.
    emulator.add_sandbox("prepared:1", "first-user");
    let in_use = daytona.snapshots().in_use(&prepared).await?;
    for sandbox in &in_use.sandboxes {
        println!("used by {}, which is {}", sandbox.name, sandbox.state);
    }
    Ok(())
}
