//! Smoke boots and captures under random faults: the outcome is true, and no sandbox of ours is left, whenever the future is dropped.

use std::future::IntoFuture;
use std::time::Duration;

use daytona_emulator::{Emulator, Fault, Operation, SandboxScript, SeededSnapshot};
use daytona_sdk::{ErrorKind, SandboxState};

use super::schedule::Random;
use super::{honest, runtime};
use crate::support::start_sandbox;
use crate::verify::nothing_is_left;

const SCHEDULES: u64 = 400;
const MINUTE: Duration = Duration::from_mins(1);
const DEADLINE: Duration = Duration::from_mins(5);

fn fault(random: &mut Random, operations: &[Operation]) -> Fault {
    let fault = match random.below(8) {
        0 => Fault::status(random.pick(&[500, 502, 503])),
        1 => Fault::status(429).header("Retry-After-authenticated", random.pick(&["1", "20"])),
        2 => Fault::disconnect(),
        3 => Fault::lose_answer(),
        4 => Fault::delay(Duration::from_secs(random.pick(&[1, 20, 90]))),
        5 => Fault::gateway_page(random.pick(&[502, 504, 524])).carried_out(),
        6 => Fault::truncate(random.pick(&[0, 20])),
        _ => Fault::status(409).message("Sandbox state change in progress"),
    };
    let fault = if random.chance(10) {
        fault.times(1_000)
    } else {
        fault.times(1 + random.below(4))
    };
    fault.on(random.pick(operations)).nth(1 + random.below(3))
}

/// Whether such an error may come of faults alone.
fn is_of_a_fault(kind: ErrorKind) -> bool {
    use ErrorKind::{
        AlreadyExists, Busy, Connection, Decode, NotAnApi, RateLimited, ServerError, Timeout, Unavailable, WaitTimeout,
    };
    matches!(
        kind,
        AlreadyExists
            | Busy
            | Connection
            | Decode
            | NotAnApi
            | RateLimited
            | ServerError
            | Timeout
            | Unavailable
            | WaitTimeout
    )
}

async fn verified(seed: u64) {
    let mut random = Random::of(seed);
    let emulator = Emulator::builder().in_process().unwrap();
    emulator.add_snapshot(SeededSnapshot::from_image("web:1", "a:1"));
    let takes = Duration::from_secs(random.pick(&[0, 3, 25, 45]));
    let fails = random.chance(25);
    let script = SandboxScript::for_snapshot("web:1").takes(takes);
    emulator.script_sandboxes(if fails {
        script.fails("sandbox exited with code 1, reason: ")
    } else {
        script
    });
    let operations = [
        Operation::GetCurrentApiKey,
        Operation::GetSnapshot,
        Operation::CreateSandbox,
        Operation::CreateSandbox,
        Operation::GetSandbox,
        Operation::DeleteSandbox,
    ];
    for _ in 0..random.below(5) {
        emulator.inject(fault(&mut random, &operations));
    }
    let verify = honest(&emulator)
        .snapshots()
        .verify("web:1")
        .timeout(DEADLINE)
        .into_future();
    let outcome = if random.chance(40) {
        let dropped_after = Duration::from_millis(random.below(60_000));
        tokio::time::timeout(dropped_after, verify).await.ok()
    } else {
        Some(verify.await)
    };
    match outcome {
        None => {}
        Some(Ok(_)) => assert!(!fails, "seed {seed}: it does not start"),
        Some(Err(error)) if error.kind() == ErrorKind::DoesNotStart => {
            assert!(fails, "seed {seed}: {error:?}");
            assert!(error.to_string().contains("does not start"), "seed {seed}: {error:?}");
        }
        Some(Err(error)) => assert!(is_of_a_fault(error.kind()), "seed {seed}: {error:?}"),
    }
    emulator.clear_faults();
    tokio::time::sleep(MINUTE * 15).await;
    if fails {
        // What could not be deleted while it could be tried is for a sweep.
        tokio::time::sleep(Duration::from_hours(1)).await;
        let report = honest(&emulator).snapshots().sweep().await.unwrap();
        assert!(report.failed.is_empty(), "seed {seed}");
    }
    nothing_is_left(&emulator).await;
}

async fn captured(seed: u64) {
    let mut random = Random::of(seed);
    let emulator = Emulator::builder().in_process().unwrap();
    emulator.add_snapshot(SeededSnapshot::from_image("web:1", "a:1"));
    let fails = random.chance(25);
    let script = SandboxScript::for_name("box")
        .capture_takes(Duration::from_secs(random.pick(&[0, 3, 45])))
        .record_lags(Duration::from_secs(random.pick(&[0, 2, 10])));
    emulator.script_sandboxes(if fails { script.capture_fails() } else { script });
    start_sandbox(&emulator, "web:1", "box").await;
    let operations = [
        Operation::GetCurrentApiKey,
        Operation::GetSnapshot,
        Operation::CreateSandboxSnapshot,
        Operation::CreateSandboxSnapshot,
        Operation::GetSandbox,
    ];
    for _ in 0..random.below(5) {
        emulator.inject(fault(&mut random, &operations));
    }
    let daytona = honest(&emulator);
    let outcome = daytona.snapshots().capture("box", "made:1").timeout(DEADLINE).await;
    emulator.clear_faults();
    tokio::time::sleep(MINUTE).await;
    let there = daytona.snapshots().get("made:1").await.ok();
    match outcome {
        Ok(made) => assert_eq!(there.map(|there| there.id), Some(made.id), "seed {seed}"),
        Err(error) if error.kind() == ErrorKind::BuildFailed => {
            assert!(fails && there.is_none(), "seed {seed}: {error:?}");
        }
        Err(error) => assert!(is_of_a_fault(error.kind()), "seed {seed}: {error:?}"),
    }
    assert_eq!(
        emulator.sandboxes().await[0].state,
        SandboxState::Started,
        "seed {seed}"
    );
}

#[test]
fn smoke_boots_leave_nothing_whatever_goes_wrong() {
    (0..SCHEDULES).for_each(|seed| runtime().block_on(verified(seed)));
}

#[test]
fn captures_tell_what_is_so_whatever_goes_wrong() {
    (0..SCHEDULES).for_each(|seed| runtime().block_on(captured(seed)));
}
