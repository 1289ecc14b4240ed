//! Pushes over lines of every kind, on a paused clock: what a push makes of a line, and what it tells of it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use daytona_context::{
    Context, ContextError, Digest, Head, MemoryStorage, MultipartUpload, ObjectStorage, Payload, Progress, Push,
    StorageError, StorageErrorKind, Target,
};
use futures_util::{StreamExt, TryStreamExt};

const MIB: u64 = 1024 * 1024;

/// A line to a store: bytes a second of one connection and of all together, and its round trip.
#[derive(Debug, Clone)]
struct Line {
    each: f64,
    total: f64,
    round_trip: Duration,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    at_once: AtomicUsize,
    /// How many were under way when each request began.
    history: Mutex<Vec<usize>>,
    /// Requests that fail first.
    failures: AtomicUsize,
}

impl Line {
    fn new(each: f64, total: f64) -> Self {
        Self {
            each: each * 1e6,
            total: total * 1e6,
            round_trip: Duration::from_millis(80),
            state: Arc::default(),
        }
    }

    async fn carry(&self, payload: Payload) -> Result<(), StorageError> {
        let at_once = self.state.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.state.history.lock().unwrap().push(at_once);
        let size = payload.size();
        loop {
            let taken: Result<Vec<bytes::Bytes>, _> = payload.chunks().try_collect().await;
            taken.map_err(|error| StorageError::new(StorageErrorKind::Payload).with_source(error))?;
            // All that begin now share the line, whichever comes first.
            tokio::time::sleep(self.round_trip).await;
            let shared = f64::from(u32::try_from(self.state.at_once.load(Ordering::SeqCst)).unwrap());
            #[expect(clippy::cast_precision_loss, reason = "a simulation")]
            let seconds = size as f64 / self.each.min(self.total / shared);
            tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
            let failures = &self.state.failures;
            if failures
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
                .is_err()
            {
                break;
            }
            payload.attempt_failed();
        }
        self.state.at_once.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }
}

#[async_trait]
impl ObjectStorage for Line {
    async fn head(&self, _key: &str) -> Result<Head, StorageError> {
        tokio::time::sleep(self.round_trip).await;
        Ok(Head::Missing)
    }

    async fn put(&self, _key: &str, payload: Payload) -> Result<(), StorageError> {
        self.carry(payload).await
    }

    async fn start_multipart(&self, _key: &str, _size: u64) -> Result<Option<Box<dyn MultipartUpload>>, StorageError> {
        Ok(Some(Box::new(self.clone())))
    }
}

#[async_trait]
impl MultipartUpload for Line {
    async fn put_part(&self, _number: usize, part: Payload) -> Result<(), StorageError> {
        self.carry(part).await
    }

    async fn complete(&self) -> Result<(), StorageError> {
        Ok(())
    }

    async fn abort(&self) {}
}

/// A file with a hole in it.
fn file(bytes: u64) -> (tempfile::TempDir, Context) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::File::create(folder.path().join("model.bin"))
        .unwrap()
        .set_len(bytes)
        .unwrap();
    let context = Context::scan(folder.path()).unwrap();
    (folder, context)
}

/// The numbers of requests at once, from the beginning.
async fn history(line: &Line, push: &Push) -> Vec<usize> {
    let (_folder, context) = file(96 * MIB);
    push.run(&context, line, "org").await.unwrap();
    let history = line.state.history.lock().unwrap().clone();
    assert!(history.len() > 90, "{}", history.len());
    history
}

fn in_small_parts() -> Push {
    Push::new().part_size(MIB)
}

#[tokio::test(start_paused = true)]
async fn requests_grow_while_the_line_carries_more() {
    let most = |history: &[usize]| history.iter().copied().max().unwrap();
    let wide = history(&Line::new(5.0, 500.0), &in_small_parts()).await;
    assert_eq!(most(&wide[..8]), 8);
    assert_eq!(most(&wide), 16);
    assert!(wide[40..].contains(&16), "and stays there: {wide:?}");
    let bounded = history(&Line::new(5.0, 500.0), &in_small_parts().concurrency(12)).await;
    assert_eq!(most(&bounded), 12);
    let one = history(&Line::new(5.0, 500.0), &in_small_parts().concurrency(0)).await;
    assert_eq!(most(&one), 1);
}

#[tokio::test(start_paused = true)]
async fn requests_shrink_to_one_where_more_are_of_no_use() {
    let narrow = history(&Line::new(5.0, 0.3), &in_small_parts()).await;
    // Beyond the beginning, which grows from one. Later others may be tried again.
    assert!(narrow[24..].contains(&1), "{narrow:?}");
    assert!(narrow.last().is_some_and(|at_once| *at_once <= 2), "{narrow:?}");
}

/// From a storage that answers at once one connection gets what the line has.
#[tokio::test(start_paused = true)]
async fn a_large_file_for_a_storage_nearby_goes_in_one_request() {
    let (_folder, context) = file(96 * MIB);
    for (milliseconds, push, is_one) in [
        (1, Push::new(), true),
        (1, Push::new().multipart_threshold(16 * MIB), false),
        (1, Push::new().resend(), false),
        (5, Push::new(), false),
    ] {
        let line = Line {
            round_trip: Duration::from_millis(milliseconds),
            ..Line::new(500.0, 500.0)
        };
        push.run(&context, &line, "org").await.unwrap();
        let requests = line.state.history.lock().unwrap().len();
        assert_eq!(requests == 1, is_one, "{milliseconds} ms: {requests}");
    }
}

#[tokio::test(start_paused = true)]
async fn failures_of_the_line_make_room() {
    let line = Line::new(5.0, 500.0);
    line.state.failures.store(1, Ordering::SeqCst);
    let failing = history(&line, &in_small_parts()).await;
    // What was under way is not broken off; nothing new begins before there are fewer.
    assert!(failing[8..40].iter().all(|at_once| *at_once <= 4), "{failing:?}");
}

/// F18: what is sent again is taken back, so that a sum never passes the size, and each archive ends at its size.
#[tokio::test(start_paused = true)]
async fn progress_never_passes_the_end() {
    for push in [Push::new(), in_small_parts()] {
        let (_folder, context) = file(20 * MIB);
        let line = Line::new(5.0, 25.0);
        line.state.failures.store(3, Ordering::SeqCst);
        let sums = Arc::new(Mutex::new((BTreeMap::<Digest, u64>::new(), 0)));
        let heard = Arc::clone(&sums);
        let push = push.on_progress(move |step| {
            let (sums, taken_back) = &mut *heard.lock().unwrap();
            match step {
                Progress::Sent { hash, bytes, size } => {
                    let sum = sums.entry(hash).or_default();
                    *sum += bytes;
                    assert!(*sum <= size, "{sum} of {size}");
                }
                Progress::Unsent { hash, bytes, .. } => {
                    *sums.get_mut(&hash).unwrap() -= bytes;
                    *taken_back += bytes;
                }
                Progress::Stored { hash, size } => assert_eq!(sums[&hash], size),
                _ => {}
            }
        });
        push.run(&context, &line, "org").await.unwrap();
        let (sums, taken_back) = &*sums.lock().unwrap();
        assert_eq!(sums.values().sum::<u64>(), context.size());
        assert!(*taken_back > 0);
    }
}

/// A client may go on with a body although the answer has come: what it takes then counts no more.
#[tokio::test]
async fn an_attempt_that_is_over_takes_nothing_more() {
    let (_folder, context) = file(2 * MIB);
    let digest = context.digests().await.unwrap()[0];
    let payload = Payload::from_archive(&context.archives()[0], digest);
    let (mut first, mut second) = (payload.chunks(), payload.chunks());
    second.next().await.unwrap().unwrap();
    let over = first.next().await.unwrap().unwrap_err();
    assert!(
        format!("{:?}", std::error::Error::source(&over)).contains("another attempt"),
        "{over:?}"
    );
    assert!(first.next().await.is_none());
    while let Some(chunk) = second.next().await {
        chunk.unwrap();
    }
}

/// The files are hashed before it is known where they go.
#[tokio::test]
async fn a_target_may_come_later() {
    let folder = crate::s3::tree(40_000_000);
    let context = Context::scan(folder.path()).unwrap();
    let storage = Arc::new(MemoryStorage::new());
    let (hashed, all) = tokio::sync::oneshot::channel();
    let left = Mutex::new((context.archives().len(), Some(hashed)));
    let push = Push::new().on_progress(move |step| {
        if let Progress::Hashed { .. } = step {
            let (left, hashed) = &mut *left.lock().unwrap();
            *left -= 1;
            if *left == 0 {
                hashed.take().unwrap().send(()).unwrap();
            }
        }
    });
    let target = async {
        all.await.unwrap();
        Ok::<_, ContextError>(Target::new(Arc::clone(&storage) as Arc<dyn ObjectStorage>, "org"))
    };
    let pushed = push.run_when(&context, target).await.unwrap();
    assert_eq!(storage.keys().len(), pushed.hashes.len());
    assert_eq!(pushed.sent, context.size());
}

#[derive(Debug, thiserror::Error)]
#[error("no access")]
struct NoAccess;

impl From<ContextError> for NoAccess {
    fn from(error: ContextError) -> Self {
        panic!("{error}")
    }
}

#[tokio::test]
async fn without_a_target_nothing_is_pushed_and_without_files_none_is_asked_for() {
    let (_folder, context) = file(20 * MIB);
    let failed = Push::new().run_when(&context, async { Err(NoAccess) }).await;
    assert!(matches!(failed, Err(NoAccess)));
    let empty = tempfile::tempdir().unwrap();
    let empty = Context::scan(empty.path()).unwrap();
    let asked = async { panic!("asked for a target") };
    let pushed = Push::new().run_when::<NoAccess>(&empty, asked).await.unwrap();
    assert!(pushed.hashes.is_empty());
}

/// H13: however many pushes there are, only a limited number of files is open, and none after they were dropped.
#[cfg(target_os = "linux")]
#[test]
fn many_pushes_read_few_files_at_once() {
    let folder = crate::s3::tree(20_000_000);
    let context = Context::scan(folder.path()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    runtime.block_on(async {
        let (begun, first) = tokio::sync::oneshot::channel();
        let begun = Arc::new(Mutex::new(Some(begun)));
        let pushes: Vec<_> = (0..200)
            .map(|_| {
                let (context, begun) = (context.clone(), Arc::clone(&begun));
                tokio::spawn(async move {
                    let push = Push::new().on_progress(move |_| {
                        if let Some(begun) = begun.lock().unwrap().take() {
                            begun.send(()).unwrap();
                        }
                    });
                    push.run(&context, &MemoryStorage::new(), "org").await
                })
            })
            .collect();
        first.await.unwrap();
        // Each thread that reads has a file and its directory open; as many again may just be closing.
        let most = 2 * 2 * (cores.max(2) + (4 * cores).max(16));
        let open = crate::dropped::open_files(folder.path()).len();
        assert!(open <= most, "{open} open, at most {most}");
        pushes.iter().for_each(tokio::task::JoinHandle::abort);
        for push in pushes {
            drop(push.await);
        }
    });
    drop(runtime);
    assert_eq!(crate::dropped::open_files(folder.path()).len(), 0);
}

/// B16: chunks outside a runtime are an error, and no panic.
#[test]
fn chunks_need_a_runtime_and_say_so() {
    let mut chunks = Payload::from_bytes("x", Digest::of(b"x")).chunks();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let first = futures_util::Stream::poll_next(chunks.as_mut(), &mut context);
    let std::task::Poll::Ready(Some(Err(error))) = first else {
        panic!("{first:?}")
    };
    assert!(daytona_context::ReadError::find(&error).is_some(), "{error:?}");
}
