//! Any text builds, or fails with a reason.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;

mod asked;
use asked::{answer, request, with_emulator};

fuzz_target!(|text: &str| {
    with_emulator(async |emulator| {
        let info = serde_json::json!({"dockerfileContent": text});
        let body = serde_json::json!({"name": "x", "buildInfo": info}).to_string();
        let created = request(emulator, "POST", "/snapshots", body.as_bytes()).expect("a request of fixed parts");
        if answer(emulator, created).await.status() != 200 {
            return;
        }
        emulator.clock().advance(Duration::from_secs(24 * 3600));
        let asked = request(emulator, "GET", "/snapshots/x", b"").expect("a request of fixed parts");
        let shown: serde_json::Value = serde_json::from_slice(answer(emulator, asked).await.body()).expect("JSON");
        match shown["state"].as_str() {
            Some("active") => {}
            Some("error") => assert!(shown["errorReason"].is_string()),
            other => panic!("the build is {other:?}"),
        }
    });
});
