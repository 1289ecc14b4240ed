//! What only Windows does: files that another program has open.

use std::fs::File;
use std::os::windows::fs::OpenOptionsExt;

use daytona_emulator::Emulator;
use serde_json::json;
use tempfile::TempDir;

use crate::support::Asked;

/// Others may read it and write it, but not replace it.
const READ_AND_WRITE: u32 = 3;

fn hold(folder: &TempDir) -> File {
    let mut options = File::options();
    options.read(true).share_mode(READ_AND_WRITE);
    options.open(folder.path().join("state.json")).unwrap()
}

fn at(folder: &TempDir) -> Asked {
    Asked::with(Emulator::builder().data_dir(folder.path()).in_process().unwrap())
}

#[tokio::test]
async fn a_state_that_somebody_reads_for_a_moment_is_written_then() {
    let folder = TempDir::new().unwrap();
    let asked = at(&folder);
    let reader = hold(&folder);
    let create = asked.create(json!({"name": "x", "imageName": "a:1"}));
    let close = async {
        // The creation has begun, as its future is polled first.
        tokio::task::yield_now().await;
        drop(reader);
    };
    let ((status, body), ()) = tokio::join!(create, close);
    assert_eq!(status, 200, "{body}");
    drop(asked);
    assert_eq!(at(&folder).get("/snapshots/x").await.0, 200);
}

#[tokio::test]
async fn a_state_that_stays_open_elsewhere_is_named_and_nothing_acknowledged() {
    let folder = TempDir::new().unwrap();
    let asked = at(&folder);
    let reader = hold(&folder);
    let (status, body) = asked.create(json!({"name": "x", "imageName": "a:1"})).await;
    assert_eq!(status, 500, "{body}");
    let message = body["message"].as_str().unwrap();
    assert!(
        message.contains("state.json cannot be replaced: another program has it open"),
        "{message}"
    );
    // What could not be written is written with the next change.
    drop(reader);
    assert_eq!(asked.create(json!({"name": "y", "imageName": "b:1"})).await.0, 200);
    drop(asked);
    let asked = at(&folder);
    assert_eq!(asked.get("/snapshots/x").await.0, 200);
    assert_eq!(asked.get("/snapshots/y").await.0, 200);
}

#[tokio::test]
async fn what_is_kept_below_a_long_path_is_there_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let mut deep = folder.path().to_owned();
    for _ in 0..6 {
        deep.push("a".repeat(40));
    }
    let at = || Asked::with(Emulator::builder().data_dir(&deep).in_process().unwrap());
    let asked = at();
    asked.emulator.put_object("a/key", b"bytes").unwrap();
    asked.created("x").await;
    drop(asked);
    let asked = at();
    assert_eq!(asked.get("/snapshots/x").await.0, 200);
    assert_eq!(asked.emulator.objects().remove(0).read().unwrap(), b"bytes");
}
