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
}

/// A test that moves the time by a month leaves nothing of it to the next one.
#[tokio::test(start_paused = true)]
async fn a_reset_puts_the_clock_back_to_the_present() {
    let asked = Asked::new();
    let month = 30 * 24 * 3_600_000_u64;
    for hold in [true, false] {
        let hour = Duration::from_hours(1);
        let expires = asked.emulator.clock().now().checked_add(hour).unwrap();
        done(&asked, "POST", "clock", json!({"hold": hold, "advance": month})).await;
        done(&asked, "POST", "faults", json!({"effect": {"delay": 60_000}})).await;
        let moved = asked.emulator.clock().now();
        assert_eq!(done(&asked, "GET", "", Value::Null).await["held"], hold);
        let (delayed, ()) = tokio::join!(asked.get("/health"), async {
            tokio::task::yield_now().await;
            done(&asked, "POST", "reset", Value::Null).await;
        });
        assert_eq!(delayed.0, 200);
        // It runs, from the present.
        assert_eq!(done(&asked, "GET", "", Value::Null).await["held"], false);
        let now = asked.emulator.clock().now();
        assert!(now < expires && now < moved, "{now} {expires}");
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(asked.emulator.clock().now().duration_since(now).as_secs(), 1);
        let key = json!({"value": asked.emulator.api_key(), "expiresAt": expires.to_string()});
        done(&asked, "POST", "api-keys", key).await;
        assert_eq!(asked.get("/snapshots").await.0, 200);
        done(&asked, "POST", "reset", Value::Null).await;
    }
}

#[tokio::test]
async fn what_is_left_out_of_a_key_that_exists_stays() {
    let asked = Asked::new();
    let organization = done(&asked, "POST", "organizations", json!({"name": "other"})).await["id"].clone();
    let key = json!({"value": "dtn_one", "name": "ci", "organizationId": organization, "permissions": []});
    done(&asked, "POST", "api-keys", key).await;
    let expired = json!({"value": "dtn_one", "expiresAt": "2020-01-01T00:00:00Z"});
    done(&asked, "POST", "api-keys", expired).await;
    assert_eq!(current_key(&asked, "dtn_one").await.0, 401);
    // Another name leaves it expired; null ends that.
    done(&asked, "POST", "api-keys", json!({"value": "dtn_one", "name": "more"})).await;
    assert_eq!(current_key(&asked, "dtn_one").await.0, 401);
    done(
        &asked,
        "POST",
        "api-keys",
        json!({"value": "dtn_one", "expiresAt": null}),
    )
    .await;
    let (status, key) = current_key(&asked, "dtn_one").await;
    assert_eq!(
        (status, &key["name"], &key["permissions"]),
        (200, &json!("more"), &json!([]))
    );
    // It is still of the other organization.
    asked.created("own").await;
    let (_, list) = get_with(&asked, "/snapshots", "dtn_one").await;
    assert_eq!(list["total"], 0);

    let token = json!({"value": "eyJone", "organizationIds": [organization], "permissions": []});
    done(&asked, "POST", "user-tokens", token).await;
    let expired = json!({"value": "eyJone", "expiresAt": "2020-01-01T00:00:00Z"});
    done(&asked, "POST", "user-tokens", expired).await;
    assert_eq!(get_with(&asked, "/organizations", "eyJone").await.0, 401);
    done(
        &asked,
        "POST",
        "user-tokens",
        json!({"value": "eyJone", "expiresAt": null}),
    )
    .await;
    let (status, organizations) = get_with(&asked, "/organizations", "eyJone").await;
    assert_eq!((status, &organizations[0]["id"]), (200, &organization));
    assert_eq!(organizations.as_array().unwrap().len(), 1);
}

async fn get_with(asked: &Asked, route: &str, key: &str) -> (u16, Value) {
    let request = Request::get(format!("{}{route}", asked.emulator.api_url()));
    let request = request.header("authorization", format!("Bearer {key}"));
    let response = asked.send(request.body(String::new()).unwrap()).await.unwrap();
    let body = serde_json::from_slice(response.body()).unwrap();
    (response.status().as_u16(), body)
}

async fn current_key(asked: &Asked, key: &str) -> (u16, Value) {
    get_with(asked, "/api-keys/current", key).await
}

/// Two workers with an organization and a key each use the same name, and do not see each other.
#[tokio::test]
async fn workers_with_organizations_of_their_own_do_not_disturb_each_other() {
    let asked = Asked::new();
    for worker in ["one", "two"] {
        let body = json!({"name": worker, "id": worker, "snapshotQuota": 7});
        assert_eq!(done(&asked, "POST", "organizations", body).await["id"], worker);
        let key = json!({"value": format!("dtn_{worker}"), "organizationId": worker});
        done(&asked, "POST", "api-keys", key).await;
        let body = json!({"name": "same", "imageName": "a:1", "organizationId": worker});
        done(&asked, "POST", "snapshots", body).await;
        let (_, list) = get_with(&asked, "/snapshots", &format!("dtn_{worker}")).await;
        assert_eq!(list["total"], 1, "{list}");
        let (status, access) = get_with(&asked, "/object-storage/push-access", &format!("dtn_{worker}")).await;
        assert_eq!((status, &access["organizationId"]), (200, &json!(worker)));
    }
    // One is suspended; its quota and its name stay, and the other goes on.
    done(
        &asked,
        "POST",
        "organizations",
        json!({"id": "one", "suspended": "unpaid"}),
    )
    .await;
    let own = done(&asked, "GET", "organization", Value::Null).await;
    assert_eq!(own["suspended"], Value::Null);
    for (worker, status) in [("one", 403), ("two", 200)] {
        let request = Request::post(format!("{}/snapshots", asked.emulator.api_url()));
        let request = request
            .header("authorization", format!("Bearer dtn_{worker}"))
            .header("content-type", "application/json");
        let body = json!({"name": "more", "imageName": "a:1"}).to_string();
        let response = asked.send(request.body(body).unwrap()).await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{worker}");
    }
    done(&asked, "POST", "reset", Value::Null).await;
    assert_eq!(get_with(&asked, "/snapshots", "dtn_one").await.0, 401);
}

#[tokio::test]
async fn a_second_snapshot_of_a_name_is_refused_with_the_id_of_the_first() {
    let asked = Asked::new();
    let body = json!({"name": "base", "imageName": "a:1"});
    let id = done(&asked, "POST", "snapshots", body.clone()).await["id"].clone();
    let (status, answer) = admin(&asked, "POST", "snapshots", &body).await;
    assert_eq!(status, 409);
    assert!(
        answer["error"].as_str().unwrap().contains(id.as_str().unwrap()),
        "{answer}"
    );
    let same_id = json!({"name": "other", "imageName": "a:1", "id": id});
    assert_eq!(admin(&asked, "POST", "snapshots", &same_id).await.0, 409);
    assert_eq!(asked.get("/snapshots").await.1["total"], 1);
}

#[tokio::test]
async fn a_wrong_method_is_answered_with_the_ones_that_there_are() {
    let asked = Asked::new();
    let root = asked.emulator.api_url().replace("/api", "/_emulator");
    for (method, route, allowed) in [("GET", "clock", "POST"), ("POST", "images/x/files/a/b", "GET")] {
        let request = Request::builder().method(method).uri(format!("{root}/{route}"));
        let request = request.header("authorization", format!("Bearer {}", asked.emulator.admin_key()));
        let response = asked.send(request.body(String::new()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 405, "{route}");
        assert_eq!(response.headers()["allow"], allowed);
        assert!(String::from_utf8_lossy(response.body()).contains(allowed), "{route}");
    }
    assert_eq!(admin(&asked, "GET", "nowhere", &Value::Null).await.0, 404);
}

/// Without a limit for them, failed logins are answered as ever; the limit of requests holds.
#[tokio::test]
async fn failed_logins_need_no_limit() {
    let asked = Asked::new();
    done(&asked, "PUT", "rate-limits", json!({"requests": 2, "window": 60_000})).await;
    for _ in 0..20 {
        assert_eq!(get_with(&asked, "/snapshots", "dtn_wrong").await.0, 401);
    }
    let statuses = [200, 200, 429];
    for status in statuses {
        assert_eq!(asked.get("/snapshots").await.0, status);
    }
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
            "faults",
            json!({"effect": "status"}),
            r#"the effect `status`: invalid type: unit variant, expected newtype variant; write it like this: {"effect": {"status": {"status": 503}}}"#,
        ),
        (
            "POST",
            "faults",
            json!({"effect": {"disconnect": {}}}),
            r#"write it like this: {"effect": "disconnect"}"#,
        ),
        (
            "POST",
            "faults",
            json!({"effect": {"delay": {"ms": 1}}}),
            r#"write it like this: {"effect": {"delay": 1000}}"#,
        ),
        (
            "POST",
            "snapshots",
            json!({"name": "x", "imageName": "a:1", "createdAt": "yesterday"}),
            "createdAt must be a time such as 2026-01-01T00:00:00Z, but is \"yesterday\"",
        ),
        (
            "POST",
            "api-keys",
            json!({"expiresAt": "soon"}),
            "expiresAt must be a time",
        ),
        (
            "POST",
            "snapshots",
            json!({"name": "x", "imageName": "a:1", "state": "Active"}),
            "state must be one of `building`, `pending`, `pulling`, `snapshotting`, `active`",
        ),
        (
            "POST",
            "scripts",
            json!({"states": [{"after": 1, "state": "wrong"}]}),
            "but is `wrong`",
        ),
        (
            "POST",
            "organizations",
            json!({"snapshotQuota": 3}),
            "a new organization needs a name",
        ),
        (
            "POST",
            "organizations",
            json!({"name": "x", "id": "a/b"}),
            "id must be 1 to 100 letters, digits, `-` and `_`",
        ),
        (
            "POST",
            "organizations",
            json!({"name": "x", "quota": 3}),
            "unknown field `quota`",
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
