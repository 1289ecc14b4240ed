//! Links, and what else is neither a file nor a folder.

use daytona_image::Links;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

use super::*;

#[test]
fn links_inside_the_folder_are_sent_as_their_content() {
    let folder = Folder::new(&["a/real/x", "a/y"]);
    symlink("real", folder.path().join("a/link")).unwrap();
    symlink("real/x", folder.path().join("a/file")).unwrap();
    let plan = folder.plan(&base().add_local_dir("a", "/a"));
    assert_eq!(names(&plan), ["a/file", "a/link/x", "a/real/x", "a/y"]);
    assert_eq!(plan.members()[0].size(), "a/real/x".len() as u64);
    let warnings: Vec<String> = plan.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].contains("links are sent as the files that they lead to")
            && warnings[0].contains("`a/file`, `a/link`"),
        "{warnings:?}"
    );
}

#[test]
fn what_was_named_may_be_a_link() {
    let folder = Folder::new(&["real/x", "outside"]);
    symlink("real", folder.path().join("link")).unwrap();
    symlink("outside", folder.path().join("file")).unwrap();
    let plan = folder.plan(&base().add_local_dir("link", "/a").add_local_file("file", "/b"));
    assert_eq!(names(&plan), ["file", "link/x"]);
    assert!(plan.warnings().is_empty(), "{:?}", plan.warnings());
}

/// BuildKit follows a source that is a link, but not with `--parents`.
#[test]
fn a_link_that_would_stay_one_is_told() {
    let folder = Folder::new(&["real/x"]);
    symlink("real", folder.path().join("link")).unwrap();
    symlink("real/x", folder.path().join("file")).unwrap();
    for (line, told) in [
        ("COPY file link /x/", ""),
        ("COPY l* f* /x/", ""),
        ("COPY --parents file /x/", "`file`"),
        ("COPY --parents link /x/", "`link`"),
        ("COPY --parents l* /x/", "`link`"),
        ("COPY file /x/\nCOPY --parents file /y/", "`file`"),
        ("COPY --parents file /x/\nCOPY file /y/", "`file`"),
        (
            "COPY --chmod=644 file /x/\nCOPY --parents --chmod=644 file /y/",
            "`file`",
        ),
    ] {
        let text = format!("FROM x:1\n{line}\n");
        let plan = folder.plan(&Image::from_dockerfile(daytona_image::DockerfileSource::text(text)));
        let said: Vec<&str> = plan.warnings().iter().map(|warning| warning.message.as_str()).collect();
        match told {
            "" => assert!(said.is_empty(), "{line}: {said:?}"),
            told => assert!(
                said.len() == 1 && said[0].contains(&format!("files that they lead to: {told};")),
                "{line}: {said:?}"
            ),
        }
    }
}

#[test]
fn what_cannot_be_sent_is_left_out_with_one_warning_or_refused() {
    let folder = Folder::new(&["a/x", "secret"]);
    let at = |name: &str| folder.path().join("a").join(name);
    symlink("../secret", at("escape")).unwrap();
    symlink("nothing", at("broken")).unwrap();
    symlink(".", at("loop")).unwrap();
    symlink("self", at("self")).unwrap();
    let _socket = UnixListener::bind(at("socket")).unwrap();
    let parts = [
        "`a/escape` leads out of the named directory, to `../secret`",
        "`a/broken` leads to nothing",
        "`a/loop` leads back",
        "`a/self` leads back",
        "`a/socket` is a FIFO, socket or device",
    ];
    let message = folder.error(&base().add_local_dir(LocalDir::new("a").links(Links::Strict), "/a"));
    assert!(message.contains("5 problems"), "{message}");
    let plan = folder.plan(&base().add_local_dir("a", "/a"));
    assert_eq!(names(&plan), ["a/x"]);
    assert_eq!(plan.warnings().len(), 1);
    for part in parts {
        assert!(message.contains(part), "{part}: {message}");
        assert!(
            plan.warnings()[0].message.contains(part),
            "{part}: {:?}",
            plan.warnings()
        );
    }
}

#[test]
fn what_was_named_itself_has_to_be_sendable() {
    let folder = Folder::new(&["a/x", "secret"]);
    symlink("gone", folder.path().join("a/broken")).unwrap();
    let message = folder.error(&base().add_local_file("a/broken", "/x"));
    assert!(message.contains("`a/broken` leads to nothing"), "{message}");
    let walk = |path: &str| {
        daytona_image::walk::Walk::new(folder.path().join("a"))
            .below(path)
            .run()
    };
    assert_eq!(walk("broken").problems.len(), 1);
    assert_eq!(walk("").problems.len(), 0);
}

#[test]
fn folders_that_link_to_each_other_end() {
    let folder = Folder::new(&["r/a/x", "r/b/y"]);
    symlink("../b", folder.path().join("r/a/to_b")).unwrap();
    symlink("../a", folder.path().join("r/b/to_a")).unwrap();
    let plan = folder.plan(&base().add_local_dir("r", "/r"));
    assert_eq!(names(&plan), ["r/a/to_b/y", "r/a/x", "r/b/to_a/x", "r/b/y"]);
    let warning = &plan.warnings()[0].message;
    assert!(warning.contains("`r/a/to_b/to_a` leads back"), "{warning}");
}

/// The folder that was named is the root of everything.
#[test]
fn targets_end_at_the_root() {
    let folder = Folder::new(&["r/b/c", "r/d/e", "b/c", "outside"]);
    symlink("/b", folder.path().join("r/absolute")).unwrap();
    symlink("../../../d/e", folder.path().join("r/b/above")).unwrap();
    symlink("absolute/c", folder.path().join("r/chain")).unwrap();
    symlink(folder.path().join("outside"), folder.path().join("r/out")).unwrap();
    let plan = folder.plan(&base().add_local_dir("r", "/r"));
    assert_eq!(
        names(&plan),
        [
            "r/absolute/above",
            "r/absolute/c",
            "r/b/above",
            "r/b/c",
            "r/chain",
            "r/d/e"
        ]
    );
    let source = |name: &str| {
        plan.members()
            .iter()
            .find(|member| member.name() == name)
            .unwrap()
            .source()
    };
    let root = fs::canonicalize(folder.path()).unwrap();
    assert_eq!(source("r/absolute/c"), root.join("r/b/c"));
    assert_eq!(source("r/b/above"), root.join("r/d/e"));
}

#[test]
fn what_lies_below_a_link_is_decided_by_its_real_name_and_by_that_of_the_link() {
    let folder = Folder::new(&["a/app/.env", "a/app/main", "a/app/sub/key", "a/y"]);
    symlink("app", folder.path().join("a/current")).unwrap();
    symlink("app/.env", folder.path().join("a/env")).unwrap();
    let sent = |patterns: &[&str]| {
        let plan = folder.plan(&base().add_local_dir(LocalDir::new("a").ignore(patterns.to_vec()), "/a"));
        let sent: Vec<String> = names(&plan).into_iter().map(str::to_owned).collect();
        let warnings: Vec<String> = plan.warnings().iter().map(|warning| warning.message.clone()).collect();
        (sent.join(" "), warnings.join(" "))
    };
    // By the real name, below the link and for a link to a file.
    let (all, _) = sent(&["app/.env"]);
    assert_eq!(all, "a/app/main a/app/sub/key a/current/main a/current/sub/key a/y");
    let (all, _) = sent(&["**/sub", "app/.env"]);
    assert_eq!(all, "a/app/main a/current/main a/y");
    // By the link's name, with a warning, as Docker would send it.
    let (all, warnings) = sent(&["current/sub", "**/.env"]);
    assert_eq!(all, "a/app/main a/app/sub/key a/current/main a/y");
    assert!(warnings.contains("`a/current/sub` by current/sub"), "{warnings}");
    // The link itself; and what its target is excepted from.
    let (all, _) = sent(&["current", "env"]);
    assert_eq!(all, "a/app/.env a/app/main a/app/sub/key a/y");
    let (all, _) = sent(&["app", "!app/main", "env"]);
    assert_eq!(all, "a/app/main a/current/main a/y");
    let (all, _) = sent(&["app"]);
    assert_eq!(all, "a/y");
}

#[test]
fn names_do_not_steer_the_terminal() {
    let folder = Folder::new(&["a/x"]);
    symlink("gone\u{1b}[2J", folder.path().join("a/\u{1b}]0;owned\u{7}")).unwrap();
    fs::create_dir(folder.path().join("a/\u{9b}2J")).unwrap();
    fs::write(folder.path().join("a/.dockerignore"), "\u{1b}[31m[\n").unwrap();
    let shown = [
        folder.error(&base().add_local_dir("a", "/a")),
        {
            fs::write(folder.path().join("a/.dockerignore"), "").unwrap();
            folder.error(&base().add_local_dir(LocalDir::new("a").links(Links::Strict), "/a"))
        },
        format!(
            "{:?}",
            folder
                .plan(&base().add_local_dir("a", "/a"))
                .warnings()
                .iter()
                .map(|warning| warning.message.clone())
                .collect::<String>()
                .chars()
                .filter(|character| character.is_control())
                .count()
        ),
    ];
    for text in &shown {
        assert!(
            !text
                .chars()
                .any(|character| character.is_control() && character != '\n'),
            "{text:?}"
        );
    }
    assert!(shown[0].contains("\\u{1b}[31m["), "{}", shown[0]);
    assert_eq!(shown[2], "0");
}

#[test]
fn modes_are_reduced_to_what_the_owner_may_execute() {
    let folder = Folder::new(&["a/run", "a/data"]);
    fs::set_permissions(folder.path().join("a/run"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(folder.path().join("a/data"), fs::Permissions::from_mode(0o666)).unwrap();
    let plan = folder.plan(&base().add_local_dir("a", "/a"));
    let modes: Vec<_> = plan
        .members()
        .iter()
        .map(|member| (member.name(), member.mode()))
        .collect();
    assert_eq!(modes, [("a/data", 0o644), ("a/run", 0o755)]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_name_that_is_not_unicode_is_refused() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let folder = Folder::new(&["a/x"]);
    fs::write(folder.path().join("a").join(OsStr::from_bytes(b"\xff")), "").unwrap();
    let message = folder.error(&base().add_local_dir("a", "/a"));
    assert!(message.contains("is not UTF-8"), "{message}");
}
