//! What verifications leave behind, how it is cleaned up, and what the messages say in unclear cases.

use std::future::IntoFuture;
use std::time::Duration;

use daytona_api::CreateSandbox;
use daytona_emulator::{Emulator, Fault, Operation, SandboxScript};
use daytona_sdk::{ErrorKind, Event};

use crate::support::{Heard, count, image_params, in_process, send};
use crate::verify::{nothing_is_left, with_snapshot};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// Starts a sandbox with labels past the facade.
async fn start(emulator: &Emulator, name: &str, labels: &[(&str, String)]) {
    let mut request = CreateSandbox::new();
    (request.snapshot, request.name) = (Some("web:1".to_owned()), Some(name.to_owned()));
    request.auto_stop_interval = Some(0);
    request.labels = Some(
        labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
    );
    send(emulator, &request).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_sweep_deletes_what_is_past_its_time_and_nothing_else() {
    let (emulator, daytona) = with_snapshot();
    let now = emulator.clock().now();
    let verify = || ("daytona-sdk/purpose", "verify".to_owned());
    let until = |hours: i64| {
        (
            "daytona-sdk/until",
            (now + jiff::SignedDuration::from_hours(hours)).to_string(),
        )
    };
    // More than a page of them.
    for number in 0..230 {
        start(
            &emulator,
            &format!("daytona-sdk-verify-old{number}"),
            &[verify(), until(-1)],
        )
        .await;
    }
    start(&emulator, "daytona-sdk-verify-new", &[verify(), until(1)]).await;
    start(&emulator, "daytona-sdk-verify-undated", &[verify()]).await;
    start(
        &emulator,
        "daytona-sdk-verify-odd",
        &[verify(), ("daytona-sdk/until", "soon".to_owned())],
    )
    .await;
    start(&emulator, "web", &[verify(), until(-1)]).await;
    start(&emulator, "daytona-sdk-verify-other", &[until(-1)]).await;
    let report = daytona.snapshots().sweep().await.unwrap();
    assert_eq!((report.deleted.len(), report.failed.len()), (230, 0));
    let left = emulator.sandboxes().await;
    let left: Vec<&str> = left.iter().map(|sandbox| sandbox.name.as_str()).collect();
    let others = ["new", "undated", "odd"].map(|name| format!("daytona-sdk-verify-{name}"));
    let others: Vec<&str> = others
        .iter()
        .map(String::as_str)
        .chain(["web", "daytona-sdk-verify-other"])
        .collect();
    assert_eq!(left, others);
    // What cannot be deleted does not keep the others.
    start(&emulator, "daytona-sdk-verify-a", &[verify(), until(-1)]).await;
    start(&emulator, "daytona-sdk-verify-b", &[verify(), until(-1)]).await;
    let busy = Fault::status(409).message("Sandbox state change in progress");
    emulator.inject(busy.on(Operation::DeleteSandbox));
    let report = daytona.snapshots().sweep().await.unwrap();
    assert_eq!((report.deleted.len(), report.failed.len()), (1, 1));
    assert_eq!(report.failed[0].1.kind(), ErrorKind::Busy);
}

/// What a deadline cuts short still tells what it has done.
#[tokio::test(start_paused = true)]
async fn a_sweep_that_runs_out_of_time_tells_how_far_it_came() {
    let (emulator, daytona) = with_snapshot();
    let past = emulator.clock().now() - jiff::SignedDuration::from_hours(1);
    let labels = [
        ("daytona-sdk/purpose", "verify".to_owned()),
        ("daytona-sdk/until", past.to_string()),
    ];
    for name in ["a", "b", "c"] {
        start(&emulator, &format!("daytona-sdk-verify-{name}"), &labels).await;
    }
    emulator.inject(Fault::delay(SECOND * 2).on(Operation::DeleteSandbox).always());
    let report = daytona.snapshots().sweep().timeout(SECOND * 3).await.unwrap();
    let counts = (report.deleted.len(), report.failed.len(), report.not_tried.len());
    assert_eq!(counts, (1, 1, 1));
    let error = report.into_result().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WaitTimeout);
    let text = error.to_string();
    assert!(
        text.starts_with("1 of the sandboxes could not be deleted, first `daytona-sdk-verify-"),
        "{text}"
    );
    assert!(text.ends_with("before 1 of the sandboxes were tried"), "{text}");
    emulator.clear_faults();
    let report = daytona.snapshots().sweep().await.unwrap();
    assert!(report.into_result().is_ok());
    nothing_is_left(&emulator).await;
}

/// They may hold any words that mean something else elsewhere.
#[tokio::test(start_paused = true)]
async fn the_runners_words_do_not_change_the_kind() {
    for words in ["write /x: disk quota exceeded", "sandbox is already active"] {
        let (emulator, daytona) = with_snapshot();
        emulator.script_sandboxes(SandboxScript::for_snapshot("web:1").fails(words));
        let error = daytona.snapshots().verify("web:1").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DoesNotStart, "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
        nothing_is_left(&emulator).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_never_ends_holds_up_no_creation() {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.script_sandboxes(SandboxScript::for_snapshot("app").hangs());
    let create = daytona.snapshots().create(image_params("app")).verified().no_timeout();
    let error = tokio::time::timeout(MINUTE * 20, create.into_future())
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WaitTimeout);
    assert!(error.to_string().contains("`app` is active"), "{error}");
    assert_eq!(daytona.snapshots().get("app").await.unwrap().name, "app");
}

/// One that runs stops after a minute and goes: nobody has to have deleted it.
#[tokio::test(start_paused = true)]
async fn a_sandbox_that_went_while_nobody_could_look_is_told_as_that() {
    let (emulator, daytona) = with_snapshot();
    emulator.script_sandboxes(SandboxScript::for_snapshot("web:1").takes(SECOND * 40));
    let slow = Fault::status(429).header("Retry-After", "200");
    emulator.inject(slow.on(Operation::GetSandbox));
    let error = daytona.snapshots().verify("web:1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    assert!(
        error
            .to_string()
            .contains("or it ran while the server could not be asked"),
        "{error}"
    );
    nothing_is_left(&emulator).await;
}

/// Nothing is deleted, and nothing is told of a sandbox, where none was asked for.
#[tokio::test(start_paused = true)]
async fn a_proof_that_never_began_says_so() {
    let (emulator, daytona) = in_process(Emulator::builder());
    let create = daytona.snapshots().create(image_params("x")).verified().timeout(MINUTE);
    let build = create.start().await.unwrap();
    tokio::time::sleep(MINUTE * 2).await;
    let error = build.wait().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WaitTimeout);
    assert!(!error.to_string().contains("sandbox"), "{error}");
    tokio::time::sleep(MINUTE).await;
    let asked = [Operation::CreateSandbox, Operation::DeleteSandbox].map(|operation| count(&emulator, operation));
    assert_eq!(asked, [0, 0]);
}

#[tokio::test(start_paused = true)]
async fn what_provably_made_nothing_is_not_cleaned_up() {
    let (emulator, daytona) = with_snapshot();
    emulator.inject(
        Fault::status(429)
            .header("Retry-After", "1")
            .on(Operation::CreateSandbox),
    );
    let quota = Fault::status(400).message("Total CPU limit exceeded. Maximum allowed: 5.");
    emulator.inject(quota.on(Operation::CreateSandbox).nth(2));
    let error = daytona.snapshots().verify("web:1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::QuotaExceeded, "{error}");
    tokio::time::sleep(MINUTE).await;
    assert_eq!(count(&emulator, Operation::DeleteSandbox), 0);
}

#[tokio::test(start_paused = true)]
async fn a_start_is_told_before_its_deletion() {
    let (emulator, daytona) = with_snapshot();
    emulator.inject(Fault::delay(SECOND * 15).on(Operation::DeleteSandbox));
    let heard = Heard::default();
    let verify = daytona.snapshots().verify("web:1").on_event(heard.callback());
    verify.await.unwrap();
    let started = heard.events().into_iter().find_map(|event| match event {
        Event::Started { elapsed, .. } => Some(elapsed),
        _ => None,
    });
    assert!(started.unwrap() < SECOND * 15, "{started:?}");
    tokio::time::sleep(MINUTE).await;
    nothing_is_left(&emulator).await;
}

/// A sweep deletes nothing that somebody still waits for.
#[tokio::test(start_paused = true)]
async fn a_long_deadline_of_a_verification_holds_for_its_sandbox() {
    let (emulator, daytona) = with_snapshot();
    emulator.script_sandboxes(SandboxScript::for_snapshot("web:1").takes(MINUTE * 25));
    let verify = daytona.snapshots().verify("web:1").timeout(MINUTE * 40);
    let verify = tokio::spawn(verify.into_future());
    tokio::time::sleep(MINUTE * 20).await;
    let report = daytona.snapshots().sweep().await.unwrap();
    assert_eq!((report.deleted.len(), report.failed.len()), (0, 0));
    verify.await.unwrap().unwrap();
    nothing_is_left(&emulator).await;
}

/// The label counts from the start of the sandbox, not from the beginning of a build.
#[tokio::test(start_paused = true)]
async fn a_sweep_need_not_wait_for_the_deadline_of_a_build() {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.script_sandboxes(SandboxScript::for_snapshot("app").takes(MINUTE));
    let create = daytona.snapshots().create(image_params("app")).verified().no_timeout();
    let create = tokio::spawn(create.into_future());
    tokio::time::sleep(SECOND * 20).await;
    let sandboxes = emulator.sandboxes().await;
    let until = sandboxes[0].labels.as_ref().unwrap()["daytona-sdk/until"].clone();
    let until: jiff::Timestamp = until.parse().unwrap();
    assert!(
        until < emulator.clock().now() + jiff::SignedDuration::from_mins(16),
        "{until}"
    );
    create.await.unwrap().unwrap();
    nothing_is_left(&emulator).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_fails_at_every_sandbox_is_not_asked_for_ever() {
    let (emulator, daytona) = with_snapshot();
    emulator.inject(Fault::status(500).on(Operation::CreateSandbox).always());
    let error = daytona.snapshots().verify("web:1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ServerError);
    assert_eq!(count(&emulator, Operation::CreateSandbox), 3);
}

/// Those who start sandboxes and those who sweep may have other clocks than the server.
#[tokio::test(start_paused = true)]
async fn the_servers_clock_alone_tells_what_is_past_its_time() {
    let (emulator, daytona) = with_snapshot();
    emulator.clock().advance(MINUTE * 60 * 48);
    emulator.script_sandboxes(SandboxScript::for_snapshot("web:1").takes(MINUTE));
    let verify = tokio::spawn(daytona.snapshots().verify("web:1").into_future());
    tokio::time::sleep(SECOND * 10).await;
    let purpose = ("daytona-sdk/purpose", "verify".to_owned());
    let an_hour_ago = emulator.clock().now() - jiff::SignedDuration::from_hours(1);
    start(
        &emulator,
        "daytona-sdk-verify-old",
        &[purpose, ("daytona-sdk/until", an_hour_ago.to_string())],
    )
    .await;
    // Whoever sweeps while it is being started leaves it alone.
    tokio::time::sleep(MINUTE).await;
    let report = daytona.snapshots().sweep().await.unwrap();
    let deleted: Vec<&str> = report.deleted.iter().map(|sandbox| sandbox.name.as_str()).collect();
    assert_eq!(deleted, ["daytona-sdk-verify-old"]);
    verify.await.unwrap().unwrap();
    nothing_is_left(&emulator).await;
}

/// After a refusal in words that nobody knows there may be a sandbox all the same.
#[tokio::test(start_paused = true)]
async fn a_refusal_in_new_words_leaves_no_sandbox() {
    let (emulator, daytona) = with_snapshot();
    emulator.script_sandboxes(SandboxScript::for_snapshot("web:1").fails("sandbox exited with code 1"));
    let words = Fault::status(400).message("Something new").carried_out();
    emulator.inject(words.on(Operation::CreateSandbox));
    let error = daytona.snapshots().verify("web:1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DoesNotStart, "{error}");
    nothing_is_left(&emulator).await;
    // Without one the words are what is told.
    emulator.inject(Fault::status(400).message("Something new").on(Operation::CreateSandbox));
    let error = daytona.snapshots().verify("web:1").await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().contains("Something new")),
        (ErrorKind::Rejected, true)
    );
}

#[tokio::test(start_paused = true)]
async fn a_sandbox_that_somebody_else_deletes_says_nothing_of_the_snapshot() {
    let (emulator, daytona) = with_snapshot();
    let snapshot = daytona.snapshots().verify("web:1");
    emulator.script_sandboxes(SandboxScript::for_snapshot("web:1").takes(SECOND * 40));
    emulator.inject(
        Fault::status(404)
            .message("Sandbox not found")
            .on(Operation::GetSandbox)
            .always(),
    );
    let error = snapshot.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    assert_eq!(error.snapshot().unwrap().name, "web:1");
}
