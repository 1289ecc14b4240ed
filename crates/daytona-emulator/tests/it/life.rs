//! What becomes of a snapshot, on a clock that the test moves.

use std::time::Duration;

use daytona_emulator::Emulator;
use serde_json::json;

use crate::support::Asked;

/// An emulator whose time stands still.
fn held(emulator: Emulator) -> Asked {
    emulator.clock().hold();
    Asked::with(emulator)
}

async fn state(asked: &Asked, id: &str) -> String {
    let (status, body) = asked.get(&format!("/snapshots/{id}")).await;
    if status == 404 {
        "404".to_owned()
    } else {
        body["state"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn an_image_is_pulled() {
    let asked = held(Emulator::builder().in_process().unwrap());
    let id = asked.created("x").await;
    assert_eq!(state(&asked, &id).await, "pending");
    asked.emulator.clock().advance(Duration::from_millis(200));
    assert_eq!(state(&asked, &id).await, "pulling");
    asked.emulator.clock().advance(Duration::from_secs(1));
    assert_eq!(state(&asked, &id).await, "active");
    let (_, body) = asked.get("/snapshots/x").await;
    assert_eq!(body["size"], 0.117_187_5);
    assert!(body["ref"].as_str().unwrap().contains("/daytona/daytona-"));
}

#[tokio::test]
async fn a_deleted_snapshot_is_gone_at_the_next_sweep() {
    let asked = held(Emulator::builder().in_process().unwrap());
    let id = asked.created("x").await;
    for _ in 0..2 {
        let (status, body) = asked.ask("DELETE", &format!("/snapshots/{id}"), None).await;
        assert_eq!((status.as_u16(), body), (200, json!("")));
    }
    assert_eq!(state(&asked, &id).await, "removing");
    assert_eq!(asked.create(json!({"name": "x", "imageName": "a:1"})).await.0, 409);
    asked.emulator.clock().advance(Duration::from_secs(10));
    assert_eq!(state(&asked, &id).await, "404");
    assert_eq!(asked.ask("DELETE", &format!("/snapshots/{id}"), None).await.0, 404);
    asked.created("x").await;
}

#[tokio::test]
async fn activation_needs_inactivity_and_patience() {
    let asked = held(Emulator::builder().in_process().unwrap());
    let id = asked.created("x").await;
    let activate = async || asked.ask("POST", &format!("/snapshots/{id}/activate"), None).await;
    let message = |(_, body): (_, serde_json::Value)| body["message"].as_str().unwrap().to_owned();
    assert_eq!(
        message(activate().await),
        format!("Snapshot {id} cannot be activated - it is in pending state")
    );
    asked.emulator.clock().advance(Duration::from_secs(1));
    assert_eq!(message(activate().await), format!("Snapshot {id} is already active"));
    for _ in 0..2 {
        assert_eq!(
            asked.ask("POST", &format!("/snapshots/{id}/deactivate"), None).await.0,
            204
        );
    }
    assert!(message(activate().await).starts_with("Snapshot deactivation is still in progress."));
    asked.emulator.clock().advance(Duration::from_mins(11));
    let (status, body) = activate().await;
    assert_eq!((status.as_u16(), &body["state"]), (200, &json!("pending")));
    asked.emulator.clock().advance(Duration::from_secs(1));
    assert_eq!(state(&asked, &id).await, "active");
}

/// Creates a snapshot from a Dockerfile and lets its build end.
async fn build(asked: &Asked, name: &str, dockerfile: &str, hashes: &[&str]) -> (String, serde_json::Value) {
    let info = json!({"dockerfileContent": dockerfile, "contextHashes": hashes});
    let (status, body) = asked.create(json!({"name": name, "buildInfo": info})).await;
    assert_eq!(status, 200, "{body}");
    asked.emulator.clock().advance(Duration::from_mins(1));
    let (_, body) = asked.get(&format!("/snapshots/{name}")).await;
    (body["state"].as_str().unwrap().to_owned(), body["errorReason"].clone())
}

fn tar(members: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, kind, content) in members {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        if kind.is_symlink() || kind.is_hard_link() {
            header.set_link_name("target").unwrap();
        }
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn put(asked: &Asked, hash: &str, bytes: &[u8]) {
    let key = format!("{}/{hash}/context.tar", asked.emulator.organization_id());
    asked.emulator.put_object(&key, bytes).unwrap();
}

#[tokio::test]
async fn the_context_is_put_together_as_the_runner_does_it() {
    use tar::EntryType;

    let asked = held(Emulator::builder().in_process().unwrap());
    let file = EntryType::Regular;
    put(
        &asked,
        "one",
        &tar(&[
            ("app/a", file, b"1"),
            ("empty", EntryType::Directory, b""),
            ("link", EntryType::Symlink, b""),
        ]),
    );
    put(&asked, "two", &tar(&[("./other/b", file, b"2")]));
    put(
        &asked,
        "own",
        &tar(&[("Dockerfile", file, b"FROM b:1\nCOPY nowhere /x\n")]),
    );
    put(&asked, "none", b"");
    put(&asked, "broken", &[7; 2048]);
    put(&asked, "gzip", &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
    let not_found =
        |path: &str| format!("failed to calculate checksum of ref emulator::context: \"/{path}\": not found");
    for (name, dockerfile, hashes, reason) in [
        (
            "merged",
            "FROM a:1\nCOPY app other/b link /x/\nCOPY . /y\n",
            vec!["one", "two"],
            None,
        ),
        (
            "empty-folder",
            "FROM a:1\nCOPY empty /x\n",
            vec!["one"],
            Some(not_found("empty")),
        ),
        ("pattern", "FROM a:1\nCOPY app/* *.txt /x/\n", vec!["one", "two"], None),
        // A folder in which nothing matches is not sent.
        (
            "pattern-in-folder",
            "FROM a:1\nCOPY app/* other/*.txt /x/\n",
            vec!["one", "two"],
            Some(not_found("other/*.txt")),
        ),
        (
            "pattern-nowhere",
            "FROM a:1\nCOPY none/* /x/\n",
            vec!["one"],
            Some(not_found("none/*")),
        ),
        ("replaced", "FROM a:1\n", vec!["own"], Some(not_found("nowhere"))),
        ("skipped", "FROM a:1\nCOPY app /x\n", vec!["broken", "one"], None),
        (
            "compressed",
            "FROM a:1\nCOPY app /x\n",
            vec!["gzip"],
            Some(not_found("app")),
        ),
        (
            "from-stage",
            "FROM a:1 AS s\nFROM b:1\nCOPY --from=s /made /x\nADD https://h/x /y\n",
            vec![],
            None,
        ),
        (
            "variable",
            "FROM a:1\nARG D=app\nENV F=a\nCOPY ${D}/$F /x\n",
            vec!["one"],
            None,
        ),
        (
            "heredoc",
            "FROM a:1\nCOPY <<EOF /x\nCOPY nowhere /y\nEOF\n",
            vec![],
            None,
        ),
        (
            "syntax",
            "FROM a:1\nNONSENSE\n",
            vec![],
            Some("dockerfile parse error on line 2: unknown instruction: NONSENSE".to_owned()),
        ),
    ] {
        let (state, error) = build(&asked, name, dockerfile, &hashes).await;
        assert_eq!(error.as_str(), reason.as_deref(), "{name}");
        assert_eq!(state, if reason.is_some() { "error" } else { "active" }, "{name}");
    }
    let (_, error) = build(&asked, "missing", "FROM a:1\n", &["never"]).await;
    assert_eq!(
        error,
        "failed to get tar from storage with hash never: failed to read object data: The specified key does not exist."
    );
    assert!(
        build(&asked, "zero", "FROM a:1\n#\n", &["none"])
            .await
            .1
            .as_str()
            .unwrap()
            .contains("is empty")
    );
}

#[tokio::test]
async fn builds_of_one_definition_share_their_reference() {
    let asked = held(Emulator::builder().in_process().unwrap());
    let info = json!({"dockerfileContent": "FROM a:1\n", "contextHashes": []});
    let create = async |name: &str| asked.create(json!({"name": name, "buildInfo": info})).await.1;
    let (first, twin) = (create("first").await, create("twin").await);
    assert_eq!(first["ref"], twin["ref"]);
    asked.emulator.clock().advance(Duration::from_mins(1));
    assert_eq!(state(&asked, "first").await, "active");
    assert_eq!(state(&asked, "twin").await, "build_failed");
    assert_eq!(
        asked.get("/snapshots/twin").await.1["errorReason"],
        "An operation is already in progress for this resource"
    );
    // Once it is built, another one is there as soon as the periodic task sees it.
    create("third").await;
    asked.emulator.clock().advance(Duration::from_secs(11));
    assert_eq!(state(&asked, "third").await, "active");
}

/// The log of a build, as far as it is.
async fn log(asked: &Asked, id: &str) -> String {
    let (_, answer) = asked.get(&format!("/snapshots/{id}/build-logs-url")).await;
    let request = http::Request::get(answer["url"].as_str().unwrap())
        .header("authorization", format!("Bearer {}", asked.emulator.api_key()));
    let response = asked.send(request.body(String::new()).unwrap()).await.unwrap();
    String::from_utf8(response.body().to_vec()).unwrap()
}

#[tokio::test]
async fn the_metadata_of_an_image_are_loaded_once() {
    let asked = held(Emulator::builder().in_process().unwrap());
    build(&asked, "x", "FROM a:1 AS one\nFROM a:1\nCOPY --from=one /b /b\n", &[]).await;
    let (_, body) = asked.get("/snapshots/x").await;
    let log = log(&asked, body["id"].as_str().unwrap()).await;
    assert_eq!(log.matches("load metadata for a:1").count(), 1, "{log}");
}

#[tokio::test]
async fn a_log_grows_with_the_time() {
    let asked = held(
        Emulator::builder()
            .build_time(Duration::from_mins(1))
            .in_process()
            .unwrap(),
    );
    let info = json!({"dockerfileContent": "FROM a:1\nRUN one\nRUN two\n"});
    let (_, body) = asked.create(json!({"name": "x", "buildInfo": info})).await;
    let id = body["id"].as_str().unwrap();
    asked.emulator.clock().advance(Duration::from_secs(30));
    let half = log(&asked, id).await;
    assert!(
        half.contains("[2/3] RUN one") && !half.contains("[3/3] RUN two"),
        "{half}"
    );
    asked.emulator.clock().advance(Duration::from_mins(1));
    let whole = log(&asked, id).await;
    assert!(whole.starts_with(&half) && whole.contains("[3/3] RUN two"), "{whole}");
    assert!(whole.contains("does not execute RUN"), "{whole}");
    // The deprecated path gives nothing for a snapshot that is active.
    let (status, body) = asked.get(&format!("/snapshots/{id}/build-logs")).await;
    assert_eq!((status.as_u16(), body), (200, json!("")));
    let (_, other) = asked.create(json!({"name": "y", "imageName": "a:1"})).await;
    let (status, body) = asked
        .get(&format!("/snapshots/{}/build-logs-url", other["id"].as_str().unwrap()))
        .await;
    assert_eq!(
        (
            status.as_u16(),
            body["message"].as_str().unwrap().ends_with("has no build info")
        ),
        (404, true)
    );
}

#[tokio::test(start_paused = true)]
async fn the_address_of_a_log_waits_for_a_runner() {
    let asked = Asked::new();
    let info = json!({"dockerfileContent": "FROM a:1\n"});
    let (_, body) = asked.create(json!({"name": "x", "buildInfo": info})).await;
    let (status, _) = asked
        .get(&format!("/snapshots/{}/build-logs-url", body["id"].as_str().unwrap()))
        .await;
    assert_eq!(status, 200);
}
