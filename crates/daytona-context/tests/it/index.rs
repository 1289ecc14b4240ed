//! A push with a stat index. Its files are this crate's own: they rest for longer than two seconds.

use std::fs;
use std::path::Path;

use daytona_context::{
    Context, ContextError, Digest, IndexError, MemoryStorage, ObjectStorage, Payload, Progress, Push,
};

fn context() -> Context {
    Context::scan(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/s3")).unwrap()
}

/// The index with another digest for the archive, and its checksum.
fn forge(index: &Path, truth: Digest, other: Digest) {
    let text = fs::read_to_string(index).unwrap();
    let (body, _) = text.trim_end().rsplit_once('\n').unwrap();
    assert!(body.contains(&truth.to_string()), "{body}");
    let body = body.replace(&truth.to_string(), &other.to_string()) + "\n";
    fs::write(index, format!("{body}{}\n", Digest::of(body.as_bytes()))).unwrap();
}

/// What the index says is believed if the storage has it, and only then: what is sent is hashed.
#[tokio::test]
async fn an_index_spares_hashing_and_never_decides_what_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("index");
    let (context, storage) = (context(), MemoryStorage::new());
    let truth = context.archives()[0].digest().unwrap();
    let push = Push::new().index(&index);
    let first = push.run(&context, &storage, "org").await.unwrap();
    assert_eq!((first.hashes, first.sent), (vec![truth], context.size()));
    let before = fs::read(&index).unwrap();
    let again = push.run(&context, &storage, "org").await.unwrap();
    assert_eq!((again.hashes, again.sent), (vec![truth], 0));
    assert_eq!(fs::read(&index).unwrap(), before);

    // Whoever writes the index chooses: nothing was hashed here.
    let bytes = vec![7; usize::try_from(context.size()).unwrap()];
    let other = Digest::of(&bytes);
    forge(&index, truth, other);
    storage
        .put(&format!("org/{other}/context.tar"), Payload::from_bytes(bytes, other))
        .await
        .unwrap();
    let believed = push.run(&context, &storage, "org").await.unwrap();
    assert_eq!((believed.hashes, believed.sent), (vec![other], 0));
    // But nothing is sent under a hash that is not its own.
    let elsewhere = MemoryStorage::new();
    let sent = push.run(&context, &elsewhere, "org").await.unwrap();
    assert_eq!((sent.hashes, sent.sent), (vec![truth], context.size()));
    assert_eq!(elsewhere.keys(), [format!("org/{truth}/context.tar")]);
    // And it was found out.
    assert_eq!(fs::read(&index).unwrap().len(), before.len());
    let again = push.run(&context, &storage, "org").await.unwrap();
    assert_eq!(again.hashes, [truth]);
    forge(&index, truth, other);
    let resent = Push::new()
        .index(&index)
        .resend()
        .run(&context, &storage, "org")
        .await
        .unwrap();
    assert_eq!((resent.hashes, resent.sent), (vec![truth], context.size()));
}

/// Hashing alone and a push share one index.
#[tokio::test]
async fn an_index_spares_hashing_where_nothing_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("index");
    let context = context();
    let truth = context.digests().await.unwrap();
    assert_eq!(context.digests_with_index(&index).await.unwrap(), truth);
    let other = Digest::of(b"other");
    forge(&index, truth[0], other);
    assert_eq!(context.digests_with_index(&index).await.unwrap(), [other]);
    let pushed = Push::new()
        .index(&index)
        .run(&context, &MemoryStorage::new(), "org")
        .await;
    assert_eq!(pushed.unwrap().hashes, truth);
    assert_eq!(context.digests_with_index(&index).await.unwrap(), truth);
    assert!(
        Context::default()
            .digests_with_index(folder.path())
            .await
            .unwrap()
            .is_empty()
    );
    let failed = context.digests_with_index(folder.path()).await.unwrap_err();
    assert!(
        matches!(failed, ContextError::Index(IndexError::NotAFile { .. })),
        "{failed:?}"
    );
}

/// As a cache's directory is.
#[tokio::test]
async fn the_directory_of_an_index_is_created() {
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("cache/of/mine/index");
    let digests = context().digests_with_index(&index).await.unwrap();
    assert!(fs::read_to_string(&index).unwrap().contains(&digests[0].to_string()));
}

/// All is stored by then.
#[tokio::test]
async fn an_index_that_cannot_be_saved_does_not_fail_the_push() {
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("cache/index");
    let storage = MemoryStorage::new();
    let cache = index.parent().unwrap().to_owned();
    let push = Push::new().index(&index).on_progress(move |step| {
        if matches!(step, Progress::Stored { .. }) {
            fs::remove_dir_all(&cache).unwrap();
        }
    });
    let pushed = push.run(&context(), &storage, "org").await.unwrap();
    assert_eq!(storage.keys(), [format!("org/{}/context.tar", pushed.hashes[0])]);
    assert!(!index.exists());
}

#[tokio::test]
async fn an_index_that_cannot_be_used_is_an_error() {
    let (context, storage) = (context(), MemoryStorage::new());
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    for path in [folder.path().to_owned(), folder.path().join("file/index")] {
        let failed = Push::new()
            .index(&path)
            .run(&context, &storage, "org")
            .await
            .unwrap_err();
        assert!(
            matches!(
                &failed,
                ContextError::Index(IndexError::NotAFile { .. } | IndexError::Io { .. })
            ),
            "{failed:?}"
        );
    }
    assert!(storage.keys().is_empty());
}
