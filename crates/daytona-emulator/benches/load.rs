//! What the emulator bears on a socket: many at once, connections that say nothing, and clients that never finish their head.
//!
//! `cargo bench -p daytona-emulator --bench load`. Most clients run in the same process, so that their work counts as well. A
//! second process holds the idle connections. Each of the two needs 10,000 descriptors and some more: `ulimit -n 10500`. What
//! the limit does not allow is left out, with a word on how to raise it.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark fails by panicking, and prints its figures"
)]

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use daytona_emulator::{Emulator, SeededSnapshot};
use http::Request;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::task::JoinSet;
use tower_service::Service;

#[path = "../tests/it/signature.rs"]
mod signature;

const MOST: usize = 12_000;

/// What a process has open beside its connections, and more.
const OTHER_FILES: usize = 500;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, "hold", address, count] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        return hold(address, count.parse().unwrap());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        // Where a client is in the same process, its connection counts twice.
        if can_open("2,000 gets at once", 2 * 2_000) {
            gets(2_000).await;
        }
        creations(200).await;
        if can_open("10,000 idle connections", 10_000) {
            idle(10_000).await;
        }
        if can_open("900 slow heads", 2 * 900) {
            slow_heads(900).await;
        }
    });
}

/// Whether this process may have as many connections; says what cannot be measured, and how it can.
fn can_open(what: &str, connections: usize) -> bool {
    let needed = connections + OTHER_FILES;
    let open = || -> io::Result<Vec<File>> {
        let program = std::env::current_exe()?;
        (0..needed).map(|_| File::open(&program)).collect()
    };
    match open() {
        Ok(_) => true,
        Err(error) => {
            println!("{what}: not measured: {error}; raise the limit of open files with `ulimit -n {needed}`");
            false
        }
    }
}

async fn start() -> Arc<Emulator> {
    let emulator = Emulator::builder().connections(MOST).start().await.unwrap();
    emulator.add_snapshot(SeededSnapshot::from_image("base", "a:1"));
    Arc::new(emulator)
}

fn address(emulator: &Emulator) -> SocketAddr {
    let url = emulator.api_url();
    let authority = url.trim_start_matches("http://").trim_end_matches("/api");
    authority.parse().unwrap()
}

/// The time that a get takes, with a connection of its own.
async fn get(address: SocketAddr, key: &str) -> io::Result<Duration> {
    let begin = Instant::now();
    let mut stream = TcpStream::connect(address).await?;
    let head = "GET /api/snapshots/base HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer ";
    stream.write_all(format!("{head}{key}\r\n\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    Ok(begin.elapsed())
}

/// The middle and the largest of some times, in milliseconds.
fn middle_and_most(mut times: Vec<Duration>) -> String {
    times.sort();
    let shown = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
    format!(
        "{} in the middle, {} at most",
        shown(times[times.len() / 2]),
        shown(times[times.len() - 1])
    )
}

async fn gets(count: usize) {
    let emulator = start().await;
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..count {
        let emulator = Arc::clone(&emulator);
        tasks.spawn(async move { get(address(&emulator), emulator.api_key()).await.unwrap() });
    }
    let times = tasks.join_all().await;
    let all = begin.elapsed().as_secs_f64() * 1e3;
    println!(
        "{count} gets at once, a connection each: all in {all:.0} ms; {}",
        middle_and_most(times)
    );
}

async fn ask(emulator: &Emulator, request: Request<Full<Bytes>>) -> Value {
    let response = emulator.service().call(request).await.unwrap();
    let is_good = response.status().is_success();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(is_good, "{}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).unwrap_or_default()
}

fn api(emulator: &Emulator, method: &str, path: &str, body: &Value) -> Request<Full<Bytes>> {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", emulator.api_url()))
        .header("authorization", format!("Bearer {}", emulator.api_key()))
        .header("content-type", "application/json");
    request.body(Full::new(Bytes::from(body))).unwrap()
}

/// Each pushes an archive of a megabyte of its own, and is built from it; the clock goes a thousand times as fast, so that
/// the work counts and not the waiting.
async fn creations(count: usize) {
    const SIZE: usize = 1 << 20;
    let emulator = Arc::new(Emulator::builder().speed(1_000.0).in_process().unwrap());
    emulator.put_organization(emulator.organization().snapshot_quota(count + 1));
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for number in 0..count {
        let emulator = Arc::clone(&emulator);
        tasks.spawn(async move {
            let mut archive = tar::Builder::new(Vec::new());
            let mut header = tar::Header::new_ustar();
            header.set_mode(0o644);
            header.set_size(SIZE as u64);
            let content = number.to_le_bytes().repeat(SIZE / size_of::<usize>());
            archive.append_data(&mut header, "a", content.as_slice()).unwrap();
            let bytes = archive.into_inner().unwrap();
            let hash = hex::encode(Sha256::digest(&bytes));
            let access = ask(
                &emulator,
                api(&emulator, "GET", "/object-storage/push-access", &Value::Null),
            )
            .await;
            let path = format!("/daytona/{}/{hash}/context.tar", emulator.organization_id());
            let put = signature::sign(&access, "us-east-1", "PUT", &path, "", &hash);
            let put = put.header("content-length", bytes.len());
            ask(&emulator, put.body(Full::new(Bytes::from(bytes))).unwrap()).await;
            let info = json!({"dockerfileContent": "FROM scratch\nCOPY a /a\n", "contextHashes": [hash]});
            let body = json!({"name": format!("s{number}"), "buildInfo": info});
            let created = ask(&emulator, api(&emulator, "POST", "/snapshots", &body)).await;
            let path = format!("/snapshots/{}", created["id"].as_str().unwrap());
            loop {
                let shown = ask(&emulator, api(&emulator, "GET", &path, &Value::Null)).await;
                match shown["state"].as_str().unwrap() {
                    "active" => break,
                    "error" | "build_failed" => panic!("{shown}"),
                    _ => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        });
    }
    tasks.join_all().await;
    let seconds = begin.elapsed().as_secs_f64();
    println!("{count} creations at once, each with a context of 1 MiB: all active in {seconds:.2} s");
}

/// The second process: opens connections, and keeps them until it is asked how many are still open.
fn hold(address: &str, count: usize) {
    let open: io::Result<Vec<_>> = (0..count).map(|_| std::net::TcpStream::connect(address)).collect();
    let open = open.unwrap();
    println!("{count}");
    io::stdin().read_line(&mut String::new()).unwrap();
    let is_open = |stream: &std::net::TcpStream| {
        stream.set_nonblocking(true).unwrap();
        stream
            .peek(&mut [0])
            .is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    };
    println!("{}", open.into_iter().filter(is_open).count());
}

async fn idle(count: usize) {
    let emulator = start().await;
    let address = address(&emulator);
    let begin = Instant::now();
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["hold", &address.to_string(), &count.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(holder.stdout.take().unwrap()).lines();
    assert_eq!(said.next_line().await.unwrap(), Some(count.to_string()));
    let opened = begin.elapsed().as_secs_f64() * 1e3;
    let mut times = Vec::new();
    for _ in 0..200 {
        times.push(get(address, emulator.api_key()).await.unwrap());
    }
    holder.stdin.take().unwrap().write_all(b"\n").await.unwrap();
    let open = said.next_line().await.unwrap().unwrap();
    println!(
        "{count} idle connections, opened in {opened:.0} ms; a get beside them: {}; {open} of them were open to the end",
        middle_and_most(times)
    );
    holder.wait().await.unwrap();
}

/// Each sends a head a byte at a time, at the usual limit of connections, nine tenths of which they take.
async fn slow_heads(count: usize) {
    let emulator = Emulator::start().await.unwrap();
    emulator.add_snapshot(SeededSnapshot::from_image("base", "a:1"));
    let address = address(&emulator);
    let begin = Instant::now();
    let mut slow = JoinSet::new();
    for _ in 0..count {
        slow.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            for byte in b"GET /api/health HTTP/1.1\r\nx: "
                .iter()
                .chain(std::iter::repeat(&b'x'))
            {
                if stream.write_all(&[*byte]).await.is_err() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            begin.elapsed()
        });
    }
    let mut times = Vec::new();
    for _ in 0..200 {
        times.push(get(address, emulator.api_key()).await.unwrap());
    }
    println!(
        "{count} heads of which a byte comes now and then; a get beside them: {}",
        middle_and_most(times)
    );
    let ended = slow.join_all().await;
    println!(
        "    all of them given up after {:.1} s",
        ended.into_iter().max().unwrap().as_secs_f64()
    );
}
