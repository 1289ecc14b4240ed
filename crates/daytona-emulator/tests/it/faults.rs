//! Scripted faults.

use std::time::Duration;

use daytona_emulator::{Fault, Operation, ServiceError, UserToken};
use http::Request;
use serde_json::{Value, json};

use crate::support::Asked;

mod changes;

fn list(asked: &Asked) -> Request<String> {
    let request = Request::get(format!("{}/snapshots", asked.emulator.api_url()));
    request
        .header("authorization", format!("Bearer {}", asked.emulator.api_key()))
        .body(String::new())
        .unwrap()
}

#[tokio::test]
async fn a_fault_hits_the_calls_it_was_made_for() {
    let asked = Asked::new();
    asked
        .emulator
        .inject(Fault::status(503).on(Operation::GetAllSnapshots).nth(2).times(2));
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(asked.get("/snapshots").await.0.as_u16());
        assert_eq!(asked.get("/regions").await.0, 200);
    }
    assert_eq!(statuses, [200, 503, 503, 200, 200]);
}

#[tokio::test]
async fn a_status_comes_with_the_servers_envelope_or_ones_own_body() {
    let asked = Asked::new();
    asked
        .emulator
        .inject(Fault::status(429).header("Retry-After-authenticated", "7"));
    let response = asked.send(list(&asked)).await.unwrap();
    assert_eq!(response.headers()["retry-after-authenticated"], "7");
    let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(body["message"], "ThrottlerException: Too Many Requests");
    asked.emulator.inject(Fault::status(200).body("<html>"));
    assert_eq!(asked.send(list(&asked)).await.unwrap().body().as_ref(), b"<html>");
}

#[tokio::test]
async fn connections_break_before_in_or_after_the_answer() {
    let asked = Asked::new();
    asked.emulator.inject(Fault::disconnect());
    assert!(matches!(
        asked.send(list(&asked)).await,
        Err(ServiceError::Disconnected)
    ));
    asked.emulator.inject(Fault::truncate(5));
    assert!(asked.send(list(&asked)).await.is_err());
    // The answer is lost, but what was asked for is done.
    asked
        .emulator
        .inject(Fault::lose_answer().on(Operation::CreateSnapshot));
    let request = Request::post(format!("{}/snapshots", asked.emulator.api_url()))
        .header("authorization", format!("Bearer {}", asked.emulator.api_key()))
        .body("{\"name\":\"x\",\"imageName\":\"a:1\"}".to_owned());
    assert!(asked.send(request.unwrap()).await.is_err());
    assert_eq!(asked.get("/snapshots/x").await.0, 200);
    asked.emulator.inject(Fault::status(500).always());
    asked.emulator.clear_faults();
    assert_eq!(asked.get("/snapshots/x").await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn delays_and_stalls_take_the_emulators_time() {
    let asked = Asked::new();
    let before = asked.emulator.clock().now();
    asked.emulator.inject(Fault::delay(Duration::from_secs(40)));
    assert_eq!(asked.get("/snapshots").await.0, 200);
    assert_eq!(asked.emulator.clock().now().duration_since(before).as_secs(), 40);
    asked.emulator.inject(Fault::stall(3));
    let stalled = tokio::time::timeout(Duration::from_hours(1), asked.send(list(&asked))).await;
    assert!(stalled.is_err());
}

/// One request for each operation that the emulator knows, with the path below the emulator's address.
async fn requests(asked: &Asked) -> Vec<(Operation, Request<String>)> {
    let build = json!({"name": "built", "buildInfo": {"dockerfileContent": "FROM a:1\n"}});
    let id = asked.create(build).await.1["id"].as_str().unwrap().to_owned();
    asked.emulator.clock().advance(Duration::from_secs(20));
    let own = asked.emulator.organization_id().to_owned();
    let token = asked.emulator.add_user_token(UserToken::new([&own]));
    let key = asked.emulator.api_key().to_owned();
    let root = asked.emulator.api_url().replace("/api", "");
    let snapshot = |rest: &str| format!("/api/snapshots/{id}{rest}");
    let context = format!("/daytona/{own}/one/context.tar");
    let calls = [
        (Operation::GetAllSnapshots, "GET", "/api/snapshots".to_owned()),
        (Operation::GetSnapshot, "GET", snapshot("")),
        (Operation::GetSnapshotBuildLogsUrl, "GET", snapshot("/build-logs-url")),
        (Operation::GetSnapshotBuildLogs, "GET", snapshot("/build-logs")),
        (Operation::ReadBuildLog, "GET", format!("/snapshots/{id}/build-logs")),
        (
            Operation::GetPushAccess,
            "GET",
            "/api/object-storage/push-access".to_owned(),
        ),
        (Operation::ListAvailableRegions, "GET", "/api/regions".to_owned()),
        (Operation::ListSharedRegions, "GET", "/api/shared-regions".to_owned()),
        (Operation::GetRegionById, "GET", "/api/regions/us".to_owned()),
        (Operation::Health, "GET", "/api/health".to_owned()),
        (Operation::GetConfig, "GET", "/api/config".to_owned()),
        (Operation::GetCurrentApiKey, "GET", "/api/api-keys/current".to_owned()),
        (Operation::ListApiKeys, "GET", "/api/api-keys".to_owned()),
        (Operation::GetApiKey, "GET", "/api/api-keys/emulator".to_owned()),
        (Operation::CreateApiKey, "POST", "/api/api-keys".to_owned()),
        (Operation::DeleteApiKey, "DELETE", "/api/api-keys/made".to_owned()),
        (Operation::ListOrganizations, "GET", "/api/organizations".to_owned()),
        (
            Operation::GetOrganizationUsage,
            "GET",
            format!("/api/organizations/{own}/usage"),
        ),
        (Operation::CreateSnapshot, "POST", "/api/snapshots".to_owned()),
        (Operation::DeactivateSnapshot, "POST", snapshot("/deactivate")),
        (Operation::ActivateSnapshot, "POST", snapshot("/activate")),
        (Operation::RemoveSnapshot, "DELETE", snapshot("")),
        (Operation::HeadObject, "HEAD", context.clone()),
        (Operation::GetObject, "GET", context.clone()),
        (Operation::PutObject, "PUT", context.clone()),
        (
            Operation::UploadPart,
            "PUT",
            format!("{context}?partNumber=1&uploadId=u"),
        ),
        (Operation::CreateMultipartUpload, "POST", format!("{context}?uploads")),
        (
            Operation::CompleteMultipartUpload,
            "POST",
            format!("{context}?uploadId=u"),
        ),
        (Operation::OtherStorage, "GET", "/daytona?list-type=2".to_owned()),
        (Operation::Unknown, "GET", "/api/nope".to_owned()),
    ];
    let with_token = [
        Operation::ListApiKeys,
        Operation::GetApiKey,
        Operation::CreateApiKey,
        Operation::DeleteApiKey,
        Operation::ListOrganizations,
        Operation::GetOrganizationUsage,
    ];
    let request = |(operation, method, path): (Operation, &str, String)| {
        let bearer = if with_token.contains(&operation) { &token } else { &key };
        let body = match operation {
            Operation::CreateSnapshot => r#"{"name":"made","imageName":"a:1"}"#,
            Operation::CreateApiKey => r#"{"name":"made","permissions":["write:snapshots"]}"#,
            _ => "",
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("{root}{path}"))
            .header("authorization", format!("Bearer {bearer}"))
            .header("content-type", "application/json")
            .header("x-daytona-organization-id", &own);
        (operation, request.body(body.to_owned()).unwrap())
    };
    calls.into_iter().map(request).collect()
}

#[tokio::test]
async fn the_answer_of_every_operation_can_be_lost_though_it_is_carried_out() {
    let asked = Asked::new();
    asked.emulator.clock().hold();
    for (operation, request) in requests(&asked).await {
        if operation == Operation::ActivateSnapshot {
            asked.emulator.clock().advance(Duration::from_mins(11));
        }
        asked.emulator.inject(Fault::lose_answer().on(operation));
        let lost = asked.send(request).await;
        assert!(matches!(lost, Err(ServiceError::Disconnected)), "{operation}");
        let told = asked.emulator.requests().pop().unwrap();
        assert_eq!((told.operation, told.status), (operation, None));
        let state = async |name: &str| asked.get(&format!("/snapshots/{name}")).await.1["state"].clone();
        match operation {
            Operation::CreateSnapshot => assert_eq!(state("made").await, "pending"),
            Operation::DeactivateSnapshot => assert_eq!(state("built").await, "inactive"),
            Operation::ActivateSnapshot => assert_eq!(state("built").await, "pending"),
            Operation::RemoveSnapshot => assert_eq!(state("built").await, "removing"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn every_operation_can_be_answered_by_a_gateway_or_with_a_long_wait() {
    let asked = Asked::new();
    asked.emulator.clock().hold();
    for (operation, request) in requests(&asked).await {
        asked
            .emulator
            .inject(Fault::gateway_page(524).on(operation).header("CF-RAY", "1-AMS"));
        let answer = asked.send(request.clone()).await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["cf-ray"]),
            (524, &"1-AMS".parse().unwrap())
        );
        // The answer to HEAD has no body.
        let is_page = answer.body().starts_with(b"<!DOCTYPE html>");
        assert_eq!(is_page, operation != Operation::HeadObject, "{operation}");
        asked
            .emulator
            .inject(Fault::status(503).on(operation).header("Retry-After", "86400"));
        let answer = asked.send(request).await.unwrap();
        assert_eq!(answer.headers()["retry-after"], "86400", "{operation}");
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        let form = match operation {
            Operation::ReadBuildLog => "\"method\":\"GET\"",
            Operation::HeadObject => "",
            Operation::GetObject
            | Operation::PutObject
            | Operation::UploadPart
            | Operation::CreateMultipartUpload
            | Operation::CompleteMultipartUpload
            | Operation::OtherStorage => "<Error>",
            _ => "\"error\":\"Service Unavailable\"",
        };
        assert!(text.contains(form), "{operation}: {text}");
    }
}

#[tokio::test]
async fn a_gateway_gives_up_though_the_request_is_carried_out() {
    let asked = Asked::new();
    asked
        .emulator
        .inject(Fault::gateway_page(502).carried_out().on(Operation::CreateSnapshot));
    let (status, page) = asked.create(json!({"name": "x", "imageName": "a:1"})).await;
    assert_eq!(status, 502);
    assert!(page.as_str().unwrap().contains("<h1>502 Bad Gateway</h1>"), "{page}");
    assert_eq!(asked.get("/snapshots/x").await.0, 200);
    asked
        .emulator
        .inject(Fault::status(500).carried_out().on(Operation::CreateSnapshot));
    let (status, body) = asked.create(json!({"name": "y", "imageName": "b:1"})).await;
    assert_eq!((status.as_u16(), &body["path"]), (500, &json!("/api/snapshots")));
    assert_eq!(asked.get("/snapshots/y").await.0, 200);
    // A number that no answer can have is no panic.
    asked.emulator.inject(Fault::status(100));
    assert_eq!(asked.get("/snapshots").await.0, 500);
    asked.emulator.inject(Fault::gateway_page(0));
    assert_eq!(asked.get("/snapshots").await.0, 502);
}

/// An emulator whose time stands still, at the beginning of ten seconds.
fn held() -> Asked {
    let asked = Asked::new();
    asked.emulator.clock().hold();
    let now = asked.emulator.clock().now();
    let to_the_sweep = 10_000 - now.as_millisecond().rem_euclid(10_000);
    asked
        .emulator
        .clock()
        .advance(Duration::from_millis(to_the_sweep.unsigned_abs()));
    asked
}

#[tokio::test]
async fn the_head_of_an_answer_can_be_changed() {
    let asked = held();
    let date = |response: &http::Response<bytes::Bytes>| response.headers().get("date").cloned();
    let usual = asked.send(list(&asked)).await.unwrap();
    let shown = asked
        .emulator
        .clock()
        .now()
        .strftime("%a, %d %b %Y %H:%M:%S GMT")
        .to_string();
    assert_eq!(date(&usual).unwrap(), shown.as_str());
    asked.emulator.inject(Fault::without_header("date"));
    assert_eq!(date(&asked.send(list(&asked)).await.unwrap()), None);
    asked
        .emulator
        .inject(Fault::with_header("X-RateLimit-Remaining-authenticated", "3"));
    let response = asked.send(list(&asked)).await.unwrap();
    assert_eq!(response.headers()["x-ratelimit-remaining-authenticated"], "3");
    asked.emulator.inject(Fault::with_header("no header", "\n"));
    assert_eq!(asked.send(list(&asked)).await.unwrap().status(), 200);
}

#[tokio::test]
async fn what_a_fault_does_in_rust_it_does_over_http() {
    let asked = held();
    let admin = async |method: &str, route: &str, body: &str| {
        let root = asked.emulator.api_url().replace("/api", "/_emulator");
        let request = Request::builder().method(method).uri(format!("{root}/{route}"));
        let request = request.header("authorization", format!("Bearer {}", asked.emulator.admin_key()));
        let response = asked.send(request.body(body.to_owned()).unwrap()).await.unwrap();
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        (response.status().as_u16(), body)
    };
    for fault in [
        r#"{"effect": {"gatewayPage": {"status": 524, "carriedOut": true}}, "on": "createSnapshot"}"#,
        r#"{"effect": "ignore", "on": "removeSnapshot", "whileUnderWay": true, "times": 3}"#,
        r#"{"effect": "undo", "on": "deactivateSnapshot"}"#,
        r#"{"effect": {"withHeader": {"name": "Date", "value": "never"}}}"#,
        r#"{"effect": {"withoutHeader": "Date"}}"#,
        r#"{"effect": "loseAnswer", "on": "removeSnapshot"}"#,
    ] {
        let (status, body) = admin("POST", "faults", fault).await;
        assert_eq!(status, 200, "{fault}: {body}");
    }
    for (route, body, message) in [
        (
            "faults",
            r#"{"effect": {"status": {"status": 99}}}"#,
            "status must be from 200 to 999, but is 99",
        ),
        (
            "faults",
            r#"{"effect": {"gatewayPage": {"status": 200}}}"#,
            "status must be from 400 to 599, but is 200",
        ),
        (
            "faults",
            r#"{"effect": {"throttleUpload": 0}}"#,
            "throttleUpload must be at least 1, but is 0",
        ),
        (
            "faults",
            r#"{"effect": "ignore", "nth": 0}"#,
            "nth must be at least 1, but is 0",
        ),
        (
            "faults",
            r#"{"effect": {"withoutHeader": "a b"}}"#,
            "\"a b\" cannot be the name of a header",
        ),
        (
            "faults",
            r#"{"effect": {"delay": 99999999999}}"#,
            "delay must be from 0 to 31536000000, but is 99999999999",
        ),
        (
            "scripts",
            r#"{"size": -1}"#,
            "size must be from 0 to 1000000, but is -1",
        ),
        (
            "scripts",
            r#"{"takes": 99999999999}"#,
            "takes must be from 0 to 31536000000, but is 99999999999",
        ),
        (
            "clock",
            r#"{"advance": 99999999999}"#,
            "advance must be from 0 to 31536000000, but is 99999999999",
        ),
    ] {
        let (status, answer) = admin("POST", route, body).await;
        assert_eq!((status, &answer["error"]), (400, &json!(message)), "{body}");
    }
    let (status, answer) = admin("PUT", "read-lag", r#"{"created": 99999999999}"#).await;
    assert_eq!(status, 400, "{answer}");
    assert_eq!(admin("PUT", "read-lag", r#"{"created": 1000}"#).await.0, 200);
    assert_eq!(asked.create(json!({"name": "x", "imageName": "a:1"})).await.0, 524);
    assert_eq!(asked.get("/snapshots/x").await.0, 404);
    asked.emulator.clock().advance(Duration::from_secs(1));
    assert_eq!(asked.get("/snapshots/x").await.0, 200);
    // A key that is in use expires.
    let end = asked
        .emulator
        .clock()
        .now()
        .checked_add(Duration::from_secs(5))
        .unwrap();
    let key = json!({"value": asked.emulator.api_key(), "expiresAt": end.to_string()}).to_string();
    assert_eq!(admin("POST", "api-keys", &key).await.0, 200);
    assert_eq!(asked.get("/snapshots").await.0, 200);
    asked.emulator.clock().advance(Duration::from_secs(5));
    let (status, body) = asked.get("/snapshots").await;
    assert_eq!(
        (status.as_u16(), &body["message"]),
        (401, &json!("Invalid credentials"))
    );
    let (status, token) = admin("POST", "user-tokens", "{\"permissions\": []}").await;
    assert_eq!(
        (status, token["value"].as_str().unwrap().starts_with("eyJ")),
        (200, true)
    );
}
