//! Whatever links, folders and rules there are: the walk ends, and everything that it finds lies inside, without a link on the way.
#![no_main]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Component, Path};

use arbitrary::Arbitrary;
use daytona_image::ignore::IgnoreRules;
use daytona_image::walk::{Links, Walk};
use daytona_image::{DockerfileSource, Image, PlanOptions};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Input {
    entries: Vec<(Path4, Kind)>,
    rules: String,
    source: String,
    is_strict: bool,
}

/// A path of a few short names, so that they meet.
#[derive(Debug, Arbitrary)]
struct Path4([u8; 4]);

#[derive(Debug, Arbitrary)]
enum Kind {
    File,
    Folder,
    Link { target: Path4, ups: u8, is_absolute: bool },
    Text(String),
}

/// As many entries make a tree that is still made in a moment.
const MOST_ENTRIES: usize = 40;

impl Path4 {
    fn path(&self) -> String {
        let names = ["a", "b", "c", "d.txt"];
        let length = usize::from(self.0[0] % 3) + 1;
        let parts: Vec<&str> = self.0[1..=length].iter().map(|byte| names[usize::from(byte % 4)]).collect();
        parts.join("/")
    }
}

fn make(root: &Path, entries: &[(Path4, Kind)]) {
    for (path, kind) in entries.iter().take(MOST_ENTRIES) {
        let path = root.join(path.path());
        // What is in the way stays there; a link is never gone through, so that nothing is made outside.
        let parent = path.parent().expect("it has a name");
        let mut real = root.to_owned();
        let relative = parent.strip_prefix(root).expect("it is below");
        let is_free = relative.components().all(|name| {
            real.push(name);
            fs::symlink_metadata(&real).map_or_else(|_| fs::create_dir(&real).is_ok(), |found| found.is_dir())
        });
        if !is_free {
            continue;
        }
        // Errors are of what lies there already.
        let _ = match kind {
            Kind::File => fs::symlink_metadata(&path).map_or_else(|_| fs::write(&path, "x"), |_| Ok(())),
            Kind::Text(text) => fs::symlink_metadata(&path).map_or_else(|_| fs::write(&path, text), |_| Ok(())),
            Kind::Folder => fs::create_dir(&path),
            Kind::Link { target, ups, is_absolute } => {
                let start = if *is_absolute { "/" } else { "" };
                symlink(format!("{start}{}{}", "../".repeat(usize::from(ups % 4)), target.path()), &path)
            }
        };
    }
}

fuzz_target!(|input: Input| {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let root = fs::canonicalize(folder.path()).expect("it is there").join("root");
    fs::create_dir(&root).expect("it can be made");
    make(&root, &input.entries);
    let check = |source: &Path| {
        assert!(source.starts_with(&root), "{source:?} is outside");
        assert!(source.components().all(|component| component != Component::ParentDir));
        assert_eq!(fs::canonicalize(source).expect("it is there"), source, "a link is on the way");
    };
    let rules = IgnoreRules::parse(&input.rules, "fuzz").unwrap_or_default();
    let links = if input.is_strict { Links::Strict } else { Links::default() };
    let walked = Walk::new(&root).rules(rules).links(links).run();
    walked.files.iter().for_each(|found| check(&found.source));
    let options = PlanOptions::default().base_dir(&root).home(&root);
    let line = input.source.replace(['\n', '\r', '\0'], " ");
    let text = format!("FROM x:1\nCOPY . /all\nCOPY {line} /x/\n");
    if let Ok(plan) = Image::from_dockerfile(DockerfileSource::text(text)).plan_with(&options) {
        plan.members().iter().for_each(|member| check(member.source()));
    }
});
