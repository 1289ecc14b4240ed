//! The creation: lost answers, taken names, failures that go away, and how many requests it takes.

use std::future::IntoFuture;
use std::time::Duration;

use daytona_emulator::{Emulator, Fault, Operation, Script, SeededSnapshot};
use daytona_sdk::{CreateSnapshotParams, Daytona, ErrorKind, Event, Image, Resources, SnapshotState};

use crate::support::{Hasty, Heard, app_plan, builder_of, count, folder, image_params, in_process, large_folder};

const SECOND: Duration = Duration::from_secs(1);

async fn names(daytona: &Daytona) -> Vec<String> {
    let page = daytona.snapshots().list().await.unwrap();
    page.items.into_iter().map(|snapshot| snapshot.name).collect()
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_makes_one_snapshot() {
    for fault in [
        Fault::lose_answer(),
        Fault::truncate(10),
        Fault::malformed(),
        Fault::stall(20),
        Fault::delay(Duration::from_mins(2)),
    ] {
        let (emulator, daytona) = in_process(Emulator::builder());
        // The server tells its time in whole seconds: what is created in the second of its last answer may be older
        // than the call.
        emulator.inject(Fault::delay(SECOND).on(Operation::CreateSnapshot));
        emulator.inject(fault.clone().on(Operation::CreateSnapshot));
        let snapshot = daytona.snapshots().create(image_params("x")).await.unwrap();
        assert_eq!(snapshot.state, SnapshotState::Active, "{fault:?}");
        assert_eq!(names(&daytona).await, ["x"], "{fault:?}");
    }
    // What never reached the server is sent again, and so is what was refused before anything was done.
    for fault in [Fault::disconnect(), Fault::status(502), Fault::status(429)] {
        let (emulator, daytona) = in_process(Emulator::builder());
        emulator.inject(fault.clone().on(Operation::CreateSnapshot));
        daytona.snapshots().create(image_params("x")).await.unwrap();
        assert_eq!(count(&emulator, Operation::CreateSnapshot), 2, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_of_another_definition_is_not_taken_for_the_lost_one() {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.add_snapshot(SeededSnapshot::from_image("x", "other:1"));
    emulator.inject(Fault::lose_answer().on(Operation::CreateSnapshot));
    let error = daytona.snapshots().create(image_params("x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(error.to_string().contains("made from the image `other:1`"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn whether_it_was_created_is_said_even_if_nobody_knows() {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.inject(Fault::lose_answer().on(Operation::CreateSnapshot));
    emulator.inject(Fault::status(503).on(Operation::GetSnapshot).always());
    let error = daytona.snapshots().create(image_params("x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(error.to_string().contains("the look for it failed"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_about_to_be_free_is_not_called_taken_by_something() {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.inject(Fault::status(409).on(Operation::CreateSnapshot));
    let error = daytona.snapshots().create(image_params("x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NameReserved);
    assert_eq!(error.status(), Some(409));
}

/// The storage has said that it holds an archive; the build does not find it.
#[tokio::test(start_paused = true)]
async fn an_archive_that_the_storage_lost_is_sent_again() {
    let (emulator, daytona) = in_process(Emulator::builder());
    let folder = large_folder("app/x");
    let plan = app_plan(folder.path());
    daytona.snapshots().process_image_context(&plan).await.unwrap();
    let reason =
        "failed to get tar from storage with hash 1: failed to read object data: The specified key does not exist.";
    emulator.script(Script::for_name("x").times(1).fails(reason));
    let heard = Heard::default();
    let create = daytona.snapshots().create(CreateSnapshotParams::new("x", &plan));
    let snapshot = create.on_event(heard.callback()).await.unwrap();
    assert_eq!(snapshot.state, SnapshotState::Active);
    let events = heard.events();
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::Recreated { reason } if reason.contains("key does not exist")))
    );
    let count_of = |wanted: fn(&Event) -> bool| events.iter().filter(|event| wanted(event)).count();
    assert_eq!(count_of(|event| matches!(event, Event::Skipped { .. })), 1);
    assert_eq!(count_of(|event| matches!(event, Event::Stored { .. })), 1);
    assert_eq!(count_of(|event| matches!(event, Event::Accepted { .. })), 2);
    assert_eq!(names(&daytona).await, ["x"]);

    // Sent whole, the storage has it: then the failure is one.
    emulator.script(Script::for_name("y").fails(reason));
    let other = self::folder(&["app/y"]);
    let error = daytona
        .snapshots()
        .create(CreateSnapshotParams::new("y", app_plan(other.path())))
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.reason()), (ErrorKind::BuildFailed, Some(reason)));
}

/// The server makes one snapshot of a definition at a time, and fails the others.
#[tokio::test(start_paused = true)]
async fn a_twin_is_waited_for() {
    let (_emulator, daytona) = in_process(Emulator::builder().build_time(Duration::from_mins(5)));
    let first = daytona.snapshots().create(image_params("one")).start().await.unwrap();
    tokio::time::sleep(SECOND * 5).await;
    let second = daytona.snapshots().create(image_params("two")).await.unwrap();
    assert_eq!(second.state, SnapshotState::Active);
    assert_eq!(first.wait().await.unwrap().state, SnapshotState::Active);
    assert_eq!(names(&daytona).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn states_may_be_skipped_repeated_and_invented() {
    let cases: [(&[&str], Result<(), ErrorKind>); 7] = [
        (&["active"], Ok(())),
        (&["building", "pending", "building", "pulling", "active"], Ok(())),
        (&["zzz", "snapshotting", "", "active"], Ok(())),
        (&["building", "inactive", "active"], Err(ErrorKind::Gone)),
        (&["building", "removing"], Err(ErrorKind::Gone)),
        (&["pulling", "error"], Err(ErrorKind::BuildFailed)),
        (&["build_failed"], Err(ErrorKind::BuildFailed)),
    ];
    for (states, expected) in cases {
        let (emulator, daytona) = in_process(Emulator::builder());
        // Longer than the longest interval, so that none is missed.
        let script = Script::for_name("x");
        let script = states
            .iter()
            .fold(script, |script, state| script.state(SECOND * 12, *state));
        emulator.script(script);
        let outcome = daytona.snapshots().create(image_params("x")).await;
        assert_eq!(
            outcome.as_ref().map(|_| ()).map_err(daytona_sdk::Error::kind),
            expected,
            "{states:?}"
        );
        if let Err(error) = outcome {
            assert_eq!(error.snapshot().unwrap().name, "x", "{states:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_accepted_may_be_unknown_for_a_while() {
    let (emulator, daytona) = in_process(Emulator::builder().build_time(SECOND * 30));
    emulator.inject(Fault::status(404).on(Operation::GetSnapshot).times(4));
    daytona.snapshots().create(image_params("x")).await.unwrap();
    // But not forever.
    emulator.inject(Fault::status(404).on(Operation::GetSnapshot).always());
    let begun = tokio::time::Instant::now();
    let error = daytona.snapshots().create(image_params("y")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gone);
    assert!(begun.elapsed() < Duration::from_mins(1));
}

#[tokio::test(start_paused = true)]
async fn every_phase_is_bound_by_the_deadline() {
    let folder = large_folder("app/x");
    let plan = app_plan(folder.path());
    for (operation, is_accepted) in [
        (Operation::GetPushAccess, false),
        (Operation::HeadObject, false),
        (Operation::PutObject, false),
        (Operation::CreateSnapshot, false),
        (Operation::GetSnapshot, true),
        (Operation::ReadBuildLog, true),
    ] {
        let (emulator, daytona) = in_process(Emulator::builder().build_time(Duration::from_mins(5)));
        emulator.inject(Fault::delay(Duration::from_hours(9)).on(operation).always());
        let begun = tokio::time::Instant::now();
        let create = daytona.snapshots().create(CreateSnapshotParams::new("x", &plan));
        let error = create.timeout(SECOND * 50).on_logs(|_| {}).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WaitTimeout, "{operation:?}");
        assert_eq!(begun.elapsed().as_secs(), 50, "{operation:?}");
        assert!(error.elapsed().unwrap() >= SECOND * 50);
        assert_eq!(error.snapshot().is_some(), is_accepted, "{operation:?}: {error}");
        emulator.clear_faults();
        // What was accepted goes on and can be waited for; what was not is not there.
        match error.snapshot() {
            Some(there) => {
                let snapshot = daytona.snapshots().wait(&there.id).await.unwrap();
                assert_eq!(snapshot.state, SnapshotState::Active);
            }
            None => drop(daytona.snapshots().get("x").await),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_it_stops_it_in_every_phase() {
    let folder = folder(&["app/x"]);
    let plan = app_plan(folder.path());
    for seconds in [0, 1, 20, 100] {
        let (emulator, daytona) = in_process(Emulator::builder().build_time(Duration::from_mins(10)));
        emulator.inject(Fault::delay(SECOND * 15).on(Operation::PutObject));
        let heard = Heard::default();
        let create = daytona
            .snapshots()
            .create(CreateSnapshotParams::new("x", &plan))
            .on_event(heard.callback());
        let cut = tokio::time::timeout(SECOND * seconds, create).await;
        assert!(cut.is_err(), "{seconds}");
        tokio::time::sleep(SECOND).await;
        let (requests, events) = (emulator.requests().len(), heard.events().len());
        tokio::time::sleep(Duration::from_mins(9)).await;
        assert_eq!(
            (emulator.requests().len(), heard.events().len()),
            (requests, events),
            "{seconds}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn events_come_as_a_stream_that_ends_with_the_outcome() {
    let (emulator, daytona) = in_process(Emulator::builder());
    let folder = folder(&["app/x"]);
    let mut events = daytona
        .snapshots()
        .create(CreateSnapshotParams::new("x", app_plan(folder.path())))
        .events();
    let mut seen = Vec::new();
    while let Some(event) = events.next().await {
        seen.push(event.unwrap());
    }
    assert!(
        matches!(seen.first(), Some(Event::Planned { files: 1, .. })),
        "{:?}",
        seen.first()
    );
    assert!(matches!(seen.last(), Some(Event::Done { snapshot }) if snapshot.name == "x"));
    assert!(seen.iter().any(|event| matches!(event, Event::Log(_))));
    assert!(events.next().await.is_none());

    emulator.script(Script::for_name("y").fails("no"));
    let mut events = daytona.snapshots().create(image_params("y")).events();
    let mut last = None;
    while let Some(event) = events.next().await {
        last = Some(event);
    }
    assert_eq!(last.unwrap().unwrap_err().kind(), ErrorKind::BuildFailed);
    // Dropped, it stops.
    let mut events = daytona.snapshots().create(image_params("z")).events();
    events.next().await.unwrap().unwrap();
    drop(events);
    tokio::time::sleep(SECOND).await;
    let requests = emulator.requests().len();
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert_eq!(emulator.requests().len(), requests);
}

/// The callback goes on only when the snapshot was looked at several times more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_callback_does_not_hold_up_the_polls() {
    let emulator = std::sync::Arc::new(Emulator::builder().in_process().unwrap());
    let lines = (0..3).map(|line| format!("line {line}"));
    emulator.script(Script::for_name("x").takes(Duration::from_mins(3)).log(lines));
    let daytona = builder_of(&emulator).clock(Hasty::of(&emulator)).build().unwrap();
    let heard = Heard::default();
    let (watched, mut hear) = (std::sync::Arc::clone(&emulator), heard.callback());
    let create = daytona
        .snapshots()
        .create(image_params("x"))
        .no_timeout()
        .on_logs(move |line| {
            let until = (count(&watched, Operation::GetSnapshot) + 3).min(9);
            while count(&watched, Operation::GetSnapshot) < until {
                std::thread::yield_now();
            }
            hear(&Event::Log(line.clone()));
        });
    create.await.unwrap();
    assert_eq!(heard.log(), ["line 0", "line 1", "line 2"]);
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_than_it_takes() {
    // Active at once: the name, for the server's time, and the creation.
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.script(Script::for_name("ready").active_at_once());
    let params = CreateSnapshotParams::new("ready", "a:1").resources(Resources::new().cpu(2));
    daytona.snapshots().create(params).await.unwrap();
    assert_eq!(emulator.requests().len(), 2, "{:?}", emulator.requests());

    // An unchanged context: push access, a look at each archive or the archive itself, the creation, and polls.
    for (folder, about_the_archive) in [
        (large_folder("app/x"), Operation::HeadObject),
        (folder(&["app/x", "app/y"]), Operation::PutObject),
    ] {
        let (emulator, daytona) = in_process(Emulator::builder());
        let plan = app_plan(folder.path());
        daytona.snapshots().process_image_context(&plan).await.unwrap();
        let before = emulator.requests().len();
        let params = CreateSnapshotParams::new("x", &plan);
        daytona.snapshots().create(params).await.unwrap();
        let requests = emulator.requests();
        let others: Vec<_> = requests[before..]
            .iter()
            .filter(|request| request.operation != Operation::GetSnapshot)
            .map(|request| request.operation)
            .collect();
        let expected = [Operation::GetPushAccess, about_the_archive, Operation::CreateSnapshot];
        assert_eq!(others, expected);
    }
}

#[tokio::test]
async fn a_request_that_is_too_large_is_refused_before_anything_is_stored() {
    let (emulator, daytona) = in_process(Emulator::builder());
    let folder = folder(&["app/x"]);
    // Docker takes no line over 64 KiB.
    let long = "#".repeat(51_200);
    let image = Image::base("a:1")
        .add_local_dir(folder.path().join("app"), "/app")
        .run_commands([format!("true {long}"), format!("true {long}")]);
    let error = daytona
        .snapshots()
        .create(CreateSnapshotParams::new("x", &image))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    // Push access was had beside the planning.
    assert!(
        emulator
            .requests()
            .iter()
            .all(|request| request.operation == Operation::GetPushAccess)
    );
    let patient = builder_of(&emulator).max_request_body(200_000).build().unwrap();
    // Now the server says it, after the upload.
    let error = patient
        .snapshots()
        .create(CreateSnapshotParams::new("x", &image))
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::InvalidRequest, Some(404)));
    assert!(emulator.requests().len() > 2);
}

#[tokio::test(start_paused = true)]
async fn two_clients_race_for_a_name() {
    let (_emulator, daytona) = in_process(Emulator::builder());
    // Of one new Dockerfile created twice at the same moment the server answers one with 500, before it looks at names.
    let params = || CreateSnapshotParams::new("raced", "a:1");
    let (one, other) = tokio::join!(
        daytona.snapshots().create(params()).into_future(),
        daytona.snapshots().create(params()).into_future()
    );
    let (won, lost) = if one.is_ok() { (one, other) } else { (other, one) };
    let error = lost.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(error.snapshot().unwrap().id, won.unwrap().id);
}
