//! Snapshots of sandboxes, whose end the server tells by the sandbox alone.

use std::time::Duration;

use daytona_api::{CreateSandboxSnapshot, CreateSnapshot, SandboxCapture};
use daytona_emulator::{Emulator, Fault, Operation, SandboxScript, SeededSnapshot};
use daytona_sdk::{Daytona, ErrorKind, SandboxState, SnapshotState};

use crate::support::{count, in_process, post, send, start_sandbox};
use crate::verify::nothing_is_left;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// An emulator with a started sandbox `box`, and a client of it.
async fn with_sandbox(script: Option<SandboxScript>) -> (Emulator, Daytona) {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.add_snapshot(SeededSnapshot::from_image("web:1", "a:1"));
    if let Some(script) = script {
        emulator.script_sandboxes(script);
    }
    start_sandbox(&emulator, "web:1", "box").await;
    (emulator, daytona)
}

fn scripted() -> SandboxScript {
    SandboxScript::for_name("box")
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_of_a_sandbox_is_active_and_the_sandbox_is_back() {
    for script in [
        None,
        Some(scripted().capture_takes(MINUTE * 4)),
        // The sandbox is back before the record can be seen.
        Some(scripted().record_lags(SECOND * 4)),
    ] {
        let (emulator, daytona) = with_sandbox(script.clone()).await;
        let snapshot = daytona.snapshots().capture("box", "prepared:1").await;
        let snapshot = snapshot.unwrap_or_else(|error| panic!("{script:?}: {error}"));
        assert_eq!(
            (snapshot.name.as_str(), snapshot.state),
            ("prepared:1", SnapshotState::Active)
        );
        tokio::time::sleep(SECOND * 5).await;
        assert_eq!(emulator.sandboxes().await[0].state, SandboxState::Started);
        daytona.snapshots().verify("prepared:1").await.unwrap();
        nothing_is_left(&emulator).await;
    }
}

#[tokio::test(start_paused = true)]
async fn names_and_states_are_checked_before_the_request() {
    let (emulator, daytona) = with_sandbox(None).await;
    for name in ["", "my snap", "a/"] {
        let error = daytona.snapshots().capture("box", name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    }
    let error = daytona.snapshots().capture("box", "web:1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(error.snapshot().unwrap().name, "web:1");
    let error = daytona.snapshots().capture("nobody", "x:1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    emulator.script_sandboxes(SandboxScript::for_name("slow").takes(MINUTE));
    start_sandbox(&emulator, "web:1", "slow").await;
    let error = daytona.snapshots().capture("slow", "x:1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert!(error.is_retryable());
    assert_eq!(count(&emulator, Operation::CreateSandboxSnapshot), 0);
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_leaves_no_trace_is_told() {
    let (emulator, daytona) = with_sandbox(Some(scripted().capture_fails())).await;
    let error = daytona.snapshots().capture("box", "x:1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BuildFailed);
    assert!(error.to_string().contains("no reason"), "{error}");
    assert_eq!(count(&emulator, Operation::CreateSandboxSnapshot), 1);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_somebody_else_takes_meanwhile_is_not_taken_for_ours() {
    let (emulator, daytona) = with_sandbox(Some(scripted().capture_takes(MINUTE))).await;
    let capture = tokio::spawn(daytona.snapshots().capture("box", "x:1").into_future());
    tokio::time::sleep(SECOND * 5).await;
    let mut other = CreateSnapshot::new("x:1");
    other.image_name = Some("a:1".to_owned());
    let other = post(&emulator, &other).await;
    let error = capture.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(error.snapshot().unwrap().id, other.id);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_settled_by_the_sandbox() {
    for fault in [Fault::lose_answer(), Fault::gateway_page(502).carried_out()] {
        let (emulator, daytona) = with_sandbox(None).await;
        emulator.inject(fault.on(Operation::CreateSandboxSnapshot));
        daytona.snapshots().capture("box", "x:1").await.unwrap();
        assert_eq!(count(&emulator, Operation::CreateSandboxSnapshot), 1);
    }
    let (emulator, daytona) = with_sandbox(None).await;
    emulator.inject(Fault::disconnect().on(Operation::CreateSandboxSnapshot));
    let error = daytona.snapshots().capture("box", "x:1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
}

#[tokio::test(start_paused = true)]
async fn a_second_capture_meanwhile_and_a_deadline_are_told() {
    let (emulator, daytona) = with_sandbox(Some(scripted().capture_takes(MINUTE))).await;
    let capture = daytona.snapshots().capture("box", "x:1").timeout(SECOND * 10);
    let error = capture.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WaitTimeout);
    assert!(error.to_string().contains("still snapshotting"), "{error}");
    let second = CreateSandboxSnapshot::new("box", SandboxCapture::new("y:1"));
    let refusal = send(&emulator, &second).await.unwrap_err();
    assert!(refusal.contains("started or stopped"), "{refusal}");
    let error = daytona.snapshots().capture("box", "y:1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_nobody_took_is_sent_again() {
    let (emulator, daytona) = with_sandbox(None).await;
    emulator.inject(
        Fault::status(429)
            .header("Retry-After", "2")
            .on(Operation::CreateSandboxSnapshot)
            .times(2),
    );
    daytona.snapshots().capture("box", "x:1").await.unwrap();
    assert_eq!(count(&emulator, Operation::CreateSandboxSnapshot), 3);
}

/// The server names no state in its refusal.
#[tokio::test(start_paused = true)]
async fn a_sandbox_that_is_taken_between_the_look_and_the_request_is_busy() {
    let (emulator, daytona) = with_sandbox(Some(scripted().capture_takes(MINUTE))).await;
    emulator.inject(Fault::delay(SECOND * 5).on(Operation::CreateSandboxSnapshot));
    let capture = tokio::spawn(daytona.snapshots().capture("box", "x:1").into_future());
    tokio::time::sleep(SECOND * 2).await;
    let other = CreateSandboxSnapshot::new("box", SandboxCapture::new("y:1"));
    send(&emulator, &other).await.unwrap();
    let error = capture.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    assert!(error.is_retryable());
}

/// A snapshot has the resources of its sandbox.
#[tokio::test(start_paused = true)]
async fn a_snapshot_of_another_sandbox_under_the_name_is_not_ours() {
    let (emulator, daytona) = with_sandbox(Some(scripted().capture_takes(MINUTE))).await;
    emulator.add_snapshot(SeededSnapshot::from_image("large:1", "a:1").resources(2.0, 0.0, 1.0, 3.0));
    start_sandbox(&emulator, "large:1", "other").await;
    let capture = tokio::spawn(daytona.snapshots().capture("box", "x:1").into_future());
    tokio::time::sleep(SECOND * 5).await;
    let theirs = daytona.snapshots().capture("other", "x:1").await.unwrap();
    let error = capture.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    assert_eq!(error.snapshot().unwrap().id, theirs.id);
}
