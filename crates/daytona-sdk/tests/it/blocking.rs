//! Calls that block: the same as those that are awaited, and an error where they must not be.

use daytona_emulator::{Emulator, Script};
use daytona_sdk::blocking::{Block, BlockStream};
use daytona_sdk::{CreateSnapshotParams, ErrorKind, Event, SnapshotState};

use crate::support::{Heard, image_params, in_process};

#[test]
fn everything_can_be_blocked_on() {
    let (emulator, daytona) = in_process(Emulator::builder().speed(1_000.0));
    emulator.script(Script::for_name("x").log(["one", "two"]));
    let snapshots = daytona.snapshots();
    let heard = Heard::default();
    let created = snapshots
        .create(image_params("x"))
        .on_event(heard.callback())
        .block()
        .unwrap();
    assert_eq!(created.state, SnapshotState::Active);
    assert_eq!(heard.log(), ["one", "two"]);
    assert_eq!(snapshots.ensure(image_params("x")).block().unwrap().id, created.id);
    assert_eq!(snapshots.get("x").block().unwrap().id, created.id);
    assert_eq!(snapshots.list().block().unwrap().items.len(), 1);
    let build = snapshots
        .create(CreateSnapshotParams::new("y", "a:1"))
        .start()
        .block()
        .unwrap();
    build.wait().block().unwrap();
    let names: Vec<_> = snapshots
        .list()
        .stream()
        .blocking_iter()
        .map(|item| item.unwrap().name)
        .collect();
    assert_eq!(names, ["x", "y"]);
    let last = snapshots
        .create(CreateSnapshotParams::new("z", "a:2"))
        .events()
        .blocking_iter()
        .last()
        .unwrap()
        .unwrap();
    assert!(matches!(last, Event::Done { .. }));
    assert_eq!(snapshots.build_logs("x").block().unwrap().len(), 2);
    assert_eq!(snapshots.get("nobody").block().unwrap_err().kind(), ErrorKind::NotFound);
    // An iterator that is left early leaves nothing that runs on.
    drop(snapshots.list().stream().blocking_iter().next());
}

#[test]
fn inside_of_a_runtime_it_is_an_error_and_never_a_panic() {
    let (_emulator, daytona) = in_process(Emulator::builder());
    let snapshots = daytona.snapshots();
    let check = || {
        let error = snapshots.list().block().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("await it"), "{error}");
        let mut iterator = snapshots.list().stream().blocking_iter();
        assert_eq!(iterator.next().unwrap().unwrap_err().kind(), ErrorKind::Unsupported);
        assert!(iterator.next().is_none());
    };
    let mut outside = snapshots.list().stream().blocking_iter();
    for mut builder in [
        tokio::runtime::Builder::new_current_thread(),
        tokio::runtime::Builder::new_multi_thread(),
    ] {
        let runtime = builder.build().unwrap();
        runtime.block_on(async {
            check();
            // Made outside and used, and dropped, inside.
            assert!(outside.next().is_none_or(|item| item.is_err()));
        });
        let handle = runtime.handle().clone();
        let _inside = handle.enter();
        check();
    }
    drop((daytona, outside));
}
