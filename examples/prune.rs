//! Deletes what is no longer needed: planned first, done second.
//!
//! `cargo run --example prune` runs on the embedded emulator. Where `DAYTONA_API_KEY` is set it shows what would be deleted on the
//! real service, and deletes it only with `-- --apply`.
#![expect(clippy::print_stdout, reason = "a program that shows what it does")]

use std::time::Duration;

use clap::Parser;
use daytona_emulator::{Emulator, SeededSnapshot};
use daytona_sdk::{BoxError, PrunePolicy};

const DAY: Duration = Duration::from_hours(24);

/// Deletes old snapshots of the CI.
#[derive(Debug, Parser)]
struct Arguments {
    /// Delete on the real service, too.
    #[arg(long)]
    apply: bool,
}

/// What a while of continuous integration leaves behind.
fn seed(emulator: &Emulator) {
    let now = emulator.clock().now();
    for age in 0..8 {
        let seeded = SeededSnapshot::from_image(format!("ci-{age}"), "a:1").created(now - DAY * (age * 3));
        emulator.add_snapshot(if age == 1 { seeded.state("error") } else { seeded });
    }
    emulator.add_snapshot(SeededSnapshot::from_image("production", "a:1").created(now - DAY * 300));
    // A sandbox still runs of an old one.
    emulator.add_sandbox("ci-6", "review");
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let arguments = Arguments::parse();
    let there = if arguments.apply {
        "old snapshots whose names begin with `ci-` will be deleted"
    } else {
        "nothing will be deleted without --apply"
    };
    let (daytona, emulator) = place::connect(there, Emulator::builder()).await?;
    if let Some(emulator) = &emulator {
        seed(emulator);
    }

    let policy = PrunePolicy::keep_newest(3)
        .older_than(DAY * 7)
        .name_prefix("ci-")
        .not_in_use();
    let plan = daytona.snapshots().prune(policy).await?;
    for (snapshot, reason) in plan.reasons() {
        let verdict = if reason.goes() { "would delete" } else { "would keep" };
        println!("{verdict} {} ({}): {reason}", snapshot.name, snapshot.state);
    }
    println!("would keep {}", plan.to_keep().len());
    if emulator.is_none() && !arguments.apply {
        return Ok(());
    }

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
