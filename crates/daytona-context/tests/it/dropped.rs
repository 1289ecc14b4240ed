//! A push that is dropped. Linux tells which files are open.

use std::future::poll_fn;
use std::task::Poll;

use async_trait::async_trait;
use daytona_context::{Head, ObjectStorage, Payload, StorageError};
use futures_util::TryStreamExt;

use crate::support::{folder, plan, push};

/// A storage that takes one chunk and then nothing more.
#[derive(Debug, Default)]
struct Stuck {
    began: tokio::sync::Notify,
}

#[async_trait]
impl ObjectStorage for Stuck {
    async fn head(&self, _key: &str) -> Result<Head, StorageError> {
        Ok(Head::Missing)
    }

    async fn put(&self, _key: &str, payload: Payload) -> Result<(), StorageError> {
        let mut chunks = payload.chunks();
        chunks.try_next().await.unwrap();
        self.began.notify_one();
        std::future::pending().await
    }
}

/// Which files of the folder this process has open.
pub(crate) fn open_files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let opened = std::fs::read_dir("/proc/self/fd").unwrap();
    let paths = opened.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    paths.filter(|path| path.starts_with(folder)).collect()
}

/// Dropping a push stops it, in the middle of hashing and in the middle of sending: no task is left, and no file stays open.
#[test]
fn a_push_that_is_dropped_leaves_nothing() {
    let content = vec![1; 20_000_000];
    let folder = folder(&[("a", &content), ("b", &content)]);
    let plan = plan(folder.path());
    for is_sending in [false, true] {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let storage = Stuck::default();
            let mut pushing = std::pin::pin!(push(&plan, &storage, "org", |_| {}));
            let poll = |context: &mut std::task::Context<'_>| Poll::Ready(pushing.as_mut().poll(context).is_pending());
            assert!(poll_fn(poll).await);
            if is_sending {
                tokio::select! {
                    pushed = pushing => panic!("{pushed:?}"),
                    () = storage.began.notified() => {}
                }
            }
        });
        assert_eq!(runtime.metrics().num_alive_tasks(), 0);
        // Waits for the step that was being read, and for no more.
        drop(runtime);
        assert_eq!(open_files(folder.path()), Vec::<std::path::PathBuf>::new());
    }
}
