//! Folders that were made to do harm.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;

use daytona_image::walk::{LARGEST_TEXT, read_text};
use daytona_image::{Cancellation, Image, ImagePlan, Member, PlanError, PlanOptions};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

/// A folder `p` with a file, beside a secret.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("p")).unwrap();
    fs::write(folder.path().join("p/file"), "x").unwrap();
    fs::write(folder.path().join("secret"), "[key = s3cret-value\n").unwrap();
    folder
}

fn fifo(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

fn plan_in(folder: &Path, image: &Image) -> Result<ImagePlan, PlanError> {
    image.plan_with(&PlanOptions::default().base_dir(folder).home(folder))
}

type Make = fn(&Path);

/// What may be in the place of a small text.
const THINGS: [(&str, Make); 8] = [
    ("a FIFO", fifo),
    ("a device", |path| symlink("/dev/zero", path).unwrap()),
    ("a link out", |path| symlink("../secret", path).unwrap()),
    ("a link to nothing", |path| symlink("gone", path).unwrap()),
    ("a link to itself", |path| {
        symlink(path.file_name().unwrap(), path).unwrap();
    }),
    ("not text", |path| fs::write(path, b"a\xff").unwrap()),
    ("too large", |path| {
        File::create(path).unwrap().set_len(LARGEST_TEXT + 1).unwrap();
    }),
    ("a directory", |path| fs::create_dir(path).unwrap()),
];

/// Puts each harmful thing at a path, and says what comes of it.
fn at_each(name: &str, image: &Image, parts: &[&str]) {
    for ((what, make), part) in THINGS.iter().zip(parts) {
        let folder = folder();
        make(&folder.path().join(name));
        let outcome = plan_in(folder.path(), image);
        if part.is_empty() {
            assert!(outcome.is_ok(), "{name} is {what}: {outcome:?}");
            continue;
        }
        let message = outcome.unwrap_err().to_string();
        assert!(
            message.contains(part) && message.contains(name),
            "{name} is {what}: {message}"
        );
        assert!(
            !message.contains("s3cret") && !message.contains("permissions"),
            "{name} is {what}: {message}"
        );
    }
}

#[test]
fn ignore_rules_are_a_regular_file_inside() {
    let parts = [
        "is a FIFO, socket or device",
        "is a link that leads to no file inside",
        "is a link that leads to no file inside",
        "is a link that leads to no file inside",
        "leads back to itself",
        "not UTF-8",
        "is larger than 4194304 bytes",
        "",
    ];
    at_each("p/.dockerignore", &Image::base("x:1").add_local_dir("p", "/p"), &parts);
    let commands = daytona_image::DockerfileCommands::new(["COPY . /p"]).context_dir("p");
    at_each(
        "p/.dockerignore",
        &Image::base("x:1").dockerfile_commands(commands),
        &parts,
    );
}

#[test]
fn a_dockerfile_and_its_ignore_rules_are_regular_files_inside() {
    let image = || Image::from_dockerfile("p/Dockerfile");
    let parts = [
        "is a FIFO, socket or device",
        "is a link that leads to no file inside",
        "is a link that leads to no file inside",
        "is a link that leads to no file inside",
        "leads back to itself",
        "not UTF-8",
        "is larger than 4194304 bytes",
        "is a directory",
    ];
    at_each("p/Dockerfile", &image(), &parts);
    for ((what, make), part) in THINGS.iter().zip(parts) {
        let folder = folder();
        fs::write(folder.path().join("p/Dockerfile"), "FROM x:1\nCOPY file /x\n").unwrap();
        make(&folder.path().join("p/Dockerfile.dockerignore"));
        let outcome = plan_in(folder.path(), &image());
        if part == "is a directory" {
            assert!(outcome.is_ok(), "{outcome:?}");
            continue;
        }
        let message = outcome.unwrap_err().to_string();
        assert!(
            message.contains(part) && message.contains("Dockerfile.dockerignore"),
            "{what}: {message}"
        );
        assert!(!message.contains("s3cret"), "{message}");
    }
}

#[test]
fn a_dockerfile_and_its_ignore_rules_may_be_links_inside() {
    let folder = folder();
    fs::write(folder.path().join("p/real"), "FROM x:1\nCOPY . /x\n").unwrap();
    fs::write(folder.path().join("p/rules"), "real\nrules\nDockerfile*\n").unwrap();
    symlink("real", folder.path().join("p/Dockerfile")).unwrap();
    symlink("/rules", folder.path().join("p/Dockerfile.dockerignore")).unwrap();
    let plan = plan_in(folder.path(), &Image::from_dockerfile("p/Dockerfile")).unwrap();
    assert_eq!(plan.dockerfile(), "FROM x:1\nCOPY . /x\n");
    assert_eq!(plan.members().iter().map(Member::name).collect::<Vec<_>>(), ["file"]);
}

/// However the text comes here.
#[test]
fn a_nul_in_a_dockerfile_is_refused_with_its_line() {
    let folder = folder();
    fs::write(folder.path().join("p/Dockerfile"), "FROM x:1\nRUN a\0b\n").unwrap();
    for image in [
        Image::from_dockerfile("p/Dockerfile"),
        Image::from_dockerfile(daytona_image::DockerfileSource::text("FROM x:1\nRUN a\0b\n")),
        Image::base("x:1").dockerfile_commands(["RUN a", "RUN a\0b"]),
    ] {
        let message = plan_in(folder.path(), &image).unwrap_err().to_string();
        assert!(message.contains("NUL") && message.contains("line 2"), "{message}");
    }
}

#[test]
fn ignore_rules_may_be_a_link_inside() {
    let folder = folder();
    fs::write(folder.path().join("p/rules"), "rules\nfile\n").unwrap();
    fs::write(folder.path().join("p/kept"), "").unwrap();
    symlink("/rules", folder.path().join("p/.dockerignore")).unwrap();
    let plan = plan_in(folder.path(), &Image::base("x:1").add_local_dir("p", "/p")).unwrap();
    assert_eq!(plan.members().iter().map(Member::name).collect::<Vec<_>>(), ["p/kept"]);
}

/// It was named: what its links lead to is agreed to, and no more.
#[test]
fn a_project_file_is_a_regular_file() {
    let folder = folder();
    let path = |name: &str| folder.path().join("p").join(name);
    fs::write(folder.path().join("outside"), "[project]\ndependencies = []\n").unwrap();
    symlink("../outside", path("named.toml")).unwrap();
    fifo(&path("fifo.toml"));
    symlink("/dev/zero", path("device.toml")).unwrap();
    symlink("gone", path("gone.toml")).unwrap();
    fs::create_dir(path("folder.toml")).unwrap();
    fs::write(path("bytes.toml"), b"\xff").unwrap();
    File::create(path("large.toml"))
        .unwrap()
        .set_len(LARGEST_TEXT + 1)
        .unwrap();
    for (name, part) in [
        ("named", ""),
        ("fifo", "is a FIFO, socket or device"),
        ("device", "is a FIFO, socket or device"),
        ("gone", "leads to nothing"),
        ("folder", "is a directory"),
        ("bytes", "not UTF-8"),
        ("large", "is larger than"),
    ] {
        let image = Image::base("x:1").pip_install_from_pyproject(format!("p/{name}.toml"));
        let outcome = plan_in(folder.path(), &image);
        if part.is_empty() {
            assert!(outcome.is_ok(), "{outcome:?}");
            continue;
        }
        let message = outcome.unwrap_err().to_string();
        assert!(
            message.contains(part) && !message.contains("permissions"),
            "{name}: {message}"
        );
    }
    let image = Image::base("x:1").pip_install_from_requirements("p/fifo.toml");
    let message = plan_in(folder.path(), &image).unwrap_err().to_string();
    assert!(message.contains("is a FIFO, socket or device"), "{message}");
}

#[test]
fn a_nul_and_a_missing_file_are_named() {
    let folder = folder();
    fs::write(folder.path().join("p/nul"), "a\nb\0c").unwrap();
    let error = |name: &str| read_text(folder.path(), Path::new(name)).unwrap_err().to_string();
    assert!(error("p/nul").contains("NUL in line 2"), "{}", error("p/nul"));
    assert!(error("p/none").contains("does not exist"), "{}", error("p/none"));
    assert!(
        error("p/file/none").contains("does not exist"),
        "{}",
        error("p/file/none")
    );
    assert_eq!(
        read_text(&folder.path().join("p"), Path::new("/../../file")).unwrap(),
        "x"
    );
}

#[test]
fn a_plan_that_is_cancelled_says_so() {
    let folder = folder();
    let cancellation = Cancellation::new();
    let options = PlanOptions::default()
        .base_dir(folder.path())
        .cancellation(&cancellation);
    let image = Image::base("x:1").add_local_dir("p", "/p");
    assert!(image.plan_with(&options).is_ok());
    cancellation.clone().cancel();
    let error = image.plan_with(&options).unwrap_err();
    assert!(error.is_cancelled(), "{error}");
    assert_eq!(error.problems().len(), 1);
}
