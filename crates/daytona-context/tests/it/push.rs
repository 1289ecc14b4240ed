//! Pushing to a custom storage.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use daytona_context::{
    Context, ContextError, Digest, Head, ObjectStorage, Payload, Progress, Push, ReadError, StorageError,
    StorageErrorKind,
};
use futures_util::TryStreamExt;
use tokio::sync::watch;

use crate::support::{folder, plan, push, write};

/// A storage in memory that does something between the look and the upload.
#[derive(Default)]
struct Memory {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    before_put: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    is_down: bool,
    looks: AtomicUsize,
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Memory")
    }
}

#[async_trait]
impl ObjectStorage for Memory {
    async fn head(&self, key: &str) -> Result<Head, StorageError> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        let objects = self.objects.lock().unwrap();
        Ok(objects.get(key).map_or(Head::Missing, |bytes| Head::Stored {
            size: bytes.len() as u64,
        }))
    }

    async fn put(&self, key: &str, payload: Payload) -> Result<(), StorageError> {
        if self.is_down {
            return Err(StorageError::new(StorageErrorKind::Unavailable).with_status(503));
        }
        if let Some(action) = self.before_put.lock().unwrap().take() {
            action();
        }
        // Each attempt begins at the beginning.
        drop(payload.chunks());
        let failed = |error| StorageError::new(StorageErrorKind::Connection).with_source(error);
        let chunks: Vec<bytes::Bytes> = payload.chunks().try_collect().await.map_err(failed)?;
        self.objects.lock().unwrap().insert(key.to_owned(), chunks.concat());
        Ok(())
    }
}

#[tokio::test]
async fn what_is_stored_has_its_hash_as_its_key() {
    let folder = folder(&[("a", b"1"), ("large", &vec![3; 2_000_000])]);
    let storage = Memory::default();
    let steps = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&steps);
    let plan = plan(folder.path());
    let pushed = push(&plan, &storage, "org", move |step| heard.lock().unwrap().push(step))
        .await
        .unwrap();
    let objects = storage.objects.lock().unwrap().clone();
    let (key, bytes) = objects.first_key_value().unwrap();
    assert_eq!(*key, format!("org/{}/context.tar", Digest::of(bytes)));
    assert_eq!(pushed.hashes, [Digest::of(bytes)]);
    let steps = steps.lock().unwrap();
    let sent: u64 = steps
        .iter()
        .map(|step| {
            if let Progress::Sent { bytes, .. } = step {
                *bytes
            } else {
                0
            }
        })
        .sum();
    assert_eq!((sent, pushed.sent), (bytes.len() as u64, bytes.len() as u64));
    assert!(matches!(steps[0], Progress::Hashed { .. }) && matches!(steps.last(), Some(Progress::Stored { .. })));
}

#[tokio::test]
async fn what_is_there_is_skipped_unless_its_size_is_wrong() {
    let folder = folder(&[("a", &vec![1; 20_000])]);
    let (storage, plan) = (Memory::default(), plan(folder.path()));
    let first = push(&plan, &storage, "org", |_| {}).await.unwrap();
    let second = push(&plan, &storage, "org", |_| {}).await.unwrap();
    assert_eq!((second.sent, second.skipped), (0, first.sent));
    storage.objects.lock().unwrap().values_mut().for_each(Vec::clear);
    let third = push(&plan, &storage, "org", |_| {}).await.unwrap();
    assert_eq!(third.sent, first.sent);
}

/// To look for it takes a round trip, and so does to send it.
#[tokio::test]
async fn what_fits_into_one_flight_is_sent_without_a_look() {
    for (size, looks) in [(1, 0), (10_000, 0), (20_000, 2)] {
        let folder = folder(&[("a", &vec![1; size])]);
        let (storage, plan) = (Memory::default(), plan(folder.path()));
        let first = push(&plan, &storage, "org", |_| {}).await.unwrap();
        let second = push(&plan, &storage, "org", |_| {}).await.unwrap();
        assert_eq!(second.sent == first.sent, looks == 0, "{size}");
        assert_eq!(storage.objects.lock().unwrap().len(), 1, "{size}");
        assert_eq!(storage.looks.load(Ordering::Relaxed), looks, "{size}");
    }
}

#[tokio::test]
async fn a_file_that_changes_between_hash_and_upload_is_named_and_nothing_is_stored() {
    let folder = folder(&[("a", b"1"), ("b", &vec![3; 1_000_000])]);
    let path = folder.path().to_owned();
    let storage = Memory::default();
    *storage.before_put.lock().unwrap() = Some(Box::new(move || write(&path, "b", &vec![4; 1_000_000])));
    let error = push(&plan(folder.path()), &storage, "org", |_| {}).await.unwrap_err();
    assert!(
        matches!(&error, ContextError::Read(ReadError::Changed { path }) if path.ends_with("d/b")),
        "{error}"
    );
    assert!(storage.objects.lock().unwrap().is_empty());
}

/// A change that leaves no trace in the file's metadata is found by the second hash.
#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_change_without_a_trace_is_found_too() {
    let folder = folder(&[("a", b"first")]);
    let plan = plan(folder.path());
    // The plan's fingerprint holds; only the digest that the payload is to have is of other bytes.
    let storage = Memory::default();
    push(&plan, &storage, "org", |_| {}).await.unwrap();
    let other = crate::support::folder(&[("a", b"other")]);
    let payload = Payload::from_archive(
        &crate::support::archive(folder.path()),
        crate::support::archive(other.path()).digest().unwrap(),
    );
    let outcome: Result<Vec<bytes::Bytes>, _> = payload.chunks().try_collect().await;
    let error = outcome.unwrap_err();
    assert!(
        matches!(ReadError::find(&error), Some(ReadError::ChangedUnseen { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn the_storages_own_failure_is_told() {
    let folder = folder(&[("a", b"1")]);
    let storage = Memory {
        is_down: true,
        ..Memory::default()
    };
    let error = push(&plan(folder.path()), &storage, "org", |_| {}).await.unwrap_err();
    assert!(
        matches!(&error, ContextError::Storage { operation: "put", .. }),
        "{error}"
    );
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("503"));
}

/// A storage that is done with one archive only when it is with all the others.
#[derive(Debug)]
struct OneIsLast {
    last: String,
    left: watch::Sender<usize>,
}

#[async_trait]
impl ObjectStorage for OneIsLast {
    async fn head(&self, _key: &str) -> Result<Head, StorageError> {
        Ok(Head::Missing)
    }

    async fn put(&self, key: &str, _payload: Payload) -> Result<(), StorageError> {
        if key.contains(&self.last) {
            drop(self.left.subscribe().wait_for(|left| *left == 0).await);
        } else {
            self.left.send_modify(|left| *left -= 1);
        }
        Ok(())
    }
}

/// An archive that takes long holds up none of the others, and the hashes are in the order of the archives all the same.
#[tokio::test]
async fn a_slow_archive_holds_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0_u8..100 {
        std::fs::write(folder.path().join(format!("{number}")), vec![number; 1_000_000]).unwrap();
    }
    let context = Context::scan(folder.path()).unwrap();
    let digests = context.digests().await.unwrap();
    assert!(digests.len() > 3, "{digests:?}");
    let storage = OneIsLast {
        last: digests[0].to_string(),
        left: watch::Sender::new(digests.len() - 1),
    };
    let pushed = Push::new().run(&context, &storage, "org").await.unwrap();
    assert_eq!(pushed.hashes, digests);
    let each = context.archives().iter().map(|archive| archive.digest().unwrap());
    assert_eq!(pushed.hashes, each.collect::<Vec<_>>());
}
