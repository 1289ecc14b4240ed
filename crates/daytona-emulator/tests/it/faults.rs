//! Scripted faults.

use std::time::Duration;

use daytona_emulator::{Fault, Operation, ServiceError};
use http::Request;

use crate::support::Asked;

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
