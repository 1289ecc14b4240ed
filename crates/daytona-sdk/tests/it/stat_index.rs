//! The stat index of a creation. Its files are this crate's own: they rest for longer than two seconds.

#[cfg(unix)]
use std::fs;
use std::path::Path;
#[cfg(unix)]
use std::path::PathBuf;

use daytona_emulator::{Emulator, Operation};
#[cfg(unix)]
use daytona_sdk::Digest;
use daytona_sdk::{CreateSnapshotParams, ErrorKind, Image, ImagePlan};

use crate::support::{count, in_process, plan};

fn rested() -> ImagePlan {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    plan(&Image::base("a:1").add_local_dir("snapshots", "/app"), &base)
}

/// The index with another digest for its archive.
#[cfg(unix)]
fn forge(index: &PathBuf, other: Digest) {
    let text = fs::read_to_string(index).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let truth = lines[1].split(' ').nth(1).unwrap();
    let body = format!("{}\n{}\n", lines[0], lines[1].replace(truth, &other.to_string()));
    fs::write(index, format!("{body}{}\n", Digest::of(body.as_bytes()))).unwrap();
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn files_that_rest_are_not_read_again() {
    let (emulator, daytona) = in_process(Emulator::builder());
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("index");
    let params = || CreateSnapshotParams::new("x", rested()).stat_index(&index);
    let created = daytona.snapshots().create(params()).await.unwrap();
    let found = daytona.snapshots().ensure(params()).await.unwrap();
    assert_eq!(found.id, created.id);
    // What it says is believed where nothing is sent, and only if it was asked for.
    let definition = daytona.snapshots().definition(params()).await.unwrap();
    forge(&index, Digest::of(b"other"));
    let believed = daytona.snapshots().definition(params()).await.unwrap();
    assert_ne!(believed, definition);
    let without = CreateSnapshotParams::new("x", rested());
    assert_eq!(daytona.snapshots().definition(without).await.unwrap(), definition);
    // What is sent is hashed.
    let created = daytona
        .snapshots()
        .create(CreateSnapshotParams::new("y", rested()).stat_index(&index))
        .await
        .unwrap();
    let build = created.build_info.unwrap();
    assert!(
        !build
            .context_hashes
            .unwrap()
            .contains(&Digest::of(b"other").to_string())
    );
    assert_eq!(daytona.snapshots().definition(params()).await.unwrap(), definition);
    assert_eq!(count(&emulator, Operation::CreateSnapshot), 2);
}

#[tokio::test(start_paused = true)]
async fn an_index_that_cannot_be_written_is_named_before_anything_is_created() {
    let (emulator, daytona) = in_process(Emulator::builder());
    let folder = tempfile::tempdir().unwrap();
    let params = || CreateSnapshotParams::new("x", rested()).stat_index(folder.path());
    for error in [
        daytona.snapshots().create(params()).await.unwrap_err(),
        daytona.snapshots().definition(params()).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::LocalFile);
        assert!(error.to_string().contains("not a regular file"), "{error}");
    }
    assert_eq!(count(&emulator, Operation::CreateSnapshot), 0);
}

/// Windows does not tell when the status of a file changed.
#[cfg(windows)]
#[tokio::test(start_paused = true)]
async fn where_files_do_not_tell_enough_an_index_is_refused() {
    let (emulator, daytona) = in_process(Emulator::builder());
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("index");
    let params = || CreateSnapshotParams::new("x", rested()).stat_index(&index);
    for error in [
        daytona.snapshots().create(params()).await.unwrap_err(),
        daytona.snapshots().definition(params()).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::LocalFile);
        assert!(error.to_string().contains("cannot be used on this platform"), "{error}");
    }
    assert_eq!(count(&emulator, Operation::CreateSnapshot), 0);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
