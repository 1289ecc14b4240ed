//! Links that are put in the place of something while the walk goes on.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::Walk;
use crate::local::Links;

/// Puts a link to the folder beside the root in the place of what is called `swapped`.
fn swap(path: &Path) {
    let root = path.ancestors().find(|path| path.ends_with("root"));
    let Some(outside) = root.and_then(Path::parent).map(|parent| parent.join("outside")) else {
        return;
    };
    if path.ends_with("swapped") && !fs::symlink_metadata(path).unwrap().is_symlink() {
        fs::rename(path, path.with_extension("old")).unwrap();
        symlink(outside, path).unwrap();
    }
}

/// Like [`swap`], for a file.
fn swap_file(path: &Path) {
    let root = path.ancestors().find(|path| path.ends_with("root"));
    let Some(outside) = root.and_then(Path::parent).map(|parent| parent.join("outside/secret")) else {
        return;
    };
    if path.ends_with("file") && !fs::symlink_metadata(path).unwrap().is_symlink() {
        fs::remove_file(path).unwrap();
        symlink(outside, path).unwrap();
    }
}

#[test]
fn a_link_that_is_swapped_in_leads_nowhere() {
    for links in [Links::Follow, Links::Skip] {
        for through_a_link in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path().join("root");
            fs::create_dir_all(root.join("swapped")).unwrap();
            fs::create_dir(folder.path().join("outside")).unwrap();
            fs::write(root.join("swapped/inner"), "").unwrap();
            fs::write(root.join("zzz"), "").unwrap();
            fs::write(folder.path().join("outside/secret"), "").unwrap();
            let mut walk = Walk::new(&root).links(links);
            if through_a_link {
                // Followed before the folder itself is come to.
                symlink("swapped", root.join("a-link")).unwrap();
            }
            walk.meanwhile = Some(swap);
            let walked = walk.run();
            let names: Vec<&str> = walked.files.iter().map(|file| file.name.as_str()).collect();
            assert!(names.iter().all(|name| !name.contains("secret")), "{names:?}");
            assert!(names.contains(&"zzz"), "{names:?}");
            assert!(!walked.problems.is_empty() || !walked.skipped.is_empty(), "{walked:?}");
        }
    }
}

/// A file that becomes a link is remembered as the file that it was: the upload finds another and says so.
#[test]
fn a_file_that_becomes_a_link_is_not_the_file_that_was_found() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    fs::create_dir_all(&root).unwrap();
    fs::create_dir(folder.path().join("outside")).unwrap();
    fs::write(root.join("file"), "own").unwrap();
    fs::write(folder.path().join("outside/secret"), "theirs").unwrap();
    let mut walk = Walk::new(&root);
    walk.meanwhile = Some(swap_file);
    let walked = walk.run();
    let found = &walked.files[0];
    let there = super::Fingerprint::of(&fs::metadata(&found.source).unwrap());
    assert_ne!(found.fingerprint, there);
}
