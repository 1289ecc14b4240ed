//! The one way of waiting: how soon a change is noticed, how often is looked, and what a server may ask for.

use std::time::Duration;

use daytona_emulator::{Emulator, Fault, Operation, RateLimits, SeededSnapshot};
use daytona_sdk::{CreateSnapshotParams, ErrorKind, SnapshotState};
use jiff::SignedDuration;

use crate::support::{Heard, count, image_params, in_process};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// When the snapshots were looked at, since the creation was sent.
fn looks(emulator: &Emulator) -> Vec<SignedDuration> {
    let requests = emulator.requests();
    let posted = requests
        .iter()
        .find(|request| request.operation == Operation::CreateSnapshot)
        .unwrap()
        .time;
    requests
        .iter()
        .filter(|request| request.operation == Operation::GetSnapshot && request.time >= posted)
        .map(|request| request.time.duration_since(posted))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn an_active_snapshot_is_noticed_within_a_second() {
    for build in [5, 45, 300] {
        for has_logs in [true, false] {
            let (emulator, daytona) = in_process(Emulator::builder().build_time(SECOND * build));
            let begun = tokio::time::Instant::now();
            let create = daytona.snapshots().create(image_params("x"));
            let create = if has_logs { create.on_logs(|_| {}) } else { create };
            create.await.unwrap();
            let late = begun.elapsed().saturating_sub(SECOND * build);
            assert!(late <= SECOND * 2, "{build} s: {late:?} late");
            let looks = looks(&emulator).len();
            assert!(looks <= usize::try_from(build).unwrap() + 4, "{build} s: {looks} looks");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn there_is_never_more_than_one_look_a_second() {
    let (emulator, daytona) = in_process(Emulator::builder().build_time(MINUTE));
    // Each reconnection is a reason to look.
    emulator.inject(Fault::truncate(10).on(Operation::ReadBuildLog).always());
    emulator.inject(Fault::status(502).on(Operation::GetSnapshot).nth(3).times(5));
    let heard = Heard::default();
    let create = daytona.snapshots().create(image_params("x")).on_event(heard.callback());
    create.await.unwrap();
    let looks = looks(&emulator);
    for pair in looks.windows(2) {
        assert!(pair[1] - pair[0] >= SignedDuration::from_millis(999), "{looks:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn looks_are_fewer_where_few_requests_are_left() {
    let (emulator, daytona) = in_process(Emulator::builder().build_time(MINUTE * 9));
    emulator.set_rate_limits(RateLimits::new(100, 10, MINUTE * 3));
    daytona.snapshots().create(image_params("x")).await.unwrap();
    let refused = emulator
        .requests()
        .iter()
        .filter(|request| request.status == Some(429))
        .count();
    assert_eq!(refused, 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_server_asks_for_is_bounded_by_minutes_and_by_a_last_look() {
    let busy = || {
        Fault::status(503)
            .header("Retry-After", "86400")
            .on(Operation::GetSnapshot)
            .nth(2)
    };
    for (limit, most) in [(None, MINUTE * 6), (Some(MINUTE * 2), MINUTE * 2)] {
        let (emulator, daytona) = in_process(Emulator::builder().build_time(SECOND * 20));
        emulator.inject(busy());
        let create = daytona.snapshots().create(image_params("x"));
        let create = match limit {
            Some(limit) => create.timeout(limit),
            None => create.no_timeout(),
        };
        let begun = tokio::time::Instant::now();
        assert_eq!(create.await.unwrap().state, SnapshotState::Active);
        assert!(begun.elapsed() <= most, "{:?}", begun.elapsed());
    }
    // The log host too.
    let (emulator, daytona) = in_process(Emulator::builder());
    daytona.snapshots().create(image_params("x")).await.unwrap();
    emulator.inject(
        Fault::status(429)
            .header("Retry-After", "86400")
            .on(Operation::ReadBuildLog),
    );
    let begun = tokio::time::Instant::now();
    assert!(!daytona.snapshots().build_logs("x").await.unwrap().is_empty());
    assert!(begun.elapsed() <= MINUTE * 6, "{:?}", begun.elapsed());
}

/// A look that hangs when the deadline comes near is given up for one more.
#[tokio::test(start_paused = true)]
async fn a_look_that_hangs_does_not_cost_the_last_one() {
    let (emulator, daytona) = in_process(Emulator::builder().build_time(SECOND * 20));
    emulator.inject(Fault::stall(0).on(Operation::GetSnapshot).nth(10));
    let create = daytona.snapshots().create(image_params("x")).timeout(SECOND * 40);
    assert_eq!(create.await.unwrap().state, SnapshotState::Active);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_refused_is_not_tried_again() {
    let (emulator, daytona) = in_process(Emulator::builder().build_time(MINUTE));
    let build = daytona.snapshots().create(image_params("x")).start().await.unwrap();
    let id = build.id().clone();
    emulator.inject(Fault::status(401).on(Operation::GetSnapshot).always());
    let before = count(&emulator, Operation::GetSnapshot);
    let error = build.wait().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert_eq!(error.snapshot().unwrap().id, id);
    assert_eq!(count(&emulator, Operation::GetSnapshot) - before, 1);
}

#[tokio::test(start_paused = true)]
async fn pages_of_a_gateway_say_nothing_about_the_snapshot() {
    let (emulator, daytona) = in_process(Emulator::builder().build_time(MINUTE));
    for (nth, status) in [520, 521, 522, 523, 524, 525, 527, 530, 500, 502, 503, 504]
        .into_iter()
        .enumerate()
    {
        let fault = Fault::gateway_page(status).on(Operation::GetSnapshot);
        emulator.inject(fault.nth(2 + nth as u64));
    }
    let create = daytona.snapshots().create(image_params("x"));
    assert_eq!(create.await.unwrap().state, SnapshotState::Active);
}

#[tokio::test(start_paused = true)]
async fn an_inactive_snapshot_is_called_so() {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.add_snapshot(SeededSnapshot::from_image("x", "a:1").state("inactive"));
    let error = daytona.snapshots().wait("x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gone);
    assert!(error.to_string().contains("is inactive"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn every_call_may_have_a_timeout() {
    let (emulator, daytona) = in_process(Emulator::builder());
    let snapshots = daytona.snapshots();
    let x = snapshots.create(CreateSnapshotParams::new("x", "a:1")).await.unwrap();
    emulator.inject(Fault::stall(0).always());
    let begun = tokio::time::Instant::now();
    let kinds = [
        snapshots.get("x").timeout(SECOND).await.unwrap_err().kind(),
        daytona.regions().timeout(SECOND).await.unwrap_err().kind(),
        daytona.health().timeout(SECOND).await.unwrap_err().kind(),
        daytona.check().timeout(SECOND).await.unwrap_err().kind(),
        snapshots.delete(&x).wait().timeout(SECOND).await.unwrap_err().kind(),
        snapshots
            .deactivate(&x)
            .wait()
            .timeout(SECOND)
            .await
            .unwrap_err()
            .kind(),
        snapshots.activate(&x).wait().timeout(SECOND).await.unwrap_err().kind(),
        snapshots.wait(&x).timeout(SECOND).await.unwrap_err().kind(),
    ];
    assert_eq!(kinds, [ErrorKind::WaitTimeout; 8]);
    assert!(begun.elapsed() <= SECOND * 9);
}

/// A server that does not know pages answers with the first one forever.
#[tokio::test]
async fn a_list_without_pages_comes_to_an_end() {
    let server = wiremock::MockServer::start().await;
    let items: Vec<_> = (0..200)
        .map(|number| serde_json::json!({"id": format!("i{number}"), "name": format!("n{number}"), "state": "active"}))
        .collect();
    wiremock::Mock::given(wiremock::matchers::any())
        .respond_with(wiremock::ResponseTemplate::new(200).set_body_json(serde_json::json!({"items": items})))
        .mount(&server)
        .await;
    let daytona = daytona_sdk::Daytona::builder()
        .api_url(format!("{}/api", server.uri()))
        .api_key("dtn_key")
        .build()
        .unwrap();
    let mut stream = daytona.snapshots().list().stream();
    let mut all = 0;
    while let Some(snapshot) = stream.next().await {
        snapshot.unwrap();
        all += 1;
    }
    assert_eq!(all, 200);
}
