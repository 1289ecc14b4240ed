//! Creations under random faults: whatever goes wrong, the outcome is the right snapshot or an error that is true, in time, and the
//! log is whole or says where it is not.
//!
//! Each schedule follows from its seed, which a failure prints. `cargo test` runs a thousand; with `DAYTONA_SCHEDULES=N` in the
//! environment it runs the N after them too.

use std::time::Duration;

use daytona_emulator::{Emulator, Fault, Operation, Script};
use daytona_sdk::{CreateSnapshotParams, Daytona, Error, ErrorKind, Event, ImagePlan, Snapshot, SnapshotState};

use crate::support::{Heard, app_plan, folder, in_process};

const SCHEDULES: u64 = 1_000;
const DEADLINE: Duration = Duration::from_mins(20);
const LINES: usize = 12;

/// A small generator (`SplitMix64`): the same schedule for the same seed, everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }
}

#[derive(Debug)]
struct Schedule {
    fails: bool,
    /// States that have no place where they come, before the last.
    detours: Vec<&'static str>,
    faults: Vec<Fault>,
}

impl Schedule {
    fn of(seed: u64) -> Self {
        let mut random = Random(seed);
        let count = random.below(6);
        let faults = (0..count).map(|_| fault(&mut random)).collect();
        let detours = if random.chance(30) {
            let states = ["pending", "building", "pulling", "snapshotting", "zzz"];
            (0..=random.below(4)).map(|_| random.pick(&states)).collect()
        } else {
            Vec::new()
        };
        Self {
            fails: random.chance(25),
            detours,
            faults,
        }
    }

    fn script(&self) -> Script {
        let lines = (0..LINES).map(|number| format!("#{number} é\u{1f980} step"));
        let script = Script::for_name("made").log(lines);
        if !self.detours.is_empty() {
            let after = Duration::from_secs(7);
            let script = self
                .detours
                .iter()
                .fold(script, |script, state| script.state(after, *state));
            return if self.fails {
                script.failure(after, "error", "exit code: 1")
            } else {
                script.state(after, "active")
            };
        }
        let script = script.takes(Duration::from_secs(45));
        if self.fails {
            script.fails("exit code: 1")
        } else {
            script
        }
    }
}

fn fault(random: &mut Random) -> Fault {
    let operation = random.pick(&[
        Operation::GetPushAccess,
        Operation::HeadObject,
        Operation::PutObject,
        Operation::CreateSnapshot,
        Operation::CreateSnapshot,
        Operation::GetSnapshot,
        Operation::GetSnapshot,
        Operation::GetSnapshotBuildLogsUrl,
        Operation::ReadBuildLog,
        Operation::ReadBuildLog,
    ]);
    let fault = match random.below(8) {
        0 | 1 => Fault::status(random.pick(&[500, 502, 503, 504])),
        2 => Fault::status(429).header("Retry-After-authenticated", random.pick(&["1", "7", "30"])),
        3 => Fault::disconnect(),
        4 => Fault::lose_answer(),
        5 => Fault::delay(Duration::from_secs(random.pick(&[1, 20, 90]))),
        6 => Fault::truncate(random.pick(&[0, 1, 20, 47, 100])),
        _ => Fault::stall(random.pick(&[0, 30])),
    };
    let times = if random.chance(10) { 1_000 } else { 1 + random.below(4) };
    fault.on(operation).nth(1 + random.below(4)).times(times)
}

struct Outcome {
    result: Result<Snapshot, Error>,
    heard: Heard,
    took: Duration,
}

async fn run(schedule: &Schedule, plan: ImagePlan) -> (Emulator, Daytona, Outcome) {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.script(schedule.script());
    for fault in &schedule.faults {
        emulator.inject(fault.clone());
    }
    let heard = Heard::default();
    let begun = tokio::time::Instant::now();
    let create = daytona
        .snapshots()
        .create(CreateSnapshotParams::new("made", plan))
        .timeout(DEADLINE)
        .on_event(heard.callback());
    let result = create.await;
    let took = begun.elapsed();
    emulator.clear_faults();
    (emulator, daytona, Outcome { result, heard, took })
}

/// What is there under the name, without faults.
async fn there(daytona: &Daytona) -> Option<Snapshot> {
    match daytona.snapshots().get("made").await {
        Ok(found) => Some(found),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => panic!("{error:?}"),
    }
}

/// What is wrong with the outcome.
async fn problem(daytona: &Daytona, schedule: &Schedule, outcome: &Outcome) -> Option<String> {
    if outcome.took > DEADLINE + Duration::from_secs(1) {
        return Some(format!("took {:?}", outcome.took));
    }
    let there = there(daytona).await;
    let has_storage_fault = schedule
        .faults
        .iter()
        .any(|fault| format!("{fault:?}").contains("Object"));
    match &outcome.result {
        Ok(snapshot) => {
            let Some(there) = &there else {
                return Some("success, and nothing is there".into());
            };
            if snapshot.state != SnapshotState::Active
                || there.state != SnapshotState::Active
                || there.id != snapshot.id
            {
                return Some(format!("success with {snapshot:?}, there is {there:?}"));
            }
            if schedule.fails {
                return Some("a failure counts as success".into());
            }
        }
        Err(error) => {
            let text = error.to_string();
            if text.contains('\n') {
                return Some(format!("more than a line: {text}"));
            }
            let known = error.snapshot();
            let is_true = match error.kind() {
                ErrorKind::BuildFailed => {
                    let there = there.as_ref();
                    let has_failed = there.is_some_and(|there| {
                        there.state == SnapshotState::Error && known.is_some_and(|known| known.id == there.id)
                    });
                    schedule.fails && has_failed && error.reason() == Some("exit code: 1")
                }
                ErrorKind::WaitTimeout => {
                    // It carries the id from when the server has told it.
                    let has_id = known.is_some_and(|known| there.as_ref().is_some_and(|there| there.id == known.id));
                    error.elapsed().is_some_and(|elapsed| elapsed >= DEADLINE) && (has_id || known.is_none())
                }
                ErrorKind::Connection
                | ErrorKind::Timeout
                | ErrorKind::Unavailable
                | ErrorKind::ServerError
                | ErrorKind::RateLimited
                | ErrorKind::Decode
                | ErrorKind::NotAnApi => {
                    // Before the server has accepted it, nothing is there, or that is what is said.
                    let is_learned = !text.contains("could not be learned");
                    known.is_some() || there.is_none() || !is_learned
                }
                ErrorKind::ObjectStorage => there.is_none() && has_storage_fault,
                _ => false,
            };
            if !is_true {
                return Some(format!("{error:?}; there is {there:?}"));
            }
        }
    }
    log_problem(daytona, outcome, there.as_ref()).await
}

/// Each line comes once and in order, or a gap says what is missing.
async fn log_problem(daytona: &Daytona, outcome: &Outcome, there: Option<&Snapshot>) -> Option<String> {
    let heard = outcome.heard.log();
    let written: Vec<String> = match there {
        Some(there) => match daytona.snapshots().build_logs(there).await {
            Ok(lines) => lines.iter().map(ToString::to_string).collect(),
            Err(_) => Vec::new(),
        },
        None => Vec::new(),
    };
    let mut rest = written.iter();
    if !heard.iter().all(|line| rest.any(|written| written == line)) {
        return Some(format!(
            "lines are repeated, or in another order: {heard:?} of {written:?}"
        ));
    }
    let has_gap = outcome
        .heard
        .events()
        .iter()
        .any(|event| matches!(event, Event::LogGap(_)));
    let is_done = match &outcome.result {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::BuildFailed,
    };
    if is_done && heard.len() < written.len() && !has_gap {
        return Some(format!("only {} of {} lines, and no gap", heard.len(), written.len()));
    }
    None
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
}

#[test]
fn whatever_goes_wrong_the_outcome_is_true() {
    #[expect(clippy::disallowed_methods, reason = "how many to run is the caller's choice")]
    let more = std::env::var("DAYTONA_SCHEDULES")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(0);
    let folder = folder(&["app/main.py"]);
    let plan = app_plan(folder.path());
    let mut outcomes = std::collections::BTreeMap::<String, u32>::new();
    for seed in 0..SCHEDULES + more {
        let schedule = Schedule::of(seed);
        let plan = plan.clone();
        let problem = runtime().block_on(async {
            let (_emulator, daytona, outcome) = run(&schedule, plan).await;
            let kind = match &outcome.result {
                Ok(_) => "active".to_owned(),
                Err(error) => error.kind().to_string(),
            };
            *outcomes.entry(kind).or_default() += 1;
            let problem = problem(&daytona, &schedule, &outcome).await;
            problem.map(|problem| format!("{problem}\nheard: {:#?}", outcome.heard.events()))
        });
        if let Some(problem) = problem {
            panic!("seed {seed}: {problem}\n{schedule:#?}");
        }
    }
    println!("{outcomes:?}");
    // Most go well, and each end was seen: else the schedules test nothing.
    for kind in ["active", "build_failed", "wait_timeout", "unavailable", "connection"] {
        assert!(outcomes.contains_key(kind), "{outcomes:?}");
    }
}
