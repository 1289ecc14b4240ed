//! The Dockerfile's text, method by method.

use daytona_image::{Image, PipInstall, PlanError, PlanOptions, PythonVersion};

fn text(image: &Image) -> String {
    let plan = image.plan_with(&PlanOptions::default()).unwrap();
    plan.dockerfile()
        .strip_prefix("FROM x:1\n")
        .unwrap_or(plan.dockerfile())
        .to_owned()
}

fn error(image: &Image) -> PlanError {
    image.plan().unwrap_err()
}

fn base() -> Image {
    Image::base("x:1")
}

#[test]
fn debian_slim_pins_the_release_of_a_series() {
    let lines = "RUN apt-get update\nRUN apt-get install -y gcc gfortran build-essential\nRUN pip install --upgrade pip\n\
                 RUN echo 'debconf debconf/frontend select Noninteractive' | debconf-set-selections\n";
    for (version, release) in [
        ("3.9", "3.9.22"),
        ("3.12", "3.12.10"),
        ("3.12.4", "3.12.4"),
        ("3.13.0rc1", "3.13.0rc1"),
    ] {
        assert_eq!(
            text(&Image::debian_slim(version)),
            format!("FROM python:{release}-slim-bookworm\n{lines}")
        );
    }
    let default = text(&Image::debian_slim(PythonVersion::default()));
    assert!(default.starts_with("FROM python:3.13.3-slim"), "{default}");
}

#[test]
fn a_python_version_that_is_none_is_refused() {
    for version in ["", "latest", "2.7", "3.12.1.0", "3.12.5\n", "3.", "3.x"] {
        let message = error(&Image::debian_slim(version)).to_string();
        assert!(message.contains("is not a Python version"), "{version:?}: {message}");
    }
    for version in ["3.8", "3.14", "3.13rc1"] {
        let message = error(&Image::debian_slim(version)).to_string();
        assert!(
            message.contains("3.9, 3.10, 3.11, 3.12, 3.13"),
            "{version:?}: {message}"
        );
    }
}

#[test]
fn pip_packages_are_sorted_and_quoted() {
    assert_eq!(
        text(&base().pip_install(["b", "a>=1"])),
        "RUN python -m pip install 'a>=1' b\n"
    );
    assert_eq!(text(&base().pip_install("one")), "RUN python -m pip install one\n");
    assert_eq!(text(&base().pip_install(Vec::<String>::new())), "");
    let marker = text(&base().pip_install(["tomli; python_version < '3.11'"]));
    assert_eq!(
        marker,
        "RUN python -m pip install 'tomli; python_version < '\"'\"'3.11'\"'\"''\n"
    );
}

#[test]
fn pip_options_come_in_a_fixed_order() {
    let pip = PipInstall::new(["b", "a"])
        .extra_options(" --no-deps ")
        .pre()
        .extra_index_url("https://e1")
        .extra_index_url("https://e2")
        .index_url("https://i")
        .find_links("https://f");
    assert_eq!(
        text(&base().pip_install(pip)),
        "RUN python -m pip install a b --find-links https://f --index-url https://i --extra-index-url https://e1 \
         --extra-index-url https://e2 --pre --no-deps\n"
    );
    assert_eq!(
        text(&base().pip_install(PipInstall::new(["a"]).extra_options("  "))),
        "RUN python -m pip install a\n"
    );
}

#[test]
fn commands_are_shell_text_or_exec_lists() {
    assert_eq!(text(&base().run_commands(["a", "b && c"])), "RUN a\nRUN b && c\n");
    assert_eq!(
        text(&base().run_commands([["echo", "$HOME \"x\" \\"]])),
        "RUN [\"echo\", \"$HOME \\\"x\\\" \\\\\"]\n"
    );
    let lines = "apt-get update && \\\n    apt-get install -y git";
    assert_eq!(text(&base().run_commands([lines])), format!("RUN {lines}\n"));
}

#[test]
fn values_are_quoted() {
    assert_eq!(
        text(&base().env([("Z", "1"), ("A", "v v"), ("E", "")])),
        "ENV Z=1\nENV A='v v'\nENV E=''\n"
    );
    assert_eq!(text(&base().workdir("$HOME/x")), "WORKDIR '$HOME/x'\n");
    assert_eq!(
        text(&base().entrypoint(["écho", "a\"b\n"])),
        "ENTRYPOINT [\"écho\", \"a\\\"b\\n\"]\n"
    );
    assert_eq!(text(&base().cmd(Vec::<String>::new())), "CMD []\n");
}

#[test]
fn nothing_becomes_an_instruction() {
    let broken = [
        Image::base("alpine:3.20\nRUN id"),
        Image::base(" "),
        base().env([("A", "x\ny")]),
        base().env([("A B", "1")]),
        base().env([("", "1")]),
        base().workdir("/a\rb"),
        base().workdir(""),
        base().run_commands(["a\nCOPY / /x"]),
        base().run_commands([""]),
        base().run_commands([Vec::<String>::new()]),
        base().pip_install(["a\nb"]),
        base().pip_install([""]),
        base().pip_install(PipInstall::new(["a"]).extra_options("x\nUSER root")),
        base().cmd(["a\0b"]),
    ];
    for image in broken {
        assert_eq!(error(&image).problems().len(), 1, "{image:?}");
    }
}

#[test]
fn all_problems_come_at_once_with_their_lines() {
    let image = Image::base("").env([("1A", "x"), ("B", "\n")]).workdir("");
    let line = line!() - 1;
    let error = error(&image);
    let steps: Vec<_> = error
        .problems()
        .iter()
        .map(|problem| (problem.step, problem.method))
        .collect();
    assert_eq!(steps, [(1, "base"), (2, "env"), (2, "env"), (3, "workdir")]);
    assert!(error.problems().iter().all(|problem| problem.location.line() == line));
    assert!(
        error
            .to_string()
            .starts_with("4 problems in the image\n  step 1 (base at "),
        "{error}"
    );
}

#[test]
fn equality_and_debug_ignore_where_a_step_was_written() {
    let one = Image::base("a:1").workdir("/x");
    let other = Image::base("a:1").workdir("/x");
    assert_eq!(one, other);
    assert_eq!(format!("{one:?}"), format!("{other:?}"));
    assert_ne!(one, other.clone().workdir("/y"));
    assert_eq!(one.plan().unwrap(), one.plan().unwrap());
}

/// What is quoted is one word for a real shell.
#[test]
#[cfg(unix)]
fn quoting_survives_a_shell() {
    let words = [
        "plain",
        "a b",
        "it's",
        "\"x\"",
        "$HOME",
        "`id`",
        "back\\slash",
        "é",
        "*",
        "",
        "-n",
        "a\tb",
        "!",
    ];
    for word in words {
        let line = text(&base().env([("K", word)]));
        let quoted = line.strip_prefix("ENV K=").unwrap().trim_end_matches('\n');
        let script = format!("printf '%s' {quoted}");
        let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), word, "{quoted}");
    }
}

#[test]
fn a_thousand_steps_and_a_long_dockerfile_are_planned() {
    let image = (0..1_000).fold(base(), |image, step| {
        image.run_commands([format!("echo {step}")]).env([("K", "v")])
    });
    assert_eq!(text(&image).lines().count(), 2_000);
    let long = format!("FROM x:1\n{}", "RUN echo a && \\\n    echo b\n".repeat(4_000));
    assert!(long.len() > 100_000);
    assert_eq!(
        daytona_image::dockerfile::Dockerfile::parse(&long)
            .unwrap()
            .instructions()
            .len(),
        4_001
    );
}
