//! The whole flow over sockets: what works in process works on the wire.

use std::time::Duration;

use daytona_emulator::{Emulator, Fault, Operation, Script, StorageOptions};
use daytona_sdk::{CreateSnapshotParams, Daytona, ErrorKind, PrunePolicy, SnapshotState};

use crate::support::{Hasty, Heard, app_plan, folder, image_params};

/// An emulator on a socket and a client of it, whose time hurries.
async fn hasty(storage: StorageOptions) -> (Emulator, Daytona) {
    let emulator = Emulator::builder().storage(storage).start().await.unwrap();
    let client = Daytona::builder()
        .api_url(emulator.api_url())
        .api_key(emulator.api_key())
        .clock(Hasty::of(&emulator))
        .build()
        .unwrap();
    (emulator, client)
}

#[tokio::test]
async fn a_creation_with_troubles() {
    let (emulator, daytona) = hasty(StorageOptions::new().forbidden_when_missing().refuse_checksum_headers()).await;
    let lines: Vec<String> = (0..200).map(|line| format!("#{line} \u{1f980}")).collect();
    emulator.script(Script::for_name("x").takes(Duration::from_mins(1)).log(lines.clone()));
    emulator.inject(Fault::reset_upload(1_000).on(Operation::PutObject));
    emulator.inject(Fault::lose_answer().on(Operation::CreateSnapshot));
    emulator.inject(Fault::disconnect().on(Operation::GetSnapshot).nth(2).times(2));
    emulator.inject(Fault::status(502).on(Operation::GetSnapshot).nth(5).times(3));
    for (call, bytes) in [(1, 1), (2, 500), (3, 1_003)] {
        emulator.inject(Fault::truncate(bytes).on(Operation::ReadBuildLog).nth(call));
    }
    let folder = folder(&["app/x", "app/y"]);
    let heard = Heard::default();
    let create = daytona
        .snapshots()
        .create(CreateSnapshotParams::new("x", app_plan(folder.path())));
    let snapshot = create.on_event(heard.callback()).await.unwrap();
    assert_eq!(snapshot.state, SnapshotState::Active);
    assert_eq!(heard.log(), lines);
    assert_eq!(heard.gaps(), []);
    let read: Vec<String> = daytona
        .snapshots()
        .build_logs(&snapshot)
        .await
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(read, lines);
}

#[tokio::test]
async fn the_other_calls() {
    let (emulator, daytona) = hasty(StorageOptions::new()).await;
    let snapshots = daytona.snapshots();
    let ensured = snapshots.ensure(image_params("x")).await.unwrap();
    assert_eq!(snapshots.ensure(image_params("x")).await.unwrap().id, ensured.id);
    emulator.script(Script::for_name("bad").fails("exit code: 3"));
    let error = snapshots
        .create(CreateSnapshotParams::new("bad", daytona_sdk::Image::base("b:1")))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.reason()),
        (ErrorKind::BuildFailed, Some("exit code: 3"))
    );
    assert!(error.log_tail().last().unwrap().contains("exit code: 3"), "{error:?}");
    let mut stream = snapshots.list().stream();
    let mut names = Vec::new();
    while let Some(snapshot) = stream.next().await {
        names.push(snapshot.unwrap().name);
    }
    assert_eq!(names, ["x", "bad"]);
    let report = snapshots
        .prune(PrunePolicy::failed())
        .await
        .unwrap()
        .apply()
        .await
        .unwrap();
    assert_eq!(report.deleted.len(), 1);
    snapshots.delete("x").wait().await.unwrap();
    assert_eq!(snapshots.get("x").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(daytona.regions().await.unwrap().len(), 1);
}
