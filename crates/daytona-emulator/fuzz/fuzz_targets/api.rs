//! Any body and any query is answered, and never with what only the emulator's own mistakes would bring.
#![no_main]

use libfuzzer_sys::fuzz_target;

mod asked;
use asked::{answer, request, with_emulator};

fuzz_target!(|input: (&[u8], &str, bool)| {
    let (body, query, is_admin) = input;
    with_emulator(async |emulator| {
        let requests = [
            request(emulator, "POST", "/snapshots", body),
            request(emulator, "POST", "/api-keys", body),
            request(emulator, "GET", &format!("/snapshots?{query}"), b""),
            request(emulator, "GET", &format!("/snapshots/{query}"), b""),
        ];
        for asked in requests.into_iter().flatten() {
            assert!(answer(emulator, asked).await.status().as_u16() < 600);
        }
        if is_admin {
            let root = emulator.api_url().replace("/api", "/_emulator");
            for (method, route) in [("POST", "faults"), ("POST", "scripts"), ("POST", "clock"), ("PUT", "organization"), ("POST", "snapshots")] {
                let asked = http::Request::builder()
                    .method(method)
                    .uri(format!("{root}/{route}"))
                    .header("authorization", format!("Bearer {}", emulator.admin_key()))
                    .body(bytes::Bytes::copy_from_slice(body))
                    .expect("a request of fixed parts");
                let status = answer(emulator, asked).await.status();
                assert!(status == 200 || status == 400, "{route}: {status}");
            }
        }
    });
});
