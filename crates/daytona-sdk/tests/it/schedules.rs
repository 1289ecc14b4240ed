//! Creations and ensurings under random faults, beside a second client that creates, ensures, deletes and deactivates: whatever
//! happens, the outcome is the right snapshot or an error that is true, in time; nothing of somebody else's is deleted; and the
//! log is whole or says where it is not.
//!
//! Each schedule follows from its seed, which a failure prints. `cargo test` runs some thousand; with `DAYTONA_SCHEDULES=N` in the
//! environment it runs the N after them too.

use std::collections::{BTreeMap, HashSet};
use std::future::IntoFuture;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use daytona_emulator::{ApiKey, Emulator, EmulatorService, Fault, Operation, ReadLag, Script, UserToken};
use daytona_sdk::transport::{RequestBody, ResponseBody, ServiceTransport, Transport, TransportError};
use daytona_sdk::{
    CreateSnapshotParams, Daytona, DaytonaBuilder, Error, ErrorKind, Event, Image, ImagePlan, Snapshot, SnapshotState,
};
use http::{Method, Request, Response};
use jiff::SignedDuration;

use crate::support::{Heard, app_plan, folder};

const SCHEDULES: u64 = 2_000;
const DEADLINE: Duration = Duration::from_mins(20);
/// A request whose answer did not come before the deadline is settled in this time.
const GRACE: Duration = Duration::from_secs(6);
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

/// What the client under test does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Create,
    Ensure,
    Replace,
}

/// What somebody else does meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rival {
    Nobody,
    /// Another name, the same build.
    Twin,
    CreatesTheSame,
    EnsuresTheSame,
    CreatesAnother,
    ReplacesByAnother,
    Deletes,
    Deactivates,
}

impl Rival {
    /// Whether it may have changed what was there at the end.
    fn is_destructive(self) -> bool {
        matches!(self, Self::Deletes | Self::Deactivates | Self::ReplacesByAnother)
    }

    /// Whether it may have created something under the name.
    fn creates(self) -> bool {
        matches!(
            self,
            Self::CreatesTheSame | Self::EnsuresTheSame | Self::CreatesAnother | Self::ReplacesByAnother
        )
    }
}

#[derive(Debug)]
struct Schedule {
    act: Act,
    rival: Rival,
    rival_after: Duration,
    fails: bool,
    is_user: bool,
    key_ends: Option<Duration>,
    lag: Option<(Duration, Duration)>,
    /// How far the server's time goes on with each event, as if the callback had taken so long.
    callback: Duration,
    /// States that have no place where they come, before the last.
    detours: Vec<&'static str>,
    faults: Vec<Fault>,
}

impl Schedule {
    fn of(seed: u64) -> Self {
        let mut random = Random(seed);
        let count = random.below(6);
        let faults = (0..count).map(|_| fault(&mut random)).collect();
        let detours = if random.chance(20) {
            let states = ["pending", "building", "pulling", "snapshotting", "zzz"];
            (0..=random.below(4)).map(|_| random.pick(&states)).collect()
        } else {
            Vec::new()
        };
        let seconds = |random: &mut Random, choices: &[u64]| Duration::from_secs(random.pick(choices));
        Self {
            act: random.pick(&[Act::Create, Act::Create, Act::Ensure, Act::Replace]),
            rival: random.pick(&[
                Rival::Nobody,
                Rival::Nobody,
                Rival::Nobody,
                Rival::Twin,
                Rival::Twin,
                Rival::CreatesTheSame,
                Rival::EnsuresTheSame,
                Rival::CreatesAnother,
                Rival::ReplacesByAnother,
                Rival::Deletes,
                Rival::Deactivates,
            ]),
            rival_after: Duration::from_millis(random.below(40_000)),
            fails: random.chance(20),
            is_user: random.chance(15),
            key_ends: random.chance(5).then(|| seconds(&mut random, &[1, 20, 60])),
            lag: random
                .chance(15)
                .then(|| (seconds(&mut random, &[0, 5, 20]), seconds(&mut random, &[0, 5, 20]))),
            callback: if random.chance(15) {
                seconds(&mut random, &[1, 3])
            } else {
                Duration::ZERO
            },
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

    /// Whether only one client acts, and so all that is there is its own.
    fn is_alone(&self) -> bool {
        self.rival == Rival::Nobody
    }
}

fn fault(random: &mut Random) -> Fault {
    let operation = random.pick(&[
        Operation::GetPushAccess,
        Operation::HeadObject,
        Operation::PutObject,
        Operation::CreateSnapshot,
        Operation::CreateSnapshot,
        Operation::CreateSnapshot,
        Operation::GetSnapshot,
        Operation::GetSnapshot,
        Operation::GetSnapshotBuildLogsUrl,
        Operation::ReadBuildLog,
        Operation::ReadBuildLog,
        Operation::RemoveSnapshot,
        Operation::RemoveSnapshot,
        Operation::ActivateSnapshot,
        Operation::GetAllSnapshots,
    ]);
    let fault = match random.below(12) {
        0 | 1 => Fault::status(random.pick(&[500, 502, 503, 504])),
        2 => {
            let wait = random.pick(&["1", "7", "30", "3600"]);
            Fault::status(429).header("Retry-After-authenticated", wait)
        }
        3 => Fault::disconnect(),
        4 => Fault::lose_answer(),
        5 => Fault::delay(Duration::from_secs(random.pick(&[1, 20, 90]))),
        6 => Fault::truncate(random.pick(&[0, 1, 20, 47, 100])),
        7 => Fault::gateway_page(random.pick(&[502, 520, 521, 524, 530])),
        8 => Fault::gateway_page(random.pick(&[502, 504, 524])).carried_out(),
        9 => Fault::ignore(),
        10 => Fault::undo(),
        _ => Fault::stall(random.pick(&[0, 30])),
    };
    let fault = if random.chance(15) {
        fault.while_under_way()
    } else {
        fault
    };
    let times = if random.chance(10) { 1_000 } else { 1 + random.below(4) };
    fault.on(operation).nth(1 + random.below(4)).times(times)
}

/// Notes which snapshots a client asks to delete.
#[derive(Debug)]
struct Watched {
    inner: ServiceTransport<EmulatorService>,
    deleted: Arc<Mutex<HashSet<String>>>,
}

#[async_trait]
impl Transport for Watched {
    async fn send(&self, request: Request<RequestBody>) -> Result<Response<ResponseBody>, TransportError> {
        let path = request.uri().path();
        if request.method() == Method::DELETE
            && let Some(id) = path.strip_prefix("/api/snapshots/")
        {
            self.deleted.lock().unwrap().insert(id.to_owned());
        }
        self.inner.send(request).await
    }
}

struct Outcome {
    result: Result<Snapshot, Error>,
    heard: Heard,
    took: Duration,
    deleted: HashSet<String>,
}

fn base(emulator: &Emulator) -> DaytonaBuilder {
    Daytona::builder().api_url(emulator.api_url())
}

/// A client that no fault hits, once these are cleared.
fn honest(emulator: &Emulator) -> Daytona {
    base(emulator)
        .api_key(emulator.api_key())
        .transport(ServiceTransport::new(emulator.service()))
        .build()
        .unwrap()
}

fn tested(emulator: &Emulator, schedule: &Schedule, deleted: &Arc<Mutex<HashSet<String>>>) -> Daytona {
    let organization = emulator.organization_id().to_owned();
    let builder = match schedule.key_ends {
        _ if schedule.is_user => {
            let token = emulator.add_user_token(UserToken::new([organization.clone()]));
            base(emulator).jwt_token(token).organization_id(organization)
        }
        Some(time) => {
            let end = emulator.clock().now() + SignedDuration::try_from(time).unwrap();
            base(emulator).api_key(emulator.add_api_key(ApiKey::new(organization).expires(end)))
        }
        None => base(emulator).api_key(emulator.api_key()),
    };
    let transport = Watched {
        inner: ServiceTransport::new(emulator.service()),
        deleted: Arc::clone(deleted),
    };
    builder.transport(transport).build().unwrap()
}

async fn rival(daytona: Daytona, schedule: (Rival, Duration), plan: ImagePlan) {
    let (rival, after) = schedule;
    let snapshots = daytona.snapshots();
    let same = |name: &str| CreateSnapshotParams::new(name, &plan);
    let another = || CreateSnapshotParams::new("made", Image::base("another:1").run_commands(["true"]));
    tokio::time::sleep(after).await;
    // What comes of it is its own affair.
    match rival {
        Rival::Nobody => {}
        Rival::Twin => drop(snapshots.create(same("twin")).await),
        Rival::CreatesTheSame => drop(snapshots.create(same("made")).await),
        Rival::EnsuresTheSame => drop(snapshots.ensure(same("made")).await),
        Rival::CreatesAnother => drop(snapshots.create(another()).await),
        Rival::ReplacesByAnother => drop(snapshots.ensure(another()).replace().timeout(DEADLINE).await),
        Rival::Deletes => drop(snapshots.delete("made").await),
        Rival::Deactivates => drop(snapshots.deactivate("made").await),
    }
}

async fn run(schedule: &Schedule, plan: ImagePlan) -> (Emulator, Outcome) {
    let emulator = Emulator::builder().in_process().unwrap();
    emulator.script(schedule.script());
    if let Some((created, deleted)) = schedule.lag {
        emulator.set_read_lag(ReadLag::new().created(created).deleted(deleted));
    }
    for fault in &schedule.faults {
        emulator.inject(fault.clone());
    }
    let deleted = Arc::default();
    let daytona = tested(&emulator, schedule, &deleted);
    let rival = tokio::spawn(rival(
        honest(&emulator),
        (schedule.rival, schedule.rival_after),
        plan.clone(),
    ));
    let heard = Heard::default();
    let (mut hear, clock, takes) = (heard.callback(), emulator.clock().clone(), schedule.callback);
    let callback = move |event: &Event| {
        hear(event);
        if !takes.is_zero() {
            clock.advance(takes);
        }
    };
    let params = CreateSnapshotParams::new("made", plan);
    let begun = tokio::time::Instant::now();
    let snapshots = daytona.snapshots();
    let result = match schedule.act {
        Act::Create => snapshots
            .create(params)
            .timeout(DEADLINE)
            .on_event(callback)
            .into_future(),
        Act::Ensure => snapshots
            .ensure(params)
            .timeout(DEADLINE)
            .on_event(callback)
            .into_future(),
        Act::Replace => {
            let ensure = snapshots.ensure(params).replace();
            ensure.timeout(DEADLINE).on_event(callback).into_future()
        }
    }
    .await;
    let took = begun.elapsed();
    rival.abort();
    emulator.clear_faults();
    emulator.set_read_lag(None);
    let deleted = deleted.lock().unwrap().clone();
    let outcome = Outcome {
        result,
        heard,
        took,
        deleted,
    };
    (emulator, outcome)
}

/// What is there under the name, without faults.
async fn there(daytona: &Daytona) -> Option<Snapshot> {
    match daytona.snapshots().get("made").await {
        Ok(found) => Some(found),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => panic!("{error:?}"),
    }
}

/// The ids of what the call was told that its own request has created.
fn created(outcome: &Outcome) -> HashSet<String> {
    let mut adopted = HashSet::new();
    let mut created = HashSet::new();
    for event in outcome.heard.events() {
        match event {
            Event::Adopted { id, .. } => drop(adopted.insert(id.to_string())),
            Event::Accepted { id, .. } if !adopted.contains(id.as_str()) => drop(created.insert(id.to_string())),
            _ => {}
        }
    }
    created
}

/// What is wrong with the outcome.
async fn problem(emulator: &Emulator, schedule: &Schedule, outcome: &Outcome) -> Option<String> {
    if outcome.took > DEADLINE + GRACE {
        return Some(format!("took {:?}", outcome.took));
    }
    let own = created(outcome);
    if schedule.act != Act::Replace
        && let Some(id) = outcome.deleted.iter().find(|id| !own.contains(*id))
    {
        return Some(format!("deleted {id}, which it has not made; it made {own:?}"));
    }
    let daytona = honest(emulator);
    let there = there(&daytona).await;
    match &outcome.result {
        Ok(snapshot) => {
            let is_there = there
                .as_ref()
                .is_some_and(|there| there.state == SnapshotState::Active && there.id == snapshot.id);
            if snapshot.state != SnapshotState::Active || !is_there && !schedule.rival.is_destructive() {
                return Some(format!("success with {snapshot:?}, there is {there:?}"));
            }
            if schedule.fails && schedule.rival != Rival::Twin && !schedule.rival.creates() {
                return Some("a failure counts as success".into());
            }
        }
        Err(error) => {
            if error.to_string().contains('\n') {
                return Some(format!("more than a line: {error}"));
            }
            if !is_true(schedule, error, there.as_ref()) {
                return Some(format!("{error:?}; there is {there:?}"));
            }
        }
    }
    if !schedule.is_alone() || schedule.is_user || !schedule.callback.is_zero() {
        // The builds of others write to the same log, and a user's is relayed only for a while.
        return None;
    }
    log_problem(&daytona, outcome, there.as_ref()).await
}

/// Whether the error says what is so.
fn is_true(schedule: &Schedule, error: &Error, there: Option<&Snapshot>) -> bool {
    let Schedule { act, rival, .. } = *schedule;
    let text = error.to_string();
    let known = error.snapshot();
    let names_it = known.is_some_and(|known| there.is_some_and(|there| there.id == known.id));
    let says_so = ["could not be learned", "may have accepted", "cannot be told"];
    let is_open = says_so.iter().any(|words| text.contains(words));
    let is_ensured = act != Act::Create;
    // Nothing of the call's own is there, or the error says which, or that it cannot be known.
    let is_told = there.is_none() || known.is_some() || is_open || rival.creates();
    match error.kind() {
        ErrorKind::BuildFailed => {
            let is_its_reason = error.reason() == Some("exit code: 1") && schedule.fails;
            let is_for_want_of_a_turn = error
                .reason()
                .is_some_and(|reason| reason.contains("already in progress"));
            (is_its_reason || is_for_want_of_a_turn) && (names_it || rival.is_destructive() || rival.creates())
        }
        ErrorKind::WaitTimeout => {
            let in_time = error.elapsed().is_some_and(|elapsed| elapsed >= DEADLINE);
            in_time && (is_told || known.is_none())
        }
        ErrorKind::AlreadyExists => !is_ensured && (names_it || is_open || rival != Rival::Nobody),
        ErrorKind::DefinitionMismatch => is_ensured && rival != Rival::Nobody,
        ErrorKind::NameReserved => there.is_some() || schedule.lag.is_some() || rival != Rival::Nobody,
        ErrorKind::Gone | ErrorKind::Cooldown => rival.is_destructive(),
        ErrorKind::Unauthorized => schedule.key_ends.is_some() && is_told,
        ErrorKind::ObjectStorage => {
            let is_faulty = |fault: &Fault| format!("{fault:?}").contains("Object");
            schedule.faults.iter().any(is_faulty) || schedule.key_ends.is_some()
        }
        kind if kind == ErrorKind::ServerError || error.is_retryable() => is_told,
        ErrorKind::Decode | ErrorKind::NotAnApi => is_told,
        _ => false,
    }
}

/// Each line comes once and in order, or a gap says what is missing.
async fn log_problem(daytona: &Daytona, outcome: &Outcome, there: Option<&Snapshot>) -> Option<String> {
    let events = outcome.heard.events();
    let has = |wanted: fn(&Event) -> bool| events.iter().any(wanted);
    if has(|event| matches!(event, Event::Recreated { .. })) || !has(|event| matches!(event, Event::State { .. })) {
        // Two builds, one after the other; or it was active when it was seen first.
        return None;
    }
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
    let has_gap = events.iter().any(|event| matches!(event, Event::LogGap(_)));
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

/// What came of one schedule, and what is wrong with it.
fn judged(seed: u64, plan: &ImagePlan) -> (String, Option<String>) {
    let schedule = Schedule::of(seed);
    runtime().block_on(async {
        let (emulator, outcome) = run(&schedule, plan.clone()).await;
        let kind = match &outcome.result {
            Ok(_) => "active".to_owned(),
            Err(error) => error.kind().to_string(),
        };
        let problem = problem(&emulator, &schedule, &outcome).await;
        let told = |problem| {
            format!(
                "seed {seed}: {problem}\n{schedule:#?}\nheard: {:#?}",
                outcome.heard.events()
            )
        };
        (kind, problem.map(told))
    })
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
    let next = AtomicU64::new(0);
    let judged_all = Mutex::new(Vec::new());
    let work = || loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= SCHEDULES + more {
            return;
        }
        let (kind, problem) = judged(seed, &plan);
        judged_all.lock().unwrap().push((seed, kind, problem));
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, std::num::NonZero::get) {
            scope.spawn(work);
        }
    });
    let mut outcomes = BTreeMap::<String, u32>::new();
    let mut wrong = Vec::new();
    for (seed, kind, problem) in judged_all.into_inner().unwrap() {
        *outcomes.entry(kind).or_default() += 1;
        if let Some(problem) = problem {
            if wrong.is_empty() {
                println!("{problem}");
            }
            wrong.push(seed);
        }
    }
    println!("{outcomes:?}");
    assert!(wrong.is_empty(), "these seeds are wrong: {wrong:?}");
    // Most go well, and each end was seen: else the schedules test nothing.
    for kind in [
        "active",
        "build_failed",
        "wait_timeout",
        "unavailable",
        "already_exists",
        "gone",
    ] {
        assert!(outcomes.contains_key(kind), "{outcomes:?}");
    }
}
