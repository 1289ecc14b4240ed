//! Targets that cannot be: refused where they are certain, and nowhere else.

use crate::support::{error, folder, names, try_plan, write};
use daytona_image::{DockerfileSource, Image};

const FILES: [&str; 6] = [
    "a.txt",
    "b.txt",
    "sub/c.txt",
    "sub/deep/d.txt",
    "other/c.txt/x",
    "other/e",
];

#[test]
fn a_target_that_cannot_be_is_refused_with_its_line_and_both_paths() {
    let folder = folder(&FILES);
    for (lines, parts) in [
        (
            "COPY a.txt /x\nCOPY sub /x",
            [
                "line 3: `sub` needs a directory at `/x`, which is already a file",
                "line 2 copied `a.txt` there",
            ],
        ),
        (
            "COPY sub /x\nCOPY a.txt /x/c.txt/",
            [
                "line 3: `a.txt` needs a directory at `/x/c.txt`",
                "line 2 copied `sub/c.txt`",
            ],
        ),
        (
            "COPY sub /x\nCOPY a.txt /x/c.txt/y",
            ["line 3: `a.txt` needs a directory at `/x/c.txt`", "line 2"],
        ),
        (
            "COPY a.txt /a\nWORKDIR /a",
            ["line 3: `/a` needs a directory at `/a`", "`a.txt`"],
        ),
        (
            "WORKDIR /w\nCOPY a.txt x\nCOPY sub ./x",
            ["line 4: `sub` needs a directory at `/w/x`", "line 3"],
        ),
        (
            "COPY a.txt sub /x",
            ["line 2: `sub` needs a directory at `/x`", "`a.txt`"],
        ),
        ("COPY [as]* /x", ["line 2: `sub` needs a directory at `/x`", "`a.txt`"]),
        (
            "COPY sub/deep /x/a.txt/\nCOPY a.txt /x/",
            [
                "line 3: `a.txt` cannot be copied to `/x/a.txt`, which is already a directory",
                "line 2",
            ],
        ),
        (
            "COPY <<EOF /x\nhi\nEOF\nCOPY sub /x",
            ["line 5: `sub` needs a directory at `/x`", "line 2 copied `EOF`"],
        ),
        (
            "COPY a.txt /x\nCOPY --parents sub/c.txt /x",
            ["line 3: `sub/c.txt` needs a directory at `/x`", "line 2"],
        ),
        (
            "COPY a.txt /x\nFROM s\nCOPY sub /x",
            ["line 4: `sub` needs a directory at `/x`", "line 2"],
        ),
        (
            "COPY a.txt /x/\nCOPY sub /x/a.txt",
            ["line 3: `sub` needs a directory at `/x/a.txt`", "line 2"],
        ),
        (
            "ADD --unpack=false a.txt /x\nCOPY sub /x",
            ["line 3: `sub` needs a directory at `/x`", "line 2"],
        ),
        (
            "COPY . /\nADD sub /a.txt",
            ["line 3: `sub` needs a directory at `/a.txt`", "line 2"],
        ),
    ] {
        let message = error(&folder, &format!("FROM scratch AS s\n{lines}\n"));
        for part in parts {
            assert!(message.contains(part), "{lines}\n{message}");
        }
    }
    // In any image what was copied below a folder is certain.
    let message = error(&folder, "FROM x:1\nCOPY a.txt /x/\nENV A=b\nCOPY sub /x/a.txt\n");
    assert!(
        message.contains("line 4: `sub` needs a directory at `/x/a.txt`"),
        "{message}"
    );
}

#[test]
fn what_may_be_is_not_refused() {
    let folder = folder(&FILES);
    for text in [
        // It may be a folder of the image.
        "FROM x:1\nCOPY a.txt /x\nCOPY sub /x\n",
        "FROM x:1\nCOPY a.txt b.txt sub /x\n",
        "FROM x:1\nWORKDIR app\nCOPY a.txt x\nCOPY sub x\n",
        // It may be another thing by then.
        "FROM scratch\nCOPY a.txt /x\nRUN mv\nCOPY sub /x\n",
        "FROM scratch\nCOPY a.txt /x\nCOPY --from=y:1 / /\nCOPY sub /x\n",
        "FROM scratch\nADD a.txt /x\nCOPY sub /x\n",
        "FROM scratch\nADD --unpack=true a.txt /x\nCOPY sub /x\n",
        "FROM scratch\nADD https://example.com/x.tar /x\nCOPY sub /x\n",
        "FROM scratch\nCOPY --from=y:1 /x /x\nCOPY a.txt /x\nCOPY sub /x\n",
        // A layer of its own is laid over what is there.
        "FROM scratch\nCOPY a.txt /x\nCOPY --link sub /x\n",
        "FROM scratch\nCOPY --link a.txt /x\nCOPY --link sub /x/\n",
        // It is left out.
        "FROM scratch\nCOPY --exclude=c.txt sub /x\nCOPY a.txt /x/c.txt/y\n",
        "FROM scratch\nCOPY --exclude=a.txt . /x\nCOPY sub /x/a.txt\n",
        // Files replace files, folders merge.
        "FROM scratch\nCOPY a.txt /x\nCOPY b.txt /x\n",
        "FROM scratch\nCOPY a.txt b.txt /x\n",
        "FROM scratch\nCOPY sub /x\nCOPY sub /x/\nCOPY sub/deep /x/deep\nCOPY a.txt /x\n",
        "FROM scratch\nWORKDIR /x\nCOPY a.txt /x\nCOPY sub /x\n",
        "FROM scratch\nCOPY sub .\nCOPY a.txt /\nCOPY sub /\n",
        // Another stage.
        "FROM scratch AS a\nCOPY a.txt /x\nFROM scratch\nCOPY sub /x\n",
        // Nobody needs it.
        "FROM scratch AS a\nCOPY a.txt /x\nCOPY sub /x\nFROM scratch\nCOPY sub /x\n",
    ] {
        assert!(!names(&folder, text).is_empty(), "{text}");
    }
}

#[test]
fn lines_are_those_of_the_callers_text() {
    let folder = folder(&FILES);
    write(
        folder.path(),
        "Dockerfile",
        "FROM x:1 AS unused\nRUN a\nFROM scratch AS app\nCOPY a.txt /x\nCOPY sub /x\n",
    );
    let image = Image::from_dockerfile(DockerfileSource::path("Dockerfile").target("app"));
    let message = crate::support::try_plan(folder.path(), &image).unwrap_err().to_string();
    assert!(
        message.starts_with("Dockerfile:5: `sub`") && message.contains("line 4 copied"),
        "{message}"
    );
}

/// A path with very many folders is not followed: each would be looked for below each of those before it.
#[test]
fn very_deep_targets_are_not_followed() {
    let folder = folder(&["d/x"]);
    let deep = "/a".repeat(8_000);
    let text = format!("FROM scratch\nCOPY d /\nWORKDIR {deep}\nCOPY d/x {deep}\nCOPY d/x {deep}/b\n");
    let plan = try_plan(folder.path(), &Image::from_dockerfile(DockerfileSource::text(text))).unwrap();
    assert_eq!(plan.members().len(), 1);
}
