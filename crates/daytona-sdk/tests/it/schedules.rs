//! Creations and ensurings under random faults, beside a second client that creates, ensures, deletes and deactivates: whatever
//! happens, the outcome is the right snapshot or an error that is true, in time; nothing of somebody else's is deleted; and the
//! log is whole or says where it is not.
//!
//! Each schedule follows from its seed, which a failure prints. `cargo test` runs 2,000 of them. With `DAYTONA_SCHEDULES=N` in
//! the environment it runs the first N instead, and with `DAYTONA_SCHEDULE=SEED` that one alone.

use std::collections::{BTreeMap, HashSet};
use std::future::IntoFuture;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use daytona_emulator::{ApiKey, Emulator, EmulatorService, ReadLag, UserToken};
use daytona_sdk::transport::{RequestBody, ResponseBody, ServiceTransport, Transport, TransportError};
use daytona_sdk::{CreateSnapshotParams, Daytona, DaytonaBuilder, Error, Event, Image, ImagePlan, Snapshot};
use http::{Method, Request, Response};
use jiff::SignedDuration;

use crate::support::{Heard, another, app_plan, folder, large_folder};

mod judge;
mod neighbours;
mod schedule;

use judge::problem;
use schedule::{Act, Rival, Schedule};

const SCHEDULES: u64 = 2_000;
const DEADLINE: Duration = Duration::from_mins(20);
/// A request whose answer did not come before the deadline is settled in this time.
const GRACE: Duration = Duration::from_secs(6);
const LINES: usize = 12;

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
    another(emulator)
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
    #[expect(clippy::disallowed_methods, reason = "which to run is the caller's choice")]
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("DAYTONA_SCHEDULE") {
        Some(seed) => seed..seed + 1,
        None => 0..number("DAYTONA_SCHEDULES").unwrap_or(SCHEDULES),
    };
    let is_all = seeds.end - seeds.start > 1;
    // One archive is sent without being looked for, the other is looked for first.
    let folders = [folder(&["app/main.py"]), large_folder("app/main.py")];
    let plans = folders.each_ref().map(|folder| app_plan(folder.path()));
    let next = AtomicU64::new(seeds.start);
    let judged_all = Mutex::new(Vec::new());
    let work = || loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= seeds.end {
            return;
        }
        let (kind, problem) = judged(seed, &plans[usize::from(seed % 2 == 1)]);
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
    if !is_all {
        return;
    }
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
