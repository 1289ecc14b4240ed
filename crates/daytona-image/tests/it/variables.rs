//! Stages and variables, as BuildKit passes them on.

use daytona_image::{DockerfileSource, Image};

use crate::support::{error, folder, names, of_text, warnings};

#[test]
fn an_instruction_is_expanded_whole_before_it_takes_effect() {
    let folder = folder(&["hello", "bye", "one", "two", "a.txt"]);
    for (text, expected) in [
        ("FROM x:1\nENV abc=hello\nENV abc=bye def=$abc\nCOPY $def /x\n", "hello"),
        ("FROM x:1\nENV DIR=one\nARG DIR=two\nCOPY $DIR /x\n", "two"),
        ("FROM x:1\nARG DIR=one\nENV DIR=two\nCOPY $DIR /x\n", "two"),
        ("FROM x:1 AS a\nARG DIR=one\nFROM a\nCOPY $DIR /x\n", "one"),
        ("FROM x:1\nARG S\nCOPY a${S}.txt /x\n", "a.txt"),
        ("ARG S\nFROM alpine:3${S}\nCOPY one /x\n", "one"),
        ("ARG F=a.txt\nFROM x:1\nARG F\nCOPY $F /x\n", "a.txt"),
        ("FROM x:1\nENV A='C:\\' B=one\nCOPY $B /x\n", "one"),
        ("FROM scratch\nCOPY ${D:-one} /x\n", "one"),
        ("FROM scratch\nENV D=$X\nCOPY one${D-two} /x\n", "one"),
        ("FROM scratch\nCOPY one$10 /x\n", "one"),
        ("FROM scratch\nCOPY one$@$* /x\n", "one"),
        (
            "FROM scratch AS last\nARG TARGETSTAGE\nCOPY ${TARGETSTAGE#last}one /x\n",
            "one",
        ),
    ] {
        assert_eq!(names(&folder, text), [expected], "{text}");
    }
}

#[test]
fn what_an_image_may_set_is_not_guessed() {
    let folder = folder(&["src", "other"]);
    for text in [
        "FROM x:1\nENV D=$SOMETHING\nCOPY ${D:-src} /x\n",
        "FROM x:1\nCOPY ${D:+src} /x\n",
        "FROM x:1\nCOPY ${HOME}/src /x\n",
    ] {
        let message = error(&folder, text);
        assert!(
            message.contains("is not known here; write the path itself"),
            "{message}"
        );
    }
    // What is declared without a value is known not to be set.
    assert_eq!(names(&folder, "FROM x:1\nARG P\nCOPY ${P}src /x\n"), ["src"]);
    // Nothing depends on this one.
    assert_eq!(names(&folder, "FROM x:1\nCOPY src $HOME/x\n"), ["src"]);
}

#[test]
fn an_unset_source_is_all_of_the_context_and_is_warned_of() {
    let folder = folder(&["a", "b/c"]);
    let text = "FROM scratch\nCOPY $NOPE /x\n";
    assert_eq!(names(&folder, text), ["a", "b/c"]);
    let warnings = warnings(&folder, &of_text(text));
    assert!(
        warnings.iter().any(|warning| warning.contains("is empty, which means")),
        "{warnings:?}"
    );
}

#[test]
fn only_stages_that_are_needed_take_files() {
    let folder = folder(&["src", "fixtures", "all"]);
    for (text, expected) in [
        (
            "FROM x:1 AS test\nCOPY missing /f\nFROM x:1\nCOPY src /app\n",
            vec!["src"],
        ),
        ("FROM x:1 AS dev\nCOPY . /all\nFROM x:1\nCOPY src /app\n", vec!["src"]),
        (
            "FROM x:1 AS one\nCOPY all /all\nFROM x:1 AS two\nCOPY --from=one /all /x\nFROM two\nCOPY src /app\n",
            vec!["all", "src"],
        ),
        (
            "FROM x:1 AS one\nCOPY all /all\nFROM x:1\nRUN --mount=from=one,target=/x y\n",
            vec!["all"],
        ),
        (
            "FROM x:1\nCOPY all /all\nFROM x:1\nCOPY --from=0 /all /x\n",
            vec!["all"],
        ),
        (
            "FROM x:1 AS unused\nCOPY $UNSET /x\nFROM x:1\nCOPY src /y\n",
            vec!["src"],
        ),
        (
            "ARG WHICH=b\nFROM x:1 AS a\nCOPY missing /x\nFROM x:1 AS b\nCOPY src /x\nFROM $WHICH\n",
            vec!["src"],
        ),
    ] {
        assert_eq!(names(&folder, text), expected, "{text}");
    }
    // Errors of the text count everywhere.
    assert!(error(&folder, "FROM x:1 AS a\nFOO\nFROM x:1\n").contains("line 2: unknown instruction"));
}

#[test]
fn an_address_is_fetched_wherever_it_is_written() {
    let folder = folder(&["a", "github.com/user/repo"]);
    for (text, expected) in [
        (
            "ARG URL=https://example.com\nFROM x:1\nARG URL\nADD ${URL}/tini /tini\n",
            vec![],
        ),
        ("FROM x:1\nARG M=https://example.com/m.bin\nADD ${M} /m/\n", vec![]),
        ("FROM x:1\nADD \"https://example.com/m.bin\" /m/\n", vec![]),
        ("FROM x:1\nADD user@host:a/b.git /m/\n", vec![]),
        ("FROM x:1\nARG M=a\nADD ${M} /m/\n", vec!["a"]),
        ("FROM x:1\nADD github.com/user/repo /m/\n", vec!["github.com/user/repo"]),
    ] {
        assert_eq!(names(&folder, text), expected, "{text}");
    }
}

#[test]
fn an_argument_without_a_value_is_warned_of_where_it_is_used() {
    let folder = folder(&[]);
    let of = |text: &str| warnings(&folder, &of_text(text));
    let used = of("FROM x:1\nARG VERSION\nRUN install $VERSION\n");
    assert!(
        used[0].contains("line 3: the ARG `VERSION` has no value here"),
        "{used:?}"
    );
    for text in [
        "FROM x:1\nARG VERSION=1\nRUN install $VERSION\n",
        "FROM x:1\nARG VERSION\nRUN install ${VERSION:-1}\n",
        "ARG VERSION=1\nFROM x:1\nARG VERSION\nRUN install $VERSION\n",
        "FROM x:1\nARG VERSION\nRUN install\n",
    ] {
        assert_eq!(of(text), Vec::<String>::new(), "{text}");
    }
    let image = Image::from_dockerfile(DockerfileSource::text("FROM x:1\nARG VERSION=1\nRUN x $VERSION\n"));
    let late = warnings(&folder, &image.arg("VERSION", "2"));
    assert!(late[0].contains("DockerfileSource::build_arg"), "{late:?}");
}

/// BuildKit would fetch it, if it is one; nothing could be sent for it.
#[test]
fn what_add_takes_may_be_an_address_that_the_image_knows() {
    let folder = folder(&["a"]);
    for line in [
        "ADD $U /x",
        "ADD \"${U}\" a /x/",
        "ADD ${U}/tool.tgz /x",
        "ADD http$U /x",
        "ADD --checksum=sha256:0000000000000000000000000000000000000000000000000000000000000000 $U /x",
    ] {
        let image = of_text(&format!("FROM x:1\n{line}\n"));
        let said = warnings(&folder, &image);
        assert!(
            said.iter()
                .any(|said| said.contains("line 2") && said.contains("may be an address")),
            "{said:?}"
        );
    }
    for line in ["ADD ./$U /x", "ADD app$U /x", "COPY $U /x"] {
        let message = error(&folder, &format!("FROM x:1\n{line}\n"));
        assert!(message.contains("write the path itself"), "{line}: {message}");
    }
}

/// It counts as empty, as the service takes no build arguments; but the image may set a variable of its name.
#[test]
fn a_source_with_an_argument_without_a_value_is_warned_of() {
    let folder = folder(&["a.txt"]);
    let of = |base: &str| warnings(&folder, &of_text(&format!("FROM {base}\nARG S\nCOPY a${{S}}.txt /x\n")));
    let said = of("x:1");
    assert!(
        said[0].contains("line 3: the ARG `S` has no value here unless the image sets it"),
        "{said:?}"
    );
    let said = of("scratch");
    assert!(
        said[0].contains("line 3: the ARG `S` has no value here, because"),
        "{said:?}"
    );
}

#[test]
fn an_argument_without_a_value_is_found_wherever_a_shell_would_put_it() {
    let folder = folder(&[]);
    for line in [
        "RUN echo \"a $VERSION\"",
        "RUN echo \"${VERSION}b\"",
        "RUN [\"sh\", \"-c\", \"echo $VERSION\"]",
        "RUN <<EOF\necho \"$VERSION\"\nEOF",
    ] {
        for text in [
            format!("FROM x:1\nARG VERSION\n{line}\n"),
            format!("FROM x:1 AS a\nARG VERSION\nFROM a\n{line}\n"),
        ] {
            let said = warnings(&folder, &of_text(&text));
            assert!(said[0].contains("the ARG `VERSION` has no value"), "{text} {said:?}");
        }
    }
}
