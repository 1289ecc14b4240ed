//! A push with an index that is wrong.

use std::fs;
use std::time::Duration;

use super::*;
use crate::digest::Digest;
use crate::index::tests::tick;
use crate::storage::MemoryStorage;

/// An index that takes one archive for another keeps neither from being sent.
#[tokio::test]
async fn what_an_index_says_of_one_archive_holds_for_no_other() {
    let (folder, beside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (name, byte) in [("a", 1), ("b", 2)] {
        fs::write(folder.path().join(name), vec![byte; 9 * 1024 * 1024]).unwrap();
    }
    tick(folder.path());
    let context = Context::scan(folder.path()).unwrap();
    let truth: [Digest; 2] = context.digests().await.unwrap().try_into().unwrap();
    for wrong in [[truth[1], truth[1]], [truth[0], truth[0]], [truth[1], truth[0]]] {
        let path = beside.path().join("index");
        // The files of this test are as young as its index: no margin.
        let open = || Index::open_with(&path, context.archives(), Duration::ZERO).unwrap();
        let index = open();
        for (archive, digest) in context.archives().iter().zip(wrong) {
            let (_, stat) = index.look_up(archive);
            index.note(stat, digest);
        }
        index.save().await;
        let index = open();
        assert_eq!(index.look_up(&context.archives()[0]).0, Some(wrong[0]));
        let storage = MemoryStorage::new();
        let destination = async { Ok::<_, ContextError>(Destination::borrowed(&storage, "org")) };
        let push = Push::new();
        let run = Run::new(&push.options, Some(index));
        let pushed = run.push(context.archives(), destination).await.unwrap();
        assert_eq!(pushed.hashes, truth);
        let mut keys = truth.map(|digest| format!("org/{digest}/context.tar"));
        keys.sort();
        assert_eq!(storage.keys(), keys);
    }
}
