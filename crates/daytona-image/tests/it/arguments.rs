//! Build arguments and the target stage, which the service does not take: they stand in the text.

use daytona_image::dockerfile::{Arguments, Dockerfile};
use daytona_image::{DockerfileSource, Image};
use proptest::prelude::*;

use crate::support::{folder, try_plan, warnings, write};

fn text(source: DockerfileSource) -> String {
    let folder = folder(&["app", "dev", "src"]);
    match try_plan(folder.path(), &Image::from_dockerfile(source)) {
        Ok(plan) => plan.dockerfile().to_owned(),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_build_argument_is_the_default_of_every_arg_of_its_name() {
    let source = |text: &str| DockerfileSource::text(text).build_arg("V", "2");
    for (before, after) in [
        ("ARG V=1\nFROM x:$V\nARG V\n", "ARG V=2\nFROM x:$V\nARG V=2\n"),
        ("FROM x:1\nARG A V=1 B=\"b c\"\n", "FROM x:1\nARG A V=2 B=\"b c\"\n"),
        (
            "FROM x:1\nARG V=1 \\\n  # why\n  A=3\nRUN $V\n",
            "FROM x:1\nARG V=2 A=3\nRUN $V\n",
        ),
        ("FROM x:1\nARG VV=1 V\nRUN x\n", "FROM x:1\nARG VV=1 V=2\nRUN x\n"),
        // A stage declares what is left without the quotes; before the first stage they belong to the name.
        ("FROM x:1\nARG \"V\"=1 'A'=b\n", "FROM x:1\nARG V=2 'A'=b\n"),
        ("ARG \"V\"=1\nFROM x:1\nARG V\n", "ARG \"V\"=1\nFROM x:1\nARG V=2\n"),
        (
            "FROM x:1 AS b\nONBUILD ARG V=1 A\nFROM b\nRUN $V\n",
            "FROM x:1 AS b\nONBUILD ARG V=2 A\nFROM b\nRUN $V\n",
        ),
    ] {
        assert_eq!(text(source(before)), after);
    }
    // The last value counts, as on a command line.
    assert_eq!(
        text(source("FROM x:1\nARG V\n").build_arg("V", "3")),
        "FROM x:1\nARG V=3\n"
    );
    // Files follow.
    let folder = folder(&["one", "two"]);
    let source = DockerfileSource::text("FROM x:1\nARG DIR=one\nCOPY $DIR /x\n").build_arg("DIR", "two");
    let plan = try_plan(folder.path(), &Image::from_dockerfile(source)).unwrap();
    assert_eq!(plan.members()[0].name(), "two");
}

#[test]
fn what_buildkit_knows_without_a_declaration_gets_one() {
    let source = DockerfileSource::text("FROM x:1 AS a\nRUN get\nFROM y:1\nCOPY --from=a /x /x\n");
    assert_eq!(
        text(source.build_arg("HTTP_PROXY", "http://p:1")),
        "FROM x:1 AS a\nARG HTTP_PROXY=http://p:1\nRUN get\nFROM y:1\nCOPY --from=a /x /x\n"
    );
    // One stage's own declaration, or one before the first stage, is not another's.
    let source = DockerfileSource::text("ARG HTTP_PROXY\nFROM x:1 AS a\nARG HTTP_PROXY\nRUN get\nFROM y:1\nRUN get\n");
    assert_eq!(
        text(source.build_arg("HTTP_PROXY", "p")),
        "ARG HTTP_PROXY=p\nFROM x:1 AS a\nARG HTTP_PROXY=p\nRUN get\nFROM y:1\nARG HTTP_PROXY=p\nRUN get\n"
    );
    let source = DockerfileSource::text("FROM x:1\nARG TARGETSTAGE TARGETOSVERSION\n");
    assert_eq!(
        text(source.build_arg("TARGETOSVERSION", "1").build_arg("TARGETSTAGE", "s")),
        "ARG TARGETOSVERSION=1\nARG TARGETSTAGE=s\nFROM x:1\nARG TARGETSTAGE=s TARGETOSVERSION=1\n"
    );
    let source = DockerfileSource::text("FROM --platform=$TARGETPLATFORM x:1\n");
    assert_eq!(
        text(source.build_arg("TARGETPLATFORM", "linux/arm64")),
        "ARG TARGETPLATFORM=linux/arm64\nFROM --platform=$TARGETPLATFORM x:1\n"
    );
}

#[test]
fn an_argument_that_nothing_declares_is_warned_of() {
    let folder = folder(&[]);
    let image = Image::from_dockerfile(DockerfileSource::text("FROM x:1\nARG V\n").build_arg("VERSION", "1"));
    let said = warnings(&folder, &image);
    assert!(
        said[0].contains("no ARG declares the build argument `VERSION`"),
        "{said:?}"
    );
    // These mean something without a declaration, and nothing to the service.
    for name in ["BUILDKIT_INLINE_CACHE", "SOURCE_DATE_EPOCH"] {
        let image = Image::from_dockerfile(DockerfileSource::text("FROM x:1\n").build_arg(name, "1"));
        let said = warnings(&folder, &image);
        assert!(said.len() == 1 && said[0].contains("is for the builder"), "{said:?}");
    }
}

#[test]
fn a_value_cannot_become_an_instruction() {
    let folder = folder(&[]);
    for value in ["a\nRUN evil", "a\rb", "a\0b"] {
        let source = DockerfileSource::text("FROM x:1\nARG V\n").build_arg("V", value);
        let message = try_plan(folder.path(), &Image::from_dockerfile(source))
            .unwrap_err()
            .to_string();
        assert!(message.contains("the build argument"), "{message}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any value stays one word, in both escape characters: a source that is the argument is looked for under this very name.
    #[test]
    fn any_value_stays_one_word(value in "[^\n\r\0/$*?\\[\\\\`]{1,12}", escape in prop::sample::select(vec!["", "# escape=`\n"])) {
        prop_assume!(!matches!(value.as_str(), "." | ".."));
        let text = format!("{escape}FROM scratch\nARG V\nRUN x\n");
        let source = DockerfileSource::text(text).build_arg("V", &value);
        let folder = folder(&[]);
        let plan = try_plan(folder.path(), &Image::from_dockerfile(source)).unwrap();
        let read = Dockerfile::parse(plan.dockerfile()).unwrap();
        prop_assert_eq!(read.instructions().len(), 3);
        let Arguments::Words(words) = read.instructions()[1].arguments() else { panic!() };
        prop_assert_eq!(words.len(), 1);
    }
}

#[test]
fn the_target_and_what_it_needs_is_what_is_left() {
    let stages = "ARG G=1\n# base\nFROM x:$G AS base\nRUN base\nFROM base AS dev\nCOPY dev /dev\nENTRYPOINT [\"dev\"]\n\
                  FROM base AS build\nCOPY src /src\n# last\nFROM y:1 AS app\nCOPY --from=build /src /x\nENTRYPOINT [\"app\"]\n";
    let source = || DockerfileSource::text(stages);
    assert_eq!(
        text(source().target("DEV")),
        "ARG G=1\n# base\nFROM x:$G AS base\nRUN base\nFROM base AS dev\nCOPY dev /dev\nENTRYPOINT [\"dev\"]\n"
    );
    assert_eq!(text(source().target("")), stages, "the last stage");
    let folder = folder(&["dev", "src"]);
    let plan = try_plan(folder.path(), &Image::from_dockerfile(source().target("dev"))).unwrap();
    assert_eq!(plan.entrypoint(), ["dev"]);
    assert_eq!(plan.members().len(), 1);
    let plan = try_plan(folder.path(), &Image::from_dockerfile(source().target("app"))).unwrap();
    assert_eq!(plan.entrypoint(), ["app"]);
    assert!(!plan.dockerfile().contains("AS dev"), "{}", plan.dockerfile());
    let message = try_plan(folder.path(), &Image::from_dockerfile(source().target("nope")))
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("the stages are `base`, `dev`, `build`, `app`"),
        "{message}"
    );
}

/// Which stages a target needs may depend on the arguments.
#[test]
fn a_target_needs_the_stages_that_the_arguments_choose() {
    let source = || {
        DockerfileSource::text(
            "ARG ENV=src\nFROM x:1 AS src\nCOPY src /\nFROM x:1 AS dev\nCOPY dev /\nFROM ${ENV} AS final\nCOPY app /\nFROM x:1\nCOPY no /\n",
        )
        .target("final")
    };
    assert_eq!(
        text(source()),
        "ARG ENV=src\nFROM x:1 AS src\nCOPY src /\nFROM ${ENV} AS final\nCOPY app /\n"
    );
    assert_eq!(
        text(source().build_arg("ENV", "dev")),
        "ARG ENV=dev\nFROM x:1 AS dev\nCOPY dev /\nFROM ${ENV} AS final\nCOPY app /\n"
    );
    let problem = DockerfileSource::text("FROM x:1 AS a\nRUN a\nFROM y:1 AS b\nARG V=1\nCOPY $V /\n");
    let folder = folder(&[]);
    let image = Image::from_dockerfile(problem.target("b").build_arg("V", "none"));
    let error = try_plan(folder.path(), &image).unwrap_err().to_string();
    assert!(error.contains("Dockerfile:5:") || error.contains("line 5"), "{error}");
}

#[test]
fn a_stage_that_is_named_by_its_number_keeps_it() {
    let stages = "FROM x:1\nRUN a\nFROM x:1\nRUN b\nFROM y:1 AS app\nCOPY --from=1 /x /x\nFROM z:1\nRUN c\n";
    assert_eq!(
        text(DockerfileSource::text(stages).target("app")),
        "FROM x:1\nRUN a\nFROM x:1\nRUN b\nFROM y:1 AS app\nCOPY --from=1 /x /x\n"
    );
}

#[test]
fn problems_name_the_lines_of_the_callers_file() {
    let folder = folder(&[]);
    let text = "FROM x:1 AS unused\nRUN a\nFROM x:1 AS app\nARG V=1 \\\n  W=2\nRUN b\nCOPY missing /x\n";
    write(folder.path(), "Dockerfile", text);
    let source = DockerfileSource::path("Dockerfile")
        .target("app")
        .build_arg("V", "2")
        .build_arg("HTTP_PROXY", "p");
    let message = try_plan(folder.path(), &Image::from_dockerfile(source))
        .unwrap_err()
        .to_string();
    assert!(message.starts_with("Dockerfile:7: the source `missing`"), "{message}");
}

#[test]
fn problems_of_the_changed_text_name_the_lines_of_the_callers_file() {
    let folder = folder(&[]);
    let text = "FROM x:1 AS unused\nRUN a\nFROM x:1 AS app\nARG V\n";
    write(folder.path(), "Dockerfile", text);
    let source = DockerfileSource::path("Dockerfile")
        .target("app")
        .build_arg("V", "v".repeat(70_000));
    let message = try_plan(folder.path(), &Image::from_dockerfile(source))
        .unwrap_err()
        .to_string();
    assert!(
        message.starts_with("Dockerfile:4: the line has more than 65535 bytes"),
        "{message}"
    );
}
