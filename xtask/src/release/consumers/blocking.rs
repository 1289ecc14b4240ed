//! The facade without an async runtime, on the emulator.

use daytona_emulator::Emulator;
use daytona_sdk::blocking::Block;
use daytona_sdk::transport::ServiceTransport;
use daytona_sdk::{BoxError, CreateSnapshotParams, Daytona, Image};

fn main() -> Result<(), BoxError> {
    let emulator = Emulator::builder().in_process()?;
    let daytona = Daytona::builder()
        .api_url(emulator.api_url())
        .api_key(emulator.api_key())
        .transport(ServiceTransport::new(emulator.service()))
        .build()?;
    let params = CreateSnapshotParams::new("blocking", Image::base("alpine:3.20"));
    let snapshot = daytona.snapshots().create(params).block()?;
    println!("{} is {}", snapshot.name, snapshot.state);
    Ok(())
}
