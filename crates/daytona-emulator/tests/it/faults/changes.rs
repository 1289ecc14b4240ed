//! Changes that are ignored or undone, and reads that lag behind them.

use std::time::Duration;

use daytona_emulator::{Fault, Operation, ReadLag, Script, SeededSnapshot};
use serde_json::json;

use super::held;
use crate::support::Asked;

async fn state(asked: &Asked, name: &str) -> String {
    let (status, body) = asked.get(&format!("/snapshots/{name}")).await;
    body["state"]
        .as_str()
        .map_or_else(|| status.as_str().to_owned(), ToOwned::to_owned)
}

#[tokio::test]
async fn deletions_are_ignored_while_a_snapshot_is_made() {
    let asked = held();
    let second = Duration::from_secs(1);
    asked.emulator.script(Script::for_name("x").takes(30 * second));
    asked
        .emulator
        .inject(Fault::ignore().on(Operation::RemoveSnapshot).while_under_way().times(2));
    let ready = asked.emulator.add_snapshot(SeededSnapshot::from_image("ready", "b:1"));
    let id = asked.created("x").await;
    let delete = async |id: &str| asked.ask("DELETE", &format!("/snapshots/{id}"), None).await.0;
    // One that is ready is deleted, and is not counted.
    assert_eq!(delete(&ready).await, 200);
    assert_eq!(state(&asked, "ready").await, "removing");
    assert_eq!(delete(&id).await, 200);
    assert_eq!(state(&asked, "x").await, "pending");
    asked.emulator.clock().advance(second);
    assert_eq!(delete(&id).await, 200);
    assert_eq!(state(&asked, "x").await, "pulling");
    assert_eq!(delete(&id).await, 200);
    assert_eq!(state(&asked, "x").await, "removing");
    asked.emulator.clock().advance(10 * second);
    assert_eq!(state(&asked, "x").await, "404");
}

#[tokio::test]
async fn a_deletion_and_a_deactivation_are_undone() {
    let asked = held();
    let second = Duration::from_secs(1);
    asked.emulator.inject(Fault::undo().on(Operation::RemoveSnapshot));
    asked.emulator.inject(Fault::undo().on(Operation::DeactivateSnapshot));
    let id = asked.emulator.add_snapshot(SeededSnapshot::from_image("x", "a:1"));
    let delete = async || asked.ask("DELETE", &format!("/snapshots/{id}"), None).await.0;
    let deactivate = async || asked.ask("POST", &format!("/snapshots/{id}/deactivate"), None).await.0;
    assert_eq!(delete().await, 200);
    assert_eq!(state(&asked, "x").await, "removing");
    asked.emulator.clock().advance(2 * second);
    assert_eq!(state(&asked, "x").await, "active");
    assert_eq!(deactivate().await, 204);
    assert_eq!(state(&asked, "x").await, "inactive");
    asked.emulator.clock().advance(20 * second);
    assert_eq!(state(&asked, "x").await, "active");
    // The next ones last.
    assert_eq!(deactivate().await, 204);
    assert_eq!(delete().await, 200);
    asked.emulator.clock().advance(20 * second);
    assert_eq!(state(&asked, "x").await, "404");
    // In the middle of a build it goes on as if nobody had asked.
    asked.emulator.script(Script::for_name("y").takes(30 * second));
    asked.emulator.inject(Fault::undo().on(Operation::RemoveSnapshot));
    let id = asked
        .create(json!({"name": "y", "buildInfo": {"dockerfileContent": "FROM a:1\n"}}))
        .await
        .1["id"]
        .clone();
    asked.emulator.clock().advance(second);
    asked
        .ask("DELETE", &format!("/snapshots/{}", id.as_str().unwrap()), None)
        .await;
    let mut seen = vec![state(&asked, "y").await];
    for _ in 0..35 {
        asked.emulator.clock().advance(second);
        seen.push(state(&asked, "y").await);
    }
    seen.dedup();
    assert_eq!(seen, ["removing", "building", "active"]);
}

#[tokio::test]
async fn reads_lag_behind_creations_and_deletions() {
    let asked = held();
    let second = Duration::from_secs(1);
    asked
        .emulator
        .set_read_lag(ReadLag::new().created(3 * second).deleted(4 * second).names(6 * second));
    let body = || json!({"name": "x", "buildInfo": {"dockerfileContent": "FROM a:1\n"}});
    let id = asked.create(body()).await.1["id"].as_str().unwrap().to_owned();
    let listed = async || asked.get("/snapshots?name=x").await.1["total"].clone();
    for name in ["x", &id] {
        let (status, answer) = asked.get(&format!("/snapshots/{name}")).await;
        assert_eq!(
            (status.as_u16(), &answer["message"]),
            (404, &json!(format!("Snapshot with name {name} not found")))
        );
    }
    assert_eq!(listed().await, 0);
    assert_eq!(asked.get(&format!("/snapshots/{id}/build-logs-url")).await.0, 404);
    assert_eq!(asked.create(body()).await.0, 409);
    asked.emulator.clock().advance(4 * second);
    assert_eq!(state(&asked, "x").await, "active");
    assert_eq!(asked.get(&format!("/snapshots/{id}/build-logs-url")).await.0, 200);

    assert_eq!(asked.ask("DELETE", &format!("/snapshots/{id}"), None).await.0, 200);
    assert_eq!(
        (state(&asked, "x").await.as_str(), listed().await),
        ("active", json!(1))
    );
    asked.emulator.clock().advance(4 * second);
    assert_eq!(state(&asked, "x").await, "removing");
    // Gone at ten seconds, but seen for four more, and its name is kept for six.
    asked.emulator.clock().advance(3 * second);
    assert_eq!(
        (state(&asked, "x").await.as_str(), listed().await),
        ("removing", json!(1))
    );
    assert_eq!(asked.ask("DELETE", &format!("/snapshots/{id}"), None).await.0, 404);
    asked.emulator.clock().advance(3 * second);
    assert_eq!((state(&asked, "x").await.as_str(), listed().await), ("404", json!(0)));
    assert_eq!(asked.create(body()).await.0, 409);
    asked.emulator.clock().advance(3 * second);
    asked.emulator.set_read_lag(None);
    assert_eq!(asked.create(body()).await.0, 200);
    assert_eq!(asked.get("/snapshots/x").await.0, 200);
}
