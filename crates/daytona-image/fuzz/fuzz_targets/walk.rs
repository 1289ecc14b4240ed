//! Whatever links, folders and rules there are: the walk ends, and everything that it finds lies inside, without a link on the way.
//!
//! The input is a project as a text. Each line is an entry of its folder: `name`, `name/`, or `name -> target`. Behind a line `%`
//! stand the ignore rules, and behind another one the Dockerfile.
#![no_main]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Component, Path};

use daytona_image::ignore::IgnoreRules;
use daytona_image::walk::{Links, Walk};
use daytona_image::{DockerfileSource, Image, PlanOptions};
use libfuzzer_sys::fuzz_target;

/// As many entries make a tree that is still made in a moment.
const MOST_ENTRIES: usize = 60;

/// A link out of the folder that is walked still leads into the folder that is thrown away afterwards, or to nothing.
const MOST_UPS: usize = 1;

/// Makes an entry. What is in its way stays, and a link is never gone through, so that nothing is made outside.
fn make(root: &Path, line: &str) {
    let (name, target) = match line.split_once(" -> ") {
        Some((name, target)) => (name, Some(target)),
        None => (line, None),
    };
    let names: Vec<&str> = name.split('/').filter(|name| !matches!(*name, "" | "." | "..")).collect();
    let Some((last, folders)) = names.split_last() else { return };
    let mut path = root.to_owned();
    for folder in folders {
        path.push(folder);
        let is_folder = match fs::symlink_metadata(&path) {
            Ok(found) => found.is_dir(),
            Err(_) => fs::create_dir(&path).is_ok(),
        };
        if !is_folder {
            return;
        }
    }
    path.push(last);
    if fs::symlink_metadata(&path).is_ok() {
        return;
    }
    // Names that the file system refuses are not made.
    let _ = match target {
        Some(target) if target.matches("..").count() <= MOST_UPS + folders.len() => symlink(target, &path),
        Some(_) => Ok(()),
        None if name.ends_with('/') => fs::create_dir(&path),
        None => fs::write(&path, "x"),
    };
}

fuzz_target!(|text: &str| {
    let mut parts = text.splitn(3, "\n%\n");
    let mut part = || parts.next().unwrap_or_default();
    let (entries, rules, dockerfile) = (part(), part(), part());
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let root = fs::canonicalize(folder.path()).expect("it is there").join("root");
    fs::create_dir(&root).expect("it can be made");
    entries.lines().take(MOST_ENTRIES).for_each(|line| make(&root, line));
    let check = |source: &Path| {
        assert!(source.starts_with(&root), "{source:?} is outside");
        assert!(source.components().all(|component| component != Component::ParentDir));
        assert_eq!(fs::canonicalize(source).expect("it is there"), source, "a link is on the way");
    };
    let parsed = IgnoreRules::parse(rules, "fuzz").unwrap_or_default();
    for links in [Links::default(), Links::Strict] {
        let walked = Walk::new(&root).rules(parsed.clone()).links(links).run();
        walked.files.iter().for_each(|found| check(&found.source));
    }
    let options = PlanOptions::default().base_dir(&root).home(&root);
    let source = DockerfileSource::text(dockerfile).ignore(rules.lines());
    if let Ok(plan) = Image::from_dockerfile(source).plan_with(&options) {
        plan.members().iter().for_each(|member| check(member.source()));
    }
});
