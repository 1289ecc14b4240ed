//! Walks over all pages while snapshots come and go, pruning, and other calls that take several requests.

use std::collections::BTreeSet;
use std::future::IntoFuture;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use daytona_emulator::{Emulator, Fault, Operation, ReadLag, SeededSnapshot};
use daytona_sdk::transport::{RequestBody, ResponseBody, ServiceTransport, Transport, TransportError};
use daytona_sdk::{CreateSnapshotParams, Daytona, ErrorKind, PrunePolicy, Snapshot, SnapshotSort, SortOrder};
use http::{Request, Response};

use crate::support::{count, in_process};

type Meddling = Box<dyn FnMut(usize) + Send>;

/// Does something after each page.
struct Meddler {
    inner: Arc<dyn Transport>,
    pages: AtomicUsize,
    after_page: Mutex<Meddling>,
}

impl std::fmt::Debug for Meddler {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Meddler")
    }
}

#[async_trait]
impl Transport for Meddler {
    async fn send(&self, request: Request<RequestBody>) -> Result<Response<ResponseBody>, TransportError> {
        let response = self.inner.send(request).await?;
        let page = self.pages.fetch_add(1, Ordering::Relaxed);
        (self.after_page.lock().unwrap())(page);
        Ok(response)
    }
}

fn seeded(emulator: &Emulator, number: usize) -> String {
    let created = emulator.clock().now() + Duration::from_secs(number as u64);
    emulator.add_snapshot(SeededSnapshot::from_image(format!("s{number:04}"), "a:1").created(created))
}

/// A client of which every page is followed by what `meddle` does to the emulator.
fn meddled(emulator: &Arc<Emulator>, mut meddle: impl FnMut(&Emulator, usize) + Send + 'static) -> Daytona {
    let watched = Arc::clone(emulator);
    let meddler = Meddler {
        inner: Arc::new(ServiceTransport::new(emulator.service())),
        pages: AtomicUsize::new(0),
        after_page: Mutex::new(Box::new(move |page| meddle(&watched, page))),
    };
    Daytona::builder()
        .api_url(emulator.api_url())
        .api_key(emulator.api_key())
        .transport(meddler)
        .build()
        .unwrap()
}

async fn walk(daytona: &Daytona, limit: u32) -> Vec<String> {
    let mut stream = daytona.snapshots().list().limit(limit).stream();
    let mut names = Vec::new();
    while let Some(snapshot) = stream.next().await {
        names.push(snapshot.unwrap().name);
    }
    names
}

#[tokio::test]
async fn a_walk_without_changes_takes_about_as_many_requests_as_pages() {
    let (emulator, daytona) = in_process(Emulator::builder());
    for number in 0..500 {
        seeded(&emulator, number);
    }
    let names = walk(&daytona, 200).await;
    assert_eq!(names.len(), 500);
    assert!(names.is_sorted());
    assert!(count(&emulator, Operation::GetAllSnapshots) <= 4);
    for limit in [1, 20, 21, 100] {
        assert_eq!(walk(&daytona, limit).await, names, "{limit}");
    }
}

/// Snapshots are deleted and created between every two pages, at places that a small generator picks.
#[tokio::test]
async fn what_is_there_all_the_time_comes_exactly_once() {
    for seed in 0..40_usize {
        let emulator = Arc::new(Emulator::builder().in_process().unwrap());
        let all: Vec<(String, String)> = (0..260)
            .map(|number| (format!("s{number:04}"), seeded(&emulator, number)))
            .collect();
        let gone = Arc::new(Mutex::new(BTreeSet::new()));
        let (deleted, ids) = (Arc::clone(&gone), all.clone());
        let mut state = seed * 7_919 + 1;
        let daytona = meddled(&emulator, move |emulator, page| {
            for turn in 0..(seed % 23) {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let (name, id) = &ids[(state >> 33) % ids.len()];
                emulator.remove_snapshot(id);
                deleted.lock().unwrap().insert(name.clone());
                // Not forever, or the walk would never catch up.
                if page < 20 {
                    seeded(emulator, 1_000 + page * 50 + turn);
                }
            }
        });
        let names = walk(&daytona, 20).await;
        let unique: BTreeSet<_> = names.iter().collect();
        assert_eq!(unique.len(), names.len(), "seed {seed}: one came twice");
        let gone = gone.lock().unwrap();
        for (name, _) in all.iter().filter(|(name, _)| !gone.contains(name)) {
            assert!(
                unique.contains(name),
                "seed {seed}: {name} was there all the time and did not come"
            );
        }
    }
}

#[tokio::test]
async fn a_walk_takes_only_orders_that_hold_still() {
    let (emulator, daytona) = in_process(Emulator::builder());
    for number in 0..30 {
        seeded(&emulator, number);
    }
    let list = || daytona.snapshots().list();
    for refused in [
        list().page(2),
        list().sort(SnapshotSort::LastUsedAt),
        list().sort(SnapshotSort::State),
        list().limit(0),
    ] {
        let mut stream = refused.stream();
        assert_eq!(
            stream.next().await.unwrap().unwrap_err().kind(),
            ErrorKind::InvalidRequest
        );
        assert!(stream.next().await.is_none());
    }
    assert!(emulator.requests().is_empty());
    let mut stream = list()
        .sort(SnapshotSort::Name)
        .order(SortOrder::Desc)
        .name("s00")
        .stream();
    assert_eq!(stream.next().await.unwrap().unwrap().name, "s0029");
}

#[tokio::test(start_paused = true)]
async fn pruning_is_planned_first_and_looks_again_before_it_deletes() {
    let (emulator, daytona) = in_process(Emulator::builder());
    for number in 0..5 {
        seeded(&emulator, number);
    }
    emulator.add_snapshot(SeededSnapshot::from_image("broken", "a:1").state("error"));
    emulator.add_snapshot(SeededSnapshot::from_image("making", "a:1").state("building"));
    emulator.add_snapshot(SeededSnapshot::from_image("general", "a:1").general());
    let plan = daytona.snapshots().prune(PrunePolicy::keep_newest(2)).await.unwrap();
    let names = |snapshots: &[daytona_sdk::Snapshot]| {
        let mut names: Vec<_> = snapshots.iter().map(|snapshot| snapshot.name.clone()).collect();
        names.sort();
        names
    };
    assert_eq!(names(plan.to_delete()), ["broken", "s0000", "s0001", "s0002"]);
    assert_eq!(names(plan.to_keep()), ["general", "making", "s0003", "s0004"]);
    assert_eq!(count(&emulator, Operation::RemoveSnapshot), 0);
    // Meanwhile one is deactivated, and one is deleted.
    daytona.snapshots().deactivate("s0001").await.unwrap();
    daytona.snapshots().delete("s0002").wait().await.unwrap();
    let report = plan.apply().await.unwrap();
    assert_eq!(names(&report.deleted), ["broken", "s0000", "s0002"]);
    assert_eq!(names(&report.changed), ["s0001"]);
    assert!(report.failed.is_empty());
}

/// Then their names and their places in the quota are free.
#[tokio::test(start_paused = true)]
async fn a_pruning_ends_when_the_snapshots_are_gone() {
    let (emulator, daytona) = in_process(Emulator::builder());
    for number in 0..4 {
        seeded(&emulator, number);
    }
    emulator.put_organization(emulator.organization().snapshot_quota(4));
    let plan = daytona.snapshots().prune(PrunePolicy::keep_newest(0)).await.unwrap();
    let name = plan.to_delete()[0].name.clone();
    // One deletion is acknowledged and ignored.
    emulator.inject(Fault::ignore().on(Operation::RemoveSnapshot).nth(2));
    let report = plan.apply().await.unwrap().into_result().unwrap();
    assert_eq!(report.deleted.len(), 4);
    assert_eq!(daytona.snapshots().list().await.unwrap().total, Some(0));
    let params = CreateSnapshotParams::new(name, "a:1");
    daytona.snapshots().create(params).await.unwrap();
}

/// Somebody brings one back while it is being deleted: that is a change, and it stays.
#[tokio::test(start_paused = true)]
async fn a_pruning_leaves_alone_what_is_brought_back() {
    let (emulator, daytona) = in_process(Emulator::builder());
    for number in 0..2 {
        seeded(&emulator, number);
    }
    let plan = daytona.snapshots().prune(PrunePolicy::keep_newest(0)).await.unwrap();
    let kept = plan.to_delete()[0].clone();
    emulator.inject(Fault::ignore().on(Operation::RemoveSnapshot));
    // A list that fails once does not end the wait.
    emulator.inject(Fault::status(500).on(Operation::GetAllSnapshots).nth(2));
    let bring_back = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        daytona.snapshots().deactivate(&kept).await.unwrap();
    };
    let (report, ()) = tokio::join!(plan.apply().into_future(), bring_back);
    let report = report.unwrap();
    assert_eq!((report.deleted.len(), report.changed.len()), (1, 1), "{report:?}");
    assert_eq!(report.changed[0].id, kept.id);
    assert_eq!(daytona.snapshots().list().await.unwrap().items.len(), 1);
}

/// A list may still show what a deletion has ended. That it is being removed is no change by somebody else.
#[tokio::test(start_paused = true)]
async fn a_pruning_takes_a_late_list_for_no_change() {
    let (emulator, daytona) = in_process(Emulator::builder());
    seeded(&emulator, 0);
    let plan = daytona.snapshots().prune(PrunePolicy::keep_newest(0)).await.unwrap();
    emulator.set_read_lag(ReadLag::new().deleted(Duration::from_secs(3)));
    emulator.inject(Fault::delay(Duration::from_secs(4)).on(Operation::GetSnapshot).nth(2));
    let report = plan.apply().await.unwrap();
    assert_eq!((report.deleted.len(), report.changed.len()), (1, 0), "{report:?}");
}

/// What a deadline cuts short still tells what it has done.
#[tokio::test(start_paused = true)]
async fn a_pruning_that_runs_out_of_time_tells_how_far_it_came() {
    let (emulator, daytona) = in_process(Emulator::builder());
    for number in 0..4 {
        seeded(&emulator, number);
    }
    let plan = daytona.snapshots().prune(PrunePolicy::keep_newest(0)).await.unwrap();
    let names: Vec<_> = plan.to_delete().iter().map(|snapshot| snapshot.name.clone()).collect();
    let slow = Fault::delay(Duration::from_secs(4)).on(Operation::RemoveSnapshot);
    emulator.inject(slow.always());
    let report = plan.apply().timeout(Duration::from_secs(10)).await.unwrap();
    let named =
        |snapshots: &[Snapshot]| -> Vec<String> { snapshots.iter().map(|snapshot| snapshot.name.clone()).collect() };
    assert_eq!(named(&report.deleted), names[..2]);
    assert_eq!(report.failed.len(), 1);
    assert_eq!(report.failed[0].0.name, names[2]);
    assert_eq!(named(&report.not_tried), names[3..]);
    let error = report.into_result().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WaitTimeout);
    let text = error.to_string();
    assert!(text.starts_with("1 of the snapshots could not be deleted"), "{text}");
    assert!(text.ends_with("before 1 of the snapshots were tried"), "{text}");
}

/// Wherever the timeout passes: before the first deletion, just between two, or in the middle of one.
#[tokio::test(start_paused = true)]
async fn a_pruning_returns_its_report_whenever_its_timeout_passes() {
    for timeout in [0, 1, 2_999, 3_000, 3_001, 6_000, 8_999, 9_000, 9_001] {
        let (emulator, daytona) = in_process(Emulator::builder());
        for number in 0..3 {
            seeded(&emulator, number);
        }
        emulator.inject(Fault::delay(Duration::from_secs(1)).on(Operation::GetSnapshot).always());
        emulator.inject(
            Fault::delay(Duration::from_secs(2))
                .on(Operation::RemoveSnapshot)
                .always(),
        );
        let plan = daytona.snapshots().prune(PrunePolicy::keep_newest(0)).await.unwrap();
        let report = plan.apply().timeout(Duration::from_millis(timeout)).await.unwrap();
        let counts = (report.deleted.len(), report.failed.len(), report.not_tried.len());
        let began = usize::try_from(timeout.div_ceil(3_000)).unwrap().min(3);
        let ended = usize::try_from(timeout / 3_000).unwrap();
        assert_eq!(counts, (ended, began - ended, 3 - began), "{timeout}");
        assert_eq!(report.into_result().is_ok(), ended == 3, "{timeout}");
    }
}

#[tokio::test]
async fn regions_and_health_are_asked_for() {
    let (_emulator, daytona) = in_process(Emulator::builder());
    let regions = daytona.regions().await.unwrap();
    assert_eq!(regions[0].id.as_deref(), Some("us"));
    assert_eq!(daytona.health().await.unwrap().status.as_deref(), Some("ok"));
}

/// A thousand calls at once on one client.
#[tokio::test]
async fn many_calls_at_once_get_their_own_answers() {
    let (emulator, daytona) = in_process(Emulator::builder());
    for number in 0..100 {
        seeded(&emulator, number);
    }
    let calls = (0..1_000).map(|call| {
        let daytona = daytona.clone();
        tokio::spawn(async move {
            daytona
                .snapshots()
                .get(format!("s{:04}", call % 100))
                .await
                .unwrap()
                .name
        })
    });
    for (call, answer) in calls.collect::<Vec<_>>().into_iter().enumerate() {
        assert_eq!(answer.await.unwrap(), format!("s{:04}", call % 100));
    }
}
