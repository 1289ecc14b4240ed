//! What is in an image, as far as it can be known.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use daytona_emulator::{BuiltImage, Doubt, Emulator, Lookup, Unknown};
use serde_json::{Value, json};

use crate::support::Asked;

mod limits;

/// The members of an archive: name, mode, bytes.
pub(crate) fn archive(members: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, mode, content) in members {
        let mut header = tar::Header::new_ustar();
        header.set_mode(*mode);
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

/// Builds from one archive, and gives the image or the reason why there is none.
pub(crate) async fn build(dockerfile: &str, members: &[(&str, u32, &[u8])]) -> Result<Arc<BuiltImage>, String> {
    let asked = Asked::with(Emulator::builder().in_process().unwrap());
    asked.emulator.clock().hold();
    let key = format!("{}/one/context.tar", asked.emulator.organization_id());
    asked.emulator.put_object(&key, &archive(members)).unwrap();
    let info = json!({"dockerfileContent": dockerfile, "contextHashes": ["one"]});
    let (status, body) = asked.create(json!({"name": "x", "buildInfo": info})).await;
    assert_eq!(status, 200, "{body}");
    asked.emulator.clock().advance(Duration::from_mins(10));
    let (_, body) = asked.get("/snapshots/x").await;
    if let Value::String(reason) = &body["errorReason"] {
        return Err(reason.clone());
    }
    Ok(asked.emulator.image("x").await.unwrap())
}

/// The files of an image, with their bytes.
fn files(image: &BuiltImage) -> BTreeMap<String, String> {
    let read = image.files().map(|file| {
        let bytes = file.read().unwrap();
        (file.path.clone(), String::from_utf8_lossy(&bytes).into_owned())
    });
    read.collect()
}

fn expected(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    files
        .iter()
        .map(|(path, content)| ((*path).to_owned(), (*content).to_owned()))
        .collect()
}

const CONTEXT: [(&str, u32, &[u8]); 6] = [
    ("a.txt", 0o644, b"a"),
    ("b.txt", 0o644, b"b"),
    ("dir/.hidden", 0o644, b"h"),
    ("dir/run.sh", 0o755, b"#!"),
    ("dir/sub/deep.txt", 0o644, b"d"),
    ("odd[1].txt", 0o644, b"o"),
];

#[tokio::test]
async fn copies_go_where_docker_puts_them() {
    for (lines, wanted) in [
        ("COPY a.txt /to", vec![("/to", "a")]),
        ("COPY a.txt /to/", vec![("/to/a.txt", "a")]),
        ("COPY a.txt b.txt /to/", vec![("/to/a.txt", "a"), ("/to/b.txt", "b")]),
        (
            "COPY dir /to",
            vec![("/to/.hidden", "h"), ("/to/run.sh", "#!"), ("/to/sub/deep.txt", "d")],
        ),
        ("COPY dir/sub /to/", vec![("/to/deep.txt", "d")]),
        (
            "COPY dir/* /to/",
            vec![("/to/.hidden", "h"), ("/to/deep.txt", "d"), ("/to/run.sh", "#!")],
        ),
        (
            "COPY ?.txt odd[[]1].txt /to/",
            vec![("/to/a.txt", "a"), ("/to/b.txt", "b"), ("/to/odd[1].txt", "o")],
        ),
        (
            "COPY --parents dir/sub/deep.txt a.txt /to/",
            vec![("/to/a.txt", "a"), ("/to/dir/sub/deep.txt", "d")],
        ),
        ("COPY --parents dir/./sub /to/", vec![("/to/sub/deep.txt", "d")]),
        // Patterns are relative to each source, which is not excluded itself.
        (
            "COPY --exclude=*.txt --exclude=sub dir a.txt /to/",
            vec![("/to/.hidden", "h"), ("/to/a.txt", "a"), ("/to/run.sh", "#!")],
        ),
        ("COPY a.txt b.txt /to", vec![("/to", "b")]),
        (
            "FROM scratch AS base\nARG SRC=dir\nFROM base\nCOPY ${SRC}/sub/ /w/",
            vec![("/w/deep.txt", "d")],
        ),
        (
            "WORKDIR /w\nCOPY a.txt .\nWORKDIR in\nCOPY b.txt ./x/",
            vec![("/w/a.txt", "a"), ("/w/in/x/b.txt", "b")],
        ),
        ("WORKDIR /w\nCOPY a.txt /w", vec![("/w/a.txt", "a")]),
        (
            "ENV D=/to F=a\nARG G=${F}.txt\nCOPY $G ${D:-/other}/",
            vec![("/to/a.txt", "a")],
        ),
        ("COPY a.txt /x\nCOPY b.txt /x", vec![("/x", "b")]),
        (
            "COPY <<EOF <<'RAW' /to/\nv=$V\nEOF\nv=$V\nRAW",
            vec![("/to/EOF", "v=\n"), ("/to/RAW", "v=$V\n")],
        ),
        (
            "ENV V=1\nCOPY <<-END /file\n\tone $V\n\tEND",
            vec![("/file", "one 1\n")],
        ),
        (
            "FROM scratch AS made\nCOPY dir /out\nFROM scratch\nCOPY --from=made /out/sub /to\nCOPY --from=1 /out/r*.sh /to/",
            vec![("/to/deep.txt", "d"), ("/to/run.sh", "#!")],
        ),
        (
            "FROM scratch AS Base\nCOPY a.txt /x\nFROM base\nCOPY b.txt /y",
            vec![("/x", "a"), ("/y", "b")],
        ),
        (
            "FROM scratch AS one\nONBUILD COPY a.txt /triggered\nFROM one",
            vec![("/triggered", "a")],
        ),
        // A stage that nothing needs is not built, whatever is missing in it.
        (
            "FROM scratch AS unused\nCOPY nowhere /x\nFROM scratch\nCOPY a.txt /x",
            vec![("/x", "a")],
        ),
        ("ADD a.txt /to/", vec![("/to/a.txt", "a")]),
    ] {
        let image = build(&format!("FROM scratch\n{lines}\n"), &CONTEXT).await;
        let image = image.unwrap_or_else(|reason| panic!("{lines}: {reason}"));
        assert_eq!(files(&image), expected(&wanted), "{lines}");
    }
}

#[tokio::test]
async fn modes_and_owners_are_those_of_the_context_or_of_the_flags() {
    let lines = "FROM scratch\nCOPY dir /to\nCOPY --chmod=0600 --chown=1:2 a.txt /a\nCOPY --chmod=u+x b.txt /b\n";
    let image = build(lines, &CONTEXT).await.unwrap();
    let mode = |path: &str| image.file(path).unwrap().mode;
    assert_eq!(
        (mode("/to/run.sh"), mode("/to/.hidden"), mode("/a")),
        (0o755, 0o644, 0o600)
    );
    assert_eq!(image.file("/a").unwrap().owner.as_deref(), Some("1:2"));
    assert_eq!((mode("/b"), image.file("/b").unwrap().doubt.as_ref()), (0o744, None));
}

#[tokio::test]
async fn what_is_wrong_fails_in_the_builders_words() {
    for (lines, reason) in [
        ("COPY nowhere /x", "\"/nowhere\": not found"),
        ("COPY none/*.txt /x/", "\"/none/*.txt\": not found"),
        ("COPY [a.txt /x/", "syntax error in pattern"),
        ("COPY --chmod=9 a.txt /x", "invalid chmod parameter"),
        ("COPY a.txt /x\nCOPY dir /x", "cannot copy to non-directory: /x"),
        (
            "COPY dir /x/a.txt\nCOPY a.txt /x/",
            "cannot replace to directory /x/a.txt with file",
        ),
        (
            "COPY a.txt",
            "COPY requires at least two arguments, but only 1 were provided",
        ),
        ("COPY --nonsense a.txt /x", "unknown flag: --nonsense"),
        (
            "RUN --mount=type=bind,source=nowhere,target=/x true",
            "\"/nowhere\": not found",
        ),
        (
            "FROM scratch AS s\nFROM scratch\nCOPY --from=s /none /x",
            "emulator::s: \"/none\": not found",
        ),
        (
            "FROM scratch AS s\nFROM scratch\nRUN --mount=type=bind,from=s,source=/none,target=/x true",
            "emulator::s: \"/none\": not found",
        ),
        (
            "RUN exit 7",
            "process \"/bin/sh -c exit 7\" did not complete successfully: exit code: 7",
        ),
        (
            "RUN [\"false\"]",
            "process \"false\" did not complete successfully: exit code: 1",
        ),
        (
            "RUN false",
            "process \"/bin/sh -c false\" did not complete successfully: exit code: 1",
        ),
        ("ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"),
        (
            "COPY it's /x",
            "unexpected end of statement while looking for matching single-quote",
        ),
        ("COPY ${A:?needed} /x", "A: needed"),
    ] {
        let error = build(&format!("FROM scratch\n{lines}\n"), &CONTEXT).await.err();
        let error = error.unwrap_or_else(|| panic!("{lines}: was built"));
        assert!(error.contains(reason), "{lines}: {error}");
    }
}

#[tokio::test]
async fn what_cannot_be_known_is_said_to_be_unknown() {
    let text = "FROM python:3.12 AS made\nRUN make\nFROM alpine:3.20\nCOPY a.txt /a.txt\nRUN change\nCOPY b.txt /b/\nCOPY --from=made /out /out\nADD https://h/x.tgz /got/\n";
    let image = build(text, &CONTEXT).await.unwrap();
    assert_eq!(
        image.unknown(),
        [
            Unknown::BaseImage {
                image: "alpine:3.20".to_owned()
            },
            Unknown::Run { line: 5 },
        ]
    );
    assert!(matches!(
        image.lookup("/etc/passwd"),
        Lookup::Unknown(Unknown::Run { line: 5 })
    ));
    assert!(matches!(
        image.lookup("/out"),
        Lookup::Unknown(Unknown::Copied { line: 7, .. })
    ));
    let nameless = build("FROM scratch\nADD https://h /got/\nADD https://h/ /got/\n", &CONTEXT)
        .await
        .unwrap();
    assert_eq!(nameless.unknown().len(), 2);
    assert!(matches!(
        image.lookup("/out/below"),
        Lookup::Unknown(Unknown::Copied { .. })
    ));
    assert!(matches!(
        image.lookup("/got/x.tgz"),
        Lookup::Unknown(Unknown::Added { line: 8, .. })
    ));
    assert!(matches!(image.lookup("/b"), Lookup::Directory));
    assert_eq!(image.file("/a.txt").unwrap().doubt, Some(Doubt::TargetMayBeDirectory));
    assert_eq!(image.file("/b/b.txt").unwrap().doubt, None);

    let image = build(
        "FROM alpine:3.20\nCOPY dir /d\nRUN change\nCOPY a.txt here/\n",
        &CONTEXT,
    )
    .await
    .unwrap();
    assert_eq!(
        image.file("/d/run.sh").unwrap().doubt,
        Some(Doubt::RunAfter { line: 3 })
    );
    assert_eq!(
        image.file("/here/a.txt").unwrap().doubt,
        Some(Doubt::WorkdirOfBaseImage)
    );
    let image = build("FROM scratch\nCOPY a.txt /a\n", &CONTEXT).await.unwrap();
    assert!(matches!(image.lookup("/b"), Lookup::Absent));
    assert_eq!(image.file("/a").unwrap().doubt, None);
}

#[tokio::test]
async fn archives_are_unpacked_by_add() {
    let inner = archive(&[("in/x", 0o700, b"x"), ("y", 0o644, b"y")]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&inner).unwrap();
    let gzip = gzip.finish().unwrap();
    let context: [(&str, u32, &[u8]); 4] = [
        ("plain.tar", 0o644, &inner),
        ("small.tgz", 0o644, &gzip),
        ("odd.bz2", 0o644, b"BZh9 and so on"),
        ("note.gz", 0o644, &[0x1f, 0x8b, 0, 0]),
    ];
    for name in ["plain.tar", "small.tgz"] {
        let image = build(&format!("FROM scratch\nADD {name} /to/\n"), &context)
            .await
            .unwrap();
        assert_eq!(files(&image), expected(&[("/to/in/x", "x"), ("/to/y", "y")]), "{name}");
        assert_eq!(image.file("/to/in/x").unwrap().mode, 0o700);
    }
    let image = build(
        "FROM scratch\nCOPY plain.tar /to/\nADD --unpack=false small.tgz /to/\n",
        &context,
    )
    .await
    .unwrap();
    assert_eq!(image.files().count(), 2);
    let image = build("FROM scratch\nADD odd.bz2 /to/\n", &context).await.unwrap();
    assert!(matches!(image.unknown(), [Unknown::Added { line: 2, .. }]), "{image:?}");
    // What only begins like an archive is a file.
    let image = build("FROM scratch\nADD note.gz /to/\n", &context).await.unwrap();
    assert!(image.file("/to/note.gz").is_some(), "{image:?}");
}

#[tokio::test]
async fn the_configuration_is_that_of_the_last_stage() {
    let text = "ARG V=1\nFROM scratch AS base\nENV A=$V B=\"b c\"\nARG V\nENV C=$V OLD\\ STYLE=x\nFROM base\nWORKDIR /w\nUSER me\nLABEL a=b \"c d\"='e f'\nEXPOSE 80 443/tcp\nENTRYPOINT run it\nSHELL [\"bash\", \"-c\"]\nCMD go\n";
    let image = build(text, &CONTEXT).await.unwrap();
    assert_eq!(image.env["A"], "");
    assert_eq!((image.env["B"].as_str(), image.env["C"].as_str()), ("b c", "1"));
    assert_eq!(
        (image.workdir.as_deref(), image.user.as_deref()),
        (Some("/w"), Some("me"))
    );
    assert_eq!(image.labels["c d"], "e f");
    assert_eq!(image.exposed, ["80", "443/tcp"]);
    assert_eq!(image.entrypoint.as_deref().unwrap(), ["/bin/sh", "-c", "run it"]);
    assert_eq!(image.cmd.as_deref().unwrap(), ["bash", "-c", "go"]);
}
