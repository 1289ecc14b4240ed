//! The storages of this crate do what every storage has to.

use std::fs;

use async_trait::async_trait;
use daytona_context::conformance::{self, Nonconforming};
use daytona_context::{Digest, DirectoryStorage, Head, MemoryStorage, ObjectStorage, Payload, StorageError};

#[tokio::test]
async fn memory_and_folders_conform() {
    conformance::check(&MemoryStorage::new(), "org").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    conformance::check(&DirectoryStorage::new(folder.path().join("made")), "org")
        .await
        .unwrap();
    // Nothing is left of what was refused or dropped.
    let left = fs::read_dir(folder.path().join("made/org/wrong")).unwrap().count();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_key_never_leads_out_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let storage = DirectoryStorage::new(folder.path().join("inner"));
    for key in ["../escape", "/etc/escape", "a/../../escape", ""] {
        let put = storage.put(key, Payload::from_bytes("x", Digest::of(b"x"))).await;
        assert!(put.unwrap_err().to_string().contains("is not a valid key"), "{key}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Others may read what is stored, as the umask leaves it: it is a cache to share. Below a file there is nothing.
#[cfg(unix)]
#[tokio::test]
async fn stored_files_have_the_usual_mode() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
    fs::write(folder.path().join("usual"), "").unwrap();
    let storage = DirectoryStorage::new(folder.path());
    storage
        .put("org/stored", Payload::from_bytes("x", Digest::of(b"x")))
        .await
        .unwrap();
    assert_eq!(mode("org/stored"), mode("usual"));
    assert_eq!(storage.head("org/stored/below").await.unwrap(), Head::Missing);
    storage
        .put("org/stored/below", Payload::from_bytes("x", Digest::of(b"x")))
        .await
        .unwrap_err();
    assert_eq!(storage.head("org/stored").await.unwrap(), Head::Stored { size: 1 });
}

/// A storage that takes everything and looks at nothing.
#[derive(Debug)]
struct Careless;

#[async_trait]
impl ObjectStorage for Careless {
    async fn head(&self, _key: &str) -> Result<Head, StorageError> {
        Ok(Head::Missing)
    }

    async fn put(&self, _key: &str, _payload: Payload) -> Result<(), StorageError> {
        Ok(())
    }
}

#[tokio::test]
async fn a_storage_that_does_not_is_found_out() {
    let found = conformance::check(&Careless, "org").await.unwrap_err();
    assert!(matches!(found, Nonconforming::Differs { .. }), "{found}");
    assert!(found.to_string().contains("found with its size"), "{found}");
}
