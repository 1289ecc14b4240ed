//! Waiting, on a clock that does not take its time.

use std::time::Duration;

use daytona_emulator::{Emulator, Fault, Operation};
use daytona_sdk::{Context, CreateSnapshotParams, ErrorKind, Event, Image, SnapshotState};

use crate::support::{
    Heard, app_plan, builder_of, count, create_and_hear, folder, image_params, in_process, large_folder,
};

#[tokio::test(start_paused = true)]
async fn a_build_of_two_hours_takes_no_time() {
    let (emulator, daytona) = in_process(Emulator::builder().build_time(Duration::from_hours(2)));
    let folder = folder(&["app/main.py"]);
    let started = emulator.clock().now();
    let params = CreateSnapshotParams::new("slow", app_plan(folder.path()));
    let (snapshot, heard) = create_and_hear(&daytona, params).await;

    assert_eq!(snapshot.state, SnapshotState::Active);
    assert_eq!(heard.states(), ["pending", "building", "active"]);
    let passed = emulator.clock().now().duration_since(started).as_secs();
    assert!((7_200..7_300).contains(&passed), "{passed} s on the emulator's clock");
    // A second apart for ten minutes, then two.
    let polls = count(&emulator, Operation::GetSnapshot);
    assert!((3_600..3_900).contains(&polls), "{polls} polls");
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_times_out_can_be_resumed() {
    let (_emulator, daytona) = in_process(Emulator::builder().build_time(Duration::from_mins(30)));
    let create = daytona
        .snapshots()
        .create(image_params("slow"))
        .timeout(Duration::from_mins(10));
    let error = create.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WaitTimeout);
    let seen = error.snapshot().unwrap();
    assert_eq!(
        (seen.name.as_str(), &seen.last_state),
        ("slow", &SnapshotState::Building)
    );
    assert!(error.to_string().contains("600s"), "{error}");
    let snapshot = daytona.snapshots().wait(seen.id.clone()).await.unwrap();
    assert_eq!(snapshot.state, SnapshotState::Active);
}

#[tokio::test(start_paused = true)]
async fn the_default_deadline_is_longer_than_the_servers_own() {
    let (_emulator, daytona) = in_process(Emulator::builder().build_time(Duration::from_hours(3)));
    let error = daytona.snapshots().create(image_params("x")).await.unwrap_err();
    assert!(error.to_string().contains("7800s"), "{error}");
    let (_emulator, daytona) = in_process(Emulator::builder().build_time(Duration::from_hours(3)));
    daytona
        .snapshots()
        .create(image_params("x"))
        .no_timeout()
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn bad_polls_do_not_end_a_wait() {
    let (emulator, daytona) = in_process(Emulator::builder().build_time(Duration::from_mins(5)));
    emulator.inject(Fault::status(502).on(Operation::GetSnapshot).times(10));
    emulator.inject(Fault::disconnect().on(Operation::GetSnapshot).nth(12).times(6));
    let (_, heard) = create_and_hear(&daytona, image_params("x")).await;
    let retries = heard
        .events()
        .into_iter()
        .filter(|event| matches!(event, Event::Retry { .. }))
        .count();
    assert!(retries >= 3, "{retries}");
}

#[tokio::test(start_paused = true)]
async fn the_servers_wish_to_slow_down_is_heard() {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.inject(
        Fault::status(429)
            .header("Retry-After-authenticated", "7")
            .on(Operation::GetAllSnapshots),
    );
    let started = emulator.clock().now();
    daytona.snapshots().list().await.unwrap();
    assert_eq!(emulator.clock().now().duration_since(started).as_secs(), 7);
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_deactivation_or_deletion_ends_a_wait() {
    for is_deletion in [true, false] {
        let (_emulator, daytona) = in_process(Emulator::builder().build_time(Duration::from_mins(30)));
        let build = daytona.snapshots().create(image_params("x")).start().await.unwrap();
        let id = build.id().clone();
        let other = daytona.clone();
        let meddler = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_mins(3)).await;
            if is_deletion {
                other.snapshots().delete(id).await.unwrap();
            } else {
                other.snapshots().deactivate(id).await.unwrap();
            }
        });
        let error = build.wait().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Gone);
        meddler.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn deletion_and_activation_can_be_awaited() {
    let (emulator, daytona) = in_process(Emulator::builder());
    let snapshot = daytona
        .snapshots()
        .create(CreateSnapshotParams::new("x", "a:1"))
        .await
        .unwrap();
    daytona.snapshots().deactivate("x").await.unwrap();
    let error = daytona.snapshots().activate("x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cooldown);
    emulator.clock().advance(Duration::from_mins(10));
    assert_eq!(
        daytona.snapshots().activate(&snapshot).await.unwrap().state,
        SnapshotState::Pending
    );
    daytona.snapshots().wait(snapshot.id.clone()).await.unwrap();
    let error = daytona.snapshots().activate("x").wait().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyActive);

    daytona.snapshots().delete("x").wait().await.unwrap();
    assert_eq!(
        daytona.snapshots().get(&snapshot).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
    daytona
        .snapshots()
        .create(CreateSnapshotParams::new("x", "a:1"))
        .start()
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_log_that_cannot_be_had_changes_nothing() {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.inject(Fault::status(403).on(Operation::ReadBuildLog).always());
    emulator.inject(Fault::status(403).on(Operation::GetSnapshotBuildLogs).always());
    let (_, heard) = create_and_hear(&daytona, image_params("x")).await;
    assert!(heard.events().iter().any(|event| matches!(event, Event::LogGap { .. })));
    // A log that stalls does not hold up the end for longer than its grace.
    emulator.clear_faults();
    emulator.inject(Fault::stall(10).on(Operation::ReadBuildLog).always());
    let started = emulator.clock().now();
    daytona
        .snapshots()
        .create(CreateSnapshotParams::new("y", Image::base("y:1")))
        .on_logs(|_| {})
        .await
        .unwrap();
    assert!(emulator.clock().now().duration_since(started).as_secs() < 10);
}

#[tokio::test(start_paused = true)]
async fn a_failed_build_explains_itself() {
    let (emulator, daytona) = in_process(Emulator::builder().verify_digests(false));
    let folder = large_folder("app/x");
    let plan = app_plan(folder.path());
    // An empty archive of the right size is stored under the hash: nothing is uploaded, and nothing found to copy.
    let context = Context::from_plan(&plan);
    let archive = &context.archives()[0];
    let key = format!(
        "{}/{}/context.tar",
        emulator.organization_id(),
        archive.digest().unwrap()
    );
    let size = usize::try_from(archive.size()).unwrap();
    emulator.put_object(&key, &vec![0; size]).unwrap();
    for heard in [None, Some(Heard::default())] {
        let create = daytona.snapshots().create(CreateSnapshotParams::new("x", &plan));
        let create = match &heard {
            Some(heard) => create.on_event(heard.callback()),
            None => create,
        };
        let error = create.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BuildFailed);
        assert!(error.to_string().contains("\"/app\": not found"), "{error}");
        assert!(
            error.log_tail().last().unwrap().contains("failed to build"),
            "{:?}",
            error.log_tail()
        );
        daytona.snapshots().delete("x").wait().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_deletion_whose_answer_is_lost_is_one() {
    let (emulator, daytona) = in_process(Emulator::builder());
    daytona.snapshots().create(image_params("x")).await.unwrap();
    // By the time that it is asked again it is gone.
    emulator.inject(Fault::lose_answer().on(Operation::RemoveSnapshot));
    emulator.inject(
        Fault::delay(Duration::from_secs(30))
            .on(Operation::RemoveSnapshot)
            .nth(2),
    );
    daytona.snapshots().delete("x").wait().await.unwrap();
    assert_eq!(
        daytona.snapshots().delete("x").await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
    daytona.snapshots().create(image_params("y")).await.unwrap();
    let inactive = daytona.snapshots().deactivate("y").wait().await.unwrap();
    assert_eq!(inactive.state, SnapshotState::Inactive);
    // The answer to a deactivation may be lost too.
    emulator.inject(Fault::lose_answer().on(Operation::DeactivateSnapshot));
    daytona.snapshots().deactivate("y").await.unwrap();
}

/// Until a runner is assigned the address of the log takes 30 seconds, even for a client that is in a hurry.
#[tokio::test(start_paused = true)]
async fn the_address_of_a_log_may_take_its_time() {
    let (emulator, _) = in_process(Emulator::builder());
    emulator.inject(Fault::delay(Duration::from_secs(29)).on(Operation::GetSnapshotBuildLogsUrl));
    let hurried = builder_of(&emulator)
        .attempt_timeout(Duration::from_secs(2))
        .build()
        .unwrap();
    hurried.snapshots().create(image_params("x")).await.unwrap();
    assert!(!hurried.snapshots().build_logs("x").await.unwrap().is_empty());
    assert_eq!(count(&emulator, Operation::GetSnapshotBuildLogsUrl), 1);
}
