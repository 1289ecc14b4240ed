//! Pushes a folder to a bucket, and says what it took.
//!
//! `push_folder [--index FILE] FOLDER ENDPOINT BUCKET PREFIX ACCESS_KEY SECRET_KEY`; with `-` for the endpoint the folder is
//! hashed only. With `--index` a stat index spares the hashing of what has not changed. Prints a line of JSON: seconds, bytes sent and skipped, archives, the peak of resident memory in KiB.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that shows what it does"
)]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use daytona_context::s3::{DefaultHttpClient, S3Config, S3Storage};
use daytona_context::{BoxError, Context, Push};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (index, arguments) = match arguments.as_slice() {
        ["--index", index, rest @ ..] => (Some(*index), rest),
        all => (None, all),
    };
    let outcome = match arguments {
        [folder, "-"] => hash(folder),
        [folder, endpoint, bucket, prefix, access_key, secret_key] => {
            push(
                folder,
                S3Config::new(*endpoint, *bucket, *access_key, *secret_key),
                prefix,
                index,
            )
            .await
        }
        _ => Err("push_folder [--index FILE] FOLDER ENDPOINT BUCKET PREFIX ACCESS_KEY SECRET_KEY".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn push(folder: &str, config: S3Config, prefix: &str, index: Option<&str>) -> Result<(), BoxError> {
    let begin = Instant::now();
    let context = Context::scan(folder)?;
    let storage = S3Storage::new(&config, Arc::new(DefaultHttpClient::new()?))?;
    let push = index.into_iter().fold(Push::new(), Push::index);
    let pushed = push.run(&context, &storage, prefix).await?;
    report(begin, pushed.sent, pushed.skipped, pushed.hashes.len());
    Ok(())
}

fn hash(folder: &str) -> Result<(), BoxError> {
    let begin = Instant::now();
    let context = Context::scan(folder)?;
    for archive in context.archives() {
        archive.digest()?;
    }
    report(begin, 0, context.size(), context.archives().len());
    Ok(())
}

fn report(begin: Instant, sent: u64, skipped: u64, archives: usize) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|line| line.split_whitespace().next()).unwrap_or("0");
    println!(
        "{{\"seconds\": {:.3}, \"sent\": {sent}, \"skipped\": {skipped}, \"archives\": {archives}, \"peak_kib\": {peak}}}",
        begin.elapsed().as_secs_f64()
    );
}
