//! Local files and folders: what is sent, under which names, and what is refused.

use std::fs;
use std::path::Path;

use daytona_image::{Image, ImagePlan, LocalDir, PlanError, PlanOptions};
use tempfile::TempDir;

struct Folder(TempDir);

impl Folder {
    fn new(files: &[&str]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for name in files {
            folder.write(name);
        }
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name).unwrap();
    }

    fn try_plan(&self, image: &Image) -> Result<ImagePlan, PlanError> {
        image.plan_with(
            &PlanOptions::default()
                .base_dir(self.path())
                .home(self.path().join("home")),
        )
    }

    fn plan(&self, image: &Image) -> ImagePlan {
        self.try_plan(image).unwrap()
    }

    fn error(&self, image: &Image) -> String {
        self.try_plan(image).unwrap_err().to_string()
    }
}

fn names(plan: &ImagePlan) -> Vec<&str> {
    plan.members().iter().map(daytona_image::Member::name).collect()
}

fn copies(plan: &ImagePlan) -> Vec<&str> {
    plan.dockerfile().lines().skip(1).collect()
}

fn base() -> Image {
    Image::base("x:1")
}

#[test]
fn a_folder_is_sent_under_its_own_name_in_the_order_of_bytes() {
    let folder = Folder::new(&["src/sub/b.py", "src/a.py", "src/B.py", "src/sub-x"]);
    fs::create_dir(folder.path().join("other")).unwrap();
    for spelling in ["src", "./src", "src/", "other/../src"] {
        let plan = folder.plan(&base().add_local_dir(spelling, "/home/daytona/src"));
        assert_eq!(copies(&plan), ["COPY [\"src\", \"/home/daytona/src\"]"]);
        assert_eq!(names(&plan), ["src/B.py", "src/a.py", "src/sub-x", "src/sub/b.py"]);
    }
}

#[test]
fn what_the_finder_keeps_is_told() {
    let folder = Folder::new(&["src/.DS_Store", "src/sub/.DS_Store", "src/a.DS_Store"]);
    let plan = folder.plan(&base().add_local_dir("src", "/src"));
    let told = plan
        .warnings()
        .iter()
        .find(|warning| warning.message.contains("Finder"));
    let told = &told.unwrap().message;
    assert!(told.contains("`src/.DS_Store`, `src/sub/.DS_Store`;"), "{told}");
    folder.write("src/.dockerignore");
    fs::write(folder.path().join("src/.dockerignore"), "**/.DS_Store").unwrap();
    let plan = folder.plan(&base().add_local_dir("src", "/src"));
    assert!(
        plan.warnings()
            .iter()
            .all(|warning| !warning.message.contains("Finder"))
    );
}

/// As in Docker the bytes of a name are the name: two normal forms are two files. (A disk of macOS holds only one of them.)
#[test]
fn names_go_as_they_are_on_the_disk_and_combining_characters_are_told() {
    let (usual, decomposed) = ("src/caf\u{e9}", "src/cafe\u{301}");
    let told = |folder: &Folder| {
        let plan = folder.plan(&base().add_local_dir("src", "/src"));
        let told = plan.warnings().iter().map(|warning| warning.message.clone());
        let names: Vec<String> = names(&plan).into_iter().map(ToOwned::to_owned).collect();
        (
            names,
            told.filter(|told| told.contains("combining")).collect::<Vec<_>>(),
        )
    };
    assert_eq!(told(&Folder::new(&[usual])), (vec![usual.to_owned()], Vec::new()));
    let (names, told) = told(&Folder::new(&[decomposed]));
    assert_eq!(names, [decomposed]);
    assert!(
        told[0].contains(&format!("`{decomposed}`")) && told[0].contains("rename"),
        "{told:?}"
    );
}

#[cfg(not(windows))]
#[test]
fn a_backslash_where_a_slash_was_meant_is_told() {
    let folder = Folder::new(&["src/a"]);
    let told = |rule: &str| {
        let plan = folder.plan(&base().add_local_dir(LocalDir::new("src").ignore([rule]), "/src"));
        let warnings = plan.warnings().iter().map(ToString::to_string);
        warnings.collect::<Vec<_>>().join("\n")
    };
    let warned = told(r"build\debug");
    assert!(warned.contains(r"write `/` in the ignore rule build\debug"), "{warned}");
    assert_eq!(told(r"build\*"), "");
}

#[test]
fn a_file_keeps_its_name_below_a_target_with_a_slash() {
    let folder = Folder::new(&["src/app.py", "é.txt"]);
    let plan = folder.plan(
        &base()
            .add_local_file("src/app.py", "/x/")
            .add_local_file("é.txt", "/é.txt"),
    );
    assert_eq!(
        copies(&plan),
        [
            "COPY [\"src/app.py\", \"/x/app.py\"]",
            "COPY [\"\\u00e9.txt\", \"/\\u00e9.txt\"]"
        ]
    );
    assert_eq!(names(&plan), ["src/app.py", "é.txt"]);
    assert_eq!(plan.total_size(), "src/app.py".len() as u64 + "é.txt".len() as u64);
}

#[test]
fn paths_of_this_machine_do_not_show() {
    let folder = Folder::new(&["w/a", "home/proj/b", "home/c"]);
    let inner = PlanOptions::default()
        .base_dir(folder.path().join("w"))
        .home(folder.path().join("home"));
    let image = base()
        .add_local_file(folder.path().join("w/a"), "/a")
        .add_local_dir("~/proj", "/b")
        .add_local_file("~/c", "/c/")
        .add_local_file("../w/a", "/d")
        .add_local_dir("~", "/e");
    let plan = image.plan_with(&inner).unwrap();
    assert_eq!(
        copies(&plan),
        [
            "COPY [\".ctx/2/a\", \"/a\"]",
            "COPY [\".ctx/3/proj\", \"/b\"]",
            "COPY [\".ctx/4/c\", \"/c/c\"]",
            "COPY [\".ctx/5/a\", \"/d\"]",
            "COPY [\".ctx/6\", \"/e\"]",
        ]
    );
    assert_eq!(
        names(&plan),
        [
            ".ctx/2/a",
            ".ctx/3/proj/b",
            ".ctx/4/c",
            ".ctx/5/a",
            ".ctx/6/c",
            ".ctx/6/proj/b"
        ]
    );
}

// Windows has no such names.
#[cfg(not(windows))]
#[test]
fn names_that_docker_would_expand_stand_for_themselves() {
    let folder = Folder::new(&[
        "a[1].txt",
        "b*c?",
        "d$e",
        "f'g\"",
        "h\\i",
        "j\\[k",
        "with blank",
        "l]^m",
        "!n",
        " o!p ",
    ]);
    let source = |name: &str| {
        let plan = folder.plan(&base().add_local_file(name, "/x"));
        assert_eq!(names(&plan), [name]);
        let line = copies(&plan)[0].strip_prefix("COPY ").unwrap();
        serde_json::from_str::<Vec<String>>(line).unwrap().remove(0)
    };
    assert_eq!(source("a[1].txt"), "a[[]1].txt");
    assert_eq!(source("b*c?"), r"b[\\*]c[\\?]");
    assert_eq!(source("d$e"), "d\\$e");
    assert_eq!(source("f'g\""), "f\\'g\\\"");
    assert_eq!(source(r"h\i"), r"h[\\\\]i");
    assert_eq!(source(r"j\[k"), r"j[\\\\][[]k");
    assert_eq!(source("l]^m"), r"l][\\^]m");
    assert_eq!(source("!n"), "[!]n");
    assert_eq!(source(" o!p "), "[ ]o!p[ ]");
    assert_eq!(source("with blank"), "with blank");
}

#[test]
fn no_copy_takes_in_what_another_step_brought() {
    let folder = Folder::new(&["a/x", "a/y", "b", "c/z"]);
    // A file of a folder that is sent as a whole adds nothing.
    let plan = folder.plan(&base().add_local_dir("a", "/a").add_local_file("a/x", "/x"));
    assert_eq!(names(&plan), ["a/x", "a/y"]);
    // The other way round the folder would be there in part: the same files, so the same tree.
    let plan = folder.plan(&base().add_local_file("a/x", "/x").add_local_dir("a", "/a"));
    assert_eq!(names(&plan), ["a/x", "a/y"]);
    // The root takes in everything, so it moves when it is not alone.
    let plan = folder.plan(&base().add_local_dir(".", "/all"));
    assert_eq!(copies(&plan), ["COPY [\".\", \"/all\"]"]);
    let plan = folder.plan(&base().add_local_dir(".", "/all").add_local_file("b", "/b"));
    assert_eq!(copies(&plan), ["COPY [\".ctx/2\", \"/all\"]", "COPY [\"b\", \"/b\"]"]);
    assert_eq!(
        names(&plan),
        [".ctx/2/a/x", ".ctx/2/a/y", ".ctx/2/b", ".ctx/2/c/z", "b"]
    );
}

#[test]
fn the_same_source_twice_is_sent_once() {
    let folder = Folder::new(&["a/x"]);
    let plan = folder.plan(&base().add_local_dir("a", "/a").add_local_dir("a", "/b"));
    assert_eq!(copies(&plan), ["COPY [\"a\", \"/a\"]", "COPY [\"a\", \"/b\"]"]);
    assert_eq!(names(&plan), ["a/x"]);
}

#[test]
fn names_with_a_meaning_at_the_root_are_never_sent_there() {
    let folder = Folder::new(&["Dockerfile", "app.py", "sub/Dockerfile"]);
    fs::write(folder.path().join(".dockerignore"), "*.tmp\n").unwrap();
    let plan = folder.plan(&base().add_local_dir(".", "/app"));
    assert_eq!(names(&plan), ["app.py", "sub/Dockerfile"]);
    assert_eq!(plan.warnings().len(), 2, "{:?}", plan.warnings());
    let plan = folder.plan(&base().add_local_file("Dockerfile", "/x"));
    assert_eq!(names(&plan), [".ctx/2/Dockerfile"]);
    // The same text is not missed.
    fs::write(folder.path().join("Dockerfile"), "FROM x:1\nCOPY [\".\", \"/app\"]\n").unwrap();
    let plan = folder.plan(&base().add_local_dir(".", "/app"));
    assert_eq!(plan.warnings().len(), 1, "{:?}", plan.warnings());
}

#[test]
fn what_is_not_there_is_named() {
    let folder = Folder::new(&["file"]);
    fs::create_dir_all(folder.path().join("empty/inner")).unwrap();
    for (image, part) in [
        (base().add_local_file("nope", "/x"), "`nope` does not exist"),
        (base().add_local_dir("nope", "/x"), "`nope` does not exist"),
        (base().add_local_file("empty", "/x"), "use `add_local_dir`"),
        (base().add_local_dir("file", "/x"), "use `add_local_file`"),
        (base().add_local_dir("empty", "/x"), "`empty` contains no file"),
        (base().add_local_file("", "/x"), "the path is empty"),
        (base().add_local_file("file", ""), "the target is empty"),
    ] {
        let message = folder.error(&image);
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn empty_folders_are_warned_about() {
    let folder = Folder::new(&["a/x"]);
    fs::create_dir_all(folder.path().join("a/empty/inner")).unwrap();
    let plan = folder.plan(&base().add_local_dir("a", "/a"));
    let warnings: Vec<String> = plan.warnings().iter().map(|warning| warning.message.clone()).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].starts_with("the directory `a/empty` has no file to send"),
        "{warnings:?}"
    );
}

/// The service takes no empty folders, whatever made them empty.
#[test]
fn a_folder_that_the_rules_empty_is_warned_about_and_an_ignored_one_is_not() {
    let folder = Folder::new(&["a/x", "a/logs/.gitignore", "a/cache/data/.gitignore", "a/ignored/x"]);
    fs::write(folder.path().join("a/.dockerignore"), "**/.gitignore\nignored\n").unwrap();
    let plan = folder.plan(&base().add_local_dir("a", "/a"));
    let warnings: Vec<String> = plan.warnings().iter().map(|warning| warning.message.clone()).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].starts_with("2 directories have no file to send"),
        "{warnings:?}"
    );
    assert!(warnings[0].contains("`a/cache`, `a/logs`;"), "{warnings:?}");
    assert!(warnings[0].contains("RUN mkdir"), "{warnings:?}");
}

#[test]
fn what_is_ignored_is_not_sent_and_named_with_its_rule() {
    let folder = Folder::new(&[
        "app/a.py",
        "app/a.pyc",
        "app/build/x",
        "app/build/keep",
        "app/data/big",
        "app/sub/b.pyc",
    ]);
    fs::write(
        folder.path().join("app/.dockerignore"),
        "**/*.pyc\nbuild\n!build/keep\n",
    )
    .unwrap();
    let plan = folder.plan(&base().add_local_dir(LocalDir::new("app").ignore(["data", ".dockerignore"]), "/app"));
    assert_eq!(names(&plan), ["app/a.py", "app/build/keep"]);
    let excluded: Vec<String> = plan
        .excluded()
        .iter()
        .map(|excluded| format!("{} by {}", excluded.name, excluded.rule).replace('\\', "/"))
        .collect();
    assert_eq!(
        excluded,
        [
            ".dockerignore by .dockerignore (patterns)",
            "a.pyc by **/*.pyc (app/.dockerignore:1)",
            "build/x by build (app/.dockerignore:2)",
            "data by data (patterns)",
            "sub/b.pyc by **/*.pyc (app/.dockerignore:1)",
        ]
    );
    // A file that is named on its own is sent in any case.
    let plan = folder.plan(&base().add_local_file("app/a.pyc", "/x"));
    assert_eq!(names(&plan), ["app/a.pyc"]);
    let message = folder.error(&base().add_local_dir(LocalDir::new("app").ignore(["**"]), "/app"));
    assert!(message.contains("every file in `app` is ignored"), "{message}");
    let message = folder.error(&base().add_local_dir(LocalDir::new("app").ignore(["["]), "/app"));
    assert!(message.contains("patterns: invalid pattern `[`"), "{message}");
}

#[test]
fn ignored_directories_are_not_read() {
    let folder = Folder::new(&[
        "a/keep",
        "a/node_modules/one/x",
        "a/node_modules/two/y",
        "a/cache/deep/z",
        "a/cache/deep/keep",
    ]);
    let walk = |patterns: &[&str]| {
        let rules = daytona_image::ignore::IgnoreRules::new(patterns).unwrap();
        let walked = daytona_image::walk::Walk::new(folder.path().join("a"))
            .rules(rules)
            .run();
        let names: Vec<String> = walked.files.into_iter().map(|found| found.name).collect();
        (walked.directories_read, names)
    };
    assert_eq!(walk(&[]).0, 6);
    assert_eq!(walk(&["**/node_modules", "cache"]), (1, vec!["keep".to_owned()]));
    // An exception is looked for only where it can match.
    assert_eq!(
        walk(&["**/node_modules", "cache", "!cache/deep/keep"]),
        (3, vec!["cache/deep/keep".to_owned(), "keep".to_owned()])
    );
    assert_eq!(walk(&["*", "!k*"]), (1, vec!["keep".to_owned()]));
}

#[cfg(unix)]
mod links;
