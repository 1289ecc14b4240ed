//! States as they were recorded where snapshots share a definition, or are deleted in the middle of something.

use std::time::Duration;

use daytona_emulator::{Script, SeededSnapshot};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::Asked;

const SECOND: Duration = Duration::from_secs(1);

/// An emulator whose time stands still, just after a tick of the periodic task.
fn held() -> Asked {
    let asked = Asked::new();
    asked.emulator.clock().hold();
    let now = asked.emulator.clock().now();
    let to_the_tick = 10_000 - now.as_millisecond().rem_euclid(10_000);
    asked
        .emulator
        .clock()
        .advance(Duration::from_millis(to_the_tick.unsigned_abs()));
    asked
}

impl Asked {
    async fn look(&self, name: &str) -> Value {
        let (status, body) = self.get(&format!("/snapshots/{name}")).await;
        if status == 404 { json!({"state": "404"}) } else { body }
    }

    async fn state(&self, name: &str) -> String {
        self.look(name).await["state"].as_str().unwrap().to_owned()
    }

    fn pass(&self, time: Duration) {
        self.emulator.clock().advance(time);
    }

    async fn image(&self, name: &str, image: &str) -> String {
        let (status, body) = self.create(json!({"name": name, "imageName": image})).await;
        assert_eq!(status, 200, "{body}");
        body["id"].as_str().unwrap().to_owned()
    }

    async fn build(&self, name: &str, dockerfile: &str) -> Value {
        let info = json!({"dockerfileContent": dockerfile});
        let (status, body) = self.create(json!({"name": name, "buildInfo": info})).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    async fn delete(&self, id: &str) {
        assert_eq!(self.ask("DELETE", &format!("/snapshots/{id}"), None).await.0, 200);
    }

    async fn deactivate(&self, id: &str) {
        let path = format!("/snapshots/{id}/deactivate");
        assert_eq!(self.ask("POST", &path, None).await.0, 204);
    }
}

const BUSY: &str = "An operation is already in progress for this resource";

#[tokio::test(start_paused = true)]
async fn the_third_snapshot_of_a_definition_is_born_active_and_has_no_log() {
    let asked = held();
    let dockerfile = "FROM a:1\nRUN one\n";
    let first = asked.build("first", dockerfile).await;
    asked.pass(5 * SECOND);
    let ready = asked.look("first").await;
    assert_eq!((&ready["state"], &ready["size"]), (&json!("active"), &Value::Null));
    // Of the second only the periodic task notices that it is there, and it finds out the size.
    asked.build("second", dockerfile).await;
    asked.pass(SECOND);
    assert_eq!(asked.state("second").await, "building");
    asked.pass(5 * SECOND);
    let ready = asked.look("second").await;
    assert_eq!(ready["state"], "active");
    assert!(
        ready["size"].is_number() && ready["initialRunnerId"].is_string(),
        "{ready}"
    );

    let third = asked.build("third", dockerfile).await;
    assert_eq!((&third["state"], &third["size"]), (&json!("active"), &ready["size"]));
    let shown = asked.look("third").await;
    assert_eq!(shown["initialRunnerId"], Value::Null);
    asked.emulator.clock().release();
    let before = tokio::time::Instant::now();
    let id = third["id"].as_str().unwrap();
    let (status, body) = asked.get(&format!("/snapshots/{id}/build-logs-url")).await;
    let message = format!("Timeout waiting for build runner assignment for snapshot {id}");
    assert_eq!((status.as_u16(), &body["message"]), (404, &json!(message)));
    assert_eq!(before.elapsed().as_secs(), 30);

    // The build is written down before each of its snapshots, the first one included.
    let time = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    for snapshot in [&first, &third] {
        let lead = time(&snapshot["createdAt"]).duration_since(time(&snapshot["buildInfo"]["updatedAt"]));
        assert!((1..=20).contains(&lead.as_millis()), "{lead:?}");
    }
    assert_eq!(first["buildInfo"]["createdAt"], third["buildInfo"]["createdAt"]);
}

#[tokio::test]
async fn a_build_that_is_repeated_fails_at_the_next_tick() {
    let asked = held();
    asked.build("one", "FROM a:1\nRUN exit 3\n").await;
    asked.pass(SECOND);
    assert_eq!(asked.state("one").await, "error");
    asked.build("two", "FROM a:1\nRUN exit 3\n").await;
    asked.pass(SECOND);
    assert_eq!(asked.state("two").await, "building");
    asked.pass(9 * SECOND);
    assert_eq!(asked.state("two").await, "error");
}

#[tokio::test]
async fn the_pull_outlives_the_snapshot_that_became_active() {
    let asked = held();
    asked.emulator.script(Script::for_image("a:1").takes(4 * SECOND));
    asked.image("one", "a:1").await;
    asked.pass(5 * SECOND);
    assert_eq!(asked.state("one").await, "active");
    asked.image("two", "docker.io/library/a:1").await;
    asked
        .emulator
        .script(Script::for_image("docker.io/*/a:1").takes(4 * SECOND));
    asked.pass(SECOND / 2);
    asked.image("three", "docker.io/library/a:1").await;
    asked.pass(SECOND / 2);
    assert_eq!(asked.state("two").await, "active");
    assert_eq!(asked.state("three").await, "active");
    asked.pass(SECOND);
    // Nothing that a client can see says that a pull is under way.
    asked.image("four", "a:1").await;
    asked.pass(SECOND);
    let four = asked.look("four").await;
    assert_eq!((&four["state"], &four["errorReason"]), (&json!("error"), &json!(BUSY)));
    assert!(four["ref"].is_string(), "{four}");
    asked.pass(4 * SECOND);
    asked.image("five", "a:1").await;
    asked.pass(SECOND);
    assert_eq!(asked.state("five").await, "active");
}

#[tokio::test]
async fn of_several_creations_of_one_image_exactly_one_survives() {
    for count in 1..=6 {
        let asked = held();
        let names: Vec<String> = (0..count).map(|number| format!("n{number}")).collect();
        join_all(names.iter().map(|name| asked.image(name, "a:1"))).await;
        asked.pass(20 * SECOND);
        let states = join_all(names.iter().map(|name| asked.state(name))).await;
        let active = states.iter().filter(|state| *state == "active").count();
        let failed = states.iter().filter(|state| *state == "error").count();
        assert_eq!((active, failed), (1, count - 1), "{states:?}");
    }
}

#[tokio::test]
async fn of_several_creations_of_one_new_dockerfile_some_are_refused() {
    for (count, refusals) in [(1, 0..=0), (2, 1..=1), (3, 0..=1), (6, 4..=5)] {
        let asked = held();
        let create = |number: usize| {
            let info = json!({"dockerfileContent": "FROM a:1\nRUN one\n"});
            asked.create(json!({"name": format!("n{number}"), "buildInfo": info}))
        };
        let answers = join_all((0..count).map(create)).await;
        let refused = answers.iter().filter(|(status, _)| *status == 500).count();
        assert!(refusals.contains(&refused), "{refused} of {count}");
        asked.pass(20 * SECOND);
        let (_, page) = asked.get("/snapshots").await;
        let states: Vec<&Value> = page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| &item["state"])
            .collect();
        assert_eq!(states.len(), count - refused);
        assert_eq!(
            states.iter().filter(|state| **state == "active").count(),
            1,
            "{states:?}"
        );
        // The build is known from then on.
        let answers = join_all((10..13).map(create)).await;
        assert!(answers.iter().all(|(status, _)| *status == 200), "{answers:?}");
    }
}

#[tokio::test]
async fn a_deactivation_brings_back_what_is_being_removed() {
    let asked = held();
    let id = asked.emulator.add_snapshot(SeededSnapshot::from_image("x", "a:1"));
    asked.delete(&id).await;
    assert_eq!(asked.state("x").await, "removing");
    asked.deactivate(&id).await;
    asked.pass(30 * SECOND);
    assert_eq!(asked.state("x").await, "inactive");
    asked.delete(&id).await;
    asked.pass(10 * SECOND);
    assert_eq!(asked.state("x").await, "404");
}

#[tokio::test]
async fn what_lands_in_an_inspection_is_undone() {
    for deletes in [true, false] {
        let asked = held();
        asked
            .emulator
            .script(Script::for_name("x").inspection_takes(4 * SECOND).takes(SECOND));
        let id = asked.image("x", "a:1").await;
        asked.pass(SECOND);
        let meanwhile = if deletes {
            asked.delete(&id).await;
            "removing"
        } else {
            asked.deactivate(&id).await;
            "inactive"
        };
        assert_eq!(asked.state("x").await, meanwhile);
        asked.pass(7 * SECOND / 2);
        assert_eq!(asked.state("x").await, "pulling");
        asked.pass(20 * SECOND);
        assert_eq!(asked.state("x").await, "active");
        // Asked for again, it lasts.
        asked.delete(&id).await;
        asked.pass(10 * SECOND);
        assert_eq!(asked.state("x").await, "404");
    }
    // Where the tick comes first, it is gone.
    let asked = held();
    asked
        .emulator
        .script(Script::for_name("x").inspection_takes(14 * SECOND));
    let id = asked.image("x", "a:1").await;
    asked.delete(&id).await;
    asked.pass(10 * SECOND);
    assert_eq!(asked.state("x").await, "404");
    asked.pass(20 * SECOND);
    assert_eq!(asked.state("x").await, "404");
}

#[tokio::test]
async fn what_lands_in_the_last_check_of_a_build_is_undone() {
    let asked = held();
    let dockerfile = "FROM a:1\nRUN late\n";
    asked.build("first", dockerfile).await;
    asked.pass(5 * SECOND);
    asked
        .emulator
        .script(Script::for_name("late").inspection_takes(7 * SECOND));
    let late = asked.build("late", dockerfile).await;
    asked.pass(6 * SECOND);
    let checked = asked.look("late").await;
    assert_eq!(checked["state"], "building");
    assert!(checked["size"].is_number(), "{checked}");
    asked.delete(late["id"].as_str().unwrap()).await;
    assert_eq!(asked.state("late").await, "removing");
    asked.pass(7 * SECOND);
    assert_eq!(asked.state("late").await, "active");
}

#[tokio::test]
async fn what_is_deleted_goes_on_for_the_runner() {
    let long = 20 * SECOND;
    let asked = held();
    asked.emulator.script(Script::for_image("*").takes(long).times(1));
    asked
        .emulator
        .script(Script::for_dockerfile("RUN").takes(long).times(1));
    let image = asked.image("image", "a:1").await;
    let build = asked.build("build", "FROM a:1\nRUN x\n").await;
    asked.pass(2 * SECOND);
    asked.delete(&image).await;
    asked.delete(build["id"].as_str().unwrap()).await;
    asked.pass(12 * SECOND);
    assert_eq!(asked.state("image").await, "404");
    assert_eq!(asked.state("build").await, "404");
    asked.image("image", "a:1").await;
    asked.build("build", "FROM a:1\nRUN x\n").await;
    asked.pass(SECOND);
    assert_eq!(asked.look("image").await["errorReason"], BUSY);
    assert_eq!(asked.state("image").await, "error");
    assert_eq!(asked.state("build").await, "build_failed");
    asked.pass(13 * SECOND / 2);
    asked.image("image-2", "a:1").await;
    asked.build("build-2", "FROM a:1\nRUN x\n").await;
    asked.pass(12 * SECOND);
    assert_eq!(asked.state("image-2").await, "active");
    assert_eq!(asked.state("build-2").await, "active");
}

#[tokio::test]
async fn a_script_is_not_passed_over_for_an_earlier_build_or_pull() {
    let asked = held();
    let dockerfile = "FROM a:1\nRUN npm ci\n";
    asked.build("one", dockerfile).await;
    asked.image("image-one", "a:1").await;
    asked.pass(10 * SECOND);
    asked.build("two", dockerfile).await;
    asked.pass(20 * SECOND);
    assert_eq!(asked.state("two").await, "active");
    for (name, script, reason) in [
        ("fails", Script::for_name("fails").fails("because"), Some("because")),
        (
            "exits",
            Script::for_name("exits").run_fails("npm ci", 7, "npm error"),
            Some("process \"/bin/sh -c npm ci\" did not complete successfully: exit code: 7"),
        ),
        ("prints", Script::for_name("prints").log(["only this"]), None),
    ] {
        asked.emulator.script(script);
        let made = asked.build(name, dockerfile).await;
        assert_eq!(made["state"], "pending", "{name}");
        asked.pass(20 * SECOND);
        let seen = asked.look(name).await;
        assert_eq!(seen["errorReason"].as_str(), reason, "{name}");
        assert_eq!(
            seen["state"],
            if reason.is_some() { "error" } else { "active" },
            "{name}"
        );
    }
    let id = asked.look("fails").await["id"].as_str().unwrap().to_owned();
    let (_, log) = asked.get(&format!("/snapshots/{id}/build-logs")).await;
    assert!(log.as_str().unwrap().ends_with("only this\n"), "{log}");
    asked.emulator.script(Script::for_name("image-two").fails("no disk"));
    asked.image("image-two", "a:1").await;
    asked.pass(20 * SECOND);
    assert_eq!(
        asked.look("image-two").await["errorReason"],
        "failed to pull image: no disk"
    );
}
