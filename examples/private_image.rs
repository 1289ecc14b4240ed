//! A snapshot of a private image: what is said without credentials, and with them.
//!
//! `cargo run --example private_image` runs on the embedded emulator.
#![expect(clippy::print_stdout, reason = "a program that shows what it does")]

use daytona_sdk::{BoxError, CreateSnapshotParams, RegistryParams};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let (daytona, emulator) = place::emulator_only("it has a registry that needs credentials").await?;
    emulator.require_credentials("registry.example/team");

    // Without credentials the error names the host.
    let params = || CreateSnapshotParams::new("app", "registry.example/team/app:1");
    match daytona.snapshots().create(params()).await {
        Err(error) => println!("{}", error.report()),
        Ok(snapshot) => println!("unexpected: {} is {}", snapshot.name, snapshot.state),
    }

    // The password never comes back: not in a list, and not in an error.
    let registry = RegistryParams::new("team", "registry.example", "robot", "a-token");
    let registry = daytona.registries().add(registry).await?;
    for registry in daytona.registries().list().await? {
        println!("\nregistry {} at {}", registry.name, registry.url);
    }
    let snapshot = daytona.snapshots().ensure(params()).replace().await?;
    println!("{} is {}", snapshot.name, snapshot.state);
    daytona.registries().remove(&registry.id).await?;
    Ok(())
}
