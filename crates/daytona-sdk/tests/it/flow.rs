//! The whole way of a folder: described, packed, stored, built.

use daytona_emulator::{Emulator, EmulatorBuilder, Fault, Operation, StorageOptions};
use daytona_sdk::{CreateSnapshotParams, Daytona, ErrorKind, Event, Image, Resources, SnapshotState};

use crate::support::{app_plan, count, create_and_hear, folder, in_process, is_a_name_here, on_socket, plan, write};

#[cfg(target_os = "linux")]
mod readers;

/// A folder as users have it.
fn sample() -> tempfile::TempDir {
    let folder = folder(&[
        "app/main.py",
        "app/sub/deep/data.txt",
        "app/a file with blanks",
        "app/größe-日本.txt",
        "app/run.sh",
    ]);
    write(folder.path(), "app/empty", b"");
    write(folder.path(), "app/block", &[7; 512]);
    write(folder.path(), "app/large", &vec![42; 3 * 1024 * 1024 + 1]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(folder.path().join("app/run.sh"), std::fs::Permissions::from_mode(0o700)).unwrap();
        std::fs::set_permissions(
            folder.path().join("app/main.py"),
            std::fs::Permissions::from_mode(0o600),
        )
        .unwrap();
    }
    folder
}

#[tokio::test]
async fn a_folder_becomes_an_active_snapshot() {
    let (emulator, daytona) = on_socket(Emulator::builder()).await;
    let folder = sample();
    let plan = app_plan(folder.path());
    let params = CreateSnapshotParams::new("my-app", &plan).resources(Resources::new().cpu(2).memory(4).disk(8));
    let (snapshot, heard) = create_and_hear(&daytona, params).await;

    assert_eq!(snapshot.state, SnapshotState::Active);
    assert_eq!(
        (snapshot.cpu, snapshot.mem, snapshot.disk),
        (Some(2.0), Some(4.0), Some(8.0))
    );
    assert_eq!(daytona.snapshots().get("my-app").await.unwrap().id, snapshot.id);
    let page = daytona.snapshots().list().name("my-").await.unwrap();
    assert_eq!(
        page.items.iter().map(|item| &item.id).collect::<Vec<_>>(),
        [&snapshot.id]
    );
    assert_eq!((page.total, page.page, page.total_pages), (Some(1), Some(1), Some(1)));

    // The events tell the story in its order.
    let events = heard.events();
    let position = |wanted: fn(&Event) -> bool| events.iter().position(wanted).unwrap();
    let order = [
        position(|event| matches!(event, Event::Planned { files: 8, .. })),
        position(|event| matches!(event, Event::Hashed { .. })),
        position(|event| matches!(event, Event::Sent { .. })),
        position(|event| matches!(event, Event::Stored { .. })),
        position(|event| matches!(event, Event::Accepted { .. })),
        position(|event| {
            matches!(
                event,
                Event::State {
                    state: SnapshotState::Pending,
                    ..
                }
            )
        }),
        position(|event| matches!(event, Event::Log(_))),
        position(|event| matches!(event, Event::Done { .. })),
    ];
    assert!(order.is_sorted(), "{order:?} {events:?}");
    let sent: u64 = events
        .iter()
        .map(|event| {
            if let Event::Sent { bytes, .. } = event {
                *bytes
            } else {
                0
            }
        })
        .sum();
    assert_eq!(sent, emulator.objects()[0].size);
    let log = heard.log();
    assert!(
        log.iter().any(|line| line.contains("[2/2] COPY [\"app\", \"/app\"]")),
        "{log:?}"
    );

    daytona.snapshots().delete(&snapshot).await.unwrap();
    assert_eq!(
        daytona.snapshots().get("my-app").await.unwrap().state,
        SnapshotState::Removing
    );
}

#[tokio::test]
async fn an_unchanged_folder_is_not_sent_again() {
    let (emulator, daytona) = in_process(Emulator::builder());
    let folder = sample();
    let first = daytona
        .snapshots()
        .process_image_context(&app_plan(folder.path()))
        .await
        .unwrap();
    let second = daytona
        .snapshots()
        .process_image_context(&app_plan(folder.path()))
        .await
        .unwrap();
    assert_eq!(first.hashes, second.hashes);
    assert_eq!((second.sent, second.skipped), (0, first.sent));
    assert_eq!(count(&emulator, Operation::PutObject), 1);

    // Another content, mode or name is another archive.
    write(folder.path(), "app/main.py", b"MAIN.PY");
    let third = daytona
        .snapshots()
        .process_image_context(&app_plan(folder.path()))
        .await
        .unwrap();
    assert_ne!(third.hashes, first.hashes);
    assert_eq!(count(&emulator, Operation::PutObject), 2);
}

#[tokio::test]
async fn a_changed_byte_in_the_stored_archive_fails_the_build() {
    for position in [600, 5, 100_000] {
        let (emulator, daytona) = in_process(Emulator::builder());
        let folder = sample();
        let plan = app_plan(folder.path());
        daytona.snapshots().process_image_context(&plan).await.unwrap();
        let object = emulator.objects().remove(0);
        let mut bytes = object.read().unwrap();
        bytes[position] ^= 1;
        emulator.put_object(&object.key, &bytes).unwrap();
        let error = daytona
            .snapshots()
            .create(CreateSnapshotParams::new("x", &plan))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BuildFailed);
        assert!(
            error.to_string().contains("these are not the bytes that were hashed"),
            "{error}"
        );
        assert_eq!(error.snapshot().unwrap().name, "x");
    }
}

#[tokio::test]
async fn a_file_that_changes_after_the_plan_ends_the_upload_with_its_name() {
    let (emulator, daytona) = in_process(Emulator::builder());
    let folder = sample();
    let plan = app_plan(folder.path());
    write(folder.path(), "app/sub/deep/data.txt", b"something else");
    let error = daytona.snapshots().process_image_context(&plan).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LocalFile);
    assert!(error.to_string().contains("data.txt` changed"), "{error}");
    std::fs::remove_file(folder.path().join("app/block")).unwrap();
    let error = daytona.snapshots().process_image_context(&plan).await.unwrap_err();
    assert!(error.to_string().contains("block` changed"), "{error}");
    assert!(emulator.objects().is_empty());
}

#[tokio::test]
async fn names_that_docker_expands_reach_the_image() {
    let (_emulator, daytona) = in_process(Emulator::builder());
    let mut names = vec!["a[1].txt", "b*c?", "d$e", "f'g\"", "h\\i", "j\\[k", "with blank", "é"];
    names.retain(|name| is_a_name_here(name));
    let folder = folder(&names);
    let image = names
        .iter()
        .fold(Image::base("x:1"), |image, name| image.add_local_file(*name, "/to/"));
    let params = CreateSnapshotParams::new("x", plan(&image, folder.path()));
    let (_, heard) = create_and_hear(&daytona, params).await;
    let copied = heard
        .log()
        .iter()
        .filter(|line| line.ends_with(" 1 files from the context"))
        .count();
    assert_eq!(copied, names.len(), "{:#?}", heard.log());
}

#[tokio::test]
async fn a_registry_image_needs_two_requests_and_its_polls() {
    let (emulator, daytona) = in_process(Emulator::builder());
    let params = CreateSnapshotParams::new("python", "python:3.12-slim")
        .entrypoint(["sleep", "infinity"])
        .region("us");
    let snapshot = daytona.snapshots().create(params).await.unwrap();
    assert_eq!(snapshot.image_name.as_deref(), Some("python:3.12-slim"));
    assert_eq!(
        snapshot.entrypoint,
        Some(vec!["sleep".to_owned(), "infinity".to_owned()])
    );
    let requests = emulator.requests();
    assert!(requests.len() <= 3, "{requests:?}");
}

#[tokio::test]
async fn the_entrypoint_of_an_image_is_added_to_a_copy() {
    let (_emulator, daytona) = in_process(Emulator::builder());
    let image = Image::base("x:1");
    for name in ["one", "two"] {
        let params = CreateSnapshotParams::new(name, &image).entrypoint(["a", name]);
        let build = daytona.snapshots().create(params).start().await.unwrap();
        assert_eq!(build.name(), name);
        let dockerfile = build.snapshot().build_info.as_ref().unwrap().dockerfile_content.clone();
        assert_eq!(
            dockerfile.unwrap(),
            format!("FROM x:1\nENTRYPOINT [\"a\", \"{name}\"]\n")
        );
        build.wait().await.unwrap();
    }
}

/// Strict stores, each peculiarity alone and all together.
#[tokio::test]
async fn strict_stores_take_the_upload() {
    use daytona_emulator::StorageOptions;

    let options: [fn(StorageOptions) -> StorageOptions; 4] = [
        StorageOptions::forbidden_when_missing,
        StorageOptions::refuse_checksum_headers,
        StorageOptions::refuse_chunked_framing,
        |options| {
            options
                .forbidden_when_missing()
                .refuse_checksum_headers()
                .refuse_chunked_framing()
        },
    ];
    for option in options {
        let builder = || Emulator::builder().storage(option(StorageOptions::new()));
        push_to(on_socket(builder()).await).await;
        push_to(in_process(builder())).await;
    }
}

async fn push_to((emulator, daytona): (Emulator, Daytona)) {
    let folder = sample();
    let pushed = daytona
        .snapshots()
        .process_image_context(&app_plan(folder.path()))
        .await
        .unwrap();
    assert_eq!(emulator.objects().len(), 1);
    assert_eq!(pushed.sent, emulator.objects()[0].size);
    // HEAD and PUT of the exact key, a GET of it where HEAD is refused without a reason, and nothing else.
    let storage: Vec<_> = emulator
        .requests()
        .into_iter()
        .filter(|request| !request.address.starts_with("/api"))
        .collect();
    let key = &emulator.objects()[0].key;
    assert!(
        storage.iter().all(|request| request.address.contains(key)),
        "{storage:?}"
    );
    let is_head_refused = storage[0].status == Some(403);
    let expected: &[&str] = if is_head_refused {
        &["HEAD", "GET", "PUT"]
    } else {
        &["HEAD", "PUT"]
    };
    let methods: Vec<&str> = storage.iter().map(|request| request.method.as_str()).collect();
    assert_eq!(methods, expected, "{storage:?}");
}

#[tokio::test]
async fn credentials_that_have_expired_are_refused_by_the_store() {
    let options = daytona_emulator::StorageOptions::new().expire_after_parts(0);
    let (emulator, daytona) = in_process(EmulatorBuilder::default().storage(options));
    let folder = sample();
    let error = daytona
        .snapshots()
        .process_image_context(&app_plan(folder.path()))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ObjectStorage);
    assert!(error.to_string().contains("ExpiredToken"), "{error}");
    assert!(emulator.objects().is_empty());
}

/// A large context is a list of archives, which the builder merges: everything is in the image, though the credentials end
/// after each archive and the store has a bad moment.
#[tokio::test(start_paused = true)]
async fn a_list_of_archives_becomes_one_tree() {
    let options = StorageOptions::new().expire_after_parts(1);
    let (emulator, daytona) = in_process(Emulator::builder().storage(options));
    let folder = sample();
    for number in 0..80 {
        write(
            folder.path(),
            &format!("app/more/{number:02}"),
            &vec![number; 1_000_000],
        );
    }
    emulator.inject(Fault::status(503).on(Operation::PutObject).nth(2));
    let (snapshot, heard) = create_and_hear(&daytona, CreateSnapshotParams::new("x", app_plan(folder.path()))).await;
    let hashes = snapshot
        .build_info
        .and_then(|info| info.context_hashes)
        .unwrap_or_default();
    assert!(
        hashes.len() > 1 && hashes.len() == emulator.objects().len(),
        "{hashes:?}"
    );
    assert!(count(&emulator, Operation::GetPushAccess) > 1);
    let retries = heard.events().into_iter().filter_map(|event| match event {
        Event::Retry { reason, .. } => Some(reason),
        _ => None,
    });
    let retries: Vec<String> = retries.collect();
    assert!(retries.len() == 1 && retries[0].contains("503"), "{retries:?}");
    let image = emulator.image("x").await.unwrap();
    for number in 0..80 {
        let file = image.file(&format!("/app/more/{number:02}")).unwrap();
        assert_eq!(file.read().unwrap(), vec![number; 1_000_000]);
    }
}
