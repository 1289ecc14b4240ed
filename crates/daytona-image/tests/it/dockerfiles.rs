//! Dockerfiles of the caller's own: what they take from their context, and what is said of them.

use std::fs;

use daytona_image::{DockerfileCommands, DockerfileSource, Explanation, Image, Member, PlanOptions};
use tempfile::TempDir;

use crate::support::{error, folder, names, of_text, try_plan, warnings, write};

/// What is warned of, without where.
fn messages(folder: &TempDir, image: &Image) -> Vec<String> {
    let plan = try_plan(folder.path(), image).unwrap();
    plan.warnings().iter().map(|warning| warning.message.clone()).collect()
}

#[test]
fn what_is_copied_is_sent_and_nothing_else() {
    let folder = folder(&[
        "a.txt",
        "b.txt",
        ".hidden",
        "c.md",
        "dir/x",
        "dir/sub/y",
        "dir/z.txt",
        "other/o",
        "with blank",
    ]);
    for (lines, expected) in [
        ("COPY a.txt /x", vec!["a.txt"]),
        ("COPY ./a.txt dir//sub/ /x/", vec!["a.txt", "dir/sub/y"]),
        ("COPY dir /x", vec!["dir/sub/y", "dir/x", "dir/z.txt"]),
        ("COPY /a.txt ../../b.txt /x/", vec!["a.txt", "b.txt"]),
        ("COPY *.txt /x/", vec!["a.txt", "b.txt"]),
        (
            "COPY * /x/",
            vec![
                ".hidden",
                "a.txt",
                "b.txt",
                "c.md",
                "dir/sub/y",
                "dir/x",
                "dir/z.txt",
                "other/o",
                "with blank",
            ],
        ),
        ("COPY d*/*.txt /x/", vec!["dir/z.txt"]),
        ("COPY [a-b].txt ?.md /x/", vec!["a.txt", "b.txt", "c.md"]),
        ("COPY [\"with blank\", \"/x\"]", vec!["with blank"]),
        ("copy --chown=1:1 --chmod=755 a.txt /x", vec!["a.txt"]),
        ("ADD a.txt https://h/x git@github.com:a/b.git /x/", vec!["a.txt"]),
        ("COPY --from=build a.txt /x", vec![]),
        ("COPY a.txt /x--from=y", vec!["a.txt"]),
        ("COPY <<EOF /x\nCOPY a.txt /y\nEOF", vec![]),
        ("COPY a.txt <<EOF /x/\nhi\nEOF", vec!["a.txt"]),
        (
            "ARG D=dir\nENV S=$D/sub\nCOPY ${S}/y ${D:+other} /x/",
            vec!["dir/sub/y", "other/o"],
        ),
        ("ARG TARGETARCH\nCOPY a${TARGETARCH#amd64}.txt /x", vec!["a.txt"]),
        (
            "RUN --mount=type=bind,source=a.txt,target=/a --mount=type=cache,target=/c cat /a",
            vec!["a.txt"],
        ),
        ("RUN --mount=src=dir/sub,target=/a ls", vec!["dir/sub/y"]),
        ("RUN --mount=type=bind,from=x,source=a.txt,target=/a ls", vec![]),
        ("COPY package*.lock a.txt /x/", vec!["a.txt"]),
        ("# COPY a.txt /x\nRUN echo \\\n  COPY a.txt /x", vec![]),
    ] {
        assert_eq!(names(&folder, &format!("FROM a:1\n{lines}\n")), expected, "{lines}");
    }
}

#[test]
fn stages_and_variables_are_followed() {
    let folder = folder(&["a", "b", "c"]);
    // A global argument has to be declared again to be known; ENV and ARG are inherited.
    assert_eq!(names(&folder, "ARG V=a\nFROM x:${V}\nARG V\nCOPY $V /x\n"), ["a"]);
    assert!(
        error(&folder, "ARG V=a\nFROM x:1\nCOPY $V /x\n")
            .contains("line 3: the source `$V`: the value of the variable `V`")
    );
    assert_eq!(
        names(&folder, "FROM x:1 AS One\nENV F=b\nFROM one\nCOPY $F /x\n"),
        ["b"]
    );
    assert_eq!(
        names(&folder, "FROM x:1 AS one\nARG F=b\nFROM one\nCOPY $F /x\n"),
        ["b"]
    );
    assert!(error(&folder, "FROM x:1\nCOPY ${HOME}/a /x\n").contains("write the path itself"));
    // What is put off is needed only if somebody starts from the stage.
    assert_eq!(
        names(&folder, "FROM x:1 AS p\nONBUILD COPY c /x\nFROM p\nCOPY a /x\n"),
        ["a", "c"]
    );
    assert_eq!(
        names(&folder, "FROM x:1 AS p\nONBUILD COPY c /x\nFROM y:1\nCOPY a /x\n"),
        ["a"]
    );
}

#[test]
fn what_would_not_be_found_is_refused_with_its_line() {
    let folder = folder(&["a.txt", "data/x.csv", "Dockerfile", "log/a.log"]);
    fs::create_dir(folder.path().join("empty")).unwrap();
    write(folder.path(), ".dockerignore", "data\n*.txt\n!a.txt\n");
    for (lines, part) in [
        (
            "COPY nope /x",
            "line 2: the source `nope` is not in the build context `.`",
        ),
        (
            "RUN x\nCOPY data /x",
            "line 3: the source `data` is left out of the build context by the ignore rule data (.dockerignore:1)",
        ),
        ("COPY empty /x", "is a directory without a file"),
        ("COPY nope/*.txt /x", "no file below `nope` is sent"),
        ("COPY Dockerfile /x", "line 2: `Dockerfile` has a special meaning"),
        ("RUN --mount=type=secret,id=k,required=true x", "no build secrets"),
    ] {
        let message = error(&folder, &format!("FROM a:1\n{lines}\n"));
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(names(&folder, "FROM a:1\nCOPY *.txt /x/\n"), ["a.txt"]);
    // All at once.
    assert!(error(&folder, "FROM a:1\nCOPY one two /x/\nCOPY three /x\n").starts_with("3 problems"));
}

#[test]
fn what_may_surprise_is_a_warning() {
    let folder = folder(&["a"]);
    let of = |lines: &str| {
        messages(
            &folder,
            &Image::from_dockerfile(DockerfileSource::text(format!("FROM a:1\n{lines}\n"))),
        )
    };
    assert!(of("COPY b* /x/")[0].contains("the pattern `b*` matches no file"));
    // The usual way to copy what may be there.
    assert!(of("COPY a b* /x/").is_empty());
    assert!(of("RUN --mount=type=ssh x")[0].contains("no build secrets"));
    assert!(of("CMD [\"x\"]")[0].contains("the service ignores CMD"));
    assert!(of("ENTRYPOINT python x")[0].contains("shell form"));
    assert!(of("# ENTRYPOINT [\"x\"]")[0].contains("sandboxes will start `x`"));
    assert!(of("ENTRYPOINT [\"x\", \"y\"]").is_empty());
    // What is no longer looked at, and how to write it.
    assert!(of("ENTRYPOINT [\"x\", \"y\"]\nCMD [\"z\"]")[0].contains("write `ENTRYPOINT [\"x\", \"y\", \"z\"]`"));
    assert!(of("ENTRYPOINT []\nCMD [\"z\"]")[0].contains("the service ignores CMD"));
}

#[test]
fn secrets_images_without_a_version_and_large_contexts_are_warned_about() {
    let folder = folder(&["app/.env", "app/.git/config", "app/.git/x", "app/a.py", "app/big"]);
    let image = Image::base("python")
        .env([("API_KEY", "x")])
        .add_local_dir("app", "/app");
    let plan = image
        .plan_with(&PlanOptions::default().base_dir(folder.path()).warn_over(20))
        .unwrap();
    let told: Vec<(usize, &str)> = plan
        .warnings()
        .iter()
        .map(|warning| (warning.step, warning.message.as_str()))
        .collect();
    let expected = [
        (1, "`python` has no tag"),
        (2, "ENV `API_KEY` looks like a secret"),
        (3, "`app/.env` looks like a secret"),
        (3, "`app/.git` looks like a secret"),
        (
            3,
            "the context has 48 bytes, over 20; its largest files: `app/.git/config` (15)",
        ),
    ];
    assert_eq!(told.len(), expected.len(), "{told:?}");
    for ((step, message), (expected_step, part)) in told.iter().zip(expected) {
        assert!(*step == expected_step && message.contains(part), "{step} {message}");
    }
    assert_eq!(plan.largest(1)[0].name(), "app/.git/config");
    let of = |text: &str| warnings(&folder, &of_text(text));
    assert!(
        of("FROM --platform=linux/arm64 a:latest AS b\nFROM b\n")
            .iter()
            .any(|warning| warning.contains("only for linux/amd64"))
    );
    assert!(of("FROM scratch\nARG PUBLIC_KEY\n").is_empty());
}

#[test]
fn what_becomes_of_a_path_is_explained() {
    let folder = folder(&["app/a.py", "app/b.pyc", "app/cache/x", "other"]);
    write(folder.path(), ".dockerignore", "**/*.pyc\n**/cache\n");
    let image = Image::from_dockerfile(DockerfileSource::text("FROM a:1\nCOPY app /app\n"));
    let plan = try_plan(folder.path(), &image).unwrap();
    match plan.explain("app/a.py") {
        Explanation::Sent(members) => assert_eq!(members[0].name(), "app/a.py"),
        other => panic!("{other:?}"),
    }
    for (path, rule) in [
        ("app/b.pyc", "**/*.pyc (.dockerignore:1)"),
        ("app/cache/x", "**/cache (.dockerignore:2)"),
    ] {
        match plan.explain(path) {
            Explanation::Excluded(excluded) => assert_eq!(excluded.rule.to_string(), rule),
            other => panic!("{path}: {other:?}"),
        }
    }
    assert_eq!(plan.explain("other"), Explanation::NotTaken);
    assert_eq!(plan.explain(folder.path().join("nowhere")), Explanation::NotTaken);
}

#[test]
fn the_dockerfiles_own_ignore_file_comes_first() {
    let folder = folder(&["docker/prod.Dockerfile", "src/a.rs", "src/b.tmp", "docs/x"]);
    write(folder.path(), "docker/prod.Dockerfile", "FROM a:1\nCOPY . /app\n");
    write(folder.path(), ".dockerignore", "src\n");
    let source = || DockerfileSource::path("docker/prod.Dockerfile").context_dir(".");
    let of = |source: DockerfileSource| {
        let plan = try_plan(folder.path(), &Image::from_dockerfile(source)).unwrap();
        plan.members()
            .iter()
            .map(Member::name)
            .map(ToOwned::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(of(source()), ["docker/prod.Dockerfile", "docs/x"]);
    write(
        folder.path(),
        "docker/prod.Dockerfile.dockerignore",
        "docker\n**/*.tmp\n",
    );
    assert_eq!(of(source()), ["docs/x", "src/a.rs"]);
    assert_eq!(of(source().ignore(["docs"])), ["src/a.rs"]);
}

#[test]
fn steps_are_appended_to_a_dockerfile_without_glue() {
    let folder = folder(&["Dockerfile", "app/x"]);
    for (text, expected) in [
        ("FROM a:1\nCMD sh", "FROM a:1\nCMD sh\nRUN one\n"),
        ("FROM a:1\nRUN x \\\n", "FROM a:1\nRUN x \nRUN one\n"),
        (
            "FROM a:1\nCOPY <<EOF /x\nhi\nEOF",
            "FROM a:1\nCOPY <<EOF /x\nhi\nEOF\nRUN one\n",
        ),
    ] {
        write(folder.path(), "Dockerfile", text);
        let plan = try_plan(
            folder.path(),
            &Image::from_dockerfile("Dockerfile").run_commands(["one"]),
        )
        .unwrap();
        assert_eq!(plan.dockerfile(), expected);
    }
    write(folder.path(), "Dockerfile", "# escape=`\nFROM a:1\n");
    let image = Image::from_dockerfile("Dockerfile")
        .run_commands(["one && \\\n  two"])
        .add_local_dir("app", "/x");
    let plan = try_plan(folder.path(), &image).unwrap();
    assert_eq!(
        plan.dockerfile(),
        "# escape=`\nFROM a:1\nRUN one && `\n  two\nCOPY [\"app\", \"/x\"]\n"
    );
}

#[test]
fn contexts_share_one_tree_or_are_refused() {
    let folder = folder(&["ctx/a", "ctx/app/z", "app/x", "app/y"]);
    let image = |lines: &[&str]| {
        Image::base("x:1")
            .dockerfile_commands(DockerfileCommands::new(lines.iter().copied()).context_dir("ctx"))
            .add_local_dir("app", "/app")
    };
    // Ours gives way to what cannot be rewritten.
    let plan = try_plan(folder.path(), &image(&["COPY app /other"])).unwrap();
    assert!(
        plan.dockerfile()
            .ends_with("COPY app /other\nCOPY [\".ctx/3/app\", \"/app\"]\n"),
        "{}",
        plan.dockerfile()
    );
    let plan = try_plan(folder.path(), &image(&["COPY a /other"])).unwrap();
    assert!(plan.dockerfile().ends_with("COPY [\"app\", \"/app\"]\n"));
    // Everything is everything.
    let error = try_plan(folder.path(), &image(&["COPY . /all"]))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("step 2 (dockerfile_commands") && error.contains("of step 3"),
        "{error}"
    );
    // Two contexts with other content under one name.
    let both = Image::base("x:1")
        .dockerfile_commands(DockerfileCommands::new(["COPY app /one"]).context_dir("ctx"))
        .dockerfile_commands(["COPY app /two"]);
    assert!(
        try_plan(folder.path(), &both)
            .unwrap_err()
            .to_string()
            .contains("of step"),
        "two contexts"
    );
    let same = Image::base("x:1")
        .dockerfile_commands(["COPY app /one"])
        .dockerfile_commands(["COPY app/x /two"]);
    assert_eq!(try_plan(folder.path(), &same).unwrap().members().len(), 2);
}

#[cfg(unix)]
#[test]
fn links_in_a_source_stay_inside() {
    use std::os::unix::fs::symlink;

    let parent = folder(&["ctx/real/x", "ctx/file", "outside/secret"]);
    let ctx = parent.path().join("ctx");
    symlink("real", ctx.join("link")).unwrap();
    symlink("../outside", ctx.join("out")).unwrap();
    let of = |line: &str| {
        let commands = DockerfileCommands::new([line]).context_dir("ctx");
        try_plan(parent.path(), &Image::base("x:1").dockerfile_commands(commands))
    };
    let plan = of("COPY link/x link /y/").unwrap();
    assert_eq!(plan.members().iter().map(Member::name).collect::<Vec<_>>(), ["link/x"]);
    for line in ["COPY out/secret /x", "COPY out /x"] {
        let message = of(line).unwrap_err().to_string();
        assert!(
            message.contains("leads out of the named directory"),
            "{line}: {message}"
        );
    }
    let plan = of("COPY . /x").unwrap();
    assert_eq!(plan.members().len(), 3);
    let left_out = plan
        .warnings()
        .iter()
        .filter(|warning| warning.message.contains("`ctx/out` leads out of the named directory"));
    assert_eq!(left_out.count(), 1, "{:?}", plan.warnings());
    let strict = DockerfileCommands::new(["COPY . /x"])
        .context_dir("ctx")
        .links(daytona_image::Links::Strict);
    let message = try_plan(parent.path(), &Image::base("x:1").dockerfile_commands(strict))
        .unwrap_err()
        .to_string();
    assert!(message.contains("leads out of the named directory"), "{message}");
}
