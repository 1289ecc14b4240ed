//! The facade with its default features, on the emulator.

use daytona_emulator::Emulator;
use daytona_sdk::transport::ServiceTransport;
use daytona_sdk::{BoxError, CreateSnapshotParams, Daytona, Image};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let emulator = Emulator::builder().in_process()?;
    let daytona = Daytona::builder()
        .api_url(emulator.api_url())
        .api_key(emulator.api_key())
        .transport(ServiceTransport::new(emulator.service()))
        .build()?;
    let image = Image::base("alpine:3.20").add_local_dir("src", "/src");
    let snapshot = daytona.snapshots().create(CreateSnapshotParams::new("facade", image)).await?;
    println!("{} is {}", snapshot.name, snapshot.state);
    Ok(())
}
