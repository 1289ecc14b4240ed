//! Nothing runs until it is awaited, and the compiler says so.
#![deny(unused_must_use)]

fn build(daytona: daytona_sdk::Daytona) {
    daytona.snapshots().create(daytona_sdk::CreateSnapshotParams::new("my-app", "python:3.12-slim"));
}

fn main() {
    let _ = build;
}
