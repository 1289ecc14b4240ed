//! Options of what is copied, and values that are refused.

use std::fs;
use std::path::Path;

use daytona_image::{Command, Image, ImagePlan, LocalDir, LocalFile, PlanError, PlanOptions};

fn plan_in(folder: &Path, image: &Image) -> Result<ImagePlan, PlanError> {
    image.plan_with(&PlanOptions::default().base_dir(folder).home(folder))
}

fn last_line(plan: &ImagePlan) -> &str {
    plan.dockerfile().lines().last().unwrap()
}

fn error(image: &Image) -> String {
    plan_in(Path::new("/"), image).unwrap_err().to_string()
}

#[test]
fn copies_have_an_owner_and_a_mode() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("app")).unwrap();
    fs::write(folder.path().join("app/run.sh"), "").unwrap();
    let file = |file: LocalFile| plan_in(folder.path(), &Image::base("x:1").add_local_file(file, "/x")).unwrap();
    let dir = |dir: LocalDir| plan_in(folder.path(), &Image::base("x:1").add_local_dir(dir, "/x")).unwrap();
    let mode = |plan: &ImagePlan| plan.members()[0].mode();

    let plan = file(LocalFile::new("app/run.sh").chown("app:app"));
    assert_eq!(last_line(&plan), "COPY --chown=app:app [\"app/run.sh\", \"/x\"]");
    // The two modes that a context has are those of its files.
    let plan = file(LocalFile::new("app/run.sh").chmod(0o755));
    assert_eq!(
        (last_line(&plan), mode(&plan)),
        ("COPY [\"app/run.sh\", \"/x\"]", 0o755)
    );
    let plan = dir(LocalDir::new("app").chmod(0o644));
    assert_eq!((last_line(&plan), mode(&plan)), ("COPY [\"app\", \"/x\"]", 0o644));
    let plan = file(LocalFile::new("app/run.sh").chmod(0o600));
    assert_eq!(
        (last_line(&plan), mode(&plan)),
        ("COPY --chmod=600 [\"app/run.sh\", \"/x\"]", 0o644)
    );
    let plan = dir(LocalDir::new("app").chown("1000").chmod(0o2750));
    assert_eq!(
        (last_line(&plan), mode(&plan)),
        ("COPY --chown=1000 --chmod=2750 [\"app\", \"/x\"]", 0o755)
    );
    let plan = dir(LocalDir::new("app").chmod(0o7));
    assert_eq!(last_line(&plan), "COPY --chmod=007 [\"app\", \"/x\"]");
}

#[cfg(unix)]
#[test]
fn one_file_with_two_modes_is_two_members() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("run"), "").unwrap();
    fs::set_permissions(folder.path().join("run"), fs::Permissions::from_mode(0o644)).unwrap();
    let image = Image::base("x:1")
        .add_local_file("run", "/a")
        .add_local_file(LocalFile::new("run").chmod(0o755), "/b");
    let plan = plan_in(folder.path(), &image).unwrap();
    let members: Vec<_> = plan
        .members()
        .iter()
        .map(|member: &daytona_image::Member| (member.name(), member.mode()))
        .collect();
    assert_eq!(members, [(".ctx/3/run", 0o755), ("run", 0o644)]);
    assert_eq!(last_line(&plan), "COPY [\".ctx/3/run\", \"/b\"]");
}

#[test]
fn owners_and_modes_that_are_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("x"), "").unwrap();
    let refused = |file: LocalFile, part: &str| {
        let error = plan_in(folder.path(), &Image::base("x:1").add_local_file(file, "/x")).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    };
    for owner in ["", "a b", "a:", ":a", "a:b:c", "$USER", "a\nRUN x", "-a"] {
        refused(LocalFile::new("x").chown(owner), "invalid owner");
    }
    refused(LocalFile::new("x").chmod(0o10000), "invalid mode `10000`");
    // All at once.
    let image = Image::base("x:1").add_local_file(LocalFile::new("none").chown("a b").chmod(0o10000), "");
    assert_eq!(plan_in(folder.path(), &image).unwrap_err().problems().len(), 4);
}

#[test]
fn one_command_is_a_list_of_one() {
    let lines = |image: Image| {
        let plan = plan_in(Path::new("/"), &image).unwrap();
        plan.dockerfile().lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let base = || Image::base("x:1");
    assert_eq!(lines(base().run_commands("apt update")), ["RUN apt update"]);
    assert_eq!(lines(base().run_commands("apt update".to_owned())), ["RUN apt update"]);
    assert_eq!(lines(base().run_commands(["a", "b"])), ["RUN a", "RUN b"]);
    assert_eq!(lines(base().run_commands(vec!["a".to_owned()])), ["RUN a"]);
    assert_eq!(
        lines(base().run_commands([["echo", "a"], ["echo", "b"]])),
        ["RUN [\"echo\", \"a\"]", "RUN [\"echo\", \"b\"]"]
    );
    assert_eq!(
        lines(base().run_commands(Command::exec(["echo", "a"]))),
        ["RUN [\"echo\", \"a\"]"]
    );
    let words = ["a", "b"];
    assert_eq!(lines(base().run_commands(words.as_slice())), ["RUN a", "RUN b"]);
}

#[test]
fn what_is_no_image_and_no_label_is_refused() {
    for image in [
        "python 3.12 slim",
        "python:3.12 AS base",
        "a\tb",
        "--platform=linux/amd64 x:1",
    ] {
        let error = error(&Image::base(image));
        assert!(error.contains("`name:tag`"), "{error}");
    }
    for label in ["a=b", "\"a", "a'b"] {
        let error = error(&Image::base("x:1").label([(label, "v")]));
        assert!(error.contains("invalid label"), "{error}");
    }
}
