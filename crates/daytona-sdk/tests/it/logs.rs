//! Build logs: followed, cut, silent, refused, replayed, and read later.

use std::time::Duration;

use daytona_emulator::{ApiKey, Emulator, Fault, Operation, Organization, Script, SeededSnapshot};
use daytona_sdk::{CreateSnapshotParams, Daytona, ErrorKind, Event, LogEvent, LogGap, LogGapKind, SnapshotState};
use jiff::SignedDuration;

use crate::support::{Heard, client_of, count, create_and_hear, image_params, in_process, user_of};

const MINUTE: Duration = Duration::from_mins(1);

fn lines(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("#{number} \u{1f980} é step")).collect()
}

/// Creates `x`, whose log has these lines.
async fn create(emulator: &Emulator, daytona: &Daytona, written: &[String]) -> Heard {
    emulator.script(Script::for_name("x").takes(MINUTE * 2).log(written.to_vec()));
    let (snapshot, heard) = create_and_hear(daytona, image_params("x")).await;
    assert_eq!(snapshot.state, SnapshotState::Active);
    heard
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_cut_five_times_gives_each_line_once() {
    let written = lines(30);
    let whole = written.join("\n").len() as u64 + 1;
    // At any byte, in the middle of a character too.
    for cut in 0..40 {
        let (emulator, daytona) = in_process(Emulator::builder());
        for call in 1..=5 {
            let bytes = (cut * 17 + call * 31) % whole;
            emulator.inject(Fault::truncate(bytes).on(Operation::ReadBuildLog).nth(call));
        }
        let heard = create(&emulator, &daytona, &written).await;
        assert_eq!(heard.log(), written, "{cut}");
        assert_eq!(heard.gaps(), [], "{cut}");
        assert!(count(&emulator, Operation::ReadBuildLog) >= 6);
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_log_is_waited_for_as_long_as_it_is_written() {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.script(Script::for_name("x").takes(MINUTE * 45).log(lines(3)));
    let (_, heard) = create_and_hear(&daytona, image_params("x")).await;
    assert_eq!(heard.log(), lines(3));
    assert_eq!(heard.gaps(), []);
    let readings = count(&emulator, Operation::ReadBuildLog);
    assert!(readings <= 6, "a silence is no break: {readings}");
}

#[tokio::test(start_paused = true)]
async fn the_log_of_a_failed_build_never_ends_by_itself() {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.script(Script::for_name("x").takes(MINUTE).log(lines(25)).fails("exit code: 7"));
    let heard = Heard::default();
    let begun = tokio::time::Instant::now();
    let create = daytona.snapshots().create(image_params("x")).on_event(heard.callback());
    let error = create.await.unwrap_err();
    assert!(
        begun.elapsed() < MINUTE + Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
    let mut written = lines(25);
    written.push("ERROR: failed to build: exit code: 7".into());
    assert_eq!(heard.log(), written);
    assert_eq!(error.log_tail(), &written[6..], "the last twenty lines");
    assert_eq!(heard.gaps(), []);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_not_there_yet_is_asked_for_again() {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.inject(Fault::status(404).on(Operation::ReadBuildLog).times(5));
    emulator.inject(Fault::status(404).on(Operation::GetSnapshotBuildLogsUrl).times(2));
    let heard = create(&emulator, &daytona, &lines(9)).await;
    assert_eq!(heard.log(), lines(9));
    assert_eq!(heard.gaps(), []);
}

#[tokio::test(start_paused = true)]
async fn who_is_refused_by_the_log_host_reads_through_the_api() {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.inject(Fault::status(403).on(Operation::ReadBuildLog).always());
    let heard = create(&emulator, &daytona, &lines(9)).await;
    assert_eq!(heard.log(), lines(9));
    assert!(count(&emulator, Operation::GetSnapshotBuildLogs) > 0);

    // A user's token is not even shown to the log host.
    let (emulator, _) = in_process(Emulator::builder());
    let organization = emulator.put_organization(Organization::new("of a user"));
    let user = user_of(&emulator, &organization);
    let heard = create(&emulator, &user, &lines(9)).await;
    assert_eq!(heard.log(), lines(9));
    assert_eq!(count(&emulator, Operation::ReadBuildLog), 0);
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_build_wrote_is_told_once() {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.script(
        Script::for_name("x")
            .takes(MINUTE)
            .log(lines(5))
            .times(1)
            .fails("exit code: 1"),
    );
    daytona.snapshots().create(image_params("x")).await.unwrap_err();
    daytona.snapshots().delete("x").wait().await.unwrap();
    emulator.script(Script::for_name("x").takes(MINUTE).log(lines(7)));
    emulator.inject(Fault::truncate(30).on(Operation::ReadBuildLog));
    let (_, heard) = create_and_hear(&daytona, image_params("x")).await;
    let gaps = heard.gaps();
    assert!(
        matches!(
            gaps.as_slice(),
            [LogGap {
                kind: LogGapKind::Replayed,
                ..
            }]
        ),
        "{gaps:?}"
    );
    let events = heard.events();
    let gap = events
        .iter()
        .position(|event| matches!(event, Event::LogGap(_)))
        .unwrap();
    let first = events.iter().position(|event| matches!(event, Event::Log(_))).unwrap();
    assert!(gap < first, "before its lines");
    let earlier = [lines(5), vec!["ERROR: failed to build: exit code: 1".into()]].concat();
    assert_eq!(heard.log(), [earlier, lines(7)].concat());
}

#[tokio::test(start_paused = true)]
async fn a_log_can_be_read_at_any_time() {
    let (emulator, daytona) = in_process(Emulator::builder());
    let texts = async |name: &str| {
        let lines = daytona.snapshots().build_logs(name).await?;
        Ok::<Vec<String>, daytona_sdk::Error>(lines.iter().map(ToString::to_string).collect())
    };
    create(&emulator, &daytona, &lines(9)).await;
    assert_eq!(texts("x").await.unwrap(), lines(9));
    emulator.inject(Fault::truncate(50).on(Operation::ReadBuildLog).times(3));
    assert_eq!(texts("x").await.unwrap(), lines(9));
    emulator.inject(Fault::status(503).on(Operation::ReadBuildLog).always());
    let error = texts("x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    emulator.clear_faults();

    daytona
        .snapshots()
        .create(CreateSnapshotParams::new("pulled", "a:1"))
        .await
        .unwrap();
    let error = texts("pulled").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("made from the image `a:1`"), "{error}");
    assert_eq!(texts("nobody").await.unwrap_err().kind(), ErrorKind::NotFound);
    emulator.add_snapshot(SeededSnapshot::from_dockerfile("seeded", "FROM a:1\n").log("one\n\ntwo"));
    assert_eq!(texts("seeded").await.unwrap(), ["one", "", "two"]);
}

#[tokio::test(start_paused = true)]
async fn a_log_can_be_followed_by_others() {
    let (emulator, daytona) = in_process(Emulator::builder());
    for fails in [false, true] {
        let name = if fails { "bad" } else { "good" };
        let script = Script::for_name(name).takes(MINUTE * 3).log(lines(20));
        emulator.script(if fails { script.fails("exit code: 1") } else { script });
        let params = CreateSnapshotParams::new(name, daytona_sdk::Image::base("x:1").run_commands([name]));
        let build = daytona.snapshots().create(params).start().await.unwrap();
        tokio::time::sleep(Duration::from_secs(20)).await;
        let begun = tokio::time::Instant::now();
        let mut stream = daytona.snapshots().build_logs(build.id()).follow().stream();
        let mut heard = Vec::new();
        while let Some(event) = stream.next().await {
            let LogEvent::Line(line) = event.unwrap() else {
                panic!("a gap")
            };
            heard.push(line.to_string());
        }
        assert_eq!(&heard[..20], lines(20), "{name}");
        assert_eq!(heard.len(), 20 + usize::from(fails));
        let took = begun.elapsed();
        assert!(took > MINUTE * 2 && took < MINUTE * 4, "{name}: {took:?}");
        // Of a build that has ended it is the whole log, and no more.
        let mut stream = daytona.snapshots().build_logs(build.id()).follow().stream();
        let mut count = 0;
        while let Some(event) = stream.next().await {
            event.unwrap();
            count += 1;
        }
        assert_eq!(count, heard.len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_followed_log_ends_when_the_key_does() {
    let (emulator, _) = in_process(Emulator::builder());
    let end = emulator.clock().now() + SignedDuration::from_mins(5);
    let key = emulator.add_api_key(ApiKey::new(emulator.organization_id()).expires(end));
    let daytona = client_of(&emulator, &key);
    emulator.script(Script::for_name("x").takes(MINUTE * 60).log(["one", "two"]));
    daytona.snapshots().create(image_params("x")).start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(20)).await;
    let mut log = daytona.snapshots().build_logs("x").follow().stream();
    let mut last = None;
    while let Some(event) = log.next().await {
        last = Some(event);
    }
    assert_eq!(last.unwrap().unwrap_err().kind(), ErrorKind::Unauthorized);
    let refused = emulator
        .requests()
        .iter()
        .filter(|request| request.status == Some(401))
        .count();
    assert!(refused <= 2, "{refused} requests with a key that has expired");
}

#[tokio::test(start_paused = true)]
async fn a_user_is_told_why_there_is_no_log() {
    let (emulator, daytona) = in_process(Emulator::builder());
    daytona.snapshots().create(image_params("x")).await.unwrap();
    let user = user_of(&emulator, emulator.organization_id());
    let error = user.snapshots().build_logs("x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("API key"), "{error}");
}

/// The relay gives a silent log up after five minutes, and ends it as if it were whole.
#[tokio::test(start_paused = true)]
async fn what_a_user_misses_of_a_log_is_a_gap() {
    let (emulator, _) = in_process(Emulator::builder());
    let written: Vec<_> = (0..5).map(|number| format!("line {number}")).collect();
    emulator.script(Script::for_name("x").takes(MINUTE * 60).log(written.clone()));
    let user = user_of(&emulator, emulator.organization_id());
    let (_, heard) = create_and_hear(&user, image_params("x")).await;
    let has_gap = matches!(
        heard.gaps().as_slice(),
        [LogGap {
            kind: LogGapKind::Missing,
            ..
        }]
    );
    assert!(
        heard.log() == written || has_gap,
        "{:?} {:?}",
        heard.log(),
        heard.gaps()
    );
}
