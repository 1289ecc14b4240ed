//! Registries, and what is said of images that nobody has credentials for.

use daytona_emulator::{Emulator, Operation, Script};
use daytona_sdk::{CreateSnapshotParams, ErrorKind, Image, RegistryParams};

use crate::support::{count, in_process};

fn ours(url: &str) -> RegistryParams {
    RegistryParams::new("ours", url, "ci", "s3cret-s3cret")
}

#[tokio::test(start_paused = true)]
async fn registries_are_added_listed_replaced_and_removed() {
    let (_emulator, daytona) = in_process(Emulator::builder());
    let registries = daytona.registries();
    let added = registries
        .add(ours("https://registry.example/").project("team"))
        .await
        .unwrap();
    assert_eq!(
        (added.url.as_str(), added.project.as_deref()),
        ("https://registry.example", Some("team"))
    );
    let replaced = registries
        .replace(&added.id, ours("https://other.example"))
        .await
        .unwrap();
    assert_eq!(
        (replaced.url.as_str(), replaced.project),
        ("https://other.example", None)
    );
    let listed = registries.list().await.unwrap();
    assert_eq!(listed.len(), 1);
    registries.remove(&added.id).await.unwrap();
    assert_eq!(
        registries.remove(&added.id).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
    let error = registries.add(ours("localhost:5000")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected);
    let access = registries.push_access().await.unwrap();
    assert!(!format!("{:?} {access:?}", ours("x.example")).contains("s3cret"));
}

#[tokio::test(start_paused = true)]
async fn an_image_that_nobody_has_credentials_for_names_its_host() {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.require_credentials("registry.example");
    let params = || CreateSnapshotParams::new("app", "registry.example/team/app:1");
    let error = daytona.snapshots().create(params()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BuildFailed);
    assert!(
        error.report().contains("no credentials for registry.example"),
        "{}",
        error.report()
    );
    daytona.registries().add(ours("registry.example")).await.unwrap();
    daytona.snapshots().ensure(params()).replace().await.unwrap();

    // The parent of a build is an image, too.
    let words = "failed to solve: other.example/base:1: pull access denied, authorization failed: unauthorized";
    emulator.script(Script::for_name("built").fails(words));
    let image = Image::base("other.example/base:1").run_commands(["make"]);
    let error = daytona
        .snapshots()
        .create(CreateSnapshotParams::new("built", image))
        .await
        .unwrap_err();
    assert!(
        error.report().contains("no credentials for other.example"),
        "{}",
        error.report()
    );

    // Other failures are not asked about.
    let before = count(&emulator, Operation::ListRegistries);
    emulator.script(Script::for_name("broken").run_fails("make", 2, "no rule"));
    let image = Image::base("other.example/base:1").run_commands(["make x"]);
    let error = daytona
        .snapshots()
        .create(CreateSnapshotParams::new("broken", image))
        .await
        .unwrap_err();
    assert!(!error.report().contains("credentials"), "{}", error.report());
    assert_eq!(count(&emulator, Operation::ListRegistries), before);
}

#[tokio::test(start_paused = true)]
async fn an_image_of_docker_hub_without_its_host_is_pulled_without_credentials() {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.require_credentials("docker.io/team");
    daytona.registries().add(ours("docker.io")).await.unwrap();
    let error = daytona
        .snapshots()
        .create(CreateSnapshotParams::new("app", "team/app:1"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BuildFailed);
    assert!(
        error.report().contains("write `docker.io/team/app:1`"),
        "{}",
        error.report()
    );
    daytona
        .snapshots()
        .create(CreateSnapshotParams::new("cured", "docker.io/team/app:1"))
        .await
        .unwrap();
}
