//! Build logs: followed, cut, silent, refused, replayed, and read later.

use std::time::Duration;

use daytona_emulator::{Emulator, Fault, Operation, Organization, Script, SeededSnapshot, UserToken};
use daytona_sdk::transport::ServiceTransport;
use daytona_sdk::{CreateSnapshotParams, Daytona, ErrorKind, Event, LogEvent, LogGap, LogGapKind, SnapshotState};

use crate::support::{Heard, count, image_params, in_process};

const MINUTE: Duration = Duration::from_mins(1);

fn lines(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("#{number} \u{1f980} é step")).collect()
}

/// Creates `x`, whose log has these lines.
async fn create(emulator: &Emulator, daytona: &Daytona, written: &[String]) -> Heard {
    emulator.script(Script::for_name("x").takes(MINUTE * 2).log(written.to_vec()));
    let heard = Heard::default();
    let create = daytona.snapshots().create(image_params("x")).on_event(heard.callback());
    assert_eq!(create.await.unwrap().state, SnapshotState::Active);
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
    let heard = Heard::default();
    daytona
        .snapshots()
        .create(image_params("x"))
        .on_event(heard.callback())
        .await
        .unwrap();
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
    let token = emulator.add_user_token(UserToken::new([organization.clone()]));
    let user = Daytona::builder()
        .api_url(emulator.api_url())
        .jwt_token(token)
        .organization_id(organization)
        .transport(ServiceTransport::new(emulator.service()))
        .build()
        .unwrap();
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
    let heard = Heard::default();
    daytona
        .snapshots()
        .create(image_params("x"))
        .on_event(heard.callback())
        .await
        .unwrap();
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
