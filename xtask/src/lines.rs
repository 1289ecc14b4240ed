//! `cargo xtask lines`: creations over lines that are slow, pause, or end in a black hole. Real sockets, real seconds.
//!
//! Each case is a process with a line of its own to one emulator, which is API and object storage in one. All of them run at the
//! same time, as they wait most of it. What counts is how they end, not when; but each has to end.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::emulator::Emulator;
use crate::line::{Hold, Line, Relay};
use crate::tools::{self, say};

/// Nothing may wait longer. A black hole is found sooner by far.
const LONGEST: Duration = Duration::from_mins(20);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{what}: {source}")]
    Process { what: String, source: io::Error },
    #[error("{count} cases did not end as they should:\n{list}")]
    Wrong { count: usize, list: String },
}

/// One creation over one line.
#[derive(Debug, Clone)]
struct Case {
    name: String,
    line: Line,
    /// `api`: the request is large. `storage`: the context is.
    what: &'static str,
    bytes: u64,
    /// Seconds without progress after which a request is given up, if not the default.
    stall: Option<u64>,
    succeeds: bool,
}

/// The API takes no request that is larger than 100 KiB.
const LARGEST_REQUEST: u64 = 90 << 10;

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for what in ["api", "storage"] {
        for (name, rate) in [
            ("1 KiB/s", 1 << 10),
            ("16 kbit/s", 2_000),
            ("64 kbit/s", 8_000),
            ("128 kbit/s", 16_000),
        ] {
            // One and a half stall limits: who counts from the beginning fails.
            let bytes = rate * 90;
            cases.push(Case {
                name: name.to_owned(),
                line: Line::slow(rate),
                what,
                bytes: if what == "api" {
                    bytes.min(LARGEST_REQUEST)
                } else {
                    bytes
                },
                stall: None,
                succeeds: true,
            });
        }
        let held = |pause: Option<u64>| Line {
            hold: Some(Hold {
                after: 30_000,
                pause: pause.map(Duration::from_secs),
            }),
            ..Line::slow(100_000)
        };
        let bytes = if what == "api" { LARGEST_REQUEST } else { 2_000_000 };
        cases.push(Case {
            name: "a pause of 45 s, limit 60 s".to_owned(),
            line: held(Some(45)),
            what,
            bytes,
            stall: Some(60),
            succeeds: true,
        });
        if what == "storage" {
            // More than one archive holds: several requests share what is little.
            cases.push(Case {
                name: "256 kbit/s, several archives".to_owned(),
                line: Line::slow(32_000),
                what,
                bytes: 9_500_000,
                stall: None,
                succeeds: true,
            });
        }
        cases.push(Case {
            name: "a black hole, limit 5 s".to_owned(),
            line: held(None),
            what,
            // What the kernel has taken may count as on its way while a slow line would take it.
            bytes: LARGEST_REQUEST,
            stall: Some(5),
            succeeds: false,
        });
    }
    cases
}

pub(crate) fn run(workspace: &Path) -> Result<(), Error> {
    let built = std::env::current_exe().map_err(|source| failed("this program", source))?;
    let target = built.ancestors().nth(2).unwrap_or(workspace).to_owned();
    let scratch = target.join("lines");
    fs::create_dir_all(&scratch).map_err(|source| failed("the scratch folder", source))?;
    Emulator::build(workspace, &target).map_err(|source| failed("the emulator", source))?;
    let mut build = tools::cargo(workspace);
    build
        .args([
            "build",
            "--quiet",
            "--package",
            "daytona-sdk",
            "--example",
            "slow_line",
            "--target-dir",
        ])
        .arg(&target)
        .current_dir(workspace);
    tools::quiet(&mut build).map_err(|source| failed("the example slow_line", source))?;
    let program = target.join("debug/examples/slow_line");
    let emulator = Emulator::start(&target, &scratch).map_err(|source| failed("the emulator", source))?;

    let mut running = Vec::new();
    for (number, case) in cases().into_iter().enumerate() {
        let started = Running::start(case, number, &program, &emulator);
        running.push(started.map_err(|source| failed("a case", source))?);
    }
    let begun = Instant::now();
    let mut wrong = Vec::new();
    while !running.is_empty() {
        let mut left = Vec::new();
        for mut one in running {
            let is_over = one.child.try_wait().map_err(|source| failed(&one.case.name, source))?;
            match is_over.map(|status| status.success()) {
                None if begun.elapsed() < LONGEST => left.push(one),
                ended => wrong.extend(one.judge(ended, begun.elapsed())),
            }
        }
        running = left;
        std::thread::park_timeout(Duration::from_millis(100));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Error::Wrong {
        count: wrong.len(),
        list: wrong.join("\n"),
    })
}

struct Running {
    case: Case,
    child: Child,
    relay: Relay,
}

impl Running {
    fn start(case: Case, number: usize, program: &Path, emulator: &Emulator) -> io::Result<Self> {
        let relay = Relay::start(case.line.clone(), &[emulator.address()?])?;
        let mut command = Command::new(program);
        command
            .args([case.what, &case.bytes.to_string(), &format!("case-{number}")])
            .args(case.stall.map(|seconds| seconds.to_string()));
        tools::without_account(&mut command)
            .env("DAYTONA_API_URL", format!("http://{}/api", relay.address(0)))
            .env("DAYTONA_API_KEY", &emulator.api_key)
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        Ok(Self {
            child: command.spawn()?,
            case,
            relay,
        })
    }

    /// What is wrong, if something is. `ended` says whether it succeeded.
    fn judge(mut self, ended: Option<bool>, took: Duration) -> Option<String> {
        drop(self.child.kill());
        let mut said = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            drop(stderr.read_to_string(&mut said));
        }
        // What failed for another reason has not seen the hole, and what had nothing to send has not seen the line.
        let passed = self.relay.traffic(0).up;
        let least = self.case.line.hold.map_or(self.case.bytes, |hold| hold.after);
        let is_right = ended == Some(self.case.succeeds) && passed > least;
        let outcome = match ended {
            None => "is still waiting",
            Some(true) => "succeeded",
            Some(false) => "failed",
        };
        let case = &self.case;
        let text = format!(
            "{} {:<8} {:<28} {outcome} after {:.0} s; {} bytes to send, {passed} passed; {}",
            if is_right { "ok   " } else { "WRONG" },
            case.what,
            case.name,
            took.as_secs_f64(),
            case.bytes,
            said.trim(),
        );
        say(&text);
        (!is_right).then_some(text)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn failed(what: &str, source: io::Error) -> Error {
    Error::Process {
        what: what.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_tried_for_both_and_a_slow_one_takes_longer_than_a_stall() {
        let cases = cases();
        let of = |what| cases.iter().filter(move |case| case.what == what);
        assert_eq!(of("api").count() + 1, of("storage").count());
        for case in of("storage").filter(|case| case.stall.is_none()) {
            assert!(case.line.limit(case.bytes) > 60.0, "{case:?}");
        }
        assert_eq!(cases.iter().filter(|case| !case.succeeds).count(), 2);
    }
}
