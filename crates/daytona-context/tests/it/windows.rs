//! What only Windows does: files that nobody else may open, names of files in use, long paths.

use std::fs::{self, File};
use std::os::windows::fs::OpenOptionsExt;
use std::path::Path;

use daytona_context::{
    Context, ContextError, Digest, DirectoryStorage, Head, MemoryStorage, ObjectStorage, Payload, Push, ReadError,
};

const NOBODY: u32 = 0;
const READ_AND_WRITE: u32 = 3;

/// Opens a file as another program may: what is not shared is refused to others.
fn hold(path: &Path, share: u32) -> File {
    File::options().read(true).share_mode(share).open(path).unwrap()
}

fn payload(text: &'static str) -> Payload {
    Payload::from_bytes(text, Digest::of(text.as_bytes()))
}

#[tokio::test]
async fn a_file_that_another_program_has_open_is_named_and_why() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("data.db"), "x").unwrap();
    // To plan it nobody has to share it.
    let held = hold(&folder.path().join("data.db"), NOBODY);
    let context = Context::scan(folder.path()).unwrap();
    let failed = Push::new()
        .run(&context, &MemoryStorage::new(), "org")
        .await
        .unwrap_err();
    let message = failed.to_string();
    assert!(
        message.contains("data.db` cannot be read: another program has it open"),
        "{message}"
    );
    assert!(!message.contains(r"\\?\"), "{message}");
    drop(held);
    Push::new().run(&context, &MemoryStorage::new(), "org").await.unwrap();
}

#[tokio::test]
async fn no_message_shows_the_mark_of_a_literal_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.txt");
    fs::write(&path, "x").unwrap();
    let context = Context::scan(folder.path()).unwrap();
    fs::write(&path, "other").unwrap();
    let failed = Push::new()
        .run(&context, &MemoryStorage::new(), "org")
        .await
        .unwrap_err();
    assert!(
        matches!(failed, ContextError::Read(ReadError::Changed { .. })),
        "{failed:?}"
    );
    let message = failed.to_string();
    assert!(
        message.contains("a.txt` changed") && !message.contains(r"\\?\"),
        "{message}"
    );
}

#[tokio::test]
async fn files_below_a_long_path_are_sent() {
    let folder = tempfile::tempdir().unwrap();
    let mut deep = folder.path().canonicalize().unwrap();
    for _ in 0..10 {
        deep.push("a".repeat(40));
    }
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("file"), "x").unwrap();
    let context = Context::scan(folder.path()).unwrap();
    let pushed = Push::new().run(&context, &MemoryStorage::new(), "org").await.unwrap();
    assert_eq!(pushed.sent, context.size());
}

#[tokio::test]
async fn archives_are_kept_below_a_long_path() {
    let folder = tempfile::tempdir().unwrap();
    // As a user writes it: without the mark of a literal path.
    let mut deep = folder.path().to_owned();
    for _ in 0..6 {
        deep.push("a".repeat(40));
    }
    let storage = DirectoryStorage::new(&deep);
    for text in ["one", "another"] {
        storage.put("org/one", payload(text)).await.unwrap();
        assert_eq!(fs::read(deep.join("org/one")).unwrap(), text.as_bytes());
    }
    assert!(deep.as_os_str().len() > 260);
}

/// Two pushes into one folder: what one of them reads is what the other would put there.
#[tokio::test]
async fn an_archive_that_somebody_reads_is_stored_already() {
    let folder = tempfile::tempdir().unwrap();
    let storage = DirectoryStorage::new(folder.path());
    storage.put("org/one", payload("one")).await.unwrap();
    let _reader = hold(&folder.path().join("org/one"), READ_AND_WRITE);
    storage.put("org/one", payload("one")).await.unwrap();
    assert_eq!(storage.head("org/one").await.unwrap(), Head::Stored { size: 3 });
    let failed = storage.put("org/one", payload("another")).await.unwrap_err();
    let failed = std::error::Error::source(&failed).unwrap().to_string();
    assert!(
        failed.contains("another program has it open") && failed.contains("one"),
        "{failed}"
    );
    // Nothing is left of what could not be put there.
    assert_eq!(fs::read_dir(folder.path().join("org")).unwrap().count(), 1);
}

#[tokio::test]
async fn an_archive_that_somebody_reads_for_a_moment_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let storage = DirectoryStorage::new(folder.path());
    storage.put("org/one", payload("one")).await.unwrap();
    let reader = hold(&folder.path().join("org/one"), READ_AND_WRITE);
    let putting = tokio::spawn(async move { storage.put("org/one", payload("another")).await });
    tokio::task::yield_now().await;
    drop(reader);
    putting.await.unwrap().unwrap();
    assert_eq!(fs::read(folder.path().join("org/one")).unwrap(), b"another");
}
