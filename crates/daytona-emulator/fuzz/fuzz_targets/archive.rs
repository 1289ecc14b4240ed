//! Any bytes are the archive of a context, or fail the build.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;

mod asked;
use asked::{answer, request, with_emulator};

fuzz_target!(|bytes: &[u8]| {
    with_emulator(async |emulator| {
        let key = format!("{}/one/context.tar", emulator.organization_id());
        emulator.put_object(&key, bytes).expect("there is room");
        let dockerfile = "FROM scratch\nADD . /all/\nCOPY --parents **/a* /some/\n";
        let info = serde_json::json!({"dockerfileContent": dockerfile, "contextHashes": ["one"]});
        let body = serde_json::json!({"name": "x", "buildInfo": info}).to_string();
        let created = request(emulator, "POST", "/snapshots", body.as_bytes()).expect("a request of fixed parts");
        assert_eq!(answer(emulator, created).await.status(), 200);
        emulator.clock().advance(Duration::from_secs(3600));
        if let Some(image) = emulator.image("x").await {
            for file in image.files() {
                assert!(file.path.starts_with('/') && !file.path.split('/').any(|part| part == ".."), "{}", file.path);
            }
        }
    });
});
