//! The admin routes: what a test of another language sets up, and puts back.

use std::time::Duration;

use http::Request;
use serde_json::{Value, json};

use crate::support::Asked;

/// Sends a request to an admin route, with the admin key.
pub(crate) async fn admin(asked: &Asked, method: &str, route: &str, body: &Value) -> (u16, Value) {
    let root = asked.emulator.api_url().replace("/api", "/_emulator");
    let request = Request::builder().method(method).uri(format!("{root}/{route}"));
    let request = request.header("authorization", format!("Bearer {}", asked.emulator.admin_key()));
    let response = asked.send(request.body(body.to_string()).unwrap()).await.unwrap();
    let body = serde_json::from_slice(response.body()).unwrap();
    (response.status().as_u16(), body)
}

/// Like [`admin`], for what has to succeed.
async fn done(asked: &Asked, method: &str, route: &str, body: Value) -> Value {
    let (status, answer) = admin(asked, method, route, &body).await;
    assert_eq!(status, 200, "{method} {route} {body}: {answer}");
    answer
}

#[tokio::test(start_paused = true)]
async fn a_reset_puts_back_what_the_test_before_has_changed() {
    let asked = Asked::new();
    let own_key = asked.emulator.api_key();
    let quotas = json!({"snapshotQuota": 1, "maxCpuPerSandbox": 1, "suspended": "unpaid"});
    let before = done(&asked, "GET", "organization", Value::Null).await;
    done(&asked, "PUT", "organization", quotas).await;
    done(&asked, "POST", "regions", json!({"id": "eu"})).await;
    done(&asked, "POST", "api-keys", json!({"value": "dtn_another"})).await;
    done(&asked, "POST", "clock", json!({"hold": true, "advance": 60_000})).await;
    let expired = json!({"value": own_key, "expiresAt": "2020-01-01T00:00:00Z"});
    done(&asked, "POST", "api-keys", expired).await;
    assert_eq!(asked.get("/snapshots").await.0, 401);
    let now = asked.emulator.clock().now();

    done(&asked, "POST", "reset", Value::Null).await;

    assert_eq!(done(&asked, "GET", "organization", Value::Null).await, before);
    assert_eq!(asked.get("/snapshots").await.0, 200);
    let regions = asked.get("/regions").await.1;
    assert!(!regions.to_string().contains("\"eu\""), "{regions}");
    let other = Request::get(format!("{}/snapshots", asked.emulator.api_url()));
    let other = other.header("authorization", "Bearer dtn_another");
    assert_eq!(
        asked.send(other.body(String::new()).unwrap()).await.unwrap().status(),
        401
    );
    // The time runs on from where it was.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let later = asked.emulator.clock().now();
    assert_eq!(later.duration_since(now).as_secs(), 1);
}

#[tokio::test]
async fn a_suspension_ends_by_null_and_by_an_empty_reason() {
    let asked = Asked::new();
    for end in [json!(null), json!("")] {
        done(&asked, "PUT", "organization", json!({"suspended": "unpaid"})).await;
        done(&asked, "PUT", "organization", json!({"snapshotQuota": 5})).await;
        assert_eq!(
            done(&asked, "GET", "organization", Value::Null).await["suspended"],
            "unpaid"
        );
        done(&asked, "PUT", "organization", json!({"suspended": end})).await;
        let after = done(&asked, "GET", "organization", Value::Null).await;
        assert_eq!(after["suspended"], Value::Null);
        assert_eq!(after["snapshotQuota"], 5);
    }
}

#[tokio::test]
async fn a_body_of_another_shape_is_refused_with_an_example() {
    let asked = Asked::new();
    let fault = json!({"effect": {"status": 503}, "on": "getSnapshot"});
    for (method, route, body, message) in [
        (
            "POST",
            "faults",
            fault,
            r#"expected an answer, such as {"status": 503}"#,
        ),
        (
            "POST",
            "faults",
            json!("x"),
            r#"expected a fault, such as {"effect": "disconnect"}"#,
        ),
        (
            "POST",
            "scripts",
            json!("x"),
            r#"expected a script, such as {"name": "my-app*"}"#,
        ),
        (
            "POST",
            "clock",
            json!({"hold": null}),
            "invalid type: null, expected a boolean",
        ),
        (
            "PUT",
            "organization",
            json!({"snapshotQuota": null}),
            "invalid type: null, expected u32",
        ),
        (
            "PUT",
            "organization",
            json!(3),
            r#"expected a change, such as {"snapshotQuota": 3}"#,
        ),
        (
            "PUT",
            "read-lag",
            json!("x"),
            r#"expected a lag, such as {"created": 3000}"#,
        ),
        ("POST", "api-keys", json!({"value": ""}), "value is empty"),
        (
            "POST",
            "api-keys",
            json!({"value": "a b"}),
            "only visible ASCII characters",
        ),
        (
            "POST",
            "api-keys",
            json!({"organizationId": "nowhere"}),
            "there is no organization `nowhere`",
        ),
        (
            "POST",
            "user-tokens",
            json!({"value": "é"}),
            "only visible ASCII characters",
        ),
        (
            "POST",
            "user-tokens",
            json!({"organizationIds": ["nowhere"]}),
            "there is no organization `nowhere`",
        ),
    ] {
        let (status, answer) = admin(&asked, method, route, &body).await;
        assert_eq!(status, 400, "{route} {body}: {answer}");
        let said = answer["error"].as_str().unwrap();
        assert!(said.contains(message), "{route} {body}: {said}");
    }
}
