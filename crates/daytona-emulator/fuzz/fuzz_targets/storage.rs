//! Any XML that completes an upload, deletes objects or configures the bucket is answered, and breaks nothing.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};

mod asked;
#[path = "../../tests/it/signature.rs"]
mod signature;
use asked::{answer, request, with_emulator};
use signature::sign;

fuzz_target!(|body: &[u8]| {
    with_emulator(async |emulator| {
        let asked = request(emulator, "GET", "/object-storage/push-access", &[], b"").expect("a request of fixed parts");
        let access: serde_json::Value = serde_json::from_slice(answer(emulator, asked).await.body()).expect("JSON");
        let object = format!("/daytona/{}/one/context.tar", emulator.organization_id());
        let store = async |method: &str, path: &str, query: &str, body: &[u8]| {
            let hash = hex::encode(Sha256::digest(body));
            let request = sign(&access, "us-east-1", method, path, query, &hash)
                .header("content-length", body.len())
                .body(Bytes::copy_from_slice(body));
            answer(emulator, request.expect("a request of fixed parts")).await
        };
        let begun = store("POST", &object, "uploads=", b"").await;
        let text = String::from_utf8_lossy(begun.body()).into_owned();
        let id = text.split("<UploadId>").nth(1).and_then(|rest| rest.split('<').next()).unwrap_or_default();
        store("PUT", &object, &format!("partNumber=1&uploadId={id}"), b"part").await;
        for (method, path, query) in [
            ("POST", object.as_str(), format!("uploadId={id}")),
            ("POST", "/daytona", "delete=".to_owned()),
            ("PUT", "/daytona", "tagging=".to_owned()),
            ("PUT", "/daytona", "lifecycle=".to_owned()),
            ("PUT", object.as_str(), "tagging=".to_owned()),
        ] {
            let status = store(method, path, &query, body).await.status().as_u16();
            assert!(status < 600 && status != 500, "{method} {path}?{query}: {status}");
        }
    });
});
