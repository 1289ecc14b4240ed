//! Whose a snapshot is, and what becomes of a call where that, or whether it is there at all, is hard to tell.

use std::future::IntoFuture;
use std::time::Duration;

use daytona_emulator::{Emulator, Fault, Operation, ReadLag, Script, SeededSnapshot};
use daytona_sdk::{ErrorKind, SnapshotState};
use jiff::SignedDuration;

use crate::support::{Heard, another, count, image_params, in_process};

const SECOND: Duration = Duration::from_secs(1);
const DOCKERFILE: &str = "FROM x:1\nRUN make\n";
const TWIN: &str = "An operation is already in progress for this resource";

/// The server removes what is marked for it at every tenth second: shortly after one.
async fn after_a_tick(emulator: &Emulator) {
    let second = emulator.clock().now().as_second().rem_euclid(10);
    tokio::time::sleep(Duration::from_secs(11 - u64::try_from(second).unwrap())).await;
}

/// Somebody deletes it and then brings it back: that is not ours to delete again.
#[tokio::test(start_paused = true)]
async fn a_removal_of_somebody_else_is_theirs_to_end() {
    for dockerfile in [DOCKERFILE, "FROM other:1\n"] {
        let (emulator, daytona) = in_process(Emulator::builder());
        emulator.add_snapshot(SeededSnapshot::from_dockerfile("x", dockerfile));
        after_a_tick(&emulator).await;
        let other = another(&emulator).snapshots();
        other.delete("x").await.unwrap();
        let ensure = tokio::spawn(daytona.snapshots().ensure(image_params("x")).into_future());
        tokio::time::sleep(SECOND / 2).await;
        other.deactivate("x").await.unwrap();
        tokio::time::sleep(SECOND * 30).await;
        assert_eq!(count(&emulator, Operation::RemoveSnapshot), 1, "{dockerfile}");
        ensure.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_is_undone_is_not_asked_for_again_by_others() {
    let (emulator, daytona) = in_process(Emulator::builder().build_time(SECOND * 60));
    emulator.inject(Fault::undo().on(Operation::RemoveSnapshot).while_under_way());
    let other = another(&emulator).snapshots();
    other.create(image_params("x")).start().await.unwrap();
    tokio::time::sleep(SECOND * 5).await;
    other.delete("x").await.unwrap();
    daytona.snapshots().ensure(image_params("x")).await.unwrap();
    assert_eq!(count(&emulator, Operation::RemoveSnapshot), 1);
}

#[tokio::test(start_paused = true)]
async fn an_adopted_build_is_not_cancelled() {
    let (emulator, daytona) = in_process(Emulator::builder().build_time(SECOND * 60));
    emulator.inject(Fault::delay(SECOND * 5).on(Operation::CreateSnapshot));
    emulator.inject(Fault::gateway_page(524).on(Operation::CreateSnapshot));
    let mine = tokio::spawn(daytona.snapshots().create(image_params("x")).start());
    tokio::time::sleep(SECOND * 3).await;
    let theirs = another(&emulator)
        .snapshots()
        .create(image_params("x"))
        .start()
        .await
        .unwrap();
    let build = mine.await.unwrap().unwrap();
    assert!(build.is_adopted() && build.id() == theirs.id());
    assert_eq!(build.cancel().await.unwrap_err().kind(), ErrorKind::Rejected);
    assert_eq!(count(&emulator, Operation::RemoveSnapshot), 0);
}

/// The bound is what the server said last before the request that may have been carried out: that of a refusal counts too.
#[tokio::test(start_paused = true)]
async fn a_refusal_tells_the_servers_time_too() {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.inject(Fault::delay(SECOND * 30).on(Operation::CreateSnapshot));
    emulator.inject(
        Fault::status(429)
            .header("Retry-After", "5")
            .on(Operation::CreateSnapshot),
    );
    let mine = tokio::spawn(daytona.snapshots().create(image_params("x")).into_future());
    tokio::time::sleep(SECOND * 20).await;
    // The first request was refused after this: at the second one it was there.
    another(&emulator)
        .snapshots()
        .create(image_params("x"))
        .start()
        .await
        .unwrap();
    emulator.inject(Fault::gateway_page(502).on(Operation::CreateSnapshot));
    assert_eq!(mine.await.unwrap().unwrap_err().kind(), ErrorKind::AlreadyExists);
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_gateway_is_not_the_servers() {
    let (emulator, daytona) = in_process(Emulator::builder());
    let now = emulator.clock().now();
    let seeded = SeededSnapshot::from_dockerfile("x", DOCKERFILE).created(now - SignedDuration::from_mins(30));
    emulator.add_snapshot(seeded);
    let since_epoch = u64::try_from(now.as_second()).unwrap();
    let before = std::time::UNIX_EPOCH + Duration::from_secs(since_epoch) - Duration::from_hours(1);
    let date = httpdate::fmt_http_date(before);
    emulator.inject(
        Fault::gateway_page(502)
            .header("Date", &date)
            .on(Operation::GetSnapshot),
    );
    emulator.inject(Fault::gateway_page(502).on(Operation::CreateSnapshot));
    let error = daytona.snapshots().create(image_params("x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_made_is_looked_for_when_nothing_more_is_sent() {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.set_read_lag(ReadLag::new().created(SECOND * 20));
    emulator.inject(Fault::delay(SECOND * 2).on(Operation::CreateSnapshot));
    emulator.inject(Fault::gateway_page(524).carried_out().on(Operation::CreateSnapshot));
    emulator.inject(Fault::gateway_page(524).on(Operation::CreateSnapshot).nth(2).times(9));
    daytona.snapshots().create(image_params("x")).await.unwrap();
}

/// A deletion that is ignored, of a snapshot that cannot be seen yet.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_seen_yet_is_not_gone() {
    let (emulator, daytona) = in_process(Emulator::builder().build_time(SECOND * 100));
    emulator.set_read_lag(ReadLag::new().created(SECOND * 20));
    emulator.inject(Fault::ignore().on(Operation::RemoveSnapshot));
    let build = daytona.snapshots().create(image_params("x")).start().await.unwrap();
    build.cancel().await.unwrap();
    tokio::time::sleep(SECOND * 40).await;
    assert_eq!(
        daytona.snapshots().get("x").await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
    // Nor is it not found by a wait.
    emulator.clear_faults();
    let build = daytona.snapshots().create(image_params("y")).start().await.unwrap();
    daytona.snapshots().wait(build.id()).await.unwrap();
}

/// The words of the server may be words of a command too.
#[tokio::test(start_paused = true)]
async fn a_failing_command_is_not_made_again_for_its_words() {
    let (emulator, daytona) = in_process(Emulator::builder());
    let reason = "process \"/bin/sh -c echo an operation is already in progress; exit 1\" did not complete";
    emulator.script(Script::for_name("x").fails(reason));
    let error = daytona.snapshots().create(image_params("x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BuildFailed);
    assert_eq!(count(&emulator, Operation::CreateSnapshot), 1);
}

#[tokio::test(start_paused = true)]
async fn a_short_outage_does_not_end_a_long_call() {
    let faults = [
        Fault::gateway_page(502),
        Fault::status(500),
        Fault::status(429).header("Retry-After", "150"),
    ];
    for fault in faults {
        let (emulator, daytona) = in_process(Emulator::builder());
        let seeded = SeededSnapshot::from_dockerfile("x", DOCKERFILE)
            .state("build_failed")
            .error_reason(TWIN);
        let id = emulator.add_snapshot(seeded);
        emulator.inject(fault.clone().on(Operation::GetSnapshot).nth(5).times(6));
        let ensure = tokio::spawn(daytona.snapshots().ensure(image_params("x")).into_future());
        tokio::time::sleep(SECOND * 20).await;
        emulator.remove_snapshot(&id);
        ensure.await.unwrap().unwrap();
        emulator.inject(fault.on(Operation::RemoveSnapshot).times(6));
        daytona
            .snapshots()
            .delete("x")
            .wait()
            .timeout(SECOND * 3600)
            .await
            .unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_general_snapshot_does_not_hide_that_the_name_is_taken_for_ever() {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.add_snapshot(SeededSnapshot::from_dockerfile("x", "FROM other:1\n").general());
    let own = SeededSnapshot::from_dockerfile("x", DOCKERFILE)
        .state("build_failed")
        .error_reason("no");
    emulator.add_snapshot(own);
    let error = daytona
        .snapshots()
        .ensure(image_params("x"))
        .no_timeout()
        .await
        .unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NameReserved | ErrorKind::BuildFailed),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_away_in_the_end_has_a_gap() {
    let (emulator, daytona) = in_process(Emulator::builder());
    let lines = (0..30).map(|number| format!("line {number}"));
    emulator.script(Script::for_name("x").takes(SECOND * 30).log(lines));
    emulator.inject(Fault::stall(40).on(Operation::ReadBuildLog));
    emulator.inject(Fault::status(404).on(Operation::ReadBuildLog).nth(2).times(100));
    let heard = Heard::default();
    let create = daytona.snapshots().create(image_params("x")).on_event(heard.callback());
    create.await.unwrap();
    assert!(heard.log().len() == 30 || !heard.gaps().is_empty(), "{:?}", heard.log());
}

/// Of several places that snapshots are read from one may still show what was so before the activation.
#[tokio::test(start_paused = true)]
async fn what_was_inactive_before_its_activation_is_not_gone() {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.add_snapshot(SeededSnapshot::from_image("x", "a:1").state(SnapshotState::Inactive));
    emulator.clock().advance(SECOND * 60 * 11);
    let snapshots = daytona.snapshots();
    let before = snapshots.get("x").await.unwrap();
    let behind = Fault::status(200).body(&serde_json::to_string(&before).unwrap());
    emulator.inject(behind.on(Operation::GetSnapshot).times(3));
    let active = snapshots.activate(&before.id).wait().await.unwrap();
    assert_eq!(active.state, SnapshotState::Active);
}
