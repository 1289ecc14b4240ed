//! The context alone, without its features: a folder into a storage in memory.

use daytona_context::{Context, MemoryStorage, Push};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let context = Context::scan("src")?;
    let storage = MemoryStorage::new();
    let first = Push::new().run(&context, &storage, "organization").await?;
    let again = Push::new().run(&context, &storage, "organization").await?;
    assert_eq!(again.hashes, first.hashes);
    println!("{} archive, {} object", first.hashes.len(), storage.keys().len());
    Ok(())
}
