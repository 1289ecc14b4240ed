//! What goes wrong, what it is called, and what a program does about it.
//!
//! `cargo run --example error_handling` runs on the embedded emulator, which fails as it is told to.
#![expect(clippy::print_stdout, reason = "a program that shows what it does")]

use std::time::Duration;

use daytona_emulator::{Emulator, Fault, Operation, Script};
use daytona_sdk::{BoxError, CreateSnapshotParams, Daytona, Error, ErrorKind, Image};

/// What a program may do about an error, by its kind.
fn advice(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::Config | ErrorKind::Unauthorized => "ask for the key",
        ErrorKind::InvalidImage | ErrorKind::InvalidRequest | ErrorKind::LocalFile => {
            "show it to whoever wrote the image"
        }
        ErrorKind::AlreadyExists | ErrorKind::DefinitionMismatch => "use another name, or `ensure`",
        ErrorKind::BuildFailed => "show the log, and do not try again",
        ErrorKind::WaitTimeout => "wait again for its id: it goes on being made",
        ErrorKind::Cooldown => "try again in ten minutes",
        _ if error.is_retryable() => "try again in a while",
        _ => "give up",
    }
}

/// The kind is for the program; the report is for people, with the server's reason and the end of the log.
fn show(error: &Error) {
    println!("{}: {}\n  -> {}", error.kind(), error.report(), advice(error));
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let emulator = Emulator::builder().start().await?;
    println!("The embedded emulator, with or without DAYTONA_API_KEY: it fails as it is told to.\n");
    let client = |key: &str| Daytona::builder().api_url(emulator.api_url()).api_key(key).build();
    let daytona = client(emulator.api_key())?;
    let snapshots = daytona.snapshots();

    // Before any request: everything that is wrong with an image, at once, with the lines of this file.
    let image = Image::base("python")
        .add_local_dir("no/such/folder", "/app")
        .run_commands([""]);
    if let Err(error) = snapshots.create(CreateSnapshotParams::new("x", image)).await {
        show(&error);
    }

    // The wrong key. It is sent once, and never shown.
    if let Err(error) = client("dtn_wrong")?.snapshots().list().await {
        show(&error);
    }

    // A name that is taken: the error has the snapshot that has it.
    let params = |name: &str| CreateSnapshotParams::new(name, "python:3.12-slim");
    snapshots.create(params("taken")).await?;
    if let Err(error) = snapshots.create(params("taken")).await {
        show(&error);
        println!("  it is {:?}", error.snapshot().map(|snapshot| &snapshot.last_state));
    }

    // A build that fails: the server's reason, and the last lines of the log.
    emulator.script(Script::for_dockerfile("pip install").run_fails(
        "pip install",
        1,
        "ERROR: No matching distribution found",
    ));
    let image = Image::base("python:3.12-slim").run_commands(["pip install nosuchthing"]);
    if let Err(error) = snapshots.create(CreateSnapshotParams::new("broken", image)).await {
        show(&error);
    }

    // A deadline: the build goes on, and the wait can be resumed.
    emulator.script(Script::for_name("slow").takes(Duration::from_secs(3)));
    if let Err(error) = snapshots
        .create(params("slow"))
        .timeout(Duration::from_millis(300))
        .await
    {
        show(&error);
        if let Some(there) = error.snapshot() {
            println!("  resumed: {}", snapshots.wait(&there.id).await?.state);
        }
    }

    // Temporary failures need no handling: the SDK retries.
    emulator.inject(Fault::status(503).on(Operation::GetSnapshot).times(2));
    println!("after two 503: {}", snapshots.get("taken").await?.state);
    Ok(())
}
