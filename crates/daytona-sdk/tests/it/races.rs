//! Somebody else acts too, or an answer is lost: the outcome is true all the same, and nothing of somebody else's is deleted.

use std::future::IntoFuture;
use std::time::Duration;

use daytona_emulator::{Emulator, Fault, Operation, ReadLag, Script, SeededSnapshot};
use daytona_sdk::{CreateSnapshotParams, Daytona, ErrorKind, Event, PrunePolicy, SandboxClass, SnapshotState};
use jiff::SignedDuration;

use crate::support::{Heard, another, builder_of, count, image_params, in_process};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const TWIN: &str = "An operation is already in progress for this resource";

async fn states(daytona: &Daytona) -> Vec<(String, String)> {
    let page = daytona.snapshots().list().await.unwrap();
    let all = page.items.into_iter();
    all.map(|snapshot| (snapshot.name, snapshot.state.to_string()))
        .collect()
}

fn adopted(heard: &Heard) -> usize {
    let events = heard.events();
    events
        .iter()
        .filter(|event| matches!(event, Event::Adopted { .. }))
        .count()
}

#[tokio::test(start_paused = true)]
async fn two_ensures_beside_a_build_of_the_same_come_to_one_snapshot() {
    for offset in 0..10 {
        let (emulator, daytona) = in_process(Emulator::builder().build_time(SECOND * 40));
        let other = daytona.snapshots().create(image_params("other")).start().await.unwrap();
        let one = tokio::spawn(daytona.snapshots().ensure(image_params("x")).into_future());
        tokio::time::sleep(Duration::from_millis(500) * offset).await;
        let two = tokio::spawn(another(&emulator).snapshots().ensure(image_params("x")).into_future());
        let (one, two) = (one.await.unwrap().unwrap(), two.await.unwrap().unwrap());
        assert_eq!((&one.id, &one.state), (&two.id, &SnapshotState::Active), "{offset}");
        assert_eq!(other.wait().await.unwrap().state, SnapshotState::Active, "{offset}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_older_than_the_call_is_not_taken_for_its_own() {
    let dockerfile = "FROM x:1\nRUN make\n";
    let failed = || {
        SeededSnapshot::from_dockerfile("x", dockerfile)
            .state("build_failed")
            .error_reason(TWIN)
    };
    for seeded in [failed(), SeededSnapshot::from_dockerfile("x", dockerfile)] {
        let (emulator, daytona) = in_process(Emulator::builder());
        let yesterday = emulator.clock().now() - SignedDuration::from_hours(24);
        let id = emulator.add_snapshot(seeded.created(yesterday));
        emulator.inject(Fault::status(503).on(Operation::CreateSnapshot));
        let heard = Heard::default();
        let create = daytona.snapshots().create(image_params("x")).on_event(heard.callback());
        let error = create.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert_eq!(error.snapshot().unwrap().id.as_str(), id);
        assert_eq!((count(&emulator, Operation::RemoveSnapshot), adopted(&heard)), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_of_the_same_second_may_be_older_than_the_call() {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.inject(Fault::lose_answer().on(Operation::CreateSnapshot));
    let error = daytona.snapshots().create(image_params("x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(error.to_string().contains("not known whether"), "{error}");
    // Nor can anything be told where the server does not say what time it is.
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.inject(Fault::without_header("date").always());
    emulator.inject(Fault::delay(SECOND * 5).on(Operation::CreateSnapshot));
    emulator.inject(Fault::lose_answer().on(Operation::CreateSnapshot));
    let error = daytona.snapshots().create(image_params("x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
}

/// Its failure is the outcome, and it stays.
#[tokio::test(start_paused = true)]
async fn what_was_adopted_is_told_and_never_deleted() {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.script(Script::for_name("x").takes(SECOND * 5).fails(TWIN));
    emulator.inject(Fault::delay(SECOND * 2).on(Operation::CreateSnapshot));
    emulator.inject(Fault::gateway_page(524).carried_out().on(Operation::CreateSnapshot));
    let heard = Heard::default();
    let create = daytona.snapshots().create(image_params("x")).on_event(heard.callback());
    let error = create.await.unwrap_err();
    assert_eq!((error.kind(), error.reason()), (ErrorKind::BuildFailed, Some(TWIN)));
    let there = daytona.snapshots().get("x").await.unwrap();
    assert_eq!(error.snapshot().unwrap().id, there.id);
    assert_eq!((count(&emulator, Operation::RemoveSnapshot), adopted(&heard)), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn ones_own_snapshot_is_found_although_it_cannot_be_read_yet() {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.set_read_lag(ReadLag::new().created(SECOND * 20));
    emulator.inject(Fault::delay(SECOND * 2).on(Operation::CreateSnapshot));
    emulator.inject(Fault::lose_answer().on(Operation::CreateSnapshot));
    let snapshot = daytona.snapshots().create(image_params("x")).await.unwrap();
    assert_eq!(snapshot.state, SnapshotState::Active);
    assert_eq!(states(&daytona).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn only_the_words_of_maintenance_prove_that_nothing_was_created() {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.inject(Fault::delay(SECOND * 2).on(Operation::CreateSnapshot));
    emulator.inject(
        Fault::status(503)
            .message("upstream connect error")
            .carried_out()
            .on(Operation::CreateSnapshot),
    );
    let heard = Heard::default();
    let create = daytona.snapshots().create(image_params("x")).on_event(heard.callback());
    create.await.unwrap();
    assert_eq!((adopted(&heard), count(&emulator, Operation::CreateSnapshot)), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_500_is_repeated_a_few_times() {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.inject(Fault::status(500).on(Operation::CreateSnapshot).times(4));
    daytona.snapshots().create(image_params("x")).await.unwrap();
    emulator.inject(Fault::status(500).on(Operation::CreateSnapshot).always());
    let before = count(&emulator, Operation::CreateSnapshot);
    let begun = tokio::time::Instant::now();
    let error = daytona.snapshots().create(image_params("y")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ServerError);
    assert!(count(&emulator, Operation::CreateSnapshot) - before <= 5);
    assert!(begun.elapsed() < MINUTE);
}

/// Each build of one definition but the first is failed by the server, and so is each pull of one image.
#[tokio::test(start_paused = true)]
async fn several_creations_of_one_definition_all_succeed() {
    for is_image in [true, false] {
        let (_emulator, daytona) = in_process(Emulator::builder().build_time(SECOND * 30));
        let create = |name: &str| {
            let params = if is_image {
                CreateSnapshotParams::new(name, "a:1")
            } else {
                image_params(name)
            };
            tokio::spawn(daytona.snapshots().create(params).into_future())
        };
        let all: Vec<_> = ["a", "b", "c", "d", "e"].into_iter().map(create).collect();
        for one in all {
            assert_eq!(one.await.unwrap().unwrap().state, SnapshotState::Active);
        }
        let there = states(&daytona).await;
        assert!(
            there.len() == 5 && there.iter().all(|(_, state)| state == "active"),
            "{there:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn recreations_have_a_bound_that_the_caller_sets() {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.script(Script::for_name("x").takes(SECOND).fails(TWIN));
    let create = daytona.snapshots().create(image_params("x")).max_recreations(2);
    let error = create.await.unwrap_err();
    assert_eq!(error.reason(), Some(TWIN));
    assert_eq!(count(&emulator, Operation::CreateSnapshot), 3);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_tells_what_is_known_at_that_moment() {
    // What had failed is deleted, and not made again before the deadline.
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.script(Script::for_name("other").takes(MINUTE * 60));
    let _other = daytona.snapshots().create(image_params("other")).start().await.unwrap();
    let create = daytona.snapshots().create(image_params("x")).timeout(MINUTE * 10);
    let error = create.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WaitTimeout);
    assert!(
        error.to_string().contains("was deleted, and was not created again"),
        "{error}"
    );
    assert_eq!(error.snapshot(), None);
    assert_eq!(
        daytona.snapshots().get("x").await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
    // The server creates it and does not answer.
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.inject(Fault::delay(SECOND * 2).on(Operation::CreateSnapshot));
    emulator.inject(Fault::stall(0).on(Operation::CreateSnapshot).always());
    let create = daytona.snapshots().create(image_params("x")).timeout(SECOND * 30);
    let error = create.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WaitTimeout);
    let there = daytona.snapshots().get("x").await.unwrap();
    assert_eq!(error.snapshot().map(|known| &known.id), Some(&there.id), "{error}");
    // And cannot be asked.
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.inject(Fault::stall(0).on(Operation::CreateSnapshot).always());
    emulator.inject(Fault::stall(0).on(Operation::GetSnapshot).always());
    let create = daytona.snapshots().create(image_params("x")).timeout(SECOND * 90);
    let error = create.await.unwrap_err();
    assert!(error.to_string().contains("may have accepted it"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn lost_answers_of_changes_are_settled_by_looking() {
    let (emulator, daytona) = in_process(Emulator::builder());
    let snapshots = daytona.snapshots();
    let x = snapshots.create(image_params("x")).await.unwrap();
    snapshots.deactivate(&x).wait().await.unwrap();
    emulator.clock().advance(MINUTE * 11);
    emulator.inject(Fault::lose_answer().on(Operation::ActivateSnapshot));
    assert_eq!(
        snapshots.activate(&x).wait().await.unwrap().state,
        SnapshotState::Active
    );
    // That of a deletion, always.
    emulator.inject(Fault::lose_answer().on(Operation::RemoveSnapshot).always());
    snapshots.delete(&x).wait().await.unwrap();
    let build = snapshots.create(image_params("y")).start().await.unwrap();
    build.cancel().await.unwrap();
    // That of the deletion in a recreation.
    emulator.script(Script::for_name("z").times(1).fails(TWIN));
    assert_eq!(
        snapshots.create(image_params("z")).await.unwrap().state,
        SnapshotState::Active
    );
    // What was never there is an error all the same.
    emulator.clear_faults();
    assert_eq!(snapshots.delete("x").await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_is_ignored_or_undone_is_asked_for_again() {
    for fault in [Fault::ignore().times(3), Fault::undo().times(2)] {
        let (emulator, daytona) = in_process(Emulator::builder().build_time(MINUTE * 3));
        emulator.inject(fault.on(Operation::RemoveSnapshot).while_under_way());
        daytona.snapshots().create(image_params("x")).start().await.unwrap();
        tokio::time::sleep(SECOND * 5).await;
        daytona.snapshots().delete("x").wait().await.unwrap();
        assert_eq!(
            daytona.snapshots().get("x").await.unwrap_err().kind(),
            ErrorKind::NotFound
        );
    }
    let (emulator, daytona) = in_process(Emulator::builder().build_time(MINUTE * 3));
    emulator.inject(Fault::ignore().on(Operation::RemoveSnapshot).times(3));
    let build = daytona.snapshots().create(image_params("x")).start().await.unwrap();
    tokio::time::sleep(SECOND * 5).await;
    build.cancel().await.unwrap();
    assert_eq!(count(&emulator, Operation::RemoveSnapshot), 4);
    // One that is always ignored is not called done.
    let (emulator, daytona) = in_process(Emulator::builder().build_time(MINUTE * 30));
    emulator.inject(Fault::ignore().on(Operation::RemoveSnapshot).always());
    let build = daytona.snapshots().create(image_params("x")).start().await.unwrap();
    let error = build.cancel().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WaitTimeout);
    assert_eq!(error.snapshot().unwrap().last_state, SnapshotState::Building);
}

#[tokio::test(start_paused = true)]
async fn a_deactivation_that_is_undone_is_asked_for_again() {
    let (emulator, daytona) = in_process(Emulator::builder().build_time(MINUTE));
    emulator.inject(Fault::undo().on(Operation::DeactivateSnapshot).while_under_way());
    daytona.snapshots().create(image_params("x")).start().await.unwrap();
    tokio::time::sleep(SECOND * 5).await;
    let heard = Heard::default();
    let deactivate = daytona.snapshots().deactivate("x").wait().on_event(heard.callback());
    deactivate.await.unwrap();
    // It is inactive, and stays so.
    tokio::time::sleep(MINUTE * 5).await;
    assert_eq!(
        daytona.snapshots().get("x").await.unwrap().state,
        SnapshotState::Inactive
    );
}

#[tokio::test(start_paused = true)]
async fn the_region_is_part_of_the_definition_where_one_is_given() {
    let (emulator, daytona) = in_process(Emulator::builder());
    daytona.snapshots().create(image_params("x")).await.unwrap();
    daytona.snapshots().ensure(image_params("x")).await.unwrap();
    daytona
        .snapshots()
        .ensure(image_params("x").region("us"))
        .await
        .unwrap();
    let error = daytona
        .snapshots()
        .ensure(image_params("x").region("eu"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DefinitionMismatch);
    assert!(error.to_string().contains("its region is us instead of eu"), "{error}");
    let european = builder_of(&emulator).target("eu").build().unwrap();
    let error = european.snapshots().ensure(image_params("x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DefinitionMismatch);
}

#[tokio::test(start_paused = true)]
async fn classes_that_take_no_dockerfile_are_refused_before_anything_is_sent() {
    for class in [SandboxClass::LinuxVm, SandboxClass::Windows] {
        let (emulator, daytona) = in_process(Emulator::builder());
        let error = daytona
            .snapshots()
            .create(image_params("x").sandbox_class(class))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(emulator.requests().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn prune_leaves_what_was_just_ensured() {
    let (emulator, daytona) = in_process(Emulator::builder());
    // A client's date goes on from when it was made.
    let other = another(&emulator).snapshots();
    another(&emulator)
        .snapshots()
        .create(image_params("ci-old"))
        .await
        .unwrap();
    tokio::time::sleep(MINUTE).await;
    let needed = daytona.snapshots().ensure(image_params("ci-a")).await.unwrap();
    tokio::time::sleep(MINUTE).await;
    let policy = || PrunePolicy::keep_newest(0).older_than(SECOND).name_prefix("ci-");
    let names =
        |plan: &daytona_sdk::PrunePlan| -> Vec<_> { plan.to_delete().iter().map(|one| one.name.clone()).collect() };
    assert_eq!(names(&daytona.snapshots().prune(policy()).await.unwrap()), ["ci-old"]);
    // Another program has to name it.
    assert_eq!(names(&other.prune(policy()).await.unwrap()).len(), 2);
    assert_eq!(
        names(&other.prune(policy().except([&needed])).await.unwrap()),
        ["ci-old"]
    );
}
