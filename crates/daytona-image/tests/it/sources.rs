//! Which files the sources of an instruction are.

use std::fs;

use daytona_image::{Image, PlanOptions};

use crate::support::{error, folder, names, of_text, try_plan, warnings, write};

#[test]
fn two_stars_stand_for_any_number_of_folders_with_parents_and_for_one_name_without() {
    let folder = folder(&[
        "package.json",
        "packages/a/package.json",
        "packages/a/x/package.json",
        "packages/a/x/i.js",
        "lib/b/package.json",
    ]);
    for (copy, expected) in [
        (
            "COPY --parents **/package.json ./",
            vec![
                "lib/b/package.json",
                "package.json",
                "packages/a/package.json",
                "packages/a/x/package.json",
            ],
        ),
        (
            "COPY --parents package.json packages/**/package.json ./",
            vec!["package.json", "packages/a/package.json", "packages/a/x/package.json"],
        ),
        (
            "COPY --parents packages/*/package.json ./",
            vec!["packages/a/package.json"],
        ),
        ("COPY --parents packages/./**/i.js ./", vec!["packages/a/x/i.js"]),
        ("COPY **/package.json ./", vec![]),
        ("COPY packages/**/package.json ./", vec!["packages/a/package.json"]),
    ] {
        let expected: Vec<String> = expected.into_iter().map(ToOwned::to_owned).collect();
        if expected.is_empty() {
            assert!(names(&folder, &format!("FROM x:1\n{copy}\n")).is_empty(), "{copy}");
        } else {
            assert_eq!(names(&folder, &format!("FROM x:1\n{copy}\n")), expected, "{copy}");
        }
    }
}

#[test]
fn flags_and_mounts_are_taken_out_of_their_quotes() {
    let folder = folder(&["a.txt", "x y.txt", "sr c/f", "other"]);
    for (line, expected) in [
        ("COPY --chown=\"a b\" a.txt /x", vec!["a.txt"]),
        ("COPY --from=\"b\" a.txt /x", vec![]),
        ("RUN --mount=type=bind,\"source=sr c\",target=/x y", vec!["sr c/f"]),
        ("RUN --mount='type=bind,Source=a.txt,target=/x' y", vec!["a.txt"]),
        ("COPY -- a.txt /x", vec!["a.txt"]),
    ] {
        assert_eq!(names(&folder, &format!("FROM x:1\n{line}\n")), expected, "{line}");
    }
}

#[test]
fn a_mount_of_a_command_in_code_takes_its_files() {
    let folder = folder(&["src/a", "other"]);
    let image =
        |source: &str| Image::base("x:1").run_commands([format!("--mount=type=bind,source={source},target=/s ls /s")]);
    let plan = try_plan(folder.path(), &image("src")).unwrap();
    let names: Vec<&str> = plan.members().iter().map(daytona_image::Member::name).collect();
    assert_eq!(names, ["src/a"]);
    let message = try_plan(folder.path(), &image("missing")).unwrap_err().to_string();
    assert!(
        message.contains("the source `missing` is not in the build context"),
        "{message}"
    );
}

#[test]
fn everything_ignored_is_nothing_for_all_and_an_error_for_a_name() {
    let folder = folder(&["a", "b/c"]);
    write(folder.path(), ".dockerignore", "*\n");
    let text = "FROM x:1\nCOPY . .\n";
    assert_eq!(names(&folder, text), Vec::<String>::new());
    let said = warnings(&folder, &of_text(text));
    assert!(
        said.iter()
            .any(|warning| warning.contains("everything in `.` is left out")),
        "{said:?}"
    );
    assert!(error(&folder, "FROM x:1\nCOPY a .\n").contains("`a` is left out of the build context"));
}

#[test]
fn the_generated_dockerfile_is_told_of_where_it_is_copied() {
    let folder = folder(&["a"]);
    write(folder.path(), "Dockerfile", "FROM x:1\nCOPY . .\n");
    write(folder.path(), ".dockerignore", "Dockerfile\n.dockerignore\n");
    let said = warnings(&folder, &Image::from_dockerfile("Dockerfile"));
    assert!(
        said.iter()
            .any(|warning| warning.contains("also copies the generated Dockerfile")),
        "{said:?}"
    );
    fs::remove_file(folder.path().join(".dockerignore")).unwrap();
    assert!(warnings(&folder, &Image::from_dockerfile("Dockerfile")).is_empty());
}

#[test]
fn a_large_file_named_dockerfile_is_not_read() {
    let folder = folder(&["a"]);
    let file = fs::File::create(folder.path().join("Dockerfile")).unwrap();
    file.set_len(64 * 1024 * 1024 * 1024).unwrap();
    let image = Image::base("x:1").add_local_dir(".", "/x");
    let plan = image
        .plan_with(&PlanOptions::default().base_dir(folder.path()).home(folder.path()))
        .unwrap();
    assert!(
        plan.warnings()
            .iter()
            .any(|warning| warning.message.contains("replaces it"))
    );
}

#[test]
#[cfg(target_os = "linux")]
fn a_name_that_is_not_unicode_is_an_error_only_where_it_is_wanted() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let folder = folder(&["a.txt", "b.md"]);
    fs::write(folder.path().join(OsStr::from_bytes(b"\xff.txt")), "").unwrap();
    assert!(error(&folder, "FROM x:1\nCOPY *.txt /x/\n").contains("is not UTF-8"));
    assert_eq!(names(&folder, "FROM x:1\nCOPY *.md /x/\n"), ["b.md"]);
    // It is told of the instruction that wants it, though another one looks through the directory first.
    let message = error(&folder, "FROM x:1\nCOPY *.md /x/\n\nCOPY *.txt /x/\n");
    assert!(message.contains("4: ") || message.contains("line 4"), "{message}");
}

/// BuildKit asks for files by patterns of ignore files, and copies them by those of `filepath.Match`. No file of Windows has such
/// a name.
#[cfg(unix)]
#[test]
fn a_source_has_to_match_in_both_of_buildkits_senses() {
    let folder = folder(&["st*r", "star", "back\\slash", "a b", "plain"]);
    for (source, expected) in [
        ("[\"st[\\\\*]r\", \"/x/\"]", vec![]),
        ("[\"st[\\\\\\\\*]r\", \"/x/\"]", vec!["st*r"]),
        ("st*r plain /x/", vec!["plain", "st*r", "star"]),
        ("[\"back[\\\\\\\\\\\\\\\\]slash\", \"/x/\"]", vec!["back\\slash"]),
        ("back?slash /x/", vec!["back\\slash"]),
        ("[\"a b\", \"/x/\"]", vec!["a b"]),
    ] {
        assert_eq!(
            names(&folder, &format!("FROM x:1\nCOPY {source}\n")),
            expected,
            "{source}"
        );
    }
    for source in ["back\\slash /x/", "back\\\\slash /x/", "back\\\\\\\\slash /x/"] {
        let error = error(&folder, &format!("FROM x:1\nCOPY {source}\n"));
        assert!(error.contains("line 2: the source `"), "{source}: {error}");
    }
}

/// A name with a control character cannot be asked for; it comes along with its folder. No file of Windows has such
/// a name.
#[cfg(unix)]
#[test]
fn a_control_character_cannot_be_asked_for() {
    let folder = folder(&["d/tab\tname"]);
    let refused = error(&folder, "FROM x:1\nCOPY [\"d/tab\\tname\", \"/x/\"]\n");
    assert!(
        refused.contains("line 2: the source `d/tab\\tname`") && refused.contains("control character"),
        "{refused}"
    );
    let ours = try_plan(folder.path(), &Image::base("x:1").add_local_file("d/tab\tname", "/x/"));
    assert!(ours.unwrap_err().to_string().contains("control character"));
    assert_eq!(names(&folder, "FROM x:1\nCOPY d /x/\n"), ["d/tab\tname"]);
}

/// Modes are 0644 and 0755 in the build. Whoever has others on disk hears of it, unless a mode is set.
#[test]
#[cfg(unix)]
fn a_mode_that_is_lost_is_told() {
    use std::os::unix::fs::PermissionsExt;

    use daytona_image::LocalDir;

    let folder = folder(&["d/key", "d/tool", "d/usual", "d/of-a-group"]);
    for (name, mode) in [
        ("key", 0o600),
        ("tool", 0o4755),
        ("usual", 0o644),
        ("of-a-group", 0o664),
    ] {
        fs::set_permissions(folder.path().join("d").join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    for image in [
        of_text("FROM x:1\nCOPY d /d\n"),
        of_text("FROM x:1\nCOPY --chmod=u+x d /d\n"),
        of_text("FROM x:1\nCOPY d /d\nCOPY --chmod=700 d /e\nCOPY --chmod=700 d/key /k\n"),
        of_text("FROM x:1\nCOPY --chmod=700 d /e\nCOPY d /d\n"),
        Image::base("x:1").add_local_dir("d", "/d"),
    ] {
        let told = warnings(&folder, &image);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("`d/key` (0600), `d/tool` (4755); "), "{told:?}");
    }
    for image in [
        of_text("FROM x:1\nCOPY --chmod=700 d /d\n"),
        Image::base("x:1").add_local_dir(LocalDir::new("d").chmod(0o700), "/d"),
    ] {
        assert!(warnings(&folder, &image).is_empty());
    }
}

/// Each is refused by BuildKit, too.
#[test]
fn mounts_that_cannot_be_are_refused() {
    let folder = folder(&["a"]);
    let stages = |mount: &str| {
        format!(
            "FROM x:1 AS b\nFROM x:1\nRUN {mount} x\nFROM x:1 AS later\nRUN y\nFROM x:1\nCOPY --from=1 / /\nCOPY --from=later / /\n"
        )
    };
    for (mount, part) in [
        (
            "--mount=type=bind,target=/x,required",
            "a mount of type bind has no `required`",
        ),
        (
            "--mount=type=cache,target=/x,required=true",
            "a mount of type cache has no `required`",
        ),
        (
            "--mount=required,type=secret,id=a",
            "the type has to be written before it",
        ),
        (
            "--mount=type=secret,id=a,source=b",
            "a secret has an `id` or a source, not both",
        ),
        ("--mount=type=tmpfs,target=/x,size=64x", "`size` cannot be `64x`"),
        (
            "--mount=type=cache,target=/x,size=64m",
            "a mount of type cache has no `size`",
        ),
        ("--mount=type=cache,target=/x,uid=+1", "`uid` cannot be `+1`"),
        (
            "--mount=from=b,target=/x --mount=from=B_,target=/y",
            "`--from=B_` is neither a stage nor an image",
        ),
        ("--mount=from=later,target=/x", "the stage `later` comes later"),
    ] {
        let message = error(&folder, &stages(mount));
        assert!(
            message.contains("line 3") && message.contains(part),
            "{mount}: {message}"
        );
    }
    for mount in [
        "--mount=type=secret,source=a,target=/x",
        "--mount=type=secret,id=a,required=false",
        "--mount=type=tmpfs,target=/x,size=1.5GiB",
        "--mount=from=B,target=/x",
        "--mount=from=b,target=/x --mount=from=y:1,target=/y",
    ] {
        assert_eq!(names(&folder, &stages(mount)), Vec::<String>::new(), "{mount}");
    }
}

#[cfg(unix)]
#[test]
fn an_ignore_file_that_is_a_link_is_told_of_once() {
    let folder = folder(&["a"]);
    write(folder.path(), "rules", "none\n");
    std::os::unix::fs::symlink("rules", folder.path().join(".dockerignore")).unwrap();
    let said = warnings(&folder, &of_text("FROM x:1\nCOPY . /x\n"));
    let of_it: Vec<&String> = said.iter().filter(|said| said.contains("`.dockerignore`")).collect();
    assert!(of_it.len() == 1 && of_it[0].contains("it is left out"), "{said:?}");
}

#[test]
fn the_number_of_a_stage_has_to_be_one() {
    let folder = folder(&[]);
    for (from, part) in [
        ("2", Some("there are 2 stages, counted from 0")),
        ("-1", Some("there are 2 stages")),
        ("99999999999", Some("there are 2 stages")),
        ("0", None),
        ("00", None),
        // These are names of images.
        ("0x0", None),
        ("99999999999999999999", None),
    ] {
        let text = format!("FROM x:1\nFROM x:1\nCOPY --from={from} /a /b\n");
        match part {
            Some(part) => assert!(error(&folder, &text).contains(part), "{from}"),
            None => assert_eq!(names(&folder, &text), Vec::<String>::new(), "{from}"),
        }
    }
}
