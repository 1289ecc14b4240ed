//! Get or create: every row of its table, and twins.

use std::future::IntoFuture;
use std::time::Duration;

use daytona_emulator::{Emulator, Fault, Operation, Script, SeededSnapshot};
use daytona_sdk::{CreateSnapshotParams, Daytona, Error, ErrorKind, Event, Image, Resources, Snapshot, SnapshotState};

use crate::support::{Heard, app_plan, count, folder, image_params, in_process, write};

const MINUTE: Duration = Duration::from_mins(1);

/// Deletions that found something: a snapshot that is not there any more is deleted once more to be certain.
fn removed(emulator: &Emulator) -> usize {
    let requests = emulator.requests();
    let removals = requests
        .iter()
        .filter(|request| request.operation == Operation::RemoveSnapshot);
    removals.filter(|request| request.status == Some(200)).count()
}

async fn ensure(daytona: &Daytona, params: CreateSnapshotParams) -> Result<Snapshot, Error> {
    daytona.snapshots().ensure(params).await
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_created_and_then_returned() {
    let (emulator, daytona) = in_process(Emulator::builder());
    let folder = folder(&["app/x"]);
    let params = || CreateSnapshotParams::new("x", app_plan(folder.path()));
    let created = ensure(&daytona, params()).await.unwrap();
    let before = emulator.requests().len();
    let found = ensure(&daytona, params()).await.unwrap();
    assert_eq!(
        (found.id.clone(), found.state),
        (created.id.clone(), SnapshotState::Active)
    );
    // One request: the files are hashed here.
    assert_eq!(emulator.requests().len(), before + 1);
    // Another file is another definition.
    write(folder.path(), "app/x", b"other");
    let error = ensure(&daytona, params()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DefinitionMismatch);
    assert!(
        error.to_string().contains("files of its context") && error.snapshot().unwrap().id == created.id,
        "{error}"
    );
    let replaced = daytona.snapshots().ensure(params()).replace().await.unwrap();
    assert_ne!(replaced.id, created.id);
}

#[tokio::test(start_paused = true)]
async fn what_differs_is_told() {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.add_snapshot(
        SeededSnapshot::from_image("x", "a:1")
            .resources(2.0, 0.0, 4.0, 8.0)
            .entrypoint(["sleep"]),
    );
    let same = || CreateSnapshotParams::new("x", "a:1");
    for params in [
        same(),
        same().entrypoint(["sleep"]),
        same().resources(Resources::new().cpu(2).memory(4).disk(8)),
    ] {
        ensure(&daytona, params).await.unwrap();
    }
    for (params, part) in [
        (CreateSnapshotParams::new("x", "a:2"), "its image is `a:1`"),
        (
            CreateSnapshotParams::new("x", Image::base("a:1")),
            "from the image `a:1`",
        ),
        (same().entrypoint(["wake"]), "its entrypoint is [\"sleep\"]"),
        (
            same().resources(Resources::new().memory(5)),
            "its memory is 4 instead of 5",
        ),
    ] {
        let error = ensure(&daytona, params).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DefinitionMismatch);
        assert!(
            error.to_string().contains(part) && error.to_string().contains("replace"),
            "{error}"
        );
    }
    assert_eq!(count(&emulator, Operation::RemoveSnapshot), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_in_progress_is_waited_for() {
    let (emulator, daytona) = in_process(Emulator::builder().build_time(MINUTE * 5));
    let build = daytona.snapshots().create(image_params("x")).start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let found = ensure(&daytona, image_params("x")).await.unwrap();
    assert_eq!((&found.id, &found.state), (build.id(), &SnapshotState::Active));
    assert_eq!(
        (removed(&emulator), count(&emulator, Operation::CreateSnapshot)),
        (0, 1)
    );
}

/// Another job is making another definition. Its call succeeds, and this one is next.
#[tokio::test(start_paused = true)]
async fn another_definition_is_replaced_once_it_is_made() {
    let (emulator, daytona) = in_process(Emulator::builder().build_time(MINUTE * 5));
    let build = daytona.snapshots().create(image_params("x")).start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let other = || CreateSnapshotParams::new("x", "a:1");
    let error = ensure(&daytona, other()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DefinitionMismatch);
    let in_time = daytona.snapshots().ensure(other()).replace().timeout(MINUTE);
    let error = in_time.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WaitTimeout);
    // To wait for that one would give the wrong snapshot.
    assert!(error.snapshot().is_none(), "{error}");
    assert!(
        error.to_string().contains("another definition") && error.to_string().contains("`ensure` again"),
        "{error}"
    );
    assert_eq!(removed(&emulator), 0);
    let heard = Heard::default();
    let replace = daytona.snapshots().ensure(other()).replace().on_event(heard.callback());
    let (first, second) = tokio::join!(build.wait(), replace.into_future());
    assert_eq!(first.unwrap().state, SnapshotState::Active);
    assert_eq!(second.unwrap().image_name.as_deref(), Some("a:1"));
    let waits = |event: &Event| matches!(event, Event::Retry { reason, .. } if reason.contains("another definition"));
    assert_eq!(heard.events().iter().filter(|event| waits(event)).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_inactive_is_activated_when_it_may_be() {
    let (emulator, daytona) = in_process(Emulator::builder());
    let id = ensure(&daytona, image_params("x")).await.unwrap().id;
    daytona.snapshots().deactivate(&id).await.unwrap();
    let error = ensure(&daytona, image_params("x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cooldown);
    assert_eq!(error.snapshot().unwrap().id, id);
    emulator.clock().advance(MINUTE * 11);
    let found = ensure(&daytona, image_params("x")).await.unwrap();
    assert_eq!((found.id, found.state), (id, SnapshotState::Active));
}

#[tokio::test(start_paused = true)]
async fn what_has_failed_is_replaced_only_on_request() {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.script(Script::for_name("x").times(1).fails("exit code: 7"));
    let error = ensure(&daytona, image_params("x")).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.reason()),
        (ErrorKind::BuildFailed, Some("exit code: 7"))
    );
    let failed = error.snapshot().unwrap().id.clone();
    let error = ensure(&daytona, image_params("x")).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.reason()),
        (ErrorKind::BuildFailed, Some("exit code: 7"))
    );
    assert_eq!(count(&emulator, Operation::RemoveSnapshot), 0);
    // It says that this call has built nothing, shows the log of the build, and the way out.
    let report = error.report();
    assert!(
        report.contains("failed before this call") && report.contains(".replace()"),
        "{report}"
    );
    assert!(!error.log_tail().is_empty(), "{report}");
    let replaced = daytona.snapshots().ensure(image_params("x")).replace().await.unwrap();
    assert_ne!(replaced.id, failed);
    // What fails again is not replaced forever.
    let other = || CreateSnapshotParams::new("y", Image::base("y:1"));
    emulator.script(Script::for_name("y").fails("exit code: 8"));
    for _ in 0..2 {
        let error = daytona.snapshots().ensure(other()).replace().await.unwrap_err();
        assert_eq!(error.reason(), Some("exit code: 8"));
    }
    assert_eq!(removed(&emulator), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_being_removed_is_waited_for() {
    let (emulator, daytona) = in_process(Emulator::builder());
    let first = ensure(&daytona, image_params("x")).await.unwrap();
    daytona.snapshots().delete(&first).await.unwrap();
    let second = ensure(&daytona, image_params("x")).await.unwrap();
    assert_ne!(first.id, second.id);
    // Taken by something that nobody sees, for a while and forever.
    emulator.inject(Fault::status(409).on(Operation::CreateSnapshot).times(3));
    ensure(&daytona, image_params("y")).await.unwrap();
    emulator.inject(Fault::status(409).on(Operation::CreateSnapshot).always());
    let begun = tokio::time::Instant::now();
    let error = ensure(&daytona, image_params("z")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NameReserved);
    assert!(begun.elapsed() < MINUTE * 6);
}

/// Clients that ensure the same at once come to the same snapshot, and those of other names to their own.
#[tokio::test(start_paused = true)]
async fn twins_do_not_break_each_other() {
    for is_image in [true, false] {
        let (_emulator, daytona) = in_process(Emulator::builder().build_time(MINUTE));
        let params = |name: &str| {
            if is_image {
                CreateSnapshotParams::new(name, "a:1")
            } else {
                image_params(name)
            }
        };
        let one = daytona.snapshots().ensure(params("same")).into_future();
        let two = daytona.snapshots().ensure(params("same")).into_future();
        let three = daytona.snapshots().ensure(params("third")).into_future();
        let (one, two, three) = tokio::join!(one, two, three);
        let (one, two, three) = (one.unwrap(), two.unwrap(), three.unwrap());
        assert_eq!(one.id, two.id);
        assert_eq!([one.state, three.state], [SnapshotState::Active, SnapshotState::Active]);
        assert_eq!(daytona.snapshots().list().await.unwrap().items.len(), 2);
    }
}

/// The server fails one of two equal builds; that says nothing about the definition. But it is not ours to delete.
#[tokio::test(start_paused = true)]
async fn a_failure_for_want_of_a_turn_is_left_to_whom_it_belongs() {
    let (emulator, daytona) = in_process(Emulator::builder());
    for (expected, state) in ["build_failed", "error"].into_iter().enumerate() {
        let dockerfile = "FROM x:1\nRUN make\n";
        let seeded = SeededSnapshot::from_dockerfile(state, dockerfile)
            .state(state)
            .error_reason("An operation is already in progress for this resource");
        let failed = emulator.add_snapshot(seeded);
        // It is somebody else's, who makes it again, or does not.
        let error = ensure(&daytona, image_params(state)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BuildFailed);
        assert!(error.to_string().contains("let `ensure` replace it"), "{error}");
        assert_eq!(removed(&emulator), expected);
        let found = daytona.snapshots().ensure(image_params(state)).replace().await.unwrap();
        assert_eq!(found.state, SnapshotState::Active);
        assert_ne!(found.id.as_str(), failed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_general_snapshot_counts_only_if_it_is_the_same() {
    let (emulator, daytona) = in_process(Emulator::builder());
    let stranger = emulator.put_organization(daytona_emulator::Organization::new("stranger"));
    let general = |image: &str| {
        SeededSnapshot::from_image("python", image)
            .general()
            .organization(&stranger)
    };
    let id = emulator.add_snapshot(general("python:3.12"));
    let found = ensure(&daytona, CreateSnapshotParams::new("python", "python:3.12"))
        .await
        .unwrap();
    assert_eq!(found.id.as_str(), id);
    let own = ensure(&daytona, CreateSnapshotParams::new("python", "python:3.13"))
        .await
        .unwrap();
    assert_ne!(own.id.as_str(), id);
}

#[tokio::test(start_paused = true)]
async fn what_others_do_meanwhile_is_taken_as_it_comes() {
    let (_emulator, daytona) = in_process(Emulator::builder().build_time(MINUTE * 3));
    let build = daytona.snapshots().create(image_params("x")).start().await.unwrap();
    let other = daytona.clone();
    let id = build.id().clone();
    tokio::spawn(async move {
        tokio::time::sleep(MINUTE).await;
        other.snapshots().delete(id).await.unwrap();
    });
    let heard = Heard::default();
    let found = daytona
        .snapshots()
        .ensure(image_params("x"))
        .on_event(heard.callback())
        .await
        .unwrap();
    assert_ne!(&found.id, build.id());
    // Whether a poll falls into the removal is chance; that it was noticed is not.
    let mut accepted = heard.events().into_iter().filter_map(|event| match event {
        Event::Accepted { id, .. } => Some(id),
        _ => None,
    });
    assert_eq!(accepted.next_back().as_ref(), Some(&found.id));
    let late = daytona
        .snapshots()
        .ensure(CreateSnapshotParams::new("y", "b:1"))
        .timeout(Duration::from_millis(100))
        .await;
    assert_eq!(late.unwrap_err().kind(), ErrorKind::WaitTimeout);
}

/// Before anything is under way, a server that only fails is an error as soon as for any other request.
#[tokio::test(start_paused = true)]
async fn a_server_that_fails_at_the_first_look_is_not_waited_for() {
    for status in [500, 502, 503] {
        let (emulator, daytona) = in_process(Emulator::builder());
        emulator.inject(Fault::status(status).on(Operation::GetSnapshot).always());
        let failed = ensure(&daytona, image_params("x")).await.unwrap_err();
        let asked = daytona.snapshots().get("x").await.unwrap_err();
        assert_eq!(failed.kind(), asked.kind(), "{status}: {failed}");
        assert_eq!(failed.attempts(), asked.attempts(), "{status}: {failed}");
    }
}
