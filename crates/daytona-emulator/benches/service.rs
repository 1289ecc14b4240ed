//! What the emulator can bear: its start, polls, and a large context, with the memory that it takes.
//!
//! `cargo bench -p daytona-emulator`. The client runs in the same process, so that its work counts as well.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark fails by panicking, and prints its figures"
)]

use std::time::Instant;

use bytes::Bytes;
use daytona_emulator::{Emulator, SeededSnapshot, StorageOptions};
use futures_util::stream;
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use sha2::{Digest, Sha256};
use tower_service::Service;

#[path = "../tests/it/signature.rs"]
mod signature;

const GIB: u64 = 1 << 30;
const CHUNK: usize = 256 * 1024;

fn main() {
    // One core, as the figures are given for one.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        start().await;
        polls().await;
        for (name, options) in [
            ("files", StorageOptions::new()),
            ("memory", StorageOptions::new().in_memory()),
        ] {
            context(name, options).await;
        }
    });
}

async fn start() {
    let begin = Instant::now();
    let emulator = Emulator::builder().in_process().unwrap();
    get(&emulator, "/health").await;
    println!(
        "start to first answer, in process    {:9.2} ms",
        begin.elapsed().as_secs_f64() * 1e3
    );
    let begin = Instant::now();
    let emulator = Emulator::start().await.unwrap();
    println!(
        "start to listening, on a socket      {:9.2} ms",
        begin.elapsed().as_secs_f64() * 1e3
    );
    drop(emulator);
}

async fn polls() {
    const COUNT: u32 = 20_000;
    let emulator = Emulator::builder().in_process().unwrap();
    for number in 0..100 {
        emulator.add_snapshot(SeededSnapshot::from_image(format!("s{number}"), "a:1"));
    }
    let begin = Instant::now();
    for _ in 0..COUNT {
        get(&emulator, "/snapshots/s99").await;
    }
    println!(
        "gets a second among 100 snapshots    {:9.0}",
        f64::from(COUNT) / begin.elapsed().as_secs_f64()
    );
}

async fn get(emulator: &Emulator, path: &str) {
    let request = Request::get(format!("{}{path}", emulator.api_url()))
        .header("authorization", format!("Bearer {}", emulator.api_key()))
        .body(Full::new(Bytes::new()))
        .unwrap();
    let response = emulator.service().call(request).await.unwrap();
    assert_eq!(response.status(), 200);
    response.into_body().collect().await.unwrap();
}

/// One PUT of a GiB, signed with its hash, which the emulator checks.
async fn context(name: &str, options: StorageOptions) {
    let emulator = Emulator::builder().storage(options).in_process().unwrap();
    let request = Request::get(format!("{}/object-storage/push-access", emulator.api_url()))
        .header("authorization", format!("Bearer {}", emulator.api_key()))
        .body(Full::new(Bytes::new()))
        .unwrap();
    let response = emulator.service().call(request).await.unwrap();
    let access: serde_json::Value =
        serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap();
    let chunk = Bytes::from(vec![7; CHUNK]);
    let count = GIB / CHUNK as u64;
    let mut hasher = Sha256::new();
    for _ in 0..count {
        hasher.update(&chunk);
    }
    let hash = hex::encode(hasher.finalize());
    let path = format!("/daytona/{}/{hash}/context.tar", emulator.organization_id());
    let frames = stream::iter((0..count).map(move |_| Ok::<_, std::io::Error>(Frame::data(chunk.clone()))));
    let request = signature::sign(&access, "us-east-1", "PUT", &path, "", &hash)
        .header("content-length", GIB)
        .body(StreamBody::new(frames))
        .unwrap();
    let before = resident();
    let begin = Instant::now();
    let response = emulator.service().call(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let seconds = begin.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
    let rate = GIB as f64 / 1e6 / seconds;
    println!(
        "a context of 1 GiB, kept in {name:8} {rate:9.0} MB/s, {} MiB more resident",
        (resident() - before) / 1024
    );
}

/// Memory of this process in KiB, where the system says it.
fn resident() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok())
        .unwrap_or(0)
}
