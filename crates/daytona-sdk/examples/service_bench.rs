//! Our side of `cargo xtask bench service`: takes commands on stdin, and answers each with a line of JSON.
//!
//! - `accept cold|warm FOLDER NAME`: creates a snapshot with the files of a folder, until the server has accepted it; with a new
//!   client, or with the one of the last command. Answers with `seconds`.
//! - `build logs|silent NAME`: creates a snapshot, with its log or without, until it is active. Answers with `late`, the seconds
//!   since the server says that it became active.
//!
//! The server is the one of `DAYTONA_API_URL` and `DAYTONA_API_KEY`.
#![expect(clippy::print_stdout, reason = "a program that answers")]

use std::io::BufRead as _;
use std::time::Instant;

use daytona_sdk::{BoxError, CreateSnapshotParams, Daytona, Image, Snapshot};
use jiff::Timestamp;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let mut client = Daytona::from_env()?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["accept", temperature, folder, name] => {
                let image = image(name).add_local_dir(*folder, "/app");
                let begun = Instant::now();
                if *temperature == "cold" {
                    client = Daytona::from_env()?;
                }
                let params = CreateSnapshotParams::new(*name, image);
                let build = client.snapshots().create(params).start().await?;
                println!("{{\"seconds\": {:.4}}}", begun.elapsed().as_secs_f64());
                // What becomes of it is the server's affair.
                drop(build);
            }
            ["build", log, name] => {
                let create = client.snapshots().create(CreateSnapshotParams::new(*name, image(name)));
                let snapshot = if *log == "logs" {
                    create.on_logs(|_| {}).await?
                } else {
                    create.await?
                };
                println!("{{\"late\": {:.4}}}", late(&snapshot)?);
            }
            _ => return Err(format!("`{line}` is no command").into()),
        }
    }
    Ok(())
}

/// A definition that no other snapshot has.
fn image(name: &str) -> Image {
    Image::base("alpine:3.20").run_commands([format!("echo {name}")])
}

/// The server's clock is this machine's.
fn late(snapshot: &Snapshot) -> Result<f64, BoxError> {
    let active = snapshot
        .updated_at
        .ok_or("the server does not say when it became active")?;
    Ok(Timestamp::now().duration_since(active).as_secs_f64())
}
