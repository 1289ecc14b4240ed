//! A context as a list of archives, read from anywhere.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;

use daytona_context::{Archive, Context, MAX_ARCHIVE_SIZE, MemoryStorage, Progress, Push};

use crate::support::{archive, bytes, folder};

/// Reading from any position gives the rest of the same bytes.
#[test]
fn an_archive_is_read_from_any_position() {
    let long = format!("{}/{}", "l".repeat(200), "n".repeat(120));
    let folder = folder(&[
        ("a", b"alpha"),
        (&long, &[1; 700]),
        ("empty", b""),
        ("z", &vec![5; 600_000]),
    ]);
    let archive = archive(folder.path());
    let whole = bytes(&archive);
    let edges = (0..whole.len() as u64)
        .step_by(509)
        .chain([0, 1, 511, 512, 513, 1024, 1025, archive.size() - 1024]);
    for position in edges.chain([archive.size() - 1, archive.size(), archive.size() + 10]) {
        let mut read = Vec::new();
        archive.read_from(position).read_to_end(&mut read).unwrap();
        let start = usize::try_from(position).unwrap().min(whole.len());
        assert!(read == whole[start..], "from {position}");
    }
}

/// What is before the position is not read: it may be gone.
#[test]
fn what_is_before_the_position_is_not_read() {
    let folder = folder(&[("a", b"alpha"), ("b", b"beta")]);
    let archive = archive(folder.path());
    fs::remove_file(folder.path().join("d/a")).unwrap();
    let mut read = Vec::new();
    archive.read_from(1024).read_to_end(&mut read).unwrap();
    assert_eq!(read[512..516], *b"beta");
    assert!(archive.read_from(0).read_to_end(&mut Vec::new()).is_err());
}

/// The members of an archive, with their bytes.
fn members(archives: &[Archive]) -> BTreeMap<String, usize> {
    let mut members = BTreeMap::new();
    for archive in archives {
        let bytes = bytes(archive);
        for entry in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().to_str().unwrap().to_owned();
            let size = std::io::copy(&mut entry, &mut std::io::sink()).unwrap();
            assert!(members.insert(name, usize::try_from(size).unwrap()).is_none());
        }
    }
    members
}

/// A large context is cut; together the archives hold what the one would, and an edit re-sends one of them.
#[tokio::test]
async fn a_large_context_is_cut_and_an_edit_sends_one_archive() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..120 {
        fs::write(folder.path().join(format!("file-{number:03}")), vec![7; 1_000_000]).unwrap();
    }
    let context = Context::scan(folder.path()).unwrap();
    assert!(context.archives().len() > 3, "{}", context.archives().len());
    assert!(
        context
            .archives()
            .iter()
            .all(|archive| archive.size() <= MAX_ARCHIVE_SIZE)
    );
    let whole = context.clone().in_one_archive();
    assert_eq!(whole.archives().len(), 1);
    assert_eq!(members(context.archives()), members(whole.archives()));

    let storage = MemoryStorage::new();
    let first = Push::new().run(&context, &storage, "org").await.unwrap();
    assert_eq!(first.hashes.len(), context.archives().len());
    assert_eq!((first.sent, first.skipped), (context.size(), 0));
    fs::write(folder.path().join("file-050"), vec![8; 1_000_000]).unwrap();
    let edited = Context::scan(folder.path()).unwrap();
    let stored = std::sync::Arc::new(std::sync::Mutex::new(0));
    let count = std::sync::Arc::clone(&stored);
    let push = Push::new().on_progress(move |step| {
        if matches!(step, Progress::Stored { .. }) {
            *count.lock().unwrap() += 1;
        }
    });
    let second = push.run(&edited, &storage, "org").await.unwrap();
    assert_eq!(*stored.lock().unwrap(), 1);
    assert!(second.sent <= MAX_ARCHIVE_SIZE);
    // The hashes stay in their order.
    let changed = first
        .hashes
        .iter()
        .zip(&second.hashes)
        .filter(|(one, other)| one != other)
        .count();
    assert_eq!(changed, 1);
}

#[test]
fn a_folder_is_scanned_by_its_own_rules_and_says_all_that_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    fs::write(folder.path().join("sub/kept"), "").unwrap();
    fs::write(folder.path().join("dropped.log"), "").unwrap();
    fs::write(folder.path().join(".dockerignore"), "*.log\n.dockerignore\n").unwrap();
    let context = Context::scan(folder.path()).unwrap();
    assert_eq!(context.archives()[0].names().collect::<Vec<_>>(), ["sub/kept"]);
    let nothing = tempfile::tempdir().unwrap();
    assert!(Context::scan(nothing.path()).unwrap().archives().is_empty());
    let error = Context::scan(folder.path().join("nowhere")).unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("/etc", folder.path().join("escape")).unwrap();
        std::os::unix::fs::symlink("gone", folder.path().join("broken")).unwrap();
        let context = Context::scan(folder.path()).unwrap();
        assert_eq!(context.archives()[0].names().collect::<Vec<_>>(), ["sub/kept"]);
        assert_eq!(context.warnings().len(), 1, "{:?}", context.warnings());
        assert!(
            context.warnings()[0].contains("leads out of the named directory"),
            "{:?}",
            context.warnings()
        );
        assert_eq!(context.clone().in_one_archive().warnings(), context.warnings());
        let error =
            Context::scan(daytona_context::Scan::new(folder.path()).links(daytona_context::Links::Strict)).unwrap_err();
        assert_eq!(error.problems().len(), 2, "{error}");
    }
    fs::write(folder.path().join(".dockerignore"), "a[").unwrap();
    assert!(Context::scan(folder.path()).unwrap_err().to_string().contains("a["));
}
