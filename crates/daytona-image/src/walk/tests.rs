//! What a walk does when it has help, when the tree is deep, and when something is put in its place meanwhile.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::helpers::Helpers;
use super::{Walk, WalkProblem, Walked};
use crate::ignore::IgnoreRules;
use crate::image::Links;

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

#[test]
fn several_threads_find_what_one_finds() {
    let folder = tempfile::tempdir().unwrap();
    for (outer, inner) in (0..12).flat_map(|outer| (0..20).map(move |inner| (outer, inner))) {
        let below = folder.path().join(format!("{outer}/{inner}"));
        fs::create_dir_all(&below).unwrap();
        // A few of everything, and folders with nothing in them.
        match (outer + inner) % 6 {
            0 => symlink("gone", below.join("broken")).unwrap(),
            1 => symlink("..", below.join("loop")).unwrap(),
            2 => fs::write(below.join("x.log"), "").unwrap(),
            3 => symlink("../../11/19/file", below.join("link")).unwrap(),
            4 => {}
            _ => fs::write(below.join("file"), "content").unwrap(),
        }
        if outer == 11 {
            fs::write(below.join("file"), "content").unwrap();
        }
    }
    for links in [Links::Follow, Links::Skip] {
        let rules = IgnoreRules::new(["**/*.log", "3/*", "!3/7"]).unwrap();
        let walk = Walk::new(folder.path()).rules(rules).links(links);
        let show = |walked: &Walked| {
            let shown = |problems: &[WalkProblem]| problems.iter().map(ToString::to_string).collect::<Vec<_>>();
            (
                walked.files.clone(),
                walked.excluded.clone(),
                walked.empty.clone(),
                shown(&walked.skipped),
                shown(&walked.problems),
                walked.directories_read,
            )
        };
        let alone = show(&walk.run_with(&Helpers::new(0)));
        assert!(
            alone.0.len() > 20 && alone.1.len() > 20 && alone.2.len() > 20,
            "{alone:?}"
        );
        assert!(alone.3.len() + alone.4.len() > 40, "{alone:?}");
        for count in [1, 3, 7] {
            assert_eq!(
                show(&walk.run_with(&Helpers::new(count))),
                alone,
                "{count} threads more"
            );
        }
    }
}

/// Its files could not be opened later. The walk is no recursion, which would need more than this stack.
#[test]
fn a_tree_deeper_than_a_path_is_a_problem() {
    use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};

    const NAME: &str = "a-name-of-a-few-letters";
    let folder = tempfile::tempdir().unwrap();
    let mut deepest = openat(CWD, folder.path(), OFlags::DIRECTORY, Mode::empty()).unwrap();
    for _ in 0..200 {
        mkdirat(&deepest, NAME, Mode::RWXU).unwrap();
        deepest = openat(&deepest, NAME, OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
    let walk = Walk::new(folder.path());
    let thread = std::thread::Builder::new().stack_size(128 * 1024);
    let walked = thread.spawn(move || walk.run()).unwrap().join().unwrap();
    let [WalkProblem::Unreadable { path, source }] = walked.problems.as_slice() else {
        panic!("{:?}", walked.problems);
    };
    let expected = rustix::io::Errno::NAMETOOLONG.raw_os_error();
    assert_eq!(source.raw_os_error(), Some(expected));
    assert!(path.starts_with(folder.path()), "{path:?}");
    assert!(walked.directories_read < 200, "{}", walked.directories_read);
}
