//! Who uses a snapshot.

use std::time::Duration;

use daytona_api::DeleteSandbox;
use daytona_emulator::{Emulator, Operation, SandboxScript, SeededSnapshot};
use daytona_sdk::{InUse, PrunePolicy, PruneReason, Sandbox};

use crate::support::{count, in_process, send, start_sandbox};

fn names(sandboxes: &[Sandbox]) -> Vec<&str> {
    sandboxes.iter().map(|sandbox| sandbox.name.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn sandboxes_are_found_by_the_name_of_their_snapshot() {
    let (emulator, daytona) = in_process(Emulator::builder());
    for name in ["a:1", "b:1"] {
        emulator.add_snapshot(SeededSnapshot::from_image(name, "a:1"));
    }
    assert!(daytona.snapshots().in_use("a:1").await.unwrap().is_empty());
    for number in 0..250 {
        start_sandbox(&emulator, "a:1", &format!("box-{number}")).await;
    }
    start_sandbox(&emulator, "b:1", "other").await;
    let InUse {
        sandboxes, of_earlier, ..
    } = daytona.snapshots().in_use("a:1").await.unwrap();
    assert_eq!((sandboxes.len(), of_earlier.len()), (250, 0));
    assert_eq!(count(&emulator, Operation::ListSandboxes), 3, "one for none, two pages");
    let snapshot = daytona.snapshots().get("b:1").await.unwrap();
    let in_use = daytona.snapshots().in_use(&snapshot).await.unwrap();
    assert_eq!(names(&in_use.sandboxes), ["other"]);
}

#[tokio::test(start_paused = true)]
async fn those_of_an_earlier_snapshot_of_the_name_are_told_apart() {
    let (emulator, daytona) = in_process(Emulator::builder());
    let first = emulator.add_snapshot(SeededSnapshot::from_image("a:1", "a:1"));
    start_sandbox(&emulator, "a:1", "old").await;
    emulator.remove_snapshot(&first);
    tokio::time::sleep(Duration::from_mins(1)).await;
    emulator.add_snapshot(SeededSnapshot::from_image("a:1", "a:1"));
    let in_use = daytona.snapshots().in_use("a:1").await.unwrap();
    assert!(in_use.is_empty());
    assert_eq!(names(&in_use.of_earlier), ["old"]);
    start_sandbox(&emulator, "a:1", "new").await;
    let in_use = daytona.snapshots().in_use("a:1").await.unwrap();
    assert_eq!(
        (names(&in_use.sandboxes), names(&in_use.of_earlier)),
        (vec!["new"], vec!["old"])
    );
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_failed_counts_for_a_day() {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.add_snapshot(SeededSnapshot::from_image("a:1", "a:1"));
    emulator.script_sandboxes(SandboxScript::for_name("box").removal_fails("device or resource busy"));
    start_sandbox(&emulator, "a:1", "box").await;
    send(&emulator, &DeleteSandbox::new("box")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let in_use = daytona.snapshots().in_use("a:1").await.unwrap();
    let [left] = in_use.sandboxes.as_slice() else {
        panic!("{in_use:?}")
    };
    assert_eq!(left.error_reason.as_deref(), Some("device or resource busy"));
    assert_eq!(left.desired_state.as_deref(), Some("destroyed"));
    tokio::time::sleep(Duration::from_hours(24)).await;
    assert!(daytona.snapshots().in_use("a:1").await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_pruning_leaves_what_is_in_use_and_says_why() {
    let (emulator, daytona) = in_process(Emulator::builder());
    for (name, state) in [
        ("used", "active"),
        ("free", "active"),
        ("late", "active"),
        ("failed", "error"),
        ("kept", "active"),
    ] {
        emulator.add_snapshot(SeededSnapshot::from_image(name, "a:1").state(state));
    }
    emulator.add_sandbox("used", "one").unwrap();
    emulator.add_sandbox("used", "two").unwrap();
    let policy = PrunePolicy::keep_newest(0).not_in_use().except(["kept"]);
    let plan = daytona.snapshots().prune(policy).await.unwrap();
    let mut reasons: Vec<(&str, PruneReason)> = plan
        .reasons()
        .map(|(snapshot, reason)| (snapshot.name.as_str(), reason))
        .collect();
    reasons.sort_by_key(|(name, _)| *name);
    assert_eq!(
        reasons,
        [
            ("failed", PruneReason::Failed),
            ("free", PruneReason::Rules),
            ("kept", PruneReason::Excepted),
            ("late", PruneReason::Rules),
            ("used", PruneReason::InUse { sandboxes: 2 }),
        ]
    );
    assert!(
        plan.to_keep()
            .iter()
            .all(|snapshot| ["used", "kept"].contains(&snapshot.name.as_str()))
    );
    // Somebody starts one after the plan was made. The snapshot itself is changed by that only once a minute.
    emulator.add_sandbox("late", "three").unwrap();
    let report = plan.apply().await.unwrap();
    let deleted: Vec<&str> = report.deleted.iter().map(|snapshot| snapshot.name.as_str()).collect();
    assert!(
        deleted.contains(&"free") && deleted.contains(&"failed") && deleted.len() == 2,
        "{deleted:?}"
    );
    assert_eq!(report.changed.len(), 1);

    // Without the rule they go from under their sandboxes.
    let plan = daytona.snapshots().prune(PrunePolicy::keep_newest(0)).await.unwrap();
    assert!(plan.to_delete().iter().any(|snapshot| snapshot.name == "used"));
}
