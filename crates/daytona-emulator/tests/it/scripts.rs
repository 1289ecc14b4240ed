//! What a test wants to become of a snapshot.

use std::time::Duration;

use daytona_emulator::{Emulator, Script};
use serde_json::json;

use crate::support::Asked;

fn held() -> Asked {
    let emulator = Emulator::builder().in_process().unwrap();
    emulator.clock().hold();
    Asked::with(emulator)
}

/// State and reason.
async fn look(asked: &Asked, name: &str) -> (String, String) {
    let (_, body) = asked.get(&format!("/snapshots/{name}")).await;
    let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
    (text("state"), text("errorReason"))
}

#[tokio::test]
async fn a_snapshot_goes_through_the_states_of_its_script() {
    let asked = held();
    let second = Duration::from_secs(1);
    asked.emulator.script(
        Script::for_name("odd-*")
            .times(1)
            .state(second, "thinking")
            .state(second, "pulling")
            .failure(second, "build_failed", "no luck"),
    );
    asked.create(json!({"name": "odd-1", "imageName": "a:1"})).await;
    asked.create(json!({"name": "odd-2", "imageName": "b:1"})).await;
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(look(&asked, "odd-1").await.0);
        asked.emulator.clock().advance(second);
    }
    assert_eq!(seen, ["pending", "thinking", "pulling", "build_failed"]);
    assert_eq!(look(&asked, "odd-1").await.1, "no luck");
    assert_eq!(look(&asked, "odd-2").await.0, "active");
}

#[tokio::test]
async fn builds_and_pulls_follow_their_scripts() {
    let asked = held();
    let minute = Duration::from_mins(1);
    asked
        .emulator
        .script(
            Script::for_dockerfile("npm ci")
                .takes(minute)
                .run_fails("npm ci", 9, "npm error\nnpm error 2"),
        );
    asked
        .emulator
        .script(Script::for_dockerfile("quiet").log(["one", "two"]).fails("because"));
    asked.emulator.script(Script::for_dockerfile("busy").rejected());
    asked.emulator.script(Script::for_dockerfile("sized").size(1.5));
    asked.emulator.script(Script::for_image("gone:1").not_in_registry());
    asked.emulator.script(Script::for_image("*:huge").size(21.0));
    asked.emulator.script(Script::for_name("ready").active_at_once());
    let build = |line: &str| json!({"dockerfileContent": format!("FROM a:1\nRUN {line}\n")});
    let id = asked
        .create(json!({"name": "npm", "buildInfo": build("npm ci")}))
        .await
        .1["id"]
        .clone();
    for name in ["quiet", "busy", "sized"] {
        asked.create(json!({"name": name, "buildInfo": build(name)})).await;
    }
    asked.create(json!({"name": "gone", "imageName": "gone:1"})).await;
    asked.create(json!({"name": "huge", "imageName": "x:huge"})).await;
    let (_, ready) = asked.create(json!({"name": "ready", "imageName": "x:1"})).await;
    assert_eq!(ready["state"], "active");
    asked.emulator.clock().advance(Duration::from_secs(30));
    assert_eq!(look(&asked, "npm").await.0, "building");
    asked.emulator.clock().advance(minute);
    let reason = "process \"/bin/sh -c npm ci\" did not complete successfully: exit code: 9";
    assert_eq!(look(&asked, "npm").await, ("error".to_owned(), reason.to_owned()));
    assert_eq!(look(&asked, "quiet").await, ("error".to_owned(), "because".to_owned()));
    assert_eq!(look(&asked, "busy").await.0, "build_failed");
    assert!(
        look(&asked, "gone")
            .await
            .1
            .starts_with("Snapshot docker.io/gone:1 failed to inspect in registry on runner ")
    );
    assert_eq!(
        look(&asked, "huge").await.1,
        "Snapshot size (21.00GB) exceeds maximum allowed size of 20GB"
    );
    // A sized build is there at once for the next with the same definition.
    let (_, again) = asked
        .create(json!({"name": "sized-again", "buildInfo": build("sized")}))
        .await;
    assert_eq!(
        (again["state"].as_str(), again["size"].as_f64()),
        (Some("active"), Some(1.5))
    );
    let (_, log) = asked
        .get(&format!("/snapshots/{}/build-logs", id.as_str().unwrap()))
        .await;
    let log = log.as_str().unwrap();
    assert!(
        log.contains("0.010 npm error\n") && log.contains("   2 | >>> RUN npm ci"),
        "{log}"
    );
}

#[tokio::test]
async fn a_failed_build_that_is_repeated_is_noticed_by_the_next_sweep() {
    let asked = held();
    let info = json!({"dockerfileContent": "FROM a:1\nRUN exit 3\n"});
    let id = asked.create(json!({"name": "one", "buildInfo": info})).await.1["id"].clone();
    asked.emulator.clock().advance(Duration::from_secs(1));
    assert_eq!(look(&asked, "one").await.0, "error");
    asked.create(json!({"name": "two", "buildInfo": info})).await;
    asked.emulator.clock().advance(Duration::from_secs(11));
    assert_eq!(look(&asked, "two").await.0, "error");
    // Both have written to the same log.
    let (_, log) = asked
        .get(&format!("/snapshots/{}/build-logs", id.as_str().unwrap()))
        .await;
    assert_eq!(log.as_str().unwrap().matches("[2/2] RUN exit 3\n").count(), 2);
}

#[tokio::test]
async fn without_a_runner_everything_waits() {
    let asked = held();
    asked.emulator.set_runner(false);
    asked.created("x").await;
    asked.emulator.clock().advance(Duration::from_hours(1));
    assert_eq!(look(&asked, "x").await.0, "pending");
    asked.emulator.set_runner(true);
    asked.emulator.clock().advance(Duration::from_secs(11));
    assert_eq!(look(&asked, "x").await.0, "active");
}
