//! `cargo xtask bench`: our upload against the official Python SDK's and s5cmd's, with the same local S3 server, in one run.
//!
//! It makes its trees, installs the peers and starts the store itself. Runs alternate; the figures are medians. The page cache is
//! warm, as every tree is read before it is first pushed.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};

use crate::tools::{self, Server, python_environment, say};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Runs of each; the figures are their medians.
    #[arg(long, default_value_t = 5)]
    runs: usize,

    /// Where to write all figures as JSON.
    #[arg(long, default_value = "bench.json")]
    output: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{what}: {source}")]
    File { what: String, source: io::Error },
    #[error("{what} failed: {said}")]
    Failed { what: String, said: String },
}

const BUCKET: &str = "daytona";
const ACCESS_KEY: &str = "benchmark";
const SECRET_KEY: &str = "benchmark-secret";

/// A tree: its name, how many files, and their size.
const TREES: [(&str, u64, usize); 3] = [
    ("30,000 files, 162 MB", 30_000, 5_400),
    ("2,000 files, 290 MB", 2_000, 145_000),
    ("one file of 1 GiB", 1, 1 << 30),
];

pub(crate) fn run(arguments: &Arguments, workspace: &Path) -> Result<(), Error> {
    let built = std::env::current_exe().map_err(|source| file("this program", source))?;
    let built = built.parent().unwrap_or(workspace);
    let scratch = built.join("bench");
    fs::create_dir_all(&scratch).map_err(|source| file("the scratch folder", source))?;
    let tools = Tools::install(workspace, built, &scratch)?;
    let mut figures = Vec::new();
    for (name, count, size) in TREES {
        say(&format!("{name} …"));
        figures.push(measure(&tools, &scratch, name, count, size, arguments.runs)?);
    }
    say(&table(&figures));
    let text = serde_json::to_string_pretty(&json!({"runs": arguments.runs, "trees": figures})).unwrap_or_default();
    fs::write(&arguments.output, text + "\n").map_err(|source| file("the figures", source))?;
    say(&format!("all figures: {}", arguments.output.display()));
    Ok(())
}

/// What is measured with.
struct Tools {
    ours: PathBuf,
    store: PathBuf,
    python: PathBuf,
    script: PathBuf,
    s5cmd: PathBuf,
}

impl Tools {
    /// `built` is the folder that this program lies in.
    fn install(workspace: &Path, built: &Path, scratch: &Path) -> Result<Self, Error> {
        let cargo = env!("CARGO");
        let mut ours = Command::new(cargo);
        ours.args([
            "build",
            "--release",
            "--quiet",
            "--package",
            "daytona-context",
            "--example",
            "push_folder",
        ]);
        output(ours.current_dir(workspace))?;
        let mut store = Command::new(cargo);
        store.args([
            "install",
            "--quiet",
            "s3s-fs",
            "--version",
            "~0.14",
            "--features",
            "binary",
            "--root",
        ]);
        output(store.arg(scratch))?;
        let bin = python_environment(&scratch.join("python"), &["daytona", "s5cmd"]);
        let bin = bin.map_err(|source| file("the Python packages", source))?;
        Ok(Self {
            ours: built.with_file_name("release").join("examples/push_folder"),
            store: scratch.join("bin/s3s-fs"),
            python: bin.join("python"),
            script: workspace.join("xtask/peers/upload.py"),
            s5cmd: bin.join("s5cmd"),
        })
    }
}

/// The store in its own process, on a folder of its own.
fn start_store(tools: &Tools, root: &Path) -> Result<Server, Error> {
    drop(fs::remove_dir_all(root));
    fs::create_dir_all(root.join(BUCKET)).map_err(|source| file("the store's folder", source))?;
    let store = Server::start(|address| {
        let mut command = Command::new(&tools.store);
        command
            .args([
                "--host",
                &address.ip().to_string(),
                "--port",
                &address.port().to_string(),
            ])
            .args(["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY])
            .arg(root)
            .env("RUST_LOG", "error");
        command
    });
    store.map_err(|source| file("s3s-fs", source))
}

/// Seconds of each kind, and the peak of our memory.
#[derive(Default)]
struct Seconds {
    ours: [Vec<f64>; 3],
    python: [Vec<f64>; 3],
    s5cmd: Vec<f64>,
    peak: u64,
}

fn measure(tools: &Tools, scratch: &Path, name: &str, count: u64, size: usize, runs: usize) -> Result<Value, Error> {
    let tree = scratch.join("tree").join("d");
    drop(fs::remove_dir_all(scratch.join("tree")));
    let some_file = make(&tree, count, size).map_err(|source| file("the tree", source))?;
    let tar = scratch.join("tree.tar");
    output(
        Command::new("tar")
            .arg("-cf")
            .arg(&tar)
            .arg("-C")
            .arg(scratch.join("tree"))
            .arg("d"),
    )?;
    let mut seconds = Seconds::default();
    for run in 0..runs {
        let store = start_store(tools, &scratch.join("store"))?;
        let endpoint = format!("http://{}", store.address);
        let (ours, theirs) = (format!("ours-{run}"), format!("python-{run}"));
        for step in 0..3 {
            if step == 2 {
                if count == 1 {
                    continue;
                }
                // Another content of the same size.
                let bytes = vec![u8::try_from(run + 1).unwrap_or(0); size];
                fs::write(&some_file, bytes).map_err(|source| file("the edit", source))?;
            }
            let pushed = timed(
                Command::new(&tools.ours)
                    .arg(&tree)
                    .args([&endpoint, BUCKET, &ours, ACCESS_KEY, SECRET_KEY]),
            )?;
            seconds.ours[step].push(pushed["seconds"].as_f64().unwrap_or(f64::NAN));
            seconds.peak = seconds.peak.max(pushed["peak_kib"].as_u64().unwrap_or(0));
            let mut python = Command::new(&tools.python);
            python
                .arg(&tools.script)
                .arg(&tree)
                .args([&endpoint, BUCKET, &theirs, ACCESS_KEY, SECRET_KEY]);
            seconds.python[step].push(timed(&mut python)?["seconds"].as_f64().unwrap_or(f64::NAN));
            if step == 0 {
                let begin = Instant::now();
                let mut s5cmd = Command::new(&tools.s5cmd);
                s5cmd
                    .args(["--endpoint-url", &endpoint, "cp"])
                    .arg(&tar)
                    .arg(format!("s3://{BUCKET}/s5-{run}/context.tar"));
                s5cmd
                    .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
                    .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
                    .env("AWS_REGION", "us-east-1");
                output(&mut s5cmd)?;
                seconds.s5cmd.push(begin.elapsed().as_secs_f64());
            }
        }
    }
    let medians = |lists: &[Vec<f64>; 3]| lists.iter().map(|list| median(list)).collect::<Vec<_>>();
    Ok(json!({
        "tree": name,
        "ours": medians(&seconds.ours),
        "python": medians(&seconds.python),
        "s5cmd": median(&seconds.s5cmd),
        "peak_kib": seconds.peak,
        "all": {"ours": seconds.ours, "python": seconds.python, "s5cmd": seconds.s5cmd},
    }))
}

/// Makes a tree of files that do not compress, and names one in its middle.
fn make(root: &Path, count: u64, size: usize) -> io::Result<PathBuf> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut chunk = vec![0; size.min(1 << 20)];
    let mut middle = root.to_owned();
    for number in 0..count {
        let folder = root.join(format!("{:04}", number / 100));
        fs::create_dir_all(&folder)?;
        let path = folder.join(format!("f{number:06}.js"));
        let mut file = io::BufWriter::new(fs::File::create(&path)?);
        let mut left = size;
        while left > 0 {
            for bytes in chunk.chunks_mut(8) {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let length = bytes.len();
                bytes.copy_from_slice(&state.to_le_bytes()[..length]);
            }
            let part = left.min(chunk.len());
            file.write_all(&chunk[..part])?;
            left -= part;
        }
        file.flush()?;
        if number == count / 2 {
            middle = path;
        }
    }
    Ok(middle)
}

fn median(list: &[f64]) -> Option<f64> {
    let mut sorted = list.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

fn table(figures: &[Value]) -> String {
    let mut text = String::from(
        "\nmedian seconds          first push            | again           | after an edit   | peak memory\n\
         tree                    ours  Python  s5cmd   | ours   Python   | ours   Python   | ours\n",
    );
    for row in figures {
        let number = |value: &Value| {
            value
                .as_f64()
                .map_or_else(|| "–".to_owned(), |seconds| format!("{seconds:.2}"))
        };
        let ratio = |step: usize| match (row["python"][step].as_f64(), row["ours"][step].as_f64()) {
            (Some(theirs), Some(ours)) => format!("{:.1}x", theirs / ours),
            _ => "–".to_owned(),
        };
        let against = row["ours"][0]
            .as_f64()
            .zip(row["s5cmd"].as_f64())
            .map(|(ours, theirs)| ours / theirs);
        let _ = writeln!(
            text,
            "{:22} {:>5} {:>6} {:>6}   | {:>5} {:>6}    | {:>5} {:>6}    | {} MiB",
            row["tree"].as_str().unwrap_or_default(),
            number(&row["ours"][0]),
            number(&row["python"][0]),
            number(&row["s5cmd"]),
            number(&row["ours"][1]),
            number(&row["python"][1]),
            number(&row["ours"][2]),
            number(&row["python"][2]),
            row["peak_kib"].as_u64().unwrap_or(0) / 1024,
        );
        let _ = writeln!(
            text,
            "  Python takes          {}; of s5cmd's time {}  | {}  | {}",
            ratio(0),
            against.map_or_else(String::new, |against| format!("{against:.2}")),
            ratio(1),
            ratio(2),
        );
    }
    text
}

/// Runs a program that prints its figures as JSON.
fn timed(command: &mut Command) -> Result<Value, Error> {
    let text = output(command)?;
    serde_json::from_str(text.trim()).map_err(|error| Error::Failed {
        what: command.get_program().display().to_string(),
        said: error.to_string(),
    })
}

fn output(command: &mut Command) -> Result<String, Error> {
    let what = command.get_program().display().to_string();
    tools::quiet(command).map_err(|source| file(&what, source))
}

fn file(what: &str, source: io::Error) -> Error {
    Error::File {
        what: what.to_owned(),
        source,
    }
}
