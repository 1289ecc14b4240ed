//! What a walk does when it has help, when the tree is deep, and when something is put in its place meanwhile.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use super::helpers::Helpers;
use super::{Links, Selection, Walk, WalkProblem, Walked};
use crate::cancel::Cancellation;
use crate::ignore::IgnoreRules;

/// Puts a link to the directory beside the root in the place of what is called `swapped`.
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
    for links in [Links::Strict, Links::Skip] {
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
                // Followed before the directory itself is come to.
                symlink("swapped", root.join("a-link")).unwrap();
            }
            walk.settings.meanwhile = Some(swap);
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
    walk.settings.meanwhile = Some(swap_file);
    let walked = walk.run();
    let found = &walked.files[0];
    let there = super::Fingerprint::of(&fs::File::open(&found.source).unwrap()).unwrap();
    assert_ne!(found.fingerprint, there);
}

#[test]
fn several_threads_find_what_one_finds() {
    let folder = tempfile::tempdir().unwrap();
    for (outer, inner) in (0..12).flat_map(|outer| (0..20).map(move |inner| (outer, inner))) {
        let below = folder.path().join(format!("{outer}/{inner}"));
        fs::create_dir_all(&below).unwrap();
        // A few of everything, and directories with nothing in them.
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
    for links in [Links::Strict, Links::Skip] {
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

/// Each directory has two links to the next: two ways to it, four to the one after that.
fn link_bomb(folder: &Path, levels: usize) {
    for level in 0..levels {
        let here = folder.join(format!("d{level}"));
        fs::create_dir(&here).unwrap();
        fs::write(here.join("file"), "").unwrap();
        for link in ["one", "two"] {
            symlink(format!("../d{}", level + 1), here.join(link)).unwrap();
        }
    }
}

#[test]
fn a_link_bomb_is_a_problem() {
    let folder = tempfile::tempdir().unwrap();
    link_bomb(folder.path(), 18);
    let mut walk = Walk::new(folder.path());
    assert_eq!(walk.limits.through_links, super::MOST_THROUGH_LINKS);
    walk.limits.through_links = 2_000;
    for count in [0, 3] {
        let walked = walk.run_with(&Helpers::new(count));
        let [WalkProblem::TooManyThroughLinks { limit: 2_000, .. }] = walked.problems.as_slice() else {
            panic!("{:?}", walked.problems);
        };
        assert!(walked.files.len() < 3_000, "{}", walked.files.len());
    }
    // What is not reached through links counts only once.
    let rules = IgnoreRules::new(["**/one", "**/two"]).unwrap();
    let walked = walk.rules(rules).run();
    assert_eq!((walked.files.len(), walked.problems.len()), (18, 0));
}

#[test]
fn a_long_chain_of_links_ends() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("l0"), "").unwrap();
    for link in 1..=300 {
        symlink(format!("l{}", link - 1), folder.path().join(format!("l{link}"))).unwrap();
    }
    let walked = Walk::new(folder.path()).run();
    assert_eq!(
        (walked.files.len(), walked.skipped.len()),
        (256, 45),
        "{:?}",
        walked.problems
    );
    assert!(
        walked
            .skipped
            .iter()
            .all(|problem| matches!(problem, WalkProblem::LinkLoop { .. }))
    );
    let mut walk = Walk::new(folder.path());
    walk.limits.link_steps = 1_000;
    assert!(matches!(
        walk.run().problems.as_slice(),
        [WalkProblem::TooManyThroughLinks { .. }]
    ));
}

#[test]
fn more_entries_than_a_context_may_have_are_a_problem() {
    let folder = tempfile::tempdir().unwrap();
    for outer in 0..20 {
        fs::create_dir(folder.path().join(format!("{outer}"))).unwrap();
        (0..10).for_each(|inner| fs::write(folder.path().join(format!("{outer}/{inner}")), "").unwrap());
    }
    let mut walk = Walk::new(folder.path());
    assert_eq!(walk.limits.entries, super::MOST_ENTRIES);
    walk.limits.entries = 220;
    assert_eq!(walk.run().files.len(), 200);
    for (limit, count) in [(219, 0), (219, 3), (100, 0), (5, 0)] {
        walk.limits.entries = limit;
        let walked = walk.run_with(&Helpers::new(count));
        assert!(
            matches!(walked.problems.as_slice(), [WalkProblem::TooManyEntries { .. }]),
            "{:?}",
            walked.problems
        );
        assert!(walked.files.len() <= limit);
    }
}

#[test]
fn a_walk_ends_when_it_is_cancelled() {
    use std::sync::OnceLock;

    static STOP: OnceLock<Cancellation> = OnceLock::new();
    let folder = tempfile::tempdir().unwrap();
    for name in 0..100 {
        fs::create_dir(folder.path().join(format!("{name:02}"))).unwrap();
        fs::write(folder.path().join(format!("{name:02}/file")), "").unwrap();
    }
    let stop = STOP.get_or_init(Cancellation::new);
    let mut walk = Walk::new(folder.path()).cancellation(stop);
    assert_eq!(walk.run_with(&Helpers::new(0)).files.len(), 100);
    walk.settings.meanwhile = Some(|path| {
        if path.ends_with("07/file") {
            STOP.get_or_init(Cancellation::new).cancel();
        }
    });
    let walked = walk.run_with(&Helpers::new(0));
    assert!(
        matches!(walked.problems.as_slice(), [WalkProblem::Cancelled]),
        "{:?}",
        walked.problems
    );
    assert_eq!(walked.files.len(), 8);
}

/// With a branch on each level, so that every directory is come back to.
#[test]
fn a_tree_of_400_levels_is_walked() {
    let folder = tempfile::tempdir().unwrap();
    let mut deepest = folder.path().to_owned();
    for _ in 0..400 {
        for branch in ["b", "c"] {
            fs::create_dir_all(deepest.join(branch)).unwrap();
            fs::write(deepest.join(branch).join("file"), "").unwrap();
        }
        deepest.push("a");
    }
    fs::create_dir_all(&deepest).unwrap();
    let walked = Walk::new(folder.path()).run();
    assert!(walked.problems.is_empty(), "{:?}", walked.problems);
    assert_eq!(walked.files.len(), 800);
    assert_eq!(walked.directories_read, 1 + 400 + 800);
}

/// Runs the test above in a process that may open few files.
#[test]
fn a_deep_tree_needs_few_open_files() {
    let outcome = std::process::Command::new("sh")
        .args([
            "-c",
            "ulimit -n 64 && exec \"$0\" --exact walk::tests::a_tree_of_400_levels_is_walked",
        ])
        .arg(std::env::current_exe().unwrap())
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&outcome.stdout);
    assert!(outcome.status.success() && shown.contains("1 passed"), "{shown}");
}

/// A name that is not UTF-8 is a problem where it would be sent, and none where the rules leave it out.
#[test]
#[cfg(target_os = "linux")]
fn names_that_are_not_unicode() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(OsStr::from_bytes(b"\xff.txt")), "").unwrap();
    fs::write(folder.path().join("a.txt"), "").unwrap();
    fs::write(folder.path().join("b.md"), "").unwrap();
    let ending = |ending: &'static str| Walk::new(folder.path()).only(Arc::new(Ending(ending))).run();
    let walked = ending(".txt");
    assert!(matches!(walked.problems.as_slice(), [WalkProblem::NotUnicode { .. }]));
    assert_eq!(walked.files.len(), 1);
    let walked = ending(".md");
    assert_eq!((walked.files.len(), walked.problems.len()), (1, 0));
    let walked = Walk::new(folder.path())
        .rules(IgnoreRules::new(["*.txt"]).unwrap())
        .run();
    assert_eq!((walked.files.len(), walked.problems.len()), (1, 0));
}

/// All names with an ending, in whatever directory.
#[derive(Debug)]
struct Ending(&'static str);

impl Selection for Ending {
    fn takes(&self, name: &str) -> bool {
        name.ends_with(self.0)
    }

    fn may_hold(&self, folder: &str) -> bool {
        !folder.starts_with("no")
    }
}

#[test]
fn only_what_is_selected_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.x", "a.y", "sub/b.x", "sub/b.y", "no/c.x"] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    fs::create_dir(folder.path().join("sub/empty")).unwrap();
    symlink("gone", folder.path().join("link.y")).unwrap();
    symlink("gone", folder.path().join("link.x")).unwrap();
    symlink("sub", folder.path().join("linked")).unwrap();
    let walked = Walk::new(folder.path()).only(Arc::new(Ending(".x"))).run();
    let names: Vec<&str> = walked.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["a.x", "sub/b.x"]);
    assert_eq!(
        (walked.skipped.len(), walked.empty.len(), walked.problems.len()),
        (1, 0, 0)
    );
    assert_eq!(walked.directories_read, 3);
}

#[test]
fn a_walk_begins_where_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a/x/1", "a/x/sub/2", "a/y/3", "b/x/4", "top"] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    symlink("a", folder.path().join("link")).unwrap();
    symlink("/a/x", folder.path().join("b/other")).unwrap();
    symlink("../..", folder.path().join("a/y/above")).unwrap();
    let walk = |path: &str| {
        let walked = Walk::new(folder.path()).below(path).run();
        let files: Vec<String> = walked.files.into_iter().map(|found| found.name).collect();
        (files.join(" "), walked.problems.len())
    };
    for (path, files, problems) in [
        ("a", "a/x/1 a/x/sub/2 a/y/3", 0),
        ("a/x/", "a/x/1 a/x/sub/2", 0),
        ("link/y", "link/y/3", 0),
        ("b/other/sub", "b/other/sub/2", 0),
        ("a/y/above/top", "a/y/above/top", 0),
        ("../a/y/./3/", "a/y/3", 0),
        ("../../a/../b/x", "b/x/4", 0),
        ("top/x", "", 1),
        ("none", "", 1),
        ("none/x", "", 1),
    ] {
        assert_eq!(walk(path), (files.to_owned(), problems), "{path}");
    }
}
