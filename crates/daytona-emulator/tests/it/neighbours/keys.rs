//! Keys and what they permit, with one request each.

use std::time::Duration;

use daytona_emulator::{ApiKey, SeededSnapshot, UserToken};
use serde_json::{Value, json};

use super::stage::Stage;
use super::{FULL_KEY, OTHER, OWN, exchanges, label, of_section, send};

#[tokio::test]
async fn keys_and_permissions() {
    let exchanges = exchanges();
    let stage = Stage::new();
    let emulator = &stage.asked.emulator;
    emulator.clock().hold();
    let recorded: Vec<&Value> = of_section(&exchanges, "Permissions").collect();
    let listed = recorded
        .iter()
        .find(|exchange| label(exchange) == "list of keys with a JWT");
    let listed = listed.unwrap()["response"]["body"].as_array().unwrap();
    let value = |name: &str| match name {
        "full" => FULL_KEY.to_owned(),
        "none" => "dtn_EXAMPLE_KEY_WITHOUT_PERMISSIONS".to_owned(),
        "expiring" => "dtn_EXAMPLE_KEY_WITH_AN_END".to_owned(),
        name => {
            let name = name.replace("no-", "all-but-").replace('-', "_").to_uppercase();
            format!("dtn_EXAMPLE_{name}")
        }
    };
    let second = Duration::from_secs(1);
    let mut sorted: Vec<&Value> = listed.iter().collect();
    sorted.sort_by_key(|key| key["createdAt"].as_str());
    for key in sorted {
        let name = key["name"].as_str().unwrap();
        let permissions: Vec<daytona_emulator::Permission> =
            serde_json::from_value(key["permissions"].clone()).unwrap();
        let made = ApiKey::new(OWN).value(value(name)).name(name).user("user-one");
        let mut made = made.permissions(permissions);
        if key["expiresAt"].is_string() {
            made = made.expires("2100-01-01T00:00:00Z".parse().unwrap());
        }
        emulator.add_api_key(made);
        emulator.clock().advance(second);
    }
    emulator.add_api_key(
        ApiKey::new(OTHER)
            .value("dtn_EXAMPLE_OTHER_KEY")
            .name("full")
            .user("user-two"),
    );
    emulator.add_user_token(UserToken::new([OWN]).value("EXAMPLE.JWT.OF_THE_USER").user("user-one"));
    emulator.add_user_token(UserToken::new([OTHER]).value("EXAMPLE.JWT.OF_ANOTHER_USER"));
    let mut differences = Vec::new();
    for exchange in recorded {
        let answer = &exchange["response"]["body"];
        let used = answer["lastUsedAt"].is_string() && answer["permissions"].is_array();
        let bearer = exchange["request"]["headers"]["Authorization"]
            .as_str()
            .unwrap_or_default();
        match label(exchange) {
            "list of keys with a JWT" => {
                for key in listed.iter().rev().filter(|key| key["lastUsedAt"].is_string()) {
                    let bearer = format!("Bearer {}", value(key["name"].as_str().unwrap()));
                    let headers = json!({"authorization": bearer});
                    send(&stage.asked, "GET", "/api/api-keys/current", &headers, String::new()).await;
                    emulator.clock().advance(second);
                }
            }
            "current key: one that has ended" => {
                let ended = emulator.clock().now();
                emulator.add_api_key(ApiKey::new(OWN).value("dtn_EXAMPLE_ENDED_KEY").expires(ended));
            }
            "delete a key with a JWT" => {
                emulator.add_api_key(ApiKey::new(OWN).name("short-lived").user("user-one"));
            }
            "get a snapshot (key without permissions)" => {
                let seed = SeededSnapshot::from_image("web:1", answer["imageName"].as_str().unwrap());
                let seed = seed.id(answer["id"].as_str().unwrap()).organization(OWN);
                emulator.add_snapshot(seed.size(answer["size"].as_f64()));
            }
            "older build log (key without permissions)" => {
                let id = exchange["request"]["path"].as_str().unwrap().split('/').nth(3).unwrap();
                let seed = SeededSnapshot::from_dockerfile("built", "FROM a:1\n");
                emulator.add_snapshot(seed.id(id).organization(OWN));
            }
            // Whether a key was used before.
            _ if used => {
                let headers = json!({"authorization": bearer});
                send(&stage.asked, "GET", "/api/snapshots", &headers, String::new()).await;
            }
            _ => {}
        }
        let actual = stage.replay(exchange).await;
        differences.extend(stage.differences(exchange, &actual));
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
