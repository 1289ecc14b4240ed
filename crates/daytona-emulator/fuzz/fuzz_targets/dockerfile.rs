//! Any text builds, or fails with a reason.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;

mod asked;
use asked::{answer, create, request, with_emulator};

fuzz_target!(|text: &str| {
    with_emulator(async |emulator| {
        let key = format!("{}/one/context.tar", emulator.organization_id());
        emulator.put_object(&key, &context()).expect("there is room");
        let info = serde_json::json!({"dockerfileContent": text, "contextHashes": ["one"]});
        if create(emulator, info).await.status() != 200 {
            return;
        }
        emulator.clock().advance(Duration::from_secs(24 * 3600));
        let asked = request(emulator, "GET", "/snapshots/x", &[], b"").expect("a request of fixed parts");
        let shown: serde_json::Value = serde_json::from_slice(answer(emulator, asked).await.body()).expect("JSON");
        match shown["state"].as_str() {
            Some("active") => {}
            Some("error") => assert!(shown["errorReason"].is_string()),
            other => panic!("the build is {other:?}"),
        }
    });
});

/// A few files, which the Dockerfile may copy.
fn context() -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for name in ["a.txt", "b.txt", "d/a.txt", "d/e/b.js", "src/main.py", ".hidden", ".dockerignore"] {
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o644);
        header.set_size(1);
        archive.append_data(&mut header, name, &b"x"[..]).expect("memory takes it");
    }
    archive.into_inner().expect("memory takes it")
}
