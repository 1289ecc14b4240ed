//! Images of snapshots, looked into over HTTP.

use std::time::Duration;

use daytona_emulator::{ApiKey, Organization};
use http::Request;
use serde_json::{Value, json};

use crate::admin::admin;
use crate::support::Asked;

/// Creates a snapshot with a key, and returns its id.
async fn created(asked: &Asked, key: &str, body: &Value) -> String {
    let request = Request::post(format!("{}/snapshots", asked.emulator.api_url()))
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", "application/json");
    let answer = asked.send(request.body(body.to_string()).unwrap()).await.unwrap();
    let answer: Value = serde_json::from_slice(answer.body()).unwrap();
    answer["id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

fn labelled(name: &str, label: &str) -> Value {
    json!({"name": name, "buildInfo": {"dockerfileContent": format!("FROM scratch\nENV WHO={label}\n")}})
}

#[tokio::test(start_paused = true)]
async fn a_name_that_two_organizations_use_needs_the_id() {
    let asked = Asked::new();
    let other = asked.emulator.put_organization(Organization::new("other"));
    let other = asked.emulator.add_api_key(ApiKey::new(other));
    let own = created(&asked, asked.emulator.api_key(), &labelled("app", "own")).await;
    let others = created(&asked, &other, &labelled("app", "others")).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    let (status, answer) = admin(&asked, "GET", "images/app", &Value::Null).await;
    assert_eq!(status, 409, "{answer}");
    assert!(answer["error"].as_str().unwrap().contains("use its id"), "{answer}");
    for (id, who) in [(own, "own"), (others, "others")] {
        let (status, answer) = admin(&asked, "GET", &format!("images/{id}"), &Value::Null).await;
        assert_eq!((status, &answer["env"]["WHO"]), (200, &json!(who)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_snapshot_has_no_image_of_an_earlier_build() {
    let asked = Asked::new();
    created(&asked, asked.emulator.api_key(), &labelled("good", "a")).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    let script = json!({"name": "bad", "fails": "no"});
    assert_eq!(admin(&asked, "POST", "scripts", &script).await.0, 200);
    created(&asked, asked.emulator.api_key(), &labelled("bad", "a")).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(asked.get("/snapshots/bad").await.1["state"], "error");
    assert_eq!(admin(&asked, "GET", "images/bad", &Value::Null).await.0, 404);
    assert_eq!(admin(&asked, "GET", "images/good", &Value::Null).await.0, 200);
}
