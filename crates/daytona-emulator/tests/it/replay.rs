//! Every exchange that was recorded with a real server, against the emulator.
//!
//! A chain of exchanges (labels `a`, `a > b`) runs on an emulator of its own, which is brought into the state that the
//! recording had. What cannot be replayed is listed with its reason; everything else has to match.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use daytona_emulator::EmulatorService;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tokio::time::Instant;
use tower_service::Service;

use self::prepare::Stage;

pub(crate) mod compare;
mod prepare;

/// The recordings: those beside the repository if they are there, as they may be more, else the copy in it.
fn exchanges() -> Vec<Value> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/wire/exchanges.json");
    let text = std::fs::read_to_string(beside)
        .unwrap_or_else(|_| include_str!("../../../daytona-api/tests/fixtures/exchanges.json").to_owned());
    serde_json::from_str(&text).unwrap()
}

/// Why an exchange is not sent to the emulator.
fn reason_not_to(exchange: &Value) -> Option<&'static str> {
    let path = exchange["request"]["path"].as_str()?;
    let label = exchange["label"].as_str()?;
    if path.contains("/suspend") || path.contains("/unsuspend") {
        return Some("set-up of an organization: done through Emulator::put_organization");
    }
    if path.contains("/quota") {
        return Some("set-up of an organization's quota: done through Emulator::put_organization");
    }
    if label.contains("idle") && exchange["response"].is_null() {
        return Some("needs a socket: the test `an_idle_connection_is_closed` of socket.rs");
    }
    None
}

#[tokio::test(start_paused = true)]
async fn recorded_exchanges_match() {
    let exchanges = exchanges();
    let mut chains: Vec<Vec<&Value>> = Vec::new();
    for exchange in &exchanges {
        let root = |exchange: &Value| {
            let label = exchange["label"].as_str().unwrap_or_default();
            let first = label.split(" > ").next().unwrap_or_default().to_owned();
            (exchange["section"].clone(), first)
        };
        match chains.last_mut() {
            Some(chain)
                if exchange["label"].as_str().unwrap_or_default().contains(" > ")
                    && root(chain[0]) == root(exchange) =>
            {
                chain.push(exchange);
            }
            _ => chains.push(vec![exchange]),
        }
    }
    let mut tally: BTreeMap<String, (usize, usize, usize)> = BTreeMap::new();
    let (mut differences, mut left_out) = (Vec::new(), Vec::new());
    for chain in chains {
        let mut stage = Stage::new(&exchanges, &chain);
        let mut late = None;
        for exchange in chain {
            let section = exchange["section"].as_str().unwrap_or_default().to_owned();
            let name = format!("{section}: {}", exchange["label"].as_str().unwrap_or_default());
            let (matched, all, skipped) = tally.entry(section).or_default();
            *all += 1;
            if let Some(reason) = reason_not_to(exchange) {
                *skipped += 1;
                left_out.push(format!("{name}: {reason}"));
                continue;
            }
            let mut found = replay(&mut stage, exchange).await;
            if exchange["section"] == "No runner available" {
                // Its states were looked at once the runner was back, which was after all else.
                late = late.or(exchange["states"].as_array());
            } else {
                found.extend(states_of(&mut stage, exchange).await);
            }
            if found.is_empty() {
                *matched += 1;
            }
            differences.extend(found.into_iter().map(|difference| format!("{name}: {difference}")));
        }
        if let Some(recorded) = late {
            stage.emulator.set_runner(true);
            let found = compare::states(recorded, &states(&stage).await);
            differences.extend(
                found
                    .into_iter()
                    .map(|difference| format!("once the runner is back: {difference}")),
            );
        }
    }
    println!("{:45} matched  all  not replayed", "section");
    let mut sum = (0, 0, 0);
    for (section, (matched, all, skipped)) in &tally {
        println!("{section:45} {matched:7} {all:4} {skipped:13}");
        sum = (sum.0 + matched, sum.1 + all, sum.2 + skipped);
    }
    println!("{:45} {:7} {:4} {:13}", "together", sum.0, sum.1, sum.2);
    for line in &left_out {
        println!("not replayed: {line}");
    }
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences.join("\n")
    );
    assert_eq!(sum.0 + sum.2, sum.1);
}

/// Sends an exchange's request, and says what is different.
async fn replay(stage: &mut Stage, exchange: &Value) -> Vec<String> {
    stage.prepare(exchange).await;
    let request = stage.request(exchange);
    let begin = Instant::now();
    let response = send(stage.emulator.service(), request).await;
    let took = begin.elapsed();
    stage.learn(exchange, response.body());
    let recorded = &exchange["response"];
    let mut differences = Vec::new();
    if !recorded.is_null() {
        differences = compare::response(stage, recorded, &response);
        let open = recorded["still_open_after_silence_s"].as_u64();
        if open.is_some_and(|seconds| took < Duration::from_secs(seconds)) {
            differences.push(format!("the stream ended after {took:?}"));
        }
        let ended = recorded["closed_after_s"].as_f64();
        if ended.is_some() && took > Duration::from_mins(1) {
            differences.push(format!("the stream did not end before {took:?}"));
        }
    }
    differences
}

async fn states_of(stage: &mut Stage, exchange: &Value) -> Vec<String> {
    let mut differences = Vec::new();
    if let Some(recorded) = exchange["states"].as_array() {
        differences.extend(compare::states(recorded, &states(stage).await));
    }
    if let Some(recorded) = exchange["states_of_the_first"].as_array() {
        stage.look_at_the_first();
        differences.extend(compare::states(recorded, &states(stage).await));
    }
    differences
}

async fn send(mut service: EmulatorService, request: Request<String>) -> Response<Bytes> {
    let response = service
        .call(request.map(|body| Full::new(Bytes::from(body))))
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap();
    Response::from_parts(parts, body.to_bytes())
}

/// The states that a snapshot goes through in half a minute, looked at more often than any of them lasts: what waits for a
/// sweep begins at any moment of it.
async fn states(stage: &Stage) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    for round in 0..1_600 {
        let request = stage.poll();
        let response = send(stage.emulator.service(), request).await;
        let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
        let state = match response.status().as_u16() {
            200 => body["state"].as_str().unwrap_or_default().to_owned(),
            status => status.to_string(),
        };
        if seen.last() != Some(&state) {
            seen.push(state);
        }
        tokio::time::sleep(Duration::from_millis(if round < 400 { 5 } else { 25 })).await;
    }
    seen
}
