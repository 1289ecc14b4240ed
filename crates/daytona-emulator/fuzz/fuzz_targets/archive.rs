//! Any bytes are the archive of a context, or fail the build.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;

mod asked;
use asked::{answer, create, request, with_emulator};

fuzz_target!(|bytes: &[u8]| {
    with_emulator(async |emulator| {
        let key = format!("{}/one/context.tar", emulator.organization_id());
        emulator.put_object(&key, bytes).expect("there is room");
        let dockerfile = "FROM scratch\nADD . /all/\nADD * /unpacked/\nCOPY --parents **/a* /some/\n";
        let info = serde_json::json!({"dockerfileContent": dockerfile, "contextHashes": ["one"]});
        assert_eq!(create(emulator, info).await.status(), 200);
        emulator.clock().advance(Duration::from_secs(3600));
        let asked = request(emulator, "GET", "/snapshots/x", &[], b"").expect("a request of fixed parts");
        let shown: serde_json::Value = serde_json::from_slice(answer(emulator, asked).await.body()).expect("JSON");
        assert!(shown["state"] == "active" || shown["errorReason"].is_string(), "{shown}");
        if let Some(image) = emulator.image("x").await {
            for file in image.files() {
                assert!(file.path.starts_with('/') && !file.path.split('/').any(|part| part == ".."), "{}", file.path);
            }
        }
    });
});
