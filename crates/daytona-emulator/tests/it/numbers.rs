//! Every number that a test of another language can send: its range, and what is said of one that is not in it.

use serde_json::{Value, json};

use crate::admin::admin;
use crate::support::Asked;

/// A year in milliseconds, and a little more.
const LONG: u64 = 31_536_000_001;

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table of every number")]
async fn a_number_out_of_its_range_is_refused_and_changes_nothing() {
    let asked = Asked::new();
    let before = admin(&asked, "GET", "organization", &Value::Null).await;
    let year = format!("must be from 0 to {}, but is {LONG}", LONG - 1);
    let million = "must be from 0 to 1000000, but is";
    let fault = |effect: Value| json!({"effect": effect});
    for (method, route, body, message) in [
        (
            "POST",
            "faults",
            fault(json!({"status": {"status": 1000}})),
            "status must be from 200 to 999, but is 1000".to_owned(),
        ),
        (
            "POST",
            "faults",
            fault(json!({"gatewayPage": {"status": 600}})),
            "status must be from 400 to 599, but is 600".to_owned(),
        ),
        ("POST", "faults", fault(json!({"delay": LONG})), format!("delay {year}")),
        (
            "POST",
            "faults",
            fault(json!({"throttleUpload": 0})),
            "throttleUpload must be at least 1, but is 0".to_owned(),
        ),
        (
            "POST",
            "faults",
            json!({"effect": "disconnect", "nth": 0}),
            "nth must be at least 1, but is 0".to_owned(),
        ),
        (
            "POST",
            "faults",
            json!({"effect": "disconnect", "times": 0}),
            "times must be at least 1, but is 0".to_owned(),
        ),
        (
            "POST",
            "faults",
            json!({"effect": "disconnect", "part": 0}),
            "part must be from 1 to 10000, but is 0".to_owned(),
        ),
        (
            "POST",
            "faults",
            json!({"effect": "disconnect", "part": 10_001}),
            "part must be from 1 to 10000, but is 10001".to_owned(),
        ),
        (
            "POST",
            "scripts",
            json!({"times": 0}),
            "times must be at least 1, but is 0".to_owned(),
        ),
        ("POST", "scripts", json!({"takes": LONG}), format!("takes {year}")),
        (
            "POST",
            "scripts",
            json!({"inspectionTakes": LONG}),
            format!("inspectionTakes {year}"),
        ),
        (
            "POST",
            "scripts",
            json!({"size": 1e7}),
            format!("size {million} 10000000"),
        ),
        (
            "POST",
            "scripts",
            json!({"run": [{"containing": "x", "exit": 256}]}),
            "exit must be from 0 to 255, but is 256".to_owned(),
        ),
        (
            "POST",
            "scripts",
            json!({"run": [{"containing": "x", "exit": -1}]}),
            "exit must be from 0 to 255, but is -1".to_owned(),
        ),
        (
            "POST",
            "scripts",
            json!({"states": [{"after": LONG, "state": "active"}]}),
            format!("after {year}"),
        ),
        ("POST", "clock", json!({"advance": LONG}), format!("advance {year}")),
        ("PUT", "read-lag", json!({"created": LONG}), format!("created {year}")),
        ("PUT", "read-lag", json!({"deleted": LONG}), format!("deleted {year}")),
        ("PUT", "read-lag", json!({"names": LONG}), format!("names {year}")),
        (
            "PUT",
            "rate-limits",
            json!({"requests": 1, "failedLogins": 1, "window": LONG}),
            format!("window must be from 1 to {}, but is {LONG}", LONG - 1),
        ),
        (
            "PUT",
            "rate-limits",
            json!({"requests": 1, "failedLogins": 1, "window": 0}),
            format!("window must be from 1 to {}, but is 0", LONG - 1),
        ),
        (
            "POST",
            "snapshots",
            json!({"name": "x", "imageName": "a:1", "size": -1}),
            format!("size {million} -1"),
        ),
        (
            "PUT",
            "organization",
            json!({"maxCpuPerSandbox": 1e7}),
            format!("maxCpuPerSandbox {million} 10000000"),
        ),
        (
            "PUT",
            "organization",
            json!({"maxMemoryPerSandbox": -1}),
            format!("maxMemoryPerSandbox {million} -1"),
        ),
        (
            "PUT",
            "organization",
            json!({"maxDiskPerSandbox": -1}),
            format!("maxDiskPerSandbox {million} -1"),
        ),
        (
            "PUT",
            "organization",
            json!({"maxSnapshotSize": -1}),
            format!("maxSnapshotSize {million} -1"),
        ),
    ] {
        let (status, answer) = admin(&asked, method, route, &body).await;
        assert_eq!(
            (status, &answer["error"]),
            (400, &json!(message)),
            "{method} {route} {body}"
        );
    }
    // What is no number of that kind at all is refused while it is read.
    for (method, route, body) in [
        ("POST", "faults", fault(json!({"truncate": -1}))),
        ("POST", "faults", fault(json!({"stall": 1.5}))),
        ("POST", "faults", json!({"effect": "disconnect", "times": 1e30})),
        ("POST", "clock", json!({"advance": -1})),
        ("PUT", "organization", json!({"snapshotQuota": -1})),
        ("PUT", "organization", json!({"gpuQuota": 1e10})),
        (
            "PUT",
            "rate-limits",
            json!({"requests": -1, "failedLogins": 1, "window": 1}),
        ),
    ] {
        assert_eq!(
            admin(&asked, method, route, &body).await.0,
            400,
            "{method} {route} {body}"
        );
    }
    assert_eq!(admin(&asked, "GET", "organization", &Value::Null).await, before);
    let (_, all) = admin(&asked, "GET", "", &Value::Null).await;
    assert_eq!(
        (&all["faults"], &all["scripts"], &all["snapshots"]),
        (&json!([]), &json!([]), &json!([]))
    );
}

/// Numbers at the ends of their ranges break nothing.
#[tokio::test(start_paused = true)]
async fn numbers_at_the_ends_of_their_ranges_are_taken() {
    let asked = Asked::new();
    for (method, route, body) in [
        (
            "POST",
            "faults",
            json!({"effect": {"throttleUpload": u64::MAX}, "times": u64::MAX, "nth": u64::MAX, "on": "getSnapshot"}),
        ),
        ("POST", "faults", json!({"effect": {"delay": LONG - 1}, "on": "health"})),
        (
            "POST",
            "scripts",
            json!({"takes": LONG - 1, "inspectionTakes": LONG - 1, "size": 1e6, "times": u64::MAX}),
        ),
        (
            "PUT",
            "read-lag",
            json!({"created": LONG - 1, "deleted": LONG - 1, "names": LONG - 1}),
        ),
        (
            "PUT",
            "rate-limits",
            json!({"requests": u32::MAX, "failedLogins": u32::MAX, "window": LONG - 1}),
        ),
        (
            "PUT",
            "organization",
            json!({"snapshotQuota": u32::MAX, "maxSnapshotSize": 1e6}),
        ),
        ("POST", "clock", json!({"advance": LONG - 1})),
    ] {
        let (status, body) = admin(&asked, method, route, &body).await;
        assert_eq!(status, 200, "{method} {route}: {body}");
    }
    asked.created("x").await;
    asked.emulator.set_read_lag(None);
    for _ in 0..9_000 {
        // To the end of the time that there is.
        assert_eq!(
            admin(&asked, "POST", "clock", &json!({"advance": LONG - 1})).await.0,
            200
        );
    }
    assert_eq!(asked.get("/snapshots/x").await.1["state"], "active");
    assert_eq!(asked.get("/health").await.0, 200);
}
