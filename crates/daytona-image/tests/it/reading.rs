//! What of a Dockerfile is an instruction, a flag, a heredoc or an error, by itself and seen through plans.

use daytona_image::dockerfile::Dockerfile;
use daytona_image::{Command, DockerfileSource, Image};

use crate::support::{error, folder, names, of_text, try_plan, warnings, write};

#[test]
fn instructions_are_read_as_buildkit_reads_them() {
    let text = "\u{feff}# syntax=docker/dockerfile:1\r\n# escape=`\r\n\r\nfrom --platform=linux/amd64 a:1 AS B\r\nRUN one && `\r\n# no\r\n\r\n  two\r\n\
                RUN <<EOF cat <<-'X Y'\r\nCOPY a b\r\nEOF\r\n\tUSER x\r\n\tX Y\r\nCOPY --chown=1:1 --link [\"a b\", \"/c\"]\r\nONBUILD COPY <<E /x\r\nbody\r\nE\r\nCMD\r\n";
    let dockerfile = Dockerfile::parse(text).unwrap();
    let shown: Vec<(usize, usize, &str)> = dockerfile
        .instructions()
        .iter()
        .map(|one| (one.line(), one.last_line(), one.keyword()))
        .collect();
    assert_eq!(
        shown,
        [
            (4, 4, "FROM"),
            (5, 8, "RUN"),
            (9, 13, "RUN"),
            (14, 14, "COPY"),
            (15, 17, "ONBUILD"),
            (18, 18, "CMD"),
        ]
    );
    assert_eq!(dockerfile.instructions()[1].words(), ["one &&   two"]);
    assert_eq!(dockerfile.escape(), '`');
    let heredocs: Vec<(&str, bool, bool, &str)> = dockerfile.instructions()[2]
        .heredocs()
        .iter()
        .map(|one| (one.name(), one.is_expanded(), one.strips_tabs(), one.body()))
        .collect();
    assert_eq!(
        heredocs,
        [
            ("EOF", true, false, "COPY a b\r\n"),
            ("X Y", false, true, "\tUSER x\r\n"),
        ]
    );
    assert_eq!(dockerfile.instructions()[3].flag("link"), Some(""));
    assert_eq!(dockerfile.instructions()[3].words(), ["a b", "/c"]);
    assert_eq!(dockerfile.instructions()[0].flags(), ["--platform=linux/amd64"]);
}

#[test]
fn what_is_no_dockerfile_is_refused_with_its_line() {
    for (text, part) in [
        ("", "line 1: a Dockerfile needs an instruction"),
        ("# only\n\n", "line 2: a Dockerfile needs an instruction"),
        ("FROM a:1\n\nFRON b\n", "line 3: unknown instruction `FRON`"),
        ("FROM a:1\nRUN <<EOF\nx\n", "line 2: the heredoc `EOF` is not closed"),
        ("FROM a:1\nCOPY\n", "line 2: COPY needs a source and a target"),
        ("FROM\n", "line 1: FROM needs an image"),
    ] {
        let error = Dockerfile::parse(text).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    // Only some instructions have a JSON form.
    let from = Dockerfile::parse("FROM [\"a\"]\n").unwrap();
    assert_eq!(from.instructions()[0].words(), ["[\"a\"]"]);
    // Two escape characters are none.
    assert!(Dockerfile::parse("FROM a:1\nRUN a \\\\\nNONSENSE\n").is_err());
}

#[test]
fn heredocs_are_found_where_buildkit_finds_them() {
    let folder = folder(&["a"]);
    for text in [
        "RUN cat << EOF > /x\nhello world\nEOF",
        "RUN echo it\\'s >/y; cat <<EOF >/x\nhello\nEOF",
        "RUN [\"sh\",\"-c\",\"echo \\\"a <<EOF\\\" >/x\"]",
    ] {
        assert_eq!(
            names(&folder, &format!("FROM x:1\n{text}\nCOPY a /a\n")),
            ["a"],
            "{text}"
        );
    }
    // A quoted one is none, so that the COPY behind it is not its body.
    let missing =
        "FROM x:1\nRUN echo \"usage: \\\"cmd <<EOF\\\"\" > /usage\nCOPY app /app\nRUN cat <<EOF > /x\nhi\nEOF\n";
    assert!(error(&folder, missing).contains("line 3: the source `app` is not in the build context"));
    let exec = Image::base("x:1").run_commands([Command::exec(["python", "-c", "print(\"a <<b\")"])]);
    assert!(try_plan(folder.path(), &exec).is_ok());
}

#[test]
fn a_heredoc_keeps_its_line_ends_and_nothing_else_does() {
    let folder = folder(&["a"]);
    let text = |lines: &str| {
        try_plan(folder.path(), &of_text(lines))
            .unwrap()
            .dockerfile()
            .to_owned()
    };
    assert_eq!(text("FROM x:1\r\nCOPY a /a\r\n"), "FROM x:1\nCOPY a /a\n");
    let heredoc = "FROM x:1\r\nCOPY <<EOF /x\r\nbody\r\nEOF\r\n";
    assert_eq!(text(heredoc), heredoc);
}

#[test]
fn nothing_glues_itself_to_a_step() {
    let folder = folder(&[]);
    for (text, expected) in [
        ("FROM x:1\nRUN x \\\n# end\n", "FROM x:1\nRUN x \n# end\nRUN one\n"),
        (
            "FROM x:1\nRUN x \\\n\n  # end",
            "FROM x:1\nRUN x \n\n  # end\nRUN one\n",
        ),
        ("FROM x:1\nRUN x \\", "FROM x:1\nRUN x \nRUN one\n"),
        (
            "# escape=`\nFROM x:1\nRUN x `\n",
            "# escape=`\nFROM x:1\nRUN x \nRUN one\n",
        ),
    ] {
        let image = of_text(text).run_commands(["one"]);
        let plan = try_plan(folder.path(), &image).unwrap();
        assert_eq!(plan.dockerfile(), expected);
        let read = Dockerfile::parse(plan.dockerfile()).unwrap();
        assert_eq!(read.instructions().len(), 3, "{expected}");
    }
}

#[test]
fn what_buildkit_refuses_before_it_builds_is_refused_here() {
    let folder = folder(&["a"]);
    for (text, part) in [
        ("ARG A=1\n", "needs a FROM"),
        ("FROM alpine:3:4\n", "line 1: `alpine:3:4` is not an image"),
        ("FROM a b\n", "line 1: FROM needs an image"),
        (
            "FROM x:1\nRUN --mont=type=cache,target=/c x\n",
            "line 2: RUN has no flag `--mont=type=cache,target=/c`",
        ),
        ("FROM x:1\nRUN --mount=typ=cache,target=/c x\n", "unknown key `typ`"),
        ("FROM x:1\nCOPY --foo=b a /a\n", "COPY has no flag `--foo=b`"),
        ("FROM x:1\nCOPY --chmode=755 a /a\n", "it knows `--chmod`"),
        ("FROM x:1\nCOPY --from=$X a /a\n", "cannot contain a variable"),
        ("FROM x:1\nCOPY --from=stage_${x} a /a\n", "cannot contain a variable"),
        ("FROM x:1\nENV A\n", "ENV needs a name and a value"),
        ("FROM x:1\nENV A=1 B\n", "`B` has no `=`"),
        ("FROM x:1\nCMD [\"a\",[\"b\"]]\n", "but not only of strings"),
        (
            "FROM x:1 AS a\nCOPY --from=b /x /x\nFROM x:1 AS b\nCOPY --from=a /x /x\n",
            "copies from itself",
        ),
        (
            "FROM x:1 AS a\nCOPY --from=b /x /x\nFROM x:1 AS b\nFROM a\n",
            "the stage `b` comes later",
        ),
        ("FROM x:1\nONBUILD FROM y:1\n", "ONBUILD cannot contain FROM"),
        ("# escape=x\nFROM x:1\n", "line 1: the escape character `x`"),
        (
            "# escape=`\n# escape=`\nFROM x:1\n",
            "line 2: there is more than one directive",
        ),
        ("FROM x:1 as b\nFROM B\n", "the name of a stage is in lower case here"),
        ("FROM x:1 as b\nFROM 0\n", "use the name of the stage here"),
        ("FROM x:1\nCOPY --parents . /x\n", "names no file"),
        ("FROM x:1\nCOPY a[ /x\n", "the source `a[`"),
        ("FROM x:1\nCOPY <<a/b /x\nhi\na/b\n", "cannot contain a slash"),
        (
            "FROM x:1\nCOPY --parents --exclude=* a /x\n",
            "leaves out the source `a` itself",
        ),
        ("FROM x:1\nCOPY --chmod=999 a /x\n", "is not a mode"),
        ("FROM x:1\nCOPY https://example.com/x /x\n", "use ADD"),
        (
            "FROM x:1\nCOPY --chmod=0755 [\"a/*.x\" \"/b/\"]\n",
            "begins like a JSON list, but is not one",
        ),
        (
            "FROM x:1\nCOPY [\"a\", \"/b/\",]\n",
            "begins like a JSON list, but is not one",
        ),
        (
            "FROM x:1\nCOPY ['a', '/b/']\n",
            "begins like a JSON list, but is not one",
        ),
    ] {
        let message = error(&folder, text);
        assert!(message.contains(part), "{text}{message}");
    }
    // FROM and COPY alone of those that take words at blanks end a keyword at a blank of ASCII.
    assert!(error(&folder, "FROM x:1\nCOPY\u{a0}a /x\n").contains("unknown instruction"));
}

#[test]
fn all_problems_come_at_once() {
    let folder = folder(&["a"]);
    let text = "FROM x:1\nFOO\nCOPY nothing /x\nCOPY --chmod=u /x\nRUN --mount=type=odd,target=/x y\n";
    let message = error(&folder, text);
    for part in [
        "4 problems",
        "line 2: unknown instruction `FOO`",
        "line 3: the source `nothing`",
        "line 4: COPY needs a source and a target",
        "line 5: `--mount=type=odd,target=/x`: unknown type",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[test]
fn problems_of_a_file_begin_like_a_compilers() {
    let folder = folder(&["docker/x"]);
    write(folder.path(), "docker/Dockerfile", "FROM x\nRUN a\nCOPY nothing /x\n");
    let image = || Image::from_dockerfile("docker/Dockerfile");
    let message = try_plan(folder.path(), &image()).unwrap_err().to_string();
    assert!(
        message.starts_with("docker/Dockerfile:3: the source `nothing`"),
        "{message}"
    );
    assert!(message.contains("(step 1, from_dockerfile at "), "{message}");
    write(folder.path(), "docker/Dockerfile", "FROM x\n");
    let warnings = warnings(&folder, &image());
    assert!(
        warnings[0].starts_with("docker/Dockerfile:1: `x` has no tag"),
        "{warnings:?}"
    );
    // A text has no name.
    let message = try_plan(folder.path(), &of_text("FROM x:1\nCOPY nothing /x\n")).unwrap_err();
    assert!(
        message.to_string().contains("line 2: the source `nothing`"),
        "{message}"
    );
}

#[test]
fn control_characters_of_a_dockerfile_do_not_reach_a_terminal() {
    let folder = folder(&[]);
    for text in [
        "FROM x:1\nCOPY \u{1b}]0;owned\u{7} /x\n",
        "FROM x:1\nRUN --\u{1b}[2J=1 x\n",
        "FROM \u{1b}[2J\n",
        "FROM x:1\n\u{1b}[2J\n",
        "FROM x:1\nCOPY ${A:?\u{1b}[2J} /x\n",
    ] {
        let message = error(&folder, text);
        assert!(!message.contains('\u{1b}') && !message.contains('\u{7}'), "{message:?}");
    }
}

#[test]
fn values_that_cannot_be_written_are_refused() {
    let folder = folder(&[]);
    for (image, part) in [
        (Image::base("x:1").label([("a=b", "v")]), "contains `=`"),
        (Image::base("python 3.12 slim"), "contains a space"),
        (Image::base("Python:3.12"), "is not an image"),
    ] {
        let message = try_plan(folder.path(), &image).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_dockerfile_that_is_asked_for_is_the_one_that_is_sent() {
    let folder = folder(&[]);
    write(folder.path(), "Dockerfile", "FROM x:1\nCOPY Dockerfile /x\n");
    let image = Image::from_dockerfile(DockerfileSource::path("Dockerfile"));
    assert!(try_plan(folder.path(), &image).is_ok());
    // With one more step the text is another one.
    let message = try_plan(folder.path(), &image.run_commands(["x"]))
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("Dockerfile:2: `Dockerfile` has a special meaning"),
        "{message}"
    );
}
