//! Proves that a snapshot starts, before the first user finds out that it does not.
//!
//! `cargo run --example verify` runs on the embedded emulator.
#![expect(clippy::print_stdout, reason = "a program that shows what it does")]

use daytona_emulator::SandboxScript;
use daytona_sdk::{BoxError, CreateSnapshotParams, ErrorKind, Event, Image};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let (daytona, emulator) = place::emulator_only("it is told which sandboxes fail").await?;
    let snapshots = daytona.snapshots();

    // A snapshot is returned when a sandbox of it has started, and was deleted again.
    let image = Image::debian_slim("3.12").pip_install(["requests"]);
    let snapshot = snapshots
        .create(CreateSnapshotParams::new("worker", image))
        .verified()
        .on_event(|event| {
            if let Event::Started { sandbox, .. } = event {
                println!("started {sandbox}");
            }
        })
        .await?;
    println!("{} is {} and starts", snapshot.name, snapshot.state);

    // An entrypoint that ends kills the sandbox. The emulator runs nothing, so it is told what the runner would say.
    emulator.script_sandboxes(SandboxScript::for_snapshot("job").fails("sandbox exited with code 0, reason: "));
    let image = Image::debian_slim("3.12").entrypoint(["python", "-c", "print('done')"]);
    let job = snapshots.create(CreateSnapshotParams::new("job", image)).await?;
    match snapshots.verify(&job).await {
        Err(error) if error.kind() == ErrorKind::DoesNotStart => println!("{}", error.report()),
        other => println!("unexpected: {other:?}"),
    }

    // Nothing is left of either. What a killed process leaves behind, `sweep` finds on any machine.
    println!("sandboxes: {}", emulator.sandboxes().await.len());
    println!("swept: {}", snapshots.sweep().await?.deleted.len());
    Ok(())
}
