//! S3 with the emulator's store, in process: with each peculiarity of real stores, and on bad lines.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use daytona_context::s3::{RetryPolicy, S3Storage};
use daytona_context::{Context, ContextError, ObjectStorage, Payload, Progress, Push, ReadError, conformance};
use daytona_emulator::{Fault, Operation, StorageOptions};
use tempfile::TempDir;

use store::{Store, store};

pub(crate) use store::access;

mod store;

/// A directory of this many bytes, in files of at most a million.
pub(crate) fn tree(bytes: usize) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (number, start) in (0..bytes).step_by(1_000_000).enumerate() {
        let size = 1_000_000.min(bytes - start);
        std::fs::write(
            folder.path().join(format!("{number:03}")),
            vec![u8::try_from(number % 251).unwrap(); size],
        )
        .unwrap();
    }
    folder
}

fn context(folder: &TempDir) -> Context {
    Context::scan(folder.path()).unwrap()
}

#[tokio::test]
async fn the_emulators_store_conforms() {
    let store = store(StorageOptions::new()).await;
    let prefix = store.prefix().to_owned();
    // Retries make no sense for what is refused on purpose.
    conformance::check(&store.storage, &prefix).await.unwrap();
}

/// Each peculiarity alone, and all of them together.
#[tokio::test(start_paused = true)]
async fn peculiar_stores_are_served() {
    let strict = StorageOptions::new()
        .forbidden_when_missing()
        .refuse_checksum_headers()
        .refuse_chunked_framing();
    for (name, options) in [
        ("forbidden when missing", StorageOptions::new().forbidden_when_missing()),
        ("no checksum headers", StorageOptions::new().refuse_checksum_headers()),
        ("no chunked framing", StorageOptions::new().refuse_chunked_framing()),
        ("another region", StorageOptions::new().region("eu-west-3")),
        (
            "a region that is told",
            StorageOptions::new().region("auto").told_region("auto"),
        ),
        (
            "credentials for one object",
            StorageOptions::new().expire_after_parts(1),
        ),
        ("slow down", StorageOptions::new().slow_down_every(3)),
        ("1 KiB/s", StorageOptions::new().bytes_per_second(1024)),
        (
            "all",
            strict.region("eu-west-3").expire_after_parts(2).slow_down_every(5),
        ),
    ] {
        let bytes = if name == "1 KiB/s" { 300_000 } else { 70_000_000 };
        let (store, folder) = (store(options).await, tree(bytes));
        let context = context(&folder);
        let pushed = store
            .push(&context)
            .await
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(pushed.sent, context.size(), "{name}");
        store.check_objects(context.archives().len());
        let again = store
            .push(&context)
            .await
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        if !name.contains("all") && name != "slow down" {
            assert_eq!(again.skipped, context.size(), "{name}");
        }
    }
}

/// What goes wrong once is tried again, with the same bytes; what is refused for good is not.
#[tokio::test(start_paused = true)]
async fn bad_lines_are_borne_within_the_budget() {
    let folder = tree(3_000_000);
    let context = context(&folder);
    for (name, fault, puts) in [
        ("500", Fault::status(500).on(Operation::PutObject), 2),
        ("503", Fault::status(503).on(Operation::PutObject).times(3), 4),
        (
            "reset",
            Fault::reset_upload(1_000_000).on(Operation::PutObject).times(2),
            3,
        ),
        ("stalled", Fault::stall_upload(500_000).on(Operation::PutObject), 2),
        ("no answer", Fault::stall(0).on(Operation::PutObject), 2),
        ("answer lost", Fault::lose_answer().on(Operation::PutObject), 2),
        (
            "slow answer",
            Fault::delay(Duration::from_mins(4)).on(Operation::PutObject),
            1,
        ),
        ("head refused", Fault::status(500).on(Operation::HeadObject), 1),
        ("head broken", Fault::disconnect().on(Operation::HeadObject), 1),
    ] {
        let store = store(StorageOptions::new()).await;
        store.emulator.inject(fault);
        let pushed = store
            .push(&context)
            .await
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(pushed.sent, context.size(), "{name}");
        // Those that were broken off are counted when they end, some of them never.
        let seen = store.count(Operation::PutObject);
        assert!(seen == puts || seen + 1 == puts, "{name}: {seen} instead of {puts}");
        let retries = store.retries.lock().unwrap().len();
        let expected = if name == "head broken" { 1 } else { puts - 1 };
        assert_eq!(retries, expected, "{name}");
        store.check_objects(1);
    }
}

/// B11: the answer to HEAD names the region, so that what is stored is not sent again, in each new process.
#[tokio::test]
async fn a_store_in_another_region_is_sent_nothing_twice() {
    let folder = tree(20_000_000);
    let context = context(&folder);
    for options in [StorageOptions::new(), StorageOptions::new().forbidden_when_missing()] {
        let store = store(options.region("eu-west-3")).await;
        store.push(&context).await.unwrap();
        let sent: usize = store.count(Operation::PutObject);
        assert_eq!(
            sent,
            context.archives().len(),
            "each once, although the region was not told"
        );
        let fresh = S3Storage::new(&store.access.config().await, store.wire()).unwrap();
        let pushed = Push::new().run(&context, &fresh, store.prefix()).await.unwrap();
        assert_eq!((pushed.sent, pushed.skipped), (0, context.size()));
        assert_eq!(store.count(Operation::PutObject), sent);
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_server_is_asked_as_often_as_the_budget_says() {
    let folder = tree(1_000);
    let store = store(StorageOptions::new()).await;
    store
        .emulator
        .inject(Fault::status(500).on(Operation::PutObject).always());
    let error = store.push(&context(&folder)).await.unwrap_err();
    assert_eq!(store.count(Operation::PutObject), 4);
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        source.contains("500, InternalError") && source.contains("4 times"),
        "{source}"
    );
    assert!(store.emulator.objects().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_for_good_is_asked_once() {
    let folder = tree(1_000);
    let store = store(StorageOptions::new()).await;
    store
        .emulator
        .inject(Fault::status(403).on(Operation::PutObject).always());
    let error = store.push(&context(&folder)).await.unwrap_err();
    assert!(matches!(error, ContextError::Storage { operation: "put", .. }));
    assert_eq!(store.count(Operation::PutObject), 1);
}

/// Credentials that are no longer good are fetched once for all who need them, and not forever.
#[tokio::test(start_paused = true)]
async fn credentials_are_renewed_once_for_all() {
    let store = store(StorageOptions::new()).await;
    let folder = tree(100_000_000);
    let context = context(&folder);
    assert!(context.archives().len() > 2);
    store.emulator.clock().advance(Duration::from_mins(61));
    store.push(&context).await.unwrap();
    assert_eq!(store.access.asked.load(Ordering::Relaxed), 1);
    store.check_objects(context.archives().len());

    let never = self::store(StorageOptions::new().expire_after_parts(0)).await;
    let error = never.push(&context).await.unwrap_err();
    assert!(format!("{error:?}").contains("ExpiredToken"), "{error:?}");
    assert!(never.access.asked.load(Ordering::Relaxed) <= 4);
}

/// The archive of one large file goes in parts: with credentials that die after the second, and a third part that breaks.
#[tokio::test(start_paused = true)]
async fn a_large_file_goes_in_parts() {
    const MIB: u64 = 1024 * 1024;
    let folder = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0..23 * MIB).map(|index| u8::try_from(index % 253).unwrap()).collect();
    std::fs::write(folder.path().join("model.bin"), &content).unwrap();
    let context = context(&folder);
    let store = store(StorageOptions::new().expire_after_parts(2)).await;
    store
        .emulator
        .inject(Fault::reset_upload(100_000).on(Operation::UploadPart).part(3));
    let sent = Arc::new(Mutex::new(0));
    let count = Arc::clone(&sent);
    let push = Push::new()
        .multipart_threshold(8 * MIB)
        .part_size(5 * MIB)
        .on_progress(move |step| {
            if let Progress::Sent { bytes, .. } = step {
                *count.lock().unwrap() += bytes;
            }
        });
    let pushed = push.run(&context, &store.storage, store.prefix()).await.unwrap();
    assert_eq!(pushed.sent, context.size());
    assert_eq!(store.count(Operation::CreateMultipartUpload), 1);
    assert_eq!(
        (
            store.count(Operation::PutObject),
            store.count(Operation::CompleteMultipartUpload)
        ),
        (0, 1)
    );
    assert!(*sent.lock().unwrap() >= context.size());
    store.check_objects(1);
    // What fails for good leaves nothing visible, and the abort that is refused does not hide why.
    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join("model.bin"), &content[1..]).unwrap();
    store
        .emulator
        .inject(Fault::status(403).on(Operation::UploadPart).part(2).always());
    let error = push
        .run(&self::context(&other), &store.storage, store.prefix())
        .await
        .unwrap_err();
    assert!(format!("{error:?}").contains("403"), "{error:?}");
    store.check_objects(1);
    // Nor does an abort that is never answered.
    store
        .emulator
        .inject(Fault::stall_upload(0).on(Operation::OtherStorage));
    let context = self::context(&other);
    let push = push.run(&context, &store.storage, store.prefix());
    let error = tokio::time::timeout(Duration::from_hours(1), push)
        .await
        .unwrap()
        .unwrap_err();
    assert!(format!("{error:?}").contains("403"), "{error:?}");
}

/// A file that changes is the end at once, whatever the budget, and nothing is stored.
#[tokio::test(start_paused = true)]
async fn a_file_that_changes_is_not_the_stores_fault() {
    let folder = tree(2_000_000);
    let context = context(&folder);
    let digest = context.archives()[0].digest().unwrap();
    std::fs::write(folder.path().join("001"), vec![9; 1_000_000]).unwrap();
    let store = store(StorageOptions::new()).await;
    let key = format!("{}/{digest}/context.tar", store.prefix());
    store
        .storage
        .put(&key, Payload::from_archive(&context.archives()[0], digest))
        .await
        .unwrap_err();
    assert!(store.retries.lock().unwrap().is_empty());
    let error = store.push(&context).await.unwrap_err();
    assert!(
        matches!(&error, ContextError::Read(ReadError::Changed { path }) if path.ends_with("001")),
        "{error}"
    );
    assert!(store.emulator.objects().is_empty());
}

/// A stall is one only when nothing moves: here a byte of a frame moves now and then.
#[tokio::test(start_paused = true)]
async fn a_slow_line_is_no_stall() {
    let folder = tree(1_000_000);
    let store = store(StorageOptions::new()).await;
    store
        .emulator
        .inject(Fault::throttle_upload(1024).on(Operation::PutObject));
    store.push(&context(&folder)).await.unwrap();
    assert!(store.retries.lock().unwrap().is_empty());
    let Store { emulator, storage, .. } = store;
    let impatient = storage.clone();
    drop(storage);
    let impatient = impatient.retry(RetryPolicy::default().attempts(2).stall(Duration::from_secs(10)));
    emulator.inject(Fault::stall_upload(1).on(Operation::PutObject).always());
    let other = tree(999);
    let before = tokio::time::Instant::now();
    let error = Push::new()
        .run(&context(&other), &impatient, emulator.organization_id())
        .await
        .unwrap_err();
    assert!(format!("{error:?}").contains("Stalled"), "{error:?}");
    assert!(before.elapsed() < Duration::from_mins(1));
}
