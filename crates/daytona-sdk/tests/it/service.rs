//! The smaller calls, and how requests look.

use std::future::IntoFuture;

use daytona_emulator::{Emulator, Fault, Operation, SeededSnapshot};
use daytona_sdk::{CreateSnapshotParams, ErrorKind, PrunePolicy, SnapshotSort, SnapshotState, SortOrder};

use crate::support::{count, in_process};

async fn with_snapshots(names: &[&str]) -> (Emulator, daytona_sdk::Daytona) {
    let (emulator, daytona) = in_process(Emulator::builder());
    for name in names {
        daytona
            .snapshots()
            .create(CreateSnapshotParams::new(*name, "a:1"))
            .start()
            .await
            .unwrap();
    }
    (emulator, daytona)
}

#[tokio::test]
async fn a_list_is_paged_filtered_and_sorted() {
    let (_emulator, daytona) = with_snapshots(&["b", "a", "C", "team/x:1.0"]).await;
    let names = async |list: daytona_sdk::ListSnapshots| {
        let page = list.await.unwrap();
        page.items.into_iter().map(|item| item.name).collect::<Vec<_>>()
    };
    let sorted = || {
        daytona
            .snapshots()
            .list()
            .sort(SnapshotSort::Name)
            .order(SortOrder::Asc)
    };
    assert_eq!(names(sorted()).await, ["C", "a", "b", "team/x:1.0"]);
    assert_eq!(names(sorted().page(2).limit(3)).await, ["team/x:1.0"]);
    assert_eq!(names(sorted().name("c")).await, ["C"]);
    assert!(names(sorted().page(9)).await.is_empty());
    for list in [
        daytona.snapshots().list().page(0),
        daytona.snapshots().list().limit(0),
        daytona.snapshots().list().limit(201),
    ] {
        assert_eq!(list.await.unwrap_err().kind(), ErrorKind::InvalidRequest);
    }
}

#[tokio::test]
async fn names_are_one_segment_of_the_path() {
    let (_emulator, daytona) = with_snapshots(&["team/x:1.0", "plain"]).await;
    assert_eq!(daytona.snapshots().get("team/x:1.0").await.unwrap().name, "team/x:1.0");
    for name in ["", ".", ".."] {
        assert_eq!(
            daytona.snapshots().get(name).await.unwrap_err().kind(),
            ErrorKind::InvalidRequest,
            "{name:?}"
        );
    }
    let error = daytona.snapshots().get("no such/name").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("no such/name"), "{error}");
}

#[tokio::test]
async fn what_looks_like_an_id_is_tried_as_one_first() {
    let (emulator, daytona) = in_process(Emulator::builder());
    let name = "da480cc6-c99a-4820-8d38-e6b2ff1d70c3";
    let snapshot = daytona
        .snapshots()
        .create(CreateSnapshotParams::new(name, "a:1"))
        .start()
        .await
        .unwrap();
    let asked = |operation| count(&emulator, operation);
    let looked = asked(Operation::GetSnapshot);
    daytona.snapshots().deactivate(snapshot.id().as_str()).await.unwrap();
    assert_eq!(
        (asked(Operation::DeactivateSnapshot), asked(Operation::GetSnapshot)),
        (1, looked)
    );
    // Its name looks like an id, but is none.
    daytona.snapshots().delete(name).await.unwrap();
    assert_eq!(
        daytona.snapshots().get(name).await.unwrap().state,
        SnapshotState::Removing
    );
}

#[tokio::test]
async fn idempotent_requests_are_repeated_and_others_are_not() {
    let (emulator, daytona) = with_snapshots(&["x"]).await;
    for fault in [
        Fault::status(503),
        Fault::status(502),
        Fault::disconnect(),
        Fault::truncate(5),
    ] {
        emulator.inject(fault.on(Operation::GetSnapshot).times(2));
        daytona.snapshots().get("x").await.unwrap();
    }
    daytona.snapshots().deactivate("x").wait().await.unwrap();
    emulator.inject(Fault::status(503).on(Operation::ActivateSnapshot).times(2));
    let error = daytona.snapshots().activate("x").await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Unavailable, Some(503)));
    assert!(error.is_retryable());
    assert_eq!(
        (error.attempts(), count(&emulator, Operation::ActivateSnapshot)),
        (1, 1)
    );
}

#[tokio::test]
async fn a_dead_server_is_asked_as_often_as_the_budget_says() {
    let (emulator, daytona) = with_snapshots(&["x"]).await;
    let before = count(&emulator, Operation::GetSnapshot);
    emulator.inject(Fault::disconnect().on(Operation::GetSnapshot).always());
    let error = daytona.snapshots().get("x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert_eq!(
        (error.attempts(), count(&emulator, Operation::GetSnapshot) - before),
        (4, 4)
    );
    assert!(error.to_string().ends_with("(tried 4 times)"), "{error}");
    // Wrong credentials are never repeated: the server blocks the address.
    emulator.clear_faults();
    emulator.inject(Fault::status(401).on(Operation::GetSnapshot).always());
    assert_eq!(
        daytona.snapshots().get("x").await.unwrap_err().kind(),
        ErrorKind::Unauthorized
    );
    assert_eq!(count(&emulator, Operation::GetSnapshot) - before, 5);
}

#[test]
fn futures_can_be_sent_between_threads() {
    fn assert_send<T: Send + 'static>(_: T) {}
    fn assert_shared<T: Send + Sync + Clone + 'static>(_: &T) {}
    let (_emulator, daytona) = in_process(Emulator::builder());
    let snapshots = daytona.snapshots();
    let params = || CreateSnapshotParams::new("x", "a:1");
    assert_shared(&daytona);
    assert_shared(&snapshots);
    assert_shared(&params());
    assert_send(daytona.regions());
    assert_send(daytona.health());
    assert_send(snapshots.get("x"));
    assert_send(snapshots.list().into_future());
    assert_send(snapshots.list().stream());
    assert_send(snapshots.create(params()).into_future());
    assert_send(snapshots.create(params()).start());
    assert_send(snapshots.create(params()).events());
    assert_send(snapshots.ensure(params()).into_future());
    assert_send(snapshots.ensure(params()).events());
    assert_send(snapshots.activate("x").into_future());
    assert_send(snapshots.activate("x").wait());
    assert_send(snapshots.deactivate("x").into_future());
    assert_send(snapshots.delete("x").wait());
    assert_send(snapshots.wait("x").into_future());
    assert_send(snapshots.build_logs("x").into_future());
    assert_send(snapshots.build_logs("x").follow().stream());
    assert_send(snapshots.prune(PrunePolicy::failed()));
    assert_send(async move { snapshots.prune(PrunePolicy::failed()).await.unwrap().apply().await });
}

#[tokio::test]
async fn odd_names_are_names() {
    let (emulator, daytona) = in_process(Emulator::builder());
    let uuid = "0e25a809-f876-4271-843b-26f2950b7906";
    let names = [
        "team/x:1.0",
        "with space",
        "\u{e9}\u{1f980}",
        "a+b",
        "50%",
        "%2F",
        "?x=1",
        "#",
        uuid,
        "UPPER",
        "a..b",
    ];
    for name in names {
        emulator.add_snapshot(SeededSnapshot::from_image(name, "a:1"));
    }
    for name in names {
        assert_eq!(daytona.snapshots().get(name).await.unwrap().name, name);
        daytona.snapshots().deactivate(name).await.unwrap();
        let found = daytona.snapshots().get(name).await.unwrap();
        assert_eq!(found.state, SnapshotState::Inactive, "{name}");
        daytona.snapshots().delete(&found).await.unwrap();
    }
    // By its id, and written in capitals.
    let found = daytona.snapshots().get(uuid).await.unwrap();
    let capitals = found.id.as_str().to_uppercase();
    assert_eq!(daytona.snapshots().get(capitals.as_str()).await.unwrap().id, found.id);
}
