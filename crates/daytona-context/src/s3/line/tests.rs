//! Requests that stall, on a paused clock.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

const LIMIT: Duration = Duration::from_mins(1);

fn seconds(share: &Share) -> u64 {
    share.end(LIMIT).unwrap().duration_since(Instant::now()).as_secs()
}

/// The system tells now that this many bytes are not acknowledged.
fn note(share: &Share, bytes: u64) {
    share.line.state().note(bytes, Instant::now());
}

/// How many seconds a request that took this much, and then nothing, may take.
async fn stalls_after(kib: u64, ask: fn() -> Option<u64>) -> u64 {
    let share = Line::new().join();
    share.took(kib * 1024);
    let begin = Instant::now();
    let stalled = share.stalled(LIMIT, ask);
    tokio::time::timeout(Duration::from_hours(24), stalled).await.unwrap();
    begin.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn what_is_queued_has_its_time() {
    let line = Line::new();
    let share = line.join();
    assert_eq!(seconds(&share), 60);
    share.took(10 * 1024);
    assert_eq!(seconds(&share), 70);
    share.took(1024 * MAX_QUEUE);
    assert_eq!(seconds(&share), 60 + 4096, "no system keeps more");
    assert_eq!(share.end(Duration::MAX), None);
}

#[tokio::test(start_paused = true)]
async fn only_what_the_store_has_not_acknowledged_gets_time() {
    assert_eq!(stalls_after(100, || Some(0)).await, 60);
    assert_eq!(stalls_after(100, || Some(10 * 1024)).await, 70);
    assert_eq!(stalls_after(100, || Some(u64::MAX)).await, 160, "not all of it is ours");
    assert_eq!(stalls_after(100, || None).await, 160, "the system does not tell");
}

/// It goes on, however slowly: it is given up when nothing has changed for the limit.
#[tokio::test(start_paused = true)]
async fn an_acknowledged_byte_is_a_sign_of_life() {
    static LEFT: AtomicU64 = AtomicU64::new(5 * 1024 + 1);
    fn fewer() -> u64 {
        let left = LEFT.load(Ordering::SeqCst);
        LEFT.store(left.saturating_sub(512), Ordering::SeqCst);
        left
    }
    // It is asked after 60 s, soon again because there are only 5 left, and ten more times until there are none.
    assert_eq!(stalls_after(10, || Some(fewer())).await, 60 + 77 + 60);
}

/// Others in the process send all the time. What changes more than the own bytes can is theirs.
#[tokio::test(start_paused = true)]
async fn bytes_of_others_keep_no_request_alive() {
    static TURN: AtomicU64 = AtomicU64::new(1);
    fn comes_and_goes(bytes: u64) -> u64 {
        TURN.fetch_add(1, Ordering::SeqCst) % 2 * bytes
    }
    let many = stalls_after(10, || Some(comes_and_goes(1_000_000))).await;
    assert!(many <= 70, "{many}");
    TURN.store(1, Ordering::SeqCst);
    let few = stalls_after(10, || Some(comes_and_goes(1024))).await;
    assert!((120..600).contains(&few), "{few}");
}

/// What the system says of those that wait is of before: a request that begins has all of the limit.
#[tokio::test(start_paused = true)]
async fn a_request_that_begins_has_its_own_time() {
    let line = Line::new();
    let waiting = line.join();
    waiting.took(10 * 1024);
    tokio::time::advance(LIMIT).await;
    note(&waiting, 1);
    note(&waiting, 0);
    tokio::time::advance(LIMIT / 2).await;
    assert_eq!(seconds(&waiting), 30);
    assert!(seconds(&line.join()) >= 60);
}

/// What was sent since the question is not in the answer.
#[tokio::test(start_paused = true)]
async fn an_answer_is_of_the_time_of_its_question() {
    let share = Line::new().join();
    share.took(10 * 1024);
    tokio::time::advance(LIMIT).await;
    let asked = Instant::now();
    tokio::time::advance(Duration::from_secs(1)).await;
    share.took(10 * 1024);
    share.line.state().note(0, asked);
    assert_eq!(seconds(&share), 60 + 20);
    note(&share, 0);
    assert_eq!(seconds(&share), 60);
}

/// The requests of a line stall at the same time, and the system tells them all the same.
#[tokio::test(start_paused = true)]
async fn one_request_asks_for_all() {
    static QUESTIONS: AtomicU64 = AtomicU64::new(0);
    let line = Line::new();
    let shares: Vec<Share> = (0..16).map(|_| line.join()).collect();
    for share in &shares {
        share.took(1024 * 1024);
    }
    let begin = Instant::now();
    let ask = || {
        QUESTIONS.fetch_add(1, Ordering::SeqCst);
        Some(0)
    };
    let stalled = shares.iter().map(|share| share.stalled(LIMIT, ask));
    futures_util::future::join_all(stalled).await;
    assert_eq!(begin.elapsed().as_secs(), 60);
    assert_eq!(QUESTIONS.load(Ordering::SeqCst), 1);
}

/// All threads of the pool are busy for good: what is not told counts as all that may wait.
#[test]
fn no_request_waits_for_a_thread_to_ask() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).max_blocking_threads(1);
    let (end, ended) = std::sync::mpsc::channel::<()>();
    runtime.build().unwrap().block_on(async {
        let busy = tokio::task::spawn_blocking(move || ended.recv());
        let stalled = tokio::spawn(stalls_after(100, || Some(0)));
        // The clock does not go on by itself while a thread is busy.
        for _ in 0..200 {
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert!(stalled.is_finished());
        drop(end);
        busy.await.unwrap().unwrap_err();
    });
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_nothing_ends_at_once() {
    let share = Line::new().join();
    share.stalled(Duration::ZERO, || Some(0)).await;
}

/// At 1 KiB/s for all, each of eight has an eighth of it.
#[tokio::test(start_paused = true)]
async fn those_that_share_a_line_wait_for_each_other() {
    let line = Line::new();
    let shares: Vec<Share> = (0..8).map(|_| line.join()).collect();
    for share in &shares {
        share.took(32 * 1024);
    }
    // Nothing moves on any of them.
    assert_eq!(seconds(&shares[0]), 60 + 8 * 32);
    // The others move all the time, and this one is never served.
    let mut waited = 0;
    while shares[0].end(LIMIT).unwrap() > Instant::now() {
        tokio::time::advance(Duration::from_secs(10)).await;
        waited += 10;
        shares[1..].iter().for_each(|share| share.took(1));
    }
    assert!((8 * (60 + 32)..=8 * (60 + 32) + 10).contains(&waited), "{waited}");
    // They are done, late: now it has the line for itself, and its time begins.
    let mut shares = shares;
    let bodies = shares.split_off(1);
    for share in &bodies {
        drop(share.on_line());
        share.took(1024 * 1024);
    }
    assert_eq!(seconds(&shares[0]), 60 + 32);
    shares[0].took(1);
    assert_eq!(seconds(&shares[0]), 60 + 32);
}
