//! What a build may cost.

use std::time::Duration;

use serde_json::{Value, json};

use super::{CONTEXT, archive, build, files};
use crate::support::Asked;

/// The names of this many files in one directory.
fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("d/{number}")).collect()
}

fn empty_files(names: &[String]) -> Vec<(&str, u32, &[u8])> {
    names.iter().map(|name| (name.as_str(), 0o644, &b""[..])).collect()
}

/// No text of variables aborts the process, or fills the memory.
#[tokio::test]
async fn variables_have_a_budget() {
    for depth in [200, 10_000] {
        let deep = format!("FROM scratch\nENV X={}{}\n", "${a-".repeat(depth), "}".repeat(depth));
        let error = build(&deep, &[]).await.unwrap_err();
        assert!(error.contains("levels deep"), "{error}");
    }
    let doubled = format!(
        "FROM scratch AS a\nENV A=0123456789abcdef\n{}",
        "ENV A=$A$A\n".repeat(15)
    );
    let lines = |line: &dyn Fn(usize) -> String| (0..2_000).map(line).collect::<String>();
    for more in [
        lines(&|number| format!("ENV B{number}=$A\n")),
        lines(&|number| format!("ARG B{number}=$A\n")),
        lines(&|number| format!("LABEL b{number}=$A\n")),
        lines(&|number| format!("WORKDIR /${{A}}{number}\n")),
        lines(&|_| "COPY $A$A /x\n".to_owned()),
        lines(&|number| format!("FROM a AS a\nENV B{number}=$A\n")),
    ] {
        let error = build(&format!("{doubled}{more}"), &[]).await.unwrap_err();
        assert!(error.contains("the names and values of a build may take"), "{error}");
    }
    let slow = format!("{doubled}{}", lines(&|_| "ENV B=${A##*a*b*c*d*e*f*0*z}\n".to_owned()));
    let error = build(&slow, &[]).await.unwrap_err();
    assert!(error.contains("take too long"), "{error}");
}

/// None of these fills the memory, writes outside, or keeps the builder busy for long.
#[tokio::test]
async fn hostile_input_is_given_up_on() {
    let doubling = format!(
        "FROM scratch\nENV A=aaaaaaaa\n{}COPY a.txt /$A\n",
        "ENV A=$A$A\n".repeat(60)
    );
    let error = build(&doubling, &CONTEXT).await.unwrap_err();
    assert!(error.contains("texts of at most"), "{error}");

    let names = names(2_000);
    let many = empty_files(&names);
    let copies = format!("FROM scratch\n{}", "COPY d /x\n".repeat(4_000));
    let error = build(&copies, &many).await.unwrap_err();
    assert!(error.contains("may copy at most"), "{error}");

    // Stages share what they have in common.
    let stages = format!("FROM scratch AS s\nCOPY d /x\n{}", "FROM s AS s\n".repeat(5_000));
    assert_eq!(build(&stages, &many).await.unwrap().files().count(), 2_000);
    let stages = format!(
        "FROM scratch AS s\nCOPY d /x\n{}COPY --from=s /x /y\n",
        "FROM s\nCOPY a.txt /a\nFROM scratch\n".repeat(10)
    );
    let members = [many.as_slice(), &CONTEXT].concat();
    assert_eq!(build(&stages, &members).await.unwrap().files().count(), 2_000);
    let many_stages = "FROM scratch\n".repeat(20_000);
    let error = build("FROM scratch\n", &[("Dockerfile", 0o644, many_stages.as_bytes())])
        .await
        .unwrap_err();
    assert!(error.contains("at most 10000 stages"), "{error}");

    let escaping: [(&str, u32, &[u8]); 1] = [("x", 0o644, b"x")];
    let asked = Asked::new();
    asked.emulator.clock().hold();
    let mut bytes = archive(&escaping);
    // The name of the only member, and the sum of its header.
    bytes[..13].copy_from_slice(b"../../../etc/");
    bytes[148..156].copy_from_slice(b"        ");
    let sum: u32 = bytes[..512].iter().map(|byte| u32::from(*byte)).sum();
    bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let key = format!("{}/one/context.tar", asked.emulator.organization_id());
    asked.emulator.put_object(&key, &bytes).unwrap();
    let info = json!({"dockerfileContent": "FROM scratch\nCOPY . /in/\n", "contextHashes": ["one"]});
    asked.create(json!({"name": "x", "buildInfo": info})).await;
    asked.emulator.clock().advance(Duration::from_mins(10));
    let image = asked.emulator.image("x").await.unwrap();
    assert!(image.file("/in/etc").is_some(), "{:?}", files(&image).keys());
}

/// One archive that is named over and over is read once.
#[tokio::test]
async fn what_a_context_costs_is_counted_once() {
    let names = names(20_000);
    let many = empty_files(&names);
    let asked = Asked::new();
    asked.emulator.clock().hold();
    let key = format!("{}/one/context.tar", asked.emulator.organization_id());
    asked.emulator.put_object(&key, &archive(&many)).unwrap();
    // A context holds at most a million members: one hundred times these are more.
    let hashes = vec!["one"; 100];
    let info = json!({"dockerfileContent": "FROM scratch\nCOPY d /x\n", "contextHashes": hashes});
    let (status, body) = asked.create(json!({"name": "x", "buildInfo": info})).await;
    assert_eq!(status, 200, "{body}");
    asked.emulator.clock().advance(Duration::from_mins(10));
    let (_, body) = asked.get("/snapshots/x").await;
    assert_eq!(body["errorReason"], Value::Null);
    assert_eq!(asked.emulator.image("x").await.unwrap().files().count(), 20_000);
}

/// As many patterns as anybody writes are asked about as many files as anybody has.
#[tokio::test]
async fn many_patterns_are_asked_about_many_files() {
    let names = names(20_000);
    let many = empty_files(&names);
    let excludes: Vec<String> = (0..1_000).map(|number| format!(" --exclude=**/{number}*9")).collect();
    let excludes = excludes.concat();
    let image = build(&format!("FROM scratch\nCOPY{excludes} d /x\n"), &many)
        .await
        .unwrap();
    let kept = |name: &&String| !(name.ends_with('9') && name.len() > "d/9".len());
    assert_eq!(image.files().count(), names.iter().filter(kept).count());
}
