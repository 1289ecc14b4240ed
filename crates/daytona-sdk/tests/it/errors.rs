//! What goes wrong at the edges, over sockets.

use std::net::Ipv4Addr;
use std::time::Duration;

use daytona_emulator::{Emulator, Fault, Operation, Script};
use daytona_sdk::{CreateSnapshotParams, Daytona, ErrorKind, Image, Resources};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{Leaping, in_process, on_socket};

fn client(url: &str, key: &str) -> Daytona {
    Daytona::builder().api_url(url).api_key(key).build().unwrap()
}

#[tokio::test]
async fn a_wrong_key_is_named_without_being_shown() {
    let (emulator, _) = on_socket(Emulator::builder()).await;
    let error = client(&emulator.api_url(), "dtn_wrong")
        .snapshots()
        .list()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    let text = format!("{error} {error:?}");
    assert!(
        text.contains("check the API key") && text.contains(&emulator.api_url()),
        "{text}"
    );
    assert!(!text.contains("dtn_wrong"), "{text}");
}

#[tokio::test]
async fn an_address_where_nobody_listens_is_named() {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/api", listener.local_addr().unwrap());
    drop(listener);
    let client = Daytona::builder()
        .api_url(&url)
        .api_key("key")
        .clock(Leaping::default());
    let error = client.build().unwrap().snapshots().get("x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(error.to_string().contains(&url), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn an_address_without_the_api_gets_a_hint() {
    let (emulator, daytona) = on_socket(Emulator::builder()).await;
    let outside = emulator.api_url().replace("/api", "");
    let error = client(&outside, "key").snapshots().list().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ServerError);
    assert!(error.to_string().contains("It ends in /api"), "{error}");
    // A server that fails at the right address has trouble of its own.
    emulator.inject(Fault::status(500).on(Operation::GetAllSnapshots));
    let error = daytona.snapshots().list().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ServerError);
    assert!(!error.to_string().contains("/api"), "{error}");
}

#[tokio::test]
async fn a_web_page_and_a_redirect_are_not_the_api() {
    let server = MockServer::start().await;
    let page = ResponseTemplate::new(200).set_body_raw("<!DOCTYPE html><html></html>", "text/html");
    let moved = ResponseTemplate::new(302).insert_header("location", "http://127.0.0.1:1/");
    for answer in [page, moved, ResponseTemplate::new(200).set_body_string("hello")] {
        server.reset().await;
        Mock::given(any()).respond_with(answer).mount(&server).await;
        let error = client(&server.uri(), "key").snapshots().list().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotAnApi);
        assert!(error.to_string().contains(&server.uri()), "{error}");
        assert_eq!(
            server.received_requests().await.unwrap().len(),
            1,
            "a redirect is not followed"
        );
    }
}

#[tokio::test]
async fn an_answer_without_what_it_promises_names_the_field() {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(200).set_body_string(r#"{"items":[{"id":"1","name":"x"}]}"#);
    Mock::given(any()).respond_with(answer).mount(&server).await;
    let error = client(&server.uri(), "key").snapshots().list().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.to_string().contains("items[0].state"), "{error}");
}

#[tokio::test]
async fn a_name_that_is_taken_is_its_own_kind() {
    let (_emulator, daytona) = in_process(Emulator::builder());
    let params = || CreateSnapshotParams::new("taken", "a:1");
    daytona.snapshots().create(params()).start().await.unwrap();
    let error = daytona.snapshots().create(params()).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::AlreadyExists, Some(409)));
    let text = error.to_string();
    let there = error.snapshot().unwrap();
    assert!(
        text.contains("`taken`") && text.contains(there.id.as_str()) && text.contains("`ensure` returns it"),
        "{text}"
    );
    assert_eq!(
        error.server_message().unwrap(),
        "Snapshot with name \"taken\" already exists for this organization"
    );
    let other = CreateSnapshotParams::new("taken", "b:2").resources(Resources::new().cpu(3));
    let text = daytona.snapshots().create(other).await.unwrap_err().to_string();
    assert!(
        text.contains("its image is `a:1`; its cpu is 1 instead of 3") && text.contains("delete it"),
        "{text}"
    );
}

#[tokio::test]
async fn what_cannot_work_is_refused_before_any_request() {
    let (emulator, daytona) = in_process(Emulator::builder());
    let plan = Image::base("x:1").plan().unwrap();
    for (params, kind) in [
        (CreateSnapshotParams::new("", "a:1"), ErrorKind::InvalidRequest),
        (CreateSnapshotParams::new("x", "ubuntu"), ErrorKind::InvalidRequest),
        (
            CreateSnapshotParams::new("x", "ubuntu:latest"),
            ErrorKind::InvalidRequest,
        ),
        (
            CreateSnapshotParams::new("x", &plan).entrypoint(["a"]),
            ErrorKind::InvalidRequest,
        ),
        (CreateSnapshotParams::new("x", Image::base("")), ErrorKind::InvalidImage),
    ] {
        assert_eq!(daytona.snapshots().create(params).await.unwrap_err().kind(), kind);
    }
    assert!(emulator.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_report_says_what_helps_below_each_quota() {
    let (emulator, daytona) = in_process(Emulator::builder());
    let create = async |params: CreateSnapshotParams| daytona.snapshots().create(params).await;
    let report = create(CreateSnapshotParams::new("x", "a:1").resources(Resources::new().cpu(64))).await;
    let report = report.unwrap_err().report();
    assert!(report.contains("what helps: request fewer resources"), "{report}");
    emulator.put_organization(emulator.organization().snapshot_quota(1).total_limits(1.0, 1.0, 1.0));
    let snapshot = create(CreateSnapshotParams::new("one", "a:1").resources(Resources::new().cpu(2))).await;
    let report = create(CreateSnapshotParams::new("two", "a:1"))
        .await
        .unwrap_err()
        .report();
    assert!(report.contains("what helps: delete snapshots"), "{report}");
    let report = daytona
        .snapshots()
        .verify(&snapshot.unwrap())
        .await
        .unwrap_err()
        .report();
    assert!(report.contains("what helps: delete sandboxes"), "{report}");
}

/// The cause is not lost because the time for retries is short.
#[tokio::test(start_paused = true)]
async fn a_timeout_names_what_failed_last() {
    let (emulator, daytona) = in_process(Emulator::builder());
    let busy = Fault::status(503).message("try again").header("retry-after", "20");
    emulator.inject(busy.on(Operation::GetSnapshot).always());
    let get = daytona.snapshots().get("x").timeout(Duration::from_secs(5));
    let error = get.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WaitTimeout);
    assert!(
        error.to_string().contains("the last request failed: try again"),
        "{error}"
    );
    emulator.inject(Fault::delay(Duration::from_secs(10)).on(Operation::GetAllSnapshots));
    let list = daytona.snapshots().list().timeout(Duration::from_secs(5));
    assert_eq!(list.await.unwrap_err().kind(), ErrorKind::WaitTimeout);
    let none = daytona.snapshots().get("x").timeout(Duration::ZERO);
    let error = none.await.unwrap_err();
    assert!(error.to_string().contains("`no_timeout`"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_may_succeed_later_is_retryable() {
    let (emulator, daytona) = in_process(Emulator::builder());
    let params = |name: &str| CreateSnapshotParams::new(name, "a:1");
    daytona.snapshots().create(params("inactive")).await.unwrap();
    daytona.snapshots().deactivate("inactive").await.unwrap();
    let error = daytona.snapshots().activate("inactive").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cooldown);
    assert!(error.is_retryable());
    emulator.script(Script::for_name("slow").takes(Duration::from_mins(10)));
    let slow = daytona.snapshots().create(params("slow"));
    let error = slow.timeout(Duration::from_mins(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WaitTimeout);
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn the_servers_refusals_have_kinds() {
    let (_emulator, daytona) = in_process(Emulator::builder());
    let create = async |params: CreateSnapshotParams| daytona.snapshots().create(params).await.unwrap_err();
    let error = create(CreateSnapshotParams::new("x", "a:1").resources(Resources::new().cpu(64))).await;
    assert_eq!(error.kind(), ErrorKind::QuotaExceeded);
    assert!(!error.to_string().contains('\n'), "{error}");
    let error = create(CreateSnapshotParams::new("bad name", "a:1")).await;
    assert_eq!(error.kind(), ErrorKind::Rejected);
    let error = create(CreateSnapshotParams::new("x", "a:1").region("nowhere")).await;
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let long = Image::base("a:1").run_commands(["#".repeat(55_000), "#".repeat(55_000)]);
    let error = create(CreateSnapshotParams::new("x", long)).await;
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.to_string().contains("the server accepts 102400"), "{error}");
}
