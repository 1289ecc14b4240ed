//! Every body that was recorded from a real server can be read.

use daytona_api::{
    ErrorBody, GetAllSnapshots, GetPushAccess, GetSnapshot, GetSnapshotBuildLogsUrl, ListAvailableRegions, Operation,
};
use serde_json::Value;

#[test]
fn every_recorded_body_decodes() {
    let exchanges: Vec<Value> = serde_json::from_str(include_str!("../fixtures/exchanges.json")).unwrap();
    let mut decoded = 0;
    for exchange in &exchanges {
        let (request, response) = (&exchange["request"], &exchange["response"]);
        let Some(body) = response["body"]
            .as_object()
            .map(|_| response["body"].to_string())
            .or_else(|| response["body"].is_array().then(|| response["body"].to_string()))
        else {
            continue;
        };
        let path = request["path"].as_str().unwrap().split('?').next().unwrap();
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let method = request["method"].as_str().unwrap();
        let status = response["status"].as_u64().unwrap();
        let body = body.as_bytes();
        let outcome = match (method, status, segments.as_slice()) {
            (_, 300.., _) => serde_json::from_slice::<ErrorBody>(body)
                .map(|body| assert!(body.message.is_some()))
                .map_err(|error| error.to_string()),
            ("POST", _, ["api", "snapshots"] | ["api", "snapshots", _, "activate"])
            | ("GET", _, ["api", "snapshots", _]) => read::<GetSnapshot>(body),
            ("GET", _, ["api", "snapshots"]) => read::<GetAllSnapshots>(body),
            ("GET", _, ["api", "snapshots", _, "build-logs-url"]) => read::<GetSnapshotBuildLogsUrl>(body),
            ("GET", _, ["api", "object-storage", "push-access"]) => read::<GetPushAccess>(body),
            ("GET", _, ["api", "regions"]) => read::<ListAvailableRegions>(body),
            _ => continue,
        };
        assert!(outcome.is_ok(), "{}: {outcome:?}", exchange["label"]);
        decoded += 1;
    }
    assert!(
        decoded > 90,
        "only {decoded} of {} exchanges have a body that we know",
        exchanges.len()
    );
}

fn read<O: Operation>(body: &[u8]) -> Result<(), String> {
    O::decode(body)
        .map(|_| ())
        .map_err(|error| format!("{error} ({:?})", error.field()))
}
