//! Deletes what is no longer needed: planned first, done second.
//!
//! `cargo run --example prune` runs on the embedded emulator.
#![expect(clippy::print_stdout, reason = "a program that shows what it does")]

use std::time::Duration;

use daytona_emulator::{Emulator, SeededSnapshot};
use daytona_sdk::{BoxError, Daytona, PrunePolicy};

const DAY: Duration = Duration::from_hours(24);

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let emulator = Emulator::builder().start().await?;
    let daytona = Daytona::builder()
        .api_url(emulator.api_url())
        .api_key(emulator.api_key())
        .build()?;
    // What a while of continuous integration leaves behind.
    let now = emulator.clock().now();
    for age in 0..8 {
        let seeded = SeededSnapshot::from_image(format!("ci-{age}"), "a:1").created(now - DAY * (age * 3));
        emulator.add_snapshot(if age == 1 { seeded.state("error") } else { seeded });
    }
    emulator.add_snapshot(SeededSnapshot::from_image("production", "a:1").created(now - DAY * 300));

    let policy = PrunePolicy::keep_newest(3).older_than(DAY * 7).name_prefix("ci-");
    let plan = daytona.snapshots().prune(policy).await?;
    for snapshot in plan.to_delete() {
        println!("would delete {} ({})", snapshot.name, snapshot.state);
    }
    println!("would keep {}", plan.to_keep().len());

    let report = plan.apply().await?;
    for (snapshot, error) in &report.failed {
        println!("{} stays: {error}", snapshot.name);
    }
    println!(
        "deleted {}, changed meanwhile {}",
        report.deleted.len(),
        report.changed.len()
    );
    Ok(())
}
