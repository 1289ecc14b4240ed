//! What is kept, in which order, for how long, and for whom.

use std::time::Duration;

use daytona_emulator::{Emulator, Fault, Operation, Script, SeededSnapshot};
use http::Request;
use serde_json::json;
use tempfile::TempDir;

use crate::s3::Signed;
use crate::support::Asked;

fn at(folder: &TempDir) -> Asked {
    let emulator = Emulator::builder().data_dir(folder.path()).in_process().unwrap();
    emulator.clock().hold();
    Asked::with(emulator)
}

#[tokio::test]
async fn a_data_directory_is_one_emulators_at_a_time() {
    let folder = TempDir::new().unwrap();
    let first = at(&folder);
    first.created("x").await;
    let error = Emulator::builder().data_dir(folder.path()).in_process().unwrap_err();
    let message = error.to_string();
    assert!(message.contains(&folder.path().display().to_string()), "{message}");
    assert!(message.contains("in use by another emulator"), "{message}");
    // A service that somebody still holds does not write into what is another's by then.
    let service = first.emulator.service();
    drop(first);
    let second = at(&folder);
    assert_eq!(second.get("/snapshots/x").await.0, 200);
    drop(service);
}

#[tokio::test]
async fn one_key_that_is_put_by_many_at_once_is_there_after_a_restart() {
    let folder = TempDir::new().unwrap();
    for round in 0..20 {
        let asked = at(&folder);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let emulator = &asked.emulator;
                scope.spawn(move || {
                    for number in 0..10 {
                        let bytes = format!("{round} {thread} {number}");
                        emulator.put_object("a/key", bytes.as_bytes()).unwrap();
                    }
                });
            }
        });
        let before = asked.emulator.objects().remove(0).read().unwrap();
        drop(asked);
        let asked = at(&folder);
        let objects = asked.emulator.objects();
        assert_eq!(objects.len(), 1, "round {round}");
        assert_eq!(objects[0].read().unwrap(), before, "round {round}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_can_read_what_is_kept() {
    use std::os::unix::fs::PermissionsExt;

    let parent = TempDir::new().unwrap();
    let folder = parent.path().join("data");
    let emulator = Emulator::builder().data_dir(&folder).in_process().unwrap();
    let asked = Asked::with(emulator);
    asked.emulator.put_object("a/key", b"secret").unwrap();
    let signed = Signed::new(&asked).await;
    assert_eq!(
        signed.send("PUT", &signed.path("one"), "", b"secret").await.status(),
        200
    );
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let objects = folder.join("objects");
    assert_eq!(mode(&objects), 0o700);
    let mut files = 0;
    for file in std::fs::read_dir(&objects).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        files += 1;
    }
    assert_eq!(files, 4);
    assert_eq!(mode(&folder.join("state.json")), 0o600);
}

#[tokio::test]
async fn what_a_killed_process_left_unfinished_goes_at_the_start() {
    let folder = TempDir::new().unwrap();
    drop(at(&folder));
    let left = [folder.path().join(".new-abc"), folder.path().join("objects/.new-def")];
    for file in &left {
        std::fs::write(file, b"half").unwrap();
    }
    drop(at(&folder));
    assert!(left.iter().all(|file| !file.exists()));
}

#[tokio::test]
async fn what_cannot_be_kept_is_not_acknowledged() {
    let folder = TempDir::new().unwrap();
    let asked = at(&folder);
    // The state cannot be put in the place of a folder that is not empty.
    let state = folder.path().join("state.json");
    std::fs::remove_file(&state).unwrap();
    std::fs::create_dir_all(state.join("in-the-way")).unwrap();
    let (status, body) = asked.create(json!({"name": "x", "imageName": "a:1"})).await;
    assert_eq!(status, 500, "{body}");
    assert!(
        body["message"].as_str().unwrap().contains("could not write its state"),
        "{body}"
    );
    assert_eq!(asked.get("/snapshots").await.0, 200);
    std::fs::remove_dir_all(&state).unwrap();
    assert_eq!(asked.create(json!({"name": "y", "imageName": "b:1"})).await.0, 200);
}

#[tokio::test]
async fn a_build_that_was_killed_begins_anew_twice_and_then_fails() {
    let folder = TempDir::new().unwrap();
    let seeded = SeededSnapshot::from_dockerfile("seeded", "FROM s:1\n").state("building");
    let asked = at(&folder);
    asked.emulator.add_snapshot(seeded);
    asked
        .emulator
        .script(Script::for_name("x").takes(Duration::from_mins(1)));
    let info = json!({"dockerfileContent": "FROM a:1\nRUN one\n"});
    asked.create(json!({"name": "x", "buildInfo": info})).await;
    let mut states = Vec::new();
    let mut asked = asked;
    for _ in 0..3 {
        asked.emulator.clock().advance(Duration::from_secs(40));
        let (_, body) = asked.get("/snapshots/x").await;
        states.push(body["state"].as_str().unwrap().to_owned());
        let id = body["id"].as_str().unwrap();
        let (_, log) = asked.get(&format!("/snapshots/{id}/build-logs")).await;
        let begins = log
            .as_str()
            .unwrap_or_default()
            .matches("load build definition")
            .count();
        assert!(begins <= 1, "{log}");
        assert_eq!(asked.get("/snapshots/seeded").await.1["state"], "building");
        drop(asked);
        asked = at(&folder);
    }
    assert_eq!(states, ["building", "building", "error"]);
    let (_, body) = asked.get("/snapshots/x").await;
    assert_eq!(
        body["errorReason"],
        "the emulator ended 2 times while it was building this"
    );
}

#[tokio::test]
async fn builds_go_after_their_last_snapshot() {
    let folder = TempDir::new().unwrap();
    let asked = at(&folder);
    for number in 0..120 {
        let info = json!({"dockerfileContent": format!("FROM a:1\nRUN {number}\n")});
        let (_, body) = asked.create(json!({"name": "x", "buildInfo": info})).await;
        asked.emulator.clock().advance(Duration::from_secs(5));
        asked.get("/snapshots").await;
        let id = body["id"].as_str().unwrap();
        asked.ask("DELETE", &format!("/snapshots/{id}"), None).await;
        asked.emulator.clock().advance(Duration::from_secs(10));
        asked.get("/snapshots").await;
    }
    let size = || std::fs::metadata(folder.path().join("state.json")).unwrap().len();
    let before = size();
    asked.emulator.clock().advance(Duration::from_hours(2));
    let id = asked.created("last").await;
    asked.ask("DELETE", &format!("/snapshots/{id}"), None).await;
    asked.emulator.clock().advance(Duration::from_secs(10));
    asked.get("/snapshots").await;
    assert!(before < 60_000 && size() < 4_000, "{before}, then {}", size());
}

#[tokio::test]
async fn everything_can_be_put_back_to_the_beginning() {
    let folder = TempDir::new().unwrap();
    let asked = at(&folder);
    asked
        .emulator
        .inject(Fault::status(500).on(Operation::GetSnapshot).always());
    asked.emulator.script(Script::for_name("*").fails("no"));
    asked.emulator.put_object("a/key", b"bytes").unwrap();
    asked.created("x").await;
    let root = asked.emulator.api_url().replace("/api", "");
    let request = Request::post(format!("{root}/_emulator/reset"));
    let request = request.header("authorization", format!("Bearer {}", asked.emulator.admin_key()));
    assert_eq!(
        asked.send(request.body(String::new()).unwrap()).await.unwrap().status(),
        200
    );
    assert!(asked.emulator.objects().is_empty() && asked.emulator.requests().is_empty());
    assert_eq!(asked.get("/snapshots").await.1["total"], 0);
    asked.created("x").await;
    asked.emulator.clock().advance(Duration::from_secs(5));
    assert_eq!(asked.get("/snapshots/x").await.1["state"], "active");
    drop(asked);
    assert!(at(&folder).emulator.objects().is_empty());
}

#[tokio::test]
async fn remembered_requests_have_a_budget_and_keep_no_secret() {
    let asked = Asked::new();
    let root = asked.emulator.api_url().replace("/api", "");
    let ask = async |path: &str| {
        let request = Request::get(format!("{root}{path}")).body(String::new()).unwrap();
        asked.send(request).await.unwrap();
        asked.emulator.requests().pop().unwrap().address
    };
    let long = ask(&format!("/api/snapshots?name={}", "é".repeat(30_000))).await;
    assert!(long.len() <= 2_051 && long.ends_with('…'), "{}", long.len());
    let signed = ask("/daytona/o/k?X-Amz-Security-Token=TOKEN&X-Amz-Signature=SIGNATURE&partNumber=1").await;
    assert_eq!(
        signed,
        "/daytona/o/k?X-Amz-Security-Token=…&X-Amz-Signature=…&partNumber=1"
    );
}

#[tokio::test]
async fn uploads_in_parts_that_do_not_end_are_given_up() {
    let asked = Asked::new();
    asked.emulator.clock().hold();
    let signed = Signed::new(&asked).await;
    let path = signed.path("big");
    let begin = async || {
        let answer = signed.send("POST", &path, "uploads=", b"").await;
        let text = String::from_utf8(answer.body().to_vec()).unwrap();
        text.split_once("<UploadId>")
            .unwrap()
            .1
            .split_once('<')
            .unwrap()
            .0
            .to_owned()
    };
    let put = async |signed: &Signed<'_>, id: &str| {
        let query = format!("partNumber=1&uploadId={id}");
        signed.send("PUT", &path, &query, b"part").await.status().as_u16()
    };
    let first = begin().await;
    assert_eq!(put(&signed, &first).await, 200);
    asked.emulator.clock().advance(Duration::from_millis(1));
    for _ in 0..1_000 {
        begin().await;
    }
    assert_eq!(put(&signed, &first).await, 404);
    let second = begin().await;
    assert_eq!(put(&signed, &second).await, 200);
    asked.emulator.clock().advance(Duration::from_hours(25));
    let signed = Signed::new(&asked).await;
    let begun = signed.send("POST", &path, "uploads=", b"").await;
    assert_eq!(begun.status(), 200);
    assert_eq!(put(&signed, &second).await, 404);
}
