//! Keys, users, organizations, and what each may do.

use std::time::Duration;

use daytona_emulator::{ApiKey, Emulator, Organization, Permission, RateLimits, SeededSnapshot, UserToken};
use http::Request;
use serde_json::{Value, json};

use crate::support::Asked;

/// Sends a request with a token and headers of its own.
async fn ask(
    asked: &Asked,
    token: &str,
    headers: &[(&str, &str)],
    method: &str,
    path: &str,
) -> (u16, http::HeaderMap, Value) {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", asked.emulator.api_url()))
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = if method == "POST" {
        "{\"name\":\"n\",\"imageName\":\"a:1\"}"
    } else {
        ""
    };
    let response = asked.send(request.body(body.to_owned()).unwrap()).await.unwrap();
    let text = String::from_utf8_lossy(response.body()).into_owned();
    let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
    (response.status().as_u16(), response.headers().clone(), value)
}

#[tokio::test]
async fn a_key_permits_what_it_was_made_for() {
    let asked = Asked::new();
    let own = asked.emulator.organization_id().to_owned();
    let id = asked.emulator.add_snapshot(SeededSnapshot::from_image("s", "a:1"));
    let key = |permissions: &[Permission]| {
        asked
            .emulator
            .add_api_key(ApiKey::new(&own).permissions(permissions.to_vec()))
    };
    let (none, write) = (key(&[]), key(&[Permission::WriteSnapshots]));
    let (delete, sandboxes) = (key(&[Permission::DeleteSnapshots]), key(&[Permission::WriteSandboxes]));
    let (activate, remove) = (format!("/snapshots/{id}/activate"), format!("/snapshots/{id}"));
    for (key, method, path, status) in [
        (&none, "GET", "/snapshots", 200),
        (&none, "POST", "/snapshots", 403),
        (&none, "POST", activate.as_str(), 403),
        (&none, "DELETE", remove.as_str(), 403),
        // Decided before the snapshot is looked at.
        (&none, "DELETE", "/snapshots/nope", 403),
        (&none, "GET", "/object-storage/push-access", 403),
        (&sandboxes, "GET", "/object-storage/push-access", 200),
        (&sandboxes, "POST", "/snapshots", 403),
        (&write, "POST", activate.as_str(), 400),
        (&write, "DELETE", remove.as_str(), 403),
        (&delete, "DELETE", remove.as_str(), 200),
    ] {
        let (actual, _, body) = ask(&asked, key, &[], method, path).await;
        assert_eq!(actual, status, "{method} {path}: {body}");
        if status == 403 {
            assert_eq!(body["message"], "Access denied");
        }
    }
    let (_, _, current) = ask(&asked, &write, &[], "GET", "/api-keys/current").await;
    assert_eq!(current["permissions"], json!(["write:snapshots"]));
    assert!(!current.to_string().contains(&write));
}

#[tokio::test]
async fn keys_and_tokens_end_on_the_emulators_clock() {
    let asked = Asked::new();
    let own = asked.emulator.organization_id().to_owned();
    let end = asked
        .emulator
        .clock()
        .now()
        .checked_add(Duration::from_mins(5))
        .unwrap();
    let key = asked.emulator.add_api_key(ApiKey::new(&own).expires(end));
    let token = asked.emulator.add_user_token(UserToken::new([&own]).expires(end));
    let header = [("X-Daytona-Organization-ID", own.as_str())];
    assert_eq!(ask(&asked, &key, &[], "GET", "/snapshots").await.0, 200);
    assert_eq!(ask(&asked, &token, &header, "GET", "/snapshots").await.0, 200);
    asked.emulator.clock().advance(Duration::from_mins(6));
    assert_eq!(ask(&asked, &key, &[], "GET", "/snapshots").await.0, 401);
    assert_eq!(ask(&asked, &token, &header, "GET", "/snapshots").await.0, 401);
}

#[tokio::test]
async fn organizations_do_not_see_one_another_but_for_general_snapshots() {
    let asked = Asked::new();
    let other = asked.emulator.put_organization(Organization::new("other"));
    let key = asked.emulator.add_api_key(ApiKey::new(&other));
    let id = asked.emulator.add_snapshot(SeededSnapshot::from_image("mine", "a:1"));
    let general = asked
        .emulator
        .add_snapshot(SeededSnapshot::from_image("shared", "a:1").general());
    let get = async |path: &str| ask(&asked, &key, &[], "GET", path).await;
    assert_eq!(get("/snapshots/mine").await.0, 404);
    assert_eq!(get(&format!("/snapshots/{id}")).await.0, 404);
    assert_eq!(get("/snapshots/shared").await.2["general"], true);
    let (_, _, page) = get("/snapshots").await;
    assert_eq!(
        (page["total"].as_u64(), &page["items"][0]["name"]),
        (Some(1), &json!("shared"))
    );
    for (method, path) in [
        ("DELETE", format!("/snapshots/{general}")),
        ("POST", format!("/snapshots/{general}/deactivate")),
    ] {
        assert_eq!(ask(&asked, &key, &[], method, &path).await.0, 404, "{method} {path}");
    }
    let (status, body) = asked.ask("DELETE", &format!("/snapshots/{general}"), None).await;
    assert_eq!(
        (status.as_u16(), &body["message"]),
        (403, &json!("You cannot delete a general snapshot"))
    );
    // Own ones first, whatever the order asked for.
    let (_, page) = asked.get("/snapshots?sort=name&order=desc").await;
    assert_eq!(page["items"][1]["name"], "shared");
    // A name of its own counts more than a general one.
    let (status, _, created) = ask(&asked, &key, &[], "POST", "/snapshots").await;
    assert_eq!(status, 200, "{created}");
    asked
        .emulator
        .add_snapshot(SeededSnapshot::from_image("n", "a:1").general());
    assert_eq!(get("/snapshots/n").await.2["general"], false);
}

#[tokio::test]
async fn limits_hold_for_an_organization_and_for_an_address() {
    let asked = Asked::new();
    asked.emulator.clock().hold();
    asked
        .emulator
        .set_rate_limits(RateLimits::new(2, 2, Duration::from_secs(10)));
    let key = asked.emulator.api_key().to_owned();
    let list = async |key: &str| ask(&asked, key, &[], "GET", "/snapshots").await;
    assert_eq!(list(&key).await.1["x-ratelimit-remaining-authenticated"], "1");
    assert_eq!(list(&key).await.0, 200);
    asked.emulator.clock().advance(Duration::from_secs(9));
    let (status, headers, _) = list(&key).await;
    assert_eq!(
        (status, &headers["retry-after-authenticated"]),
        (429, &"10".parse().unwrap())
    );
    assert!(!headers.contains_key("retry-after"));
    // The block lasts a whole window from the first refusal on.
    asked.emulator.clock().advance(Duration::from_secs(8));
    assert_eq!(list(&key).await.0, 429);
    asked.emulator.clock().advance(Duration::from_secs(2));
    assert_eq!(list(&key).await.0, 200);
    assert_eq!(list("bad").await.0, 401);
    assert_eq!(list("bad").await.1["retry-after"], "10");
    assert_eq!(list(&key).await.0, 429);
    asked.emulator.set_rate_limits(None);
    assert!(list(&key).await.1.get("x-ratelimit-limit-authenticated").is_none());
}

#[tokio::test]
async fn reads_have_tags_and_heads() {
    let asked = Asked::new();
    asked.emulator.clock().hold();
    let key = asked.emulator.api_key().to_owned();
    let (_, headers, _) = ask(&asked, &key, &[], "GET", "/snapshots").await;
    let tag = headers["etag"].to_str().unwrap().to_owned();
    let (status, headers, body) = ask(&asked, &key, &[("if-none-match", &tag)], "GET", "/snapshots").await;
    assert_eq!((status, body), (304, json!("")));
    assert_eq!(headers["etag"].to_str().unwrap(), tag);
    asked.created("x").await;
    assert_eq!(
        ask(&asked, &key, &[("if-none-match", &tag)], "GET", "/snapshots")
            .await
            .0,
        200
    );
    assert_eq!(ask(&asked, &key, &[], "HEAD", "/snapshots").await.0, 200);
}

#[tokio::test]
async fn an_installation_answers_about_itself() {
    let emulator = Emulator::builder().api_key("dtn_own").in_process().unwrap();
    let asked = Asked::with(emulator);
    assert_eq!(asked.emulator.api_key(), "dtn_own");
    let (_, config) = asked.get("/config").await;
    assert_eq!(config["version"], "0.190.0");
    let own = asked.emulator.organization_id().to_owned();
    let token = asked.emulator.add_user_token(UserToken::new([&own]));
    let (_, _, usage) = ask(&asked, &token, &[], "GET", &format!("/organizations/{own}/usage")).await;
    assert_eq!(usage["totalSnapshotQuota"], 100);
    let (_, _, organizations) = ask(&asked, &token, &[], "GET", "/organizations").await;
    assert_eq!(organizations[0]["id"], json!(own));
    assert_eq!(asked.get("/organizations").await.0, 401);
    let tight = asked.emulator.organization().sandbox_limits(1.0, 1.0, 1.0).gpu_quota(0);
    asked.emulator.put_organization(tight);
    for (body, message) in [
        (
            json!({"cpu": 2}),
            "CPU request 2 exceeds maximum allowed per sandbox (1).",
        ),
        (json!({"gpu": 1}), "GPU quota exceeded. Maximum allowed: 0."),
    ] {
        let mut body = body;
        body["name"] = json!("t");
        body["imageName"] = json!("a:1");
        let (status, answer) = asked.create(body).await;
        assert_eq!(status, 400);
        assert!(answer["message"].as_str().unwrap().starts_with(message), "{answer}");
    }
    // The same images cannot be pulled twice at once.
    asked.emulator.put_organization(
        asked
            .emulator
            .organization()
            .sandbox_limits(4.0, 8.0, 10.0)
            .without_default_region(),
    );
    let (_, answer) = asked.create(json!({"name": "t", "imageName": "a:1"})).await;
    assert!(
        answer["message"]
            .as_str()
            .unwrap()
            .contains("does not have a default region")
    );
}

#[tokio::test]
async fn a_user_makes_keys_and_looks_at_them() {
    let asked = Asked::new();
    asked.emulator.clock().hold();
    let own = asked.emulator.organization_id().to_owned();
    let token = asked.emulator.add_user_token(UserToken::new([&own]).user("user-one"));
    let user = |request: http::request::Builder| {
        request
            .header("authorization", format!("Bearer {token}"))
            .header("x-daytona-organization-id", &own)
    };
    let send = async |method: &str, path: &str, body: Value| {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", asked.emulator.api_url()));
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let response = asked.send(user(request).body(body).unwrap()).await.unwrap();
        let answer: Value = serde_json::from_slice(response.body()).unwrap_or_default();
        (response.status().as_u16(), answer)
    };
    let wanted = json!({"name": "ci", "permissions": ["write:snapshots"], "expiresAt": "2100-01-01T00:00:00Z"});
    let (status, made) = send("POST", "/api-keys", wanted.clone()).await;
    assert_eq!((status, &made["expiresAt"]), (201, &json!("2100-01-01T00:00:00.000Z")));
    assert_eq!(send("POST", "/api-keys", wanted).await.0, 409);
    let (status, refused) = send(
        "POST",
        "/api-keys",
        json!({"name": "x", "permissions": ["read:snapshots"]}),
    )
    .await;
    assert_eq!(status, 400);
    assert!(
        refused["message"]
            .as_str()
            .unwrap()
            .ends_with("delete:runners, read:audit_logs"),
        "{refused}"
    );
    let value = made["value"].as_str().unwrap();
    let current = async || ask(&asked, value, &[], "GET", "/api-keys/current").await.2;
    let first = current().await;
    assert_eq!(
        (&first["lastUsedAt"], &first["userId"]),
        (&Value::Null, &json!("user-one"))
    );
    assert!(current().await["lastUsedAt"].is_string());
    let (_, listed) = send("GET", "/api-keys", Value::Null).await;
    assert_eq!(
        (listed.as_array().unwrap().len(), &listed[0]["name"]),
        (1, &json!("ci"))
    );
    assert_eq!(
        send("GET", "/api-keys/ci", Value::Null).await.1["value"],
        format!("dtn********************{}", &value[value.len() - 3..])
    );
    assert_eq!(send("DELETE", "/api-keys/ci", Value::Null).await.0, 204);
    assert_eq!(ask(&asked, value, &[], "GET", "/snapshots").await.0, 401);
    // What is a key's is nothing for a user, and the other way round; a user may lack a permission too.
    assert_eq!(send("GET", "/api-keys/current", Value::Null).await.0, 401);
    assert_eq!(asked.get("/api-keys").await.0, 401);
    let header = [("X-Daytona-Organization-ID", own.as_str())];
    let member = asked.emulator.add_user_token(UserToken::new([&own]).permissions([]));
    let (status, _, body) = ask(&asked, &member, &header, "POST", "/snapshots").await;
    assert_eq!((status, &body["message"]), (403, &json!("Access denied")));
    let stranger = asked.emulator.add_user_token(UserToken::new(["other"]));
    let (status, _, body) = ask(&asked, &stranger, &header, "POST", "/snapshots").await;
    assert_eq!(
        (status, &body["message"]),
        (403, &json!("Invalid authentication context"))
    );
}
