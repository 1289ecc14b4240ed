//! Smoke boots: what they prove, and that nothing is left of them.

use std::time::Duration;

use daytona_emulator::{
    ApiKey, Emulator, Fault, Operation, Organization, Permission, Region, SandboxScript, SeededSnapshot,
};
use daytona_sdk::{Daytona, ErrorKind, Event, Sandbox};

use crate::support::{Heard, client_of, count, image_params, in_process};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// An emulator with the active snapshot `web:1`, and a client of it.
pub(crate) fn with_snapshot() -> (Emulator, Daytona) {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.add_snapshot(SeededSnapshot::from_image("web:1", "a:1"));
    (emulator, daytona)
}

fn is_ours(sandbox: &Sandbox) -> bool {
    let labels = sandbox.labels.iter().flatten();
    let mut names = labels.map(|(name, _)| name.as_str());
    names.any(|name| name == "daytona-sdk/purpose")
}

/// No sandbox with our label is there.
pub(crate) async fn nothing_is_left(emulator: &Emulator) {
    let left = emulator.sandboxes().await;
    let left: Vec<&Sandbox> = left.iter().filter(|sandbox| is_ours(sandbox)).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// A client with a key that has all permissions but one.
fn without(emulator: &Emulator, permission: &str) -> Daytona {
    let all = [
        "write:snapshots",
        "delete:snapshots",
        "write:sandboxes",
        "delete:sandboxes",
    ];
    let names = all.iter().filter(|name| **name != permission);
    let permissions = names.map(|name| serde_json::from_value::<Permission>((*name).into()).unwrap());
    let key = emulator.add_api_key(ApiKey::new(emulator.organization_id()).permissions(permissions));
    client_of(emulator, &key)
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_starts_is_verified_and_nothing_is_left() {
    let (emulator, daytona) = with_snapshot();
    let heard = Heard::default();
    let snapshot = daytona
        .snapshots()
        .verify("web:1")
        .on_event(heard.callback())
        .await
        .unwrap();
    assert_eq!(snapshot.name, "web:1");
    let events = heard.events();
    let [Event::Starting { sandbox }, Event::Started { sandbox: started, .. }] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(sandbox, started);
    assert_eq!(count(&emulator, Operation::CreateSandbox), 1);
    nothing_is_left(&emulator).await;
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_is_started_where_it_is() {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.put_region(Region::shared("eu"));
    emulator.add_snapshot(SeededSnapshot::from_image("eu:1", "a:1").region("eu"));
    daytona.snapshots().verify("eu:1").await.unwrap();
    nothing_is_left(&emulator).await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_start_is_waited_for_beyond_the_servers_patience() {
    let (emulator, daytona) = with_snapshot();
    emulator.script_sandboxes(SandboxScript::for_snapshot("web:1").takes(SECOND * 95));
    daytona.snapshots().verify("web:1").await.unwrap();
    assert_eq!(count(&emulator, Operation::CreateSandbox), 1);
    nothing_is_left(&emulator).await;
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_is_told_in_the_runners_words() {
    // Within the server's patience, and after it.
    for takes in [SECOND, SECOND * 40] {
        let (emulator, daytona) = with_snapshot();
        let words = "sandbox exited with code 1, reason: exec format error";
        emulator.script_sandboxes(SandboxScript::for_snapshot("web:1").fails(words).takes(takes));
        let error = daytona.snapshots().verify("web:1").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DoesNotStart);
        assert_eq!(error.reason(), Some(words));
        assert_eq!(error.snapshot().unwrap().name, "web:1");
        assert!(error.report().contains("sleep infinity"), "{}", error.report());
        nothing_is_left(&emulator).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_whose_words_are_lost_leaves_no_sandbox() {
    let (emulator, daytona) = with_snapshot();
    let words = "sandbox exited with code 1, reason: ";
    emulator.script_sandboxes(SandboxScript::for_snapshot("web:1").fails(words));
    emulator.inject(Fault::truncate(20).on(Operation::CreateSandbox));
    let error = daytona.snapshots().verify("web:1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DoesNotStart);
    assert_eq!(error.reason(), Some(words.trim()));
    nothing_is_left(&emulator).await;
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_deletes_what_has_not_started_yet() {
    let (emulator, daytona) = with_snapshot();
    emulator.script_sandboxes(SandboxScript::for_snapshot("web:1").takes(MINUTE * 3));
    let error = daytona.snapshots().verify("web:1").timeout(MINUTE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WaitTimeout);
    assert!(error.to_string().contains("still creating"), "{error}");
    assert_eq!(error.snapshot().unwrap().name, "web:1");
    assert_eq!(
        emulator.sandboxes().await.len(),
        1,
        "the server refuses to delete it while it is created"
    );
    tokio::time::sleep(MINUTE * 3).await;
    nothing_is_left(&emulator).await;
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_after_the_creation_says_what_is_left_to_do() {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.script_sandboxes(SandboxScript::for_snapshot("app").takes(MINUTE * 3));
    let create = daytona.snapshots().create(image_params("app")).verified();
    let error = create.timeout(MINUTE * 2).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WaitTimeout);
    let text = error.to_string();
    assert!(
        text.contains("is active, but was not verified within") && text.contains("`verify`"),
        "{text}"
    );
    assert_eq!(error.snapshot().unwrap().name, "app");
}

#[tokio::test(start_paused = true)]
async fn a_future_that_is_dropped_at_any_moment_leaves_nothing() {
    for milliseconds in (0..3_000).step_by(75) {
        let (emulator, daytona) = with_snapshot();
        emulator.script_sandboxes(SandboxScript::for_snapshot("web:1").takes(SECOND * 2));
        emulator.inject(Fault::delay(Duration::from_millis(300)).always());
        let verify = daytona.snapshots().verify("web:1");
        let given_up = tokio::time::timeout(Duration::from_millis(milliseconds), verify.into_future()).await;
        assert!(given_up.is_err());
        tokio::time::sleep(SECOND * 59).await;
        let there = emulator.sandboxes().await;
        // It would go by itself after two minutes.
        assert!(there.is_empty(), "dropped after {milliseconds} ms: {there:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_makes_no_second_sandbox() {
    for fault in [
        Fault::lose_answer(),
        Fault::gateway_page(504).carried_out(),
        Fault::status(503),
    ] {
        let (emulator, daytona) = with_snapshot();
        emulator.inject(fault.clone().on(Operation::CreateSandbox));
        emulator.inject(Fault::disconnect().on(Operation::GetSandbox));
        emulator.inject(Fault::lose_answer().on(Operation::DeleteSandbox));
        daytona
            .snapshots()
            .verify("web:1")
            .await
            .unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        tokio::time::sleep(MINUTE).await;
        nothing_is_left(&emulator).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_may_not_clean_up_is_refused_before_anything_is_done() {
    for permission in ["write:sandboxes", "delete:sandboxes"] {
        let (emulator, _) = with_snapshot();
        let daytona = without(&emulator, permission);
        let error = daytona.snapshots().verify("web:1").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert!(error.to_string().contains(permission), "{error}");
        let error = daytona
            .snapshots()
            .create(image_params("x"))
            .verified()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        let error = daytona
            .snapshots()
            .ensure(image_params("x"))
            .verified()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        for operation in [
            Operation::CreateSandbox,
            Operation::CreateSnapshot,
            Operation::GetPushAccess,
        ] {
            assert_eq!(count(&emulator, operation), 0, "{operation}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_started_now_has_kinds_of_its_own() {
    let (emulator, daytona) = with_snapshot();
    emulator.set_runner(false);
    let error = daytona.snapshots().verify("web:1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoRunner);
    emulator.set_runner(true);
    emulator.put_organization(emulator.organization().total_limits(0.5, 100.0, 100.0));
    let error = daytona.snapshots().verify("web:1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::QuotaExceeded);
    assert!(error.server_message().unwrap().contains("Tier"), "{error:?}");
    let name = "own";
    emulator.put_organization(
        Organization::new(name)
            .id(emulator.organization_id())
            .suspended("unpaid"),
    );
    let error = daytona.snapshots().verify("web:1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Suspended);
    // Nothing was made, so that nothing is looked for afterwards.
    assert_eq!(count(&emulator, Operation::DeleteSandbox), 0);
    for (state, kind) in [
        ("inactive", ErrorKind::Gone),
        ("error", ErrorKind::BuildFailed),
        ("building", ErrorKind::Rejected),
    ] {
        emulator.add_snapshot(SeededSnapshot::from_image(state, "a:1").state(state));
        let error = daytona.snapshots().verify(state).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{state}");
    }
    nothing_is_left(&emulator).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_made_can_be_verified_before_it_is_returned() {
    let (emulator, daytona) = in_process(Emulator::builder());
    let heard = Heard::default();
    let create = daytona.snapshots().create(image_params("x")).verified();
    create.on_event(heard.callback()).await.unwrap();
    let events = heard.events();
    let place = |is_it: fn(&Event) -> bool| events.iter().position(is_it).unwrap();
    let started = place(|event| matches!(event, Event::Started { .. }));
    assert!(place(|event| matches!(event, Event::Starting { .. })) < started);
    assert_eq!(place(|event| matches!(event, Event::Done { .. })), events.len() - 1);
    assert_eq!(started, events.len() - 2);
    nothing_is_left(&emulator).await;

    // What was there before, too.
    let ensure = daytona.snapshots().ensure(image_params("x"));
    ensure.verified().await.unwrap();
    assert_eq!(count(&emulator, Operation::CreateSandbox), 2);
    emulator.script_sandboxes(SandboxScript::for_snapshot("x").fails("timeout waiting for daemon to start"));
    let error = daytona
        .snapshots()
        .ensure(image_params("x"))
        .verified()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DoesNotStart);
    assert!(error.to_string().contains("/bin/sh"), "{error}");
    let build = daytona
        .snapshots()
        .create(image_params("y"))
        .verified()
        .start()
        .await
        .unwrap();
    build.wait().await.unwrap();
    let mut events = daytona.snapshots().create(image_params("z")).verified().events();
    let mut has_started = false;
    while let Some(event) = events.next().await {
        has_started |= matches!(event.unwrap(), Event::Started { .. });
    }
    assert!(has_started);
    nothing_is_left(&emulator).await;
}

#[tokio::test(start_paused = true)]
async fn a_sandbox_that_nobody_deletes_goes_by_itself() {
    let (emulator, daytona) = with_snapshot();
    let gone = Fault::status(403)
        .message("Access denied")
        .on(Operation::DeleteSandbox)
        .always();
    emulator.inject(gone);
    daytona.snapshots().verify("web:1").await.unwrap();
    assert_eq!(emulator.sandboxes().await.len(), 1);
    tokio::time::sleep(MINUTE * 2).await;
    nothing_is_left(&emulator).await;
}
