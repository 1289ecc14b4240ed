//! What holds for every call: its events, its callbacks, what is checked before anything is sent; and what a definition and a key are.

use std::future::IntoFuture;
use std::time::Duration;

use daytona_emulator::{ApiKey, Emulator, Fault, Operation, Script};
use daytona_sdk::{CreateSnapshotParams, ErrorKind, Event, Image, Permission};

use crate::support::{Heard, app_plan, client_of, folder, image_params, in_process, user_of};

const SECOND: Duration = Duration::from_secs(1);
const TWIN: &str = "An operation is already in progress for this resource";

#[tokio::test(start_paused = true)]
async fn events_come_whatever_ends_the_call() {
    let (_emulator, daytona) = in_process(Emulator::builder());
    // Longer than a request may be, in lines that Docker takes.
    let long = vec!["#".repeat(40_000); 3];
    let heard = Heard::default();
    let params = CreateSnapshotParams::new("x", Image::base("a:1").run_commands(long));
    let create = daytona.snapshots().create(params.clone()).on_event(heard.callback());
    assert_eq!(create.await.unwrap_err().kind(), ErrorKind::InvalidRequest);
    assert!(
        matches!(heard.events().as_slice(), [Event::Planned { .. }]),
        "{:?}",
        heard.events()
    );
    let mut events = daytona.snapshots().create(params).events();
    assert!(matches!(events.next().await, Some(Ok(Event::Planned { .. }))));
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_a_callback_is_the_callers() {
    let (_emulator, daytona) = in_process(Emulator::builder());
    let create = daytona
        .snapshots()
        .create(image_params("x"))
        .on_logs(|line| assert!(line.as_str().is_empty(), "an assertion"))
        .into_future();
    let ended = tokio::spawn(create).await.unwrap_err();
    assert!(ended.is_panic());
}

/// The one thread there is is blocked by each line. Polls and the deadline have their turn between two of them.
#[tokio::test]
async fn a_callback_that_blocks_the_thread_does_not_hold_the_deadline_for_ever() {
    let (emulator, daytona) = in_process(Emulator::builder().build_time(Duration::from_hours(1)));
    let lines: Vec<_> = (0..100).map(|number| format!("line {number}")).collect();
    emulator.script(Script::for_name("x").takes(SECOND / 2).log(lines));
    let heard = Heard::default();
    let mut hear = heard.callback();
    let create = daytona
        .snapshots()
        .create(image_params("x"))
        .timeout(SECOND * 2)
        .on_logs(move |line| {
            std::thread::park_timeout(Duration::from_millis(200));
            hear(&Event::Log(line.clone()));
        });
    drop(create.await);
    assert!(
        heard.log().len() < 50,
        "the deadline came after {} lines",
        heard.log().len()
    );
}

#[tokio::test(start_paused = true)]
async fn the_tail_of_a_failure_is_that_of_its_own_build() {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.script(
        Script::for_name("x")
            .times(1)
            .takes(SECOND * 5)
            .log(["of the first"])
            .fails(TWIN),
    );
    emulator.script(
        Script::for_name("x")
            .takes(SECOND * 5)
            .log(["of the second"])
            .fails("exit code: 1"),
    );
    let heard = Heard::default();
    let create = daytona.snapshots().create(image_params("x")).on_event(heard.callback());
    let error = create.await.unwrap_err();
    assert_eq!(error.reason(), Some("exit code: 1"));
    let tail = error.log_tail().join("\n");
    assert!(
        tail.contains("of the second") && !tail.contains("of the first"),
        "{tail}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_problem_of_the_plan_wins_over_what_was_asked_beside_it() {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.inject(Fault::status(403).on(Operation::GetPushAccess).always());
    let image = Image::base("a:1").add_local_dir("/no/such/folder", "/app");
    let error = daytona
        .snapshots()
        .create(CreateSnapshotParams::new("x", image))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidImage);
    // Nothing was stored or created.
    let others = emulator
        .requests()
        .into_iter()
        .filter(|request| request.operation != Operation::GetPushAccess);
    assert_eq!(others.count(), 0);
    // Without files it does not matter either.
    emulator.inject(Fault::status(403).on(Operation::GetPushAccess).always());
    daytona.snapshots().create(image_params("y")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_definition_has_a_hash_and_may_name_the_snapshot() {
    let (_emulator, daytona) = in_process(Emulator::builder());
    let folder = folder(&["app/x"]);
    let plan = app_plan(folder.path());
    let definition = daytona
        .snapshots()
        .definition(CreateSnapshotParams::new("web", &plan))
        .await
        .unwrap();
    let hash = definition.hash().to_string();
    let named = || CreateSnapshotParams::named_after_content("web", &plan);
    let created = daytona.snapshots().create(named()).await.unwrap();
    assert_eq!(created.name, format!("web-{}", &hash[..16]));
    assert_eq!(daytona.snapshots().ensure(named()).await.unwrap().id, created.id);
    let build = created.r#ref.as_deref().unwrap_or_default();
    assert!(build.ends_with(definition.build_ref().unwrap()), "{build}");
    // Whatever is part of the definition changes the hash, and nothing else does.
    let of = async |params: CreateSnapshotParams| daytona.snapshots().definition(params).await.unwrap().hash();
    let same = definition.hash();
    assert_eq!(of(CreateSnapshotParams::new("other", &plan)).await, same);
    let others = [
        CreateSnapshotParams::new("web", &plan).region("eu"),
        CreateSnapshotParams::new("web", &plan).sandbox_class("container"),
        CreateSnapshotParams::new("web", &plan).resources(daytona_sdk::Resources::new().cpu(1)),
        CreateSnapshotParams::new("web", &plan).resources(daytona_sdk::Resources::new().memory(1)),
        CreateSnapshotParams::new("web", &plan).resources(daytona_sdk::Resources::new().gpu_types(["H100"])),
        CreateSnapshotParams::new("web", "a:1"),
        CreateSnapshotParams::new("web", "a:1").entrypoint(["x"]),
        CreateSnapshotParams::new("web", "a:1").entrypoint(["x", "y"]),
        CreateSnapshotParams::new("web", "a:1").entrypoint(["xy"]),
    ];
    let mut hashes = std::collections::HashSet::from([same]);
    for other in others {
        assert!(hashes.insert(of(other.clone()).await), "{other:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_can_be_checked_before_it_is_needed() {
    let (emulator, daytona) = in_process(Emulator::builder());
    let everything = daytona.check().await.unwrap();
    assert_eq!(
        everything.missing([Permission::WriteSnapshots, Permission::DeleteSnapshots]),
        []
    );
    let key = ApiKey::new(emulator.organization_id()).permissions([daytona_emulator::Permission::WriteSnapshots]);
    let key = client_of(&emulator, &emulator.add_api_key(key)).check().await.unwrap();
    assert_eq!(
        key.missing([Permission::WriteSnapshots, Permission::DeleteSnapshots]),
        [Permission::DeleteSnapshots]
    );
    assert_eq!(
        user_of(&emulator, emulator.organization_id())
            .check()
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::Unsupported
    );
    assert_eq!(
        client_of(&emulator, "dtn_wrong").check().await.unwrap_err().kind(),
        ErrorKind::Unauthorized
    );
}
