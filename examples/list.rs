//! Lists snapshots: a page at a time, or all of them while others come and go.
//!
//! `cargo run --example list` runs on the embedded emulator, or on the real service where `DAYTONA_API_KEY` is set.
#![expect(clippy::print_stdout, reason = "a program that shows what it does")]

use daytona_emulator::{Emulator, SeededSnapshot};
use daytona_sdk::{BoxError, SnapshotSort, SortOrder};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let (daytona, emulator) = place::connect("snapshots are only read", Emulator::builder()).await?;
    let seeded: Vec<String> = (0..250)
        .map(|number| SeededSnapshot::from_image(format!("app-{number:03}"), "a:1"))
        .filter_map(|snapshot| Some(emulator.as_ref()?.add_snapshot(snapshot)))
        .collect();

    let page = daytona
        .snapshots()
        .list()
        .name("APP-00")
        .sort(SnapshotSort::Name)
        .order(SortOrder::Asc)
        .page(1)
        .limit(5)
        .await?;
    let names: Vec<_> = page.items.iter().map(|snapshot| snapshot.name.as_str()).collect();
    println!(
        "page 1 of {}: {}",
        page.total_pages.unwrap_or_default(),
        names.join(", ")
    );

    // All pages. What is there during the whole walk comes exactly once: on the emulator ten are deleted in the middle of it.
    let mut stream = daytona.snapshots().list().stream();
    let mut count = 0;
    while let Some(snapshot) = stream.next().await {
        snapshot?;
        count += 1;
        if count == 100
            && let Some(emulator) = &emulator
        {
            seeded[..10].iter().for_each(|id| emulator.remove_snapshot(id));
        }
    }
    println!("walked over {count} snapshots, each of them once");
    Ok(())
}
