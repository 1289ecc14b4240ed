//! How fast a build log of 100 MB is read, and in how much memory. The network is left out: a transport makes the bytes.

use std::convert::Infallible;
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use daytona_sdk::transport::{BodyError, RequestBody, ResponseBody, Transport, TransportError};
use daytona_sdk::{Daytona, LogEvent};
use futures_util::stream;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};

const SIZE: usize = 100_000_000;
const CHUNK: usize = 16 * 1024;
const LINE: &str = "#12 3.456 Collecting numpy>=2 (from -r /.requirements.txt (line 1))  1.2 MB/s eta 0:00:01\n";

/// Answers what a client asks for on its way to a log.
#[derive(Debug)]
struct Log;

#[async_trait]
impl Transport for Log {
    async fn send(&self, request: Request<RequestBody>) -> Result<Response<ResponseBody>, TransportError> {
        let path = request.uri().path();
        let body = if path.ends_with("/build-logs-url") {
            full(r#"{"url":"http://logs/snapshots/i/build-logs"}"#)
        } else if path.ends_with("/build-logs") {
            let text: Bytes = LINE.repeat(CHUNK / LINE.len()).into();
            let count = SIZE / text.len();
            let chunks = (0..count).map(move |_| Ok::<_, Infallible>(Frame::data(text.clone())));
            let body = StreamBody::new(stream::iter(chunks));
            BodyExt::map_err(body, |never| match never {}).boxed_unsync()
        } else {
            full(r#"{"id":"i","name":"x","state":"active","buildInfo":{"dockerfileContent":"FROM a:1"}}"#)
        };
        Ok(Response::new(body))
    }
}

fn full(text: &'static str) -> ResponseBody {
    Full::new(Bytes::from(text))
        .map_err(|never: Infallible| -> BodyError { match never {} })
        .boxed_unsync()
}

/// The most memory that this process had, in MiB.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024)
}

#[expect(clippy::print_stdout, reason = "a benchmark says its figures")]
fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("threads can be started");
    let client = Daytona::builder()
        .api_url("http://api")
        .api_key("key")
        .transport(Log)
        .build()
        .expect("all is set");
    for _ in 0..5 {
        let begun = Instant::now();
        let (lines, bytes) = runtime.block_on(async {
            let mut stream = client.snapshots().build_logs("x").stream();
            let (mut lines, mut bytes) = (0_u64, 0_u64);
            while let Some(event) = stream.next().await {
                if let Ok(LogEvent::Line(line)) = event {
                    lines += 1;
                    bytes += line.as_str().len() as u64 + 1;
                }
            }
            (lines, bytes)
        });
        let seconds = begun.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate is rounded anyway")]
        let rate = bytes as f64 / seconds / 1e6;
        println!(
            "{lines} lines, {bytes} bytes: {rate:.0} MB/s, at most {} MiB",
            peak().unwrap_or_default()
        );
    }
}
