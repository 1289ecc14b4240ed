//! One tree: the server merges all that is sent into one context. What arrives in the image is looked at there, file by file.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use daytona_emulator::{BuiltImage, Emulator};
use daytona_sdk::{CreateSnapshotParams, DockerfileCommands, DockerfileSource, Image, PlanError, PlanOptions};
use tempfile::TempDir;

use crate::support::{folder, in_process, is_a_name_here, plan, write};

/// A folder whose files say where they lie, and a home folder with a file.
fn project() -> (TempDir, TempDir) {
    let project = folder(&[
        "a.txt",
        "b.txt",
        "app/main.py",
        "app/sub/data.txt",
        "other/a.txt",
        "other/app/main.py",
        "outer/inner/.keep",
    ]);
    std::fs::create_dir(project.path().join("empty")).unwrap();
    (project, folder(&["secret-user-folder/note.txt"]))
}

/// Plans, sends and builds, and gives what is known of the image beside the text and the names that were sent.
async fn built(image: &Image, base: &Path, home: &Path) -> (Arc<BuiltImage>, String, Vec<String>) {
    let (emulator, daytona) = in_process(Emulator::builder());
    let plan = image
        .plan_with(&PlanOptions::default().base_dir(base).home(home))
        .unwrap();
    let names = plan.members().iter().map(|member| member.name().to_owned()).collect();
    let text = plan.dockerfile().to_owned();
    daytona
        .snapshots()
        .create(CreateSnapshotParams::new("x", plan))
        .await
        .unwrap_or_else(|error| panic!("{text}{error}"));
    (emulator.image("x").await.unwrap(), text, names)
}

fn files(image: &BuiltImage) -> BTreeMap<String, String> {
    let read = image
        .files()
        .map(|file| (file.path.clone(), String::from_utf8(file.read().unwrap()).unwrap()));
    read.collect()
}

/// Paths in the image, and the paths in the project of what has to be there.
fn expected(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = files
        .iter()
        .map(|(path, content)| ((*path).to_owned(), (*content).to_owned()));
    pairs.collect()
}

fn refused(image: &Image, base: &Path) -> PlanError {
    image
        .plan_with(&PlanOptions::default().base_dir(base).home(base))
        .unwrap_err()
}

/// One name has one content: of two files with the same name in the context, the later step's moves away.
#[tokio::test(start_paused = true)]
async fn one_name_has_one_content() {
    let (project, home) = project();
    let image = Image::base("scratch")
        .dockerfile_commands(DockerfileCommands::new(["COPY app/main.py /raw.py"]).context_dir("other"))
        .add_local_dir("app", "/app")
        .add_local_file("app/main.py", "/again.py");
    let (built, text, names) = built(&image, project.path(), home.path()).await;
    assert_eq!(
        files(&built),
        expected(&[
            ("/raw.py", "other/app/main.py"),
            ("/app/main.py", "app/main.py"),
            ("/app/sub/data.txt", "app/sub/data.txt"),
            ("/again.py", "app/main.py"),
        ]),
        "{text}"
    );
    assert!(
        names.contains(&"app/main.py".to_owned()) && names.contains(&".ctx/3/app/main.py".to_owned()),
        "{names:?}"
    );
}

/// The same source twice is sent once.
#[tokio::test(start_paused = true)]
async fn the_same_source_is_sent_once() {
    let (project, home) = project();
    let image = Image::base("scratch")
        .add_local_dir("app", "/one")
        .add_local_dir("app/", "/two")
        .add_local_file("app/main.py", "/three.py");
    let (built, _, names) = built(&image, project.path(), home.path()).await;
    assert_eq!(names, ["app/main.py", "app/sub/data.txt"]);
    assert_eq!(files(&built).len(), 5);
}

/// No pattern takes in what another step brought.
#[tokio::test(start_paused = true)]
async fn no_source_takes_in_another_steps_files() {
    let (project, home) = project();
    let image = Image::base("scratch")
        .dockerfile_commands(DockerfileCommands::new(["COPY *.txt /raw/"]).context_dir("other"))
        .add_local_file("b.txt", "/own/");
    let (built, text, _) = built(&image, project.path(), home.path()).await;
    assert_eq!(
        files(&built),
        expected(&[("/raw/a.txt", "other/a.txt"), ("/own/b.txt", "b.txt")]),
        "{text}"
    );
    assert!(text.contains("COPY [\".ctx/3/b.txt\", \"/own/b.txt\"]"), "{text}");
}

/// A folder that is copied as a whole does not take in what a later step puts below it, nor the other way round.
#[tokio::test(start_paused = true)]
async fn folders_inside_of_one_another_stay_apart() {
    let (project, home) = project();
    for image in [
        Image::base("scratch")
            .add_local_dir("app/sub", "/sub")
            .add_local_dir("app", "/app"),
        Image::base("scratch")
            .add_local_dir("app", "/app")
            .add_local_dir("app/sub", "/sub"),
    ] {
        let (built, text, _) = built(&image, project.path(), home.path()).await;
        let wanted = expected(&[
            ("/app/main.py", "app/main.py"),
            ("/app/sub/data.txt", "app/sub/data.txt"),
            ("/sub/data.txt", "app/sub/data.txt"),
        ]);
        assert_eq!(files(&built), wanted, "{text}");
    }
    // With something left out by one of them, they are not the same.
    let image = Image::base("scratch")
        .add_local_dir(daytona_sdk::LocalDir::new("app").ignore(["sub"]), "/app")
        .add_local_dir("app/sub", "/sub");
    let (built, text, _) = built(&image, project.path(), home.path()).await;
    let wanted = expected(&[("/app/main.py", "app/main.py"), ("/sub/data.txt", "app/sub/data.txt")]);
    assert_eq!(files(&built), wanted, "{text}");
}

/// Lines of the caller's own cannot be rewritten: there it is an error that names both steps.
#[test]
fn raw_lines_that_overlap_are_refused_with_both_steps() {
    let (project, _) = project();
    let image = Image::base("scratch")
        .dockerfile_commands(DockerfileCommands::new(["COPY app /one"]).context_dir("other"))
        .dockerfile_commands(DockerfileCommands::new(["COPY app /two"]));
    let error = refused(&image, project.path()).to_string();
    assert!(error.contains("step 3") && error.contains("step 2"), "{error}");
    assert!(error.contains("one_tree.rs:"), "{error}");
}

/// Absolute, `~` and above-the-root sources lie in the neutral folder, and no path of this machine shows.
#[tokio::test(start_paused = true)]
async fn no_path_of_the_callers_machine_shows() {
    let (project, home) = project();
    let base = project.path().join("app");
    let absolute = project.path().join("b.txt");
    let image = Image::base("scratch")
        .add_local_file(&absolute, "/absolute.txt")
        .add_local_file("~/secret-user-folder/note.txt", "/home/")
        .add_local_dir("~/secret-user-folder", "/folder")
        .add_local_file("../a.txt", "/above.txt");
    let (built, text, names) = built(&image, &base, home.path()).await;
    assert_eq!(
        names,
        [
            ".ctx/2/b.txt",
            ".ctx/3/note.txt",
            ".ctx/4/secret-user-folder/note.txt",
            ".ctx/5/a.txt"
        ]
    );
    let note = "secret-user-folder/note.txt";
    let wanted = [
        ("/absolute.txt", "b.txt"),
        ("/home/note.txt", note),
        ("/folder/note.txt", note),
        ("/above.txt", "a.txt"),
    ];
    assert_eq!(files(&built), expected(&wanted), "{text}");
    for path in [project.path(), home.path()] {
        assert!(!text.contains(path.to_str().unwrap()), "{text}");
    }
}

/// What the server would take for its own is never sent at the root. `COPY .` gets the generated Dockerfile, with a warning.
#[tokio::test(start_paused = true)]
async fn copying_everything_gets_the_generated_dockerfile() {
    let project = folder(&["a.txt", ".dockerignore", "Dockerfile.dockerignore"]);
    write(project.path(), ".dockerignore", b"ignored\n");
    write(project.path(), "Dockerfile", b"FROM scratch\nCOPY . /all/\n");
    let image = Image::from_dockerfile("Dockerfile").env([("A", "1")]);
    let plan = image
        .plan_with(&PlanOptions::default().base_dir(project.path()).home(project.path()))
        .unwrap();
    assert!(
        plan.warnings()
            .iter()
            .any(|warning| warning.message.contains("Dockerfile")),
        "{:?}",
        plan.warnings()
    );
    let (built, text, names) = built(&image, project.path(), project.path()).await;
    assert_eq!(names, ["a.txt"]);
    assert_eq!(
        files(&built),
        expected(&[("/all/Dockerfile", &text), ("/all/a.txt", "a.txt")])
    );
    assert!(text.ends_with("ENV A=1\n"));
}

/// A step of ours that names one of them gets the real file through the neutral folder.
#[tokio::test(start_paused = true)]
async fn a_dockerfile_that_is_named_is_the_real_one() {
    let project = folder(&[".dockerignore"]);
    write(project.path(), "Dockerfile", b"FROM other:1\n");
    let image = Image::base("scratch")
        .add_local_file("Dockerfile", "/kept/")
        .add_local_file(".dockerignore", "/kept/");
    let (built, text, names) = built(&image, project.path(), project.path()).await;
    assert_eq!(names, [".ctx/2/Dockerfile", ".ctx/3/.dockerignore"]);
    let wanted = expected(&[
        ("/kept/Dockerfile", "FROM other:1\n"),
        ("/kept/.dockerignore", ".dockerignore"),
    ]);
    assert_eq!(files(&built), wanted, "{text}");
}

/// Lines of the caller's own that name one of them are refused, with the way out.
#[test]
fn raw_lines_that_name_the_dockerfile_are_refused() {
    let project = folder(&["a.txt"]);
    write(project.path(), "Dockerfile", b"FROM scratch\nCOPY Dockerfile /x\n");
    // What is sent is this text: then it is the file that was meant.
    plan(&Image::from_dockerfile("Dockerfile"), project.path());
    let more = Image::from_dockerfile("Dockerfile").env([("A", "b")]);
    let error = refused(&more, project.path()).to_string();
    assert!(
        error.contains("Dockerfile") && error.contains("add_local_file"),
        "{error}"
    );
}

/// Empty directories do not survive: a warning, and an error where nothing would be left.
#[tokio::test(start_paused = true)]
async fn empty_directories_do_not_survive() {
    let (project, home) = project();
    std::fs::create_dir(project.path().join("app/hollow")).unwrap();
    let image = Image::base("scratch").add_local_dir("app", "/app");
    let plan = image
        .plan_with(&PlanOptions::default().base_dir(project.path()).home(home.path()))
        .unwrap();
    assert!(
        plan.warnings()
            .iter()
            .any(|warning| warning.message.contains("app/hollow")),
        "{:?}",
        plan.warnings()
    );
    let (built, ..) = built(&image, project.path(), home.path()).await;
    assert!(matches!(built.lookup("/app/hollow"), daytona_emulator::Lookup::Absent));
    let error = refused(&Image::base("scratch").add_local_dir("empty", "/x"), project.path()).to_string();
    assert!(error.contains("empty"), "{error}");
    let raw = Image::from_dockerfile(DockerfileSource::text("FROM scratch\nCOPY empty /x\n").context_dir("."));
    let error = refused(&raw, project.path()).to_string();
    assert!(error.contains("line 2"), "{error}");
}

/// A missing line feed, a trailing escape character or an open heredoc at the end of a Dockerfile never glues, and appended
/// steps go to the last stage.
#[tokio::test(start_paused = true)]
async fn appended_steps_are_steps_of_the_last_stage() {
    let (project, home) = project();
    for end in [
        "COPY a.txt /a",
        "COPY a.txt /a\\",
        "COPY a.txt /a \\\n",
        "COPY a.txt /a\n# done \\",
    ] {
        let text = format!("FROM scratch AS first\nCOPY b.txt /b\nFROM scratch\n{end}");
        let image =
            Image::from_dockerfile(DockerfileSource::text(&text).context_dir(".")).add_local_file("other/a.txt", "/o");
        let (built, text, _) = built(&image, project.path(), home.path()).await;
        assert_eq!(
            files(&built),
            expected(&[("/a", "a.txt"), ("/o", "other/a.txt")]),
            "{text}"
        );
    }
    let escaped = "# escape=`\nFROM scratch\nCOPY a.txt `\n  /a`\n";
    let image =
        Image::from_dockerfile(DockerfileSource::text(escaped).context_dir(".")).add_local_file("b.txt", "/odd\\name");
    let (built, text, _) = built(&image, project.path(), home.path()).await;
    assert_eq!(
        files(&built),
        expected(&[("/a", "a.txt"), ("/odd\\name", "b.txt")]),
        "{text}"
    );
    let open = DockerfileSource::text("FROM scratch\nCOPY <<EOF /x\nnever closed").context_dir(".");
    let error = refused(
        &Image::from_dockerfile(open).add_local_file("a.txt", "/a"),
        project.path(),
    )
    .to_string();
    assert!(error.contains("line 2"), "{error}");
}

/// Names with blanks, quotes, `$`, `*`, `[`, `^`, `!`, backslashes or letters beyond ASCII reach the image under themselves.
#[tokio::test(start_paused = true)]
async fn odd_names_arrive_under_themselves() {
    let mut names = vec![
        "with blank",
        "it's",
        "say \"hi\"",
        "d$HOME",
        "st*r",
        "q?",
        "a[1].txt",
        "b\\c",
        "*",
        "x]^y",
        "!bang",
        " blanks ",
        "é",
        "日本",
        "-dash",
        "#hash",
    ];
    names.retain(|name| is_a_name_here(name));
    let project = folder(&names);
    for name in &names {
        write(project.path(), &format!("dir/{name}"), name.as_bytes());
    }
    let image = names.iter().fold(Image::base("scratch"), |image, name| {
        image
            .add_local_file(*name, "/to/")
            .add_local_dir("dir", format!("/in {name}"))
    });
    let (built, text, _) = built(&image, project.path(), project.path()).await;
    for name in names {
        let content = |path: String| files(&built).get(&path).cloned();
        assert_eq!(content(format!("/to/{name}")).as_deref(), Some(name), "{text}");
        // Variables of a target are put in, as in Docker; here the variable is not set.
        let target = format!("/in {}", name.replace("$HOME", ""));
        assert_eq!(content(format!("{target}/{name}")).as_deref(), Some(name), "{text}");
    }
}
