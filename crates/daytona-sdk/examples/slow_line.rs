//! One creation over the line that `cargo xtask lines` has laid: `slow_line api|storage BYTES NAME [STALL_SECONDS]`.
//!
//! The request (with `api`) or the context (with `storage`) has about this many bytes. Ends when the server has
//! accepted the snapshot, and with status 1 if it has not. The server is the one of `DAYTONA_API_URL` and
//! `DAYTONA_API_KEY`; without a number of seconds the limits are the defaults.
#![expect(clippy::print_stderr, reason = "a program that says why it failed")]

use std::process::ExitCode;
use std::time::Duration;

use daytona_sdk::{BoxError, CreateSnapshotParams, DaytonaBuilder, Image};

/// Files are small enough that many of them make several archives.
const LARGEST_FILE: usize = 500_000;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match create(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn create(arguments: &[&str]) -> Result<(), BoxError> {
    let (what, bytes, name, stall) = match arguments {
        [what, bytes, name] => (*what, bytes.parse()?, *name, None),
        [what, bytes, name, stall] => (*what, bytes.parse()?, *name, Some(stall.parse()?)),
        _ => return Err("slow_line api|storage BYTES NAME [STALL_SECONDS]".into()),
    };
    let folder = tempfile::tempdir()?;
    let image = Image::base("alpine:3.20");
    let image = match what {
        // A line of a Dockerfile has an end.
        "api" => {
            let noise = noise(bytes);
            let parts = noise.as_bytes().chunks(8_000).map(String::from_utf8_lossy);
            image.run_commands(parts.map(|part| format!("echo {part}")).collect::<Vec<_>>())
        }
        "storage" => {
            for (number, part) in noise(bytes).as_bytes().chunks(LARGEST_FILE).enumerate() {
                std::fs::write(folder.path().join(format!("noise-{number}.txt")), part)?;
            }
            image.add_local_dir(folder.path(), "/noise")
        }
        other => return Err(format!("`{other}` is neither api nor storage").into()),
    };
    let mut client = DaytonaBuilder::from_env();
    if let Some(seconds) = stall {
        client = client.stall_timeout(Duration::from_secs(seconds));
    }
    let params = CreateSnapshotParams::new(name, image);
    client.build()?.snapshots().create(params).start().await?;
    Ok(())
}

/// Letters without an end of the line.
fn noise(bytes: usize) -> String {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let letters = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        char::from(b'a' + u8::try_from((state >> 33) % 26).unwrap_or(0))
    });
    letters.take(bytes).collect()
}
