//! A plan reads names, sizes and modes, and of contents only what it has to.

use std::collections::BTreeMap;
use std::fs;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use daytona_image::{DockerfileCommands, DockerfileSource, Image, LocalDir};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};

use crate::support::{folder, try_plan, write};

/// Counts how often each file of a tree is opened.
struct Opens {
    notices: OwnedFd,
    folders: BTreeMap<i32, PathBuf>,
}

impl Opens {
    fn below(root: &Path) -> Self {
        let mut opens = Self {
            notices: inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap(),
            folders: BTreeMap::new(),
        };
        opens.watch(root, Path::new(""));
        opens
    }

    fn watch(&mut self, root: &Path, folder: &Path) {
        let path = root.join(folder);
        let watch = inotify::add_watch(&self.notices, &path, WatchFlags::OPEN | WatchFlags::ONLYDIR).unwrap();
        self.folders.insert(watch, folder.to_owned());
        for entry in fs::read_dir(path).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                self.watch(root, &folder.join(entry.file_name()));
            }
        }
    }

    /// The files that were opened, and how often.
    fn counts(&self) -> BTreeMap<String, usize> {
        self.count(false)
    }

    /// How often each file or directory below the root was opened.
    fn count(&self, directories: bool) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
        let mut reader = Reader::new(&self.notices, &mut buffer);
        while let Ok(event) = reader.next() {
            let is_directory = event.events().contains(ReadFlags::ISDIR);
            if let Some(name) = event.file_name().filter(|_| is_directory == directories) {
                let path = self.folders[&event.wd()].join(name.to_str().unwrap());
                *counts.entry(path.to_str().unwrap().to_owned()).or_insert(0) += 1;
            }
        }
        counts
    }
}

#[test]
fn nothing_is_opened_but_what_has_to_be_read_and_that_once() {
    let folder = folder(&[
        "a.txt",
        "app/main.py",
        "app/data.bin",
        "other/x",
        "other/Dockerfile",
        "lib/y",
    ]);
    let text = "FROM x:1\nCOPY . /all\nCOPY *.txt app /x/\nRUN --mount=type=bind,source=lib,target=/l make\n";
    write(folder.path(), "Dockerfile", text);
    write(folder.path(), ".dockerignore", "other\n");
    write(folder.path(), "app/.dockerignore", "*.bin\n");
    write(folder.path(), "requirements.txt", "-r more.txt\n");
    write(folder.path(), "more.txt", "requests\n");
    write(
        folder.path(),
        "pyproject.toml",
        "[project]\nname = \"p\"\ndependencies = [\"rich\"]\n",
    );
    for (image, expected) in [
        (
            Image::from_dockerfile("Dockerfile"),
            vec![".dockerignore", "Dockerfile"],
        ),
        // A root Dockerfile of another size is not even looked into, one of the same size once.
        (
            Image::from_dockerfile(DockerfileSource::text("FROM x:1\nCOPY . /all\n")),
            vec![".dockerignore"],
        ),
        (
            Image::from_dockerfile(DockerfileSource::text(text.replace("make", "test"))),
            vec![".dockerignore", "Dockerfile"],
        ),
        (
            Image::base("x:1")
                .add_local_dir(LocalDir::new("app"), "/app")
                .add_local_file("a.txt", "/a"),
            vec!["app/.dockerignore"],
        ),
        (
            Image::base("x:1").pip_install_from_requirements("requirements.txt"),
            vec!["more.txt", "requirements.txt"],
        ),
        (
            Image::base("x:1").pip_install_from_pyproject("pyproject.toml"),
            vec!["pyproject.toml"],
        ),
        (
            Image::base("x:1").dockerfile_commands(DockerfileCommands::new(["COPY app /app", "COPY a.txt app /b/"])),
            vec![".dockerignore"],
        ),
    ] {
        let opens = Opens::below(folder.path());
        try_plan(folder.path(), &image).unwrap();
        let counts = opens.counts();
        let expected: BTreeMap<String, usize> = expected.into_iter().map(|name| (name.to_owned(), 1)).collect();
        assert_eq!(counts, expected, "{image:?}");
    }
}

#[test]
fn patterns_of_one_directory_share_a_walk() {
    let folder = folder(&["data/a1/x", "data/b2/y", "data/c"]);
    let lines: Vec<String> = (0..100)
        .map(|index| format!("COPY data/*{index} /x{index}/\n"))
        .collect();
    let image = Image::from_dockerfile(DockerfileSource::text(format!("FROM x:1\n{}", lines.concat())));
    let opens = Opens::below(folder.path());
    let plan = try_plan(folder.path(), &image).unwrap();
    let names: Vec<&str> = plan.members().iter().map(daytona_image::Member::name).collect();
    assert_eq!(names, ["data/a1/x", "data/b2/y"]);
    let counts = opens.count(true);
    assert!(counts.values().all(|count| (1..10).contains(count)), "{counts:?}");
    assert_eq!(plan.warnings().len(), 98, "each pattern that matches nothing");
}
