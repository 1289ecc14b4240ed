//! Any body and any query is answered, and an admin route takes a body or names what is wrong with it.
//!
//! The input is a query, a content type and an encoding, a line each, and then the body.
#![no_main]

use libfuzzer_sys::fuzz_target;

mod asked;
use asked::{admin_request, answer, request, with_emulator};

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(4, |byte| *byte == b'\n');
    let mut line = || String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let (query, content_type, encoding) = (line(), line(), line());
    let body = parts.next().unwrap_or_default();
    let headers = [
        ("content-type", content_type.as_str()),
        ("content-encoding", encoding.as_str()),
    ];
    with_emulator(async |emulator| {
        for (method, path) in [
            ("POST", "/snapshots".to_owned()),
            ("POST", "/api-keys".to_owned()),
            ("POST", "/docker-registry".to_owned()),
            ("POST", "/sandbox".to_owned()),
            ("GET", format!("/snapshots?{query}")),
            ("GET", format!("/snapshots/{query}")),
            ("GET", format!("/sandbox?{query}")),
        ] {
            // Not every text can be a header or an address.
            if let Some(asked) = request(emulator, method, &path, &headers, body) {
                let status = answer(emulator, asked).await.status();
                assert!(status.as_u16() < 600, "{method} {path}: {status}");
            }
        }
        for (method, route) in [
            ("POST", "faults"),
            ("POST", "scripts"),
            ("POST", "sandbox-scripts"),
            ("POST", "clock"),
            ("POST", "private-images"),
            ("POST", "regions"),
            ("POST", "api-keys"),
            ("POST", "user-tokens"),
            ("POST", "snapshots"),
            ("PUT", "organization"),
            ("PUT", "rate-limits"),
            ("PUT", "read-lag"),
        ] {
            let asked = admin_request(emulator, method, route, body);
            let status = answer(emulator, asked).await.status();
            assert!(status == 200 || status == 400, "{route}: {status}");
        }
    });
});
