//! The facade without its default features: what it cannot do it says before any request, and names the feature.
//!
//! Run by `cargo xtask ci`, and by `cargo test -p daytona-sdk --no-default-features --test bare`.
#![cfg(not(any(feature = "rustls", feature = "s3")))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use daytona_emulator::{Emulator, Operation};
use daytona_sdk::context::MemoryStorage;
use daytona_sdk::transport::ServiceTransport;
use daytona_sdk::{CreateSnapshotParams, Daytona, DaytonaBuilder, ErrorKind, Image, ImagePlan, PlanOptions};
use tempfile::TempDir;

fn client(emulator: &Emulator) -> DaytonaBuilder {
    Daytona::builder()
        .api_url(emulator.api_url())
        .api_key(emulator.api_key())
        .transport(ServiceTransport::new(emulator.service()))
}

/// The plan of an image with a local file in this folder.
fn plan(folder: &TempDir) -> ImagePlan {
    std::fs::write(folder.path().join("x"), "x").unwrap();
    let image = Image::base("alpine:3.20").add_local_file("x", "/x");
    image
        .plan_with(&PlanOptions::default().base_dir(folder.path()))
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn local_files_are_refused_before_any_request() {
    let emulator = Emulator::builder().in_process().unwrap();
    let daytona = client(&emulator).build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let params = || CreateSnapshotParams::new("x", plan(&folder));
    let refused = [
        daytona.snapshots().create(params()).await.unwrap_err(),
        daytona.snapshots().ensure(params()).await.unwrap_err(),
    ];
    for error in refused {
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("the feature `s3`"), "{error}");
    }
    assert!(emulator.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_image_without_files_needs_no_storage() {
    let emulator = Emulator::builder().in_process().unwrap();
    let daytona = client(&emulator).build().unwrap();
    let image = Image::base("alpine:3.20").run_commands(["make"]);
    daytona
        .snapshots()
        .create(CreateSnapshotParams::new("x", image))
        .await
        .unwrap();
    let asked = |operation| emulator.requests().iter().any(|request| request.operation == operation);
    assert!(asked(Operation::CreateSnapshot) && !asked(Operation::GetPushAccess));
}

#[tokio::test]
async fn local_files_go_to_a_storage_of_ones_own() {
    let emulator = Emulator::builder().in_process().unwrap();
    let storage = MemoryStorage::new();
    let daytona = client(&emulator).object_storage(storage.clone()).build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let pushed = daytona.snapshots().process_image_context(&plan(&folder)).await.unwrap();
    assert_eq!((pushed.hashes.len(), storage.keys().len()), (1, 1));
}

#[test]
fn an_https_address_is_refused_at_once() {
    let error = Daytona::builder()
        .api_url("https://daytona.example/api")
        .api_key("key")
        .build()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("the feature `rustls`"), "{error}");
}
