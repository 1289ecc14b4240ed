//! Bodies in every form that the real server was seen to read, and in those that it did not.

use std::io::Write;

use bytes::Bytes;
use daytona_emulator::Emulator;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower_service::Service;

/// Sends bytes as the body of a creation, and returns the status and the answer.
async fn create(emulator: &Emulator, headers: &[(&str, &str)], body: Vec<u8>) -> (u16, Value) {
    let mut request = Request::builder()
        .method("POST")
        .uri(format!("{}/snapshots", emulator.api_url()))
        .header("authorization", format!("Bearer {}", emulator.api_key()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body))).unwrap();
    let answer: Response<_> = emulator.service().call(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn utf_16(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(order).collect()
}

/// A content type, an encoding, what makes the bytes of a text, and the status and the message.
type Case = (&'static str, &'static str, fn(&str) -> Vec<u8>, u16, &'static str);

#[tokio::test]
async fn json_is_read_in_all_its_forms_and_no_others() {
    let emulator = Emulator::builder().in_process().unwrap();
    let (json, utf16) = ("application/json", "application/json; charset=utf-16");
    let plain = |text: &str| text.as_bytes().to_vec();
    let cases: [Case; 23] = [
        (json, "", |text| text.into(), 200, ""),
        ("Application/JSON; Charset=UTF-8", "", |text| text.into(), 200, ""),
        ("text/json", "", |text| text.into(), 200, ""),
        ("", "", |text| text.into(), 200, ""),
        (json, "identity", |text| text.into(), 200, ""),
        (json, "", |text| format!("\u{feff}{text}").into(), 200, ""),
        (json, "gzip", |text| gzip(text.as_bytes()), 200, ""),
        (json, "GZIP", |text| gzip(text.as_bytes()), 200, ""),
        (json, "deflate", |text| deflate(text.as_bytes()), 200, ""),
        (
            "application/json; charset=\"utf-16le\"",
            "",
            |text| utf_16(text, u16::to_le_bytes),
            200,
            "",
        ),
        (
            "application/json; charset=utf-16be",
            "",
            |text| utf_16(text, u16::to_be_bytes),
            200,
            "",
        ),
        (
            utf16,
            "",
            |text| utf_16(&format!("\u{feff}{text}"), u16::to_le_bytes),
            200,
            "",
        ),
        (
            utf16,
            "",
            |text| utf_16(&format!("\u{feff}{text}"), u16::to_be_bytes),
            200,
            "",
        ),
        (utf16, "", |text| utf_16(text, u16::to_be_bytes), 200, ""),
        (utf16, "gzip", |text| gzip(&utf_16(text, u16::to_le_bytes)), 200, ""),
        ("text/plain", "", |text| text.into(), 400, "name must be a string"),
        (
            "application/json; charset=latin1",
            "",
            |text| text.into(),
            404,
            "Cannot POST /api/snapshots",
        ),
        (json, "compress", |text| text.into(), 404, "Cannot POST /api/snapshots"),
        (json, "gzip", |text| text.into(), 404, "Cannot POST /api/snapshots"),
        (
            json,
            "gzip",
            |text| gzip(text.as_bytes())[..20].into(),
            404,
            "Cannot POST /api/snapshots",
        ),
        (
            json,
            "deflate",
            |text| gzip(text.as_bytes()),
            404,
            "Cannot POST /api/snapshots",
        ),
        // It is small until it is unpacked.
        (
            json,
            "gzip",
            |text| gzip(format!("{}{text}", " ".repeat(200_000)).as_bytes()),
            404,
            "Cannot POST /api/snapshots",
        ),
        (
            json,
            "",
            |text| utf_16(text, u16::to_le_bytes),
            400,
            "Invalid JSON in request body",
        ),
    ];
    for (number, (content_type, encoding, form, status, message)) in cases.into_iter().enumerate() {
        let text = json!({"name": format!("n{number}"), "imageName": "a:1"}).to_string();
        let headers = [("content-type", content_type), ("content-encoding", encoding)];
        let headers: Vec<_> = headers.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let (actual, answer) = create(&emulator, &headers, form(&text)).await;
        let shown = answer["message"].as_str().unwrap_or_default();
        assert_eq!((actual, shown), (status, message), "case {number}: {headers:?}");
    }
    // Only objects and arrays are JSON to the server.
    for (body, message) in [
        ("5", "Invalid JSON in request body"),
        ("true", "Invalid JSON in request body"),
        ("null", "Invalid JSON in request body"),
        ("\"a\"", "Invalid JSON in request body"),
        ("[]", "name must be a string"),
        (" \r\n\t{}", "name must be a string"),
    ] {
        let (status, answer) = create(&emulator, &[("content-type", json)], plain(body)).await;
        assert_eq!((status, answer["message"].as_str().unwrap()), (400, message), "{body}");
    }
}

#[tokio::test]
async fn what_the_database_does_not_take_is_an_error_of_the_server() {
    let emulator = Emulator::builder().in_process().unwrap();
    let json = [("content-type", "application/json")];
    let (internal, unexpected) = ("Internal Server Error", "An unexpected error occurred.");
    for (info, message) in [
        (r#"{"dockerfileContent": "FROM a:1\n\ud800"}"#, internal),
        (r#"{"dockerfileContent": "FROM a:1\n\udc00\ud800x"}"#, internal),
        (r#"{"dockerfileContent": "FROM a:1\n\u0000"}"#, internal),
        (r#"{"dockerfileContent": "FROM a:1", "contextHashes": {}}"#, unexpected),
        (
            r#"{"dockerfileContent": "FROM a:1", "contextHashes": null}"#,
            unexpected,
        ),
        (r#"{"dockerfileContent": "FROM a:1"}, "imageName": null"#, unexpected),
    ] {
        let body = format!(r#"{{"name": "a", "buildInfo": {info}}}"#);
        let (status, answer) = create(&emulator, &json, body.into_bytes()).await;
        assert_eq!((status, answer["message"].as_str().unwrap()), (500, message), "{info}");
    }
    // A whole pair, and a backslash before a letter `u`, are no half characters.
    let body = r#"{"name": "b", "buildInfo": {"dockerfileContent": "FROM a:1\n# \ud83d\ude00 \\ud800"}}"#;
    let (status, answer) = create(&emulator, &json, body.into()).await;
    assert_eq!(
        (status, &answer["buildInfo"]["dockerfileContent"]),
        (200, &json!("FROM a:1\n# 😀 \\ud800"))
    );
}

#[tokio::test]
async fn forms_may_be_nested() {
    let emulator = Emulator::builder().in_process().unwrap();
    let form = [("content-type", "Application/X-WWW-Form-URLEncoded")];
    let body = "name=a&buildInfo[dockerfileContent]=FROM+a%3A1%0A&buildInfo[contextHashes][]=b&buildInfo%5BcontextHashes%5D[]=a";
    let (status, answer) = create(&emulator, &form, body.into()).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["buildInfo"]["dockerfileContent"], "FROM a:1\n");
    assert_eq!(answer["buildInfo"]["contextHashes"], json!(["b", "a"]));

    for (body, words) in [
        ("entrypoint[]=x&entrypoint[]=y", json!(["x", "y"])),
        ("entrypoint=x&entrypoint=y", json!(["x", "y"])),
        ("entrypoint[1]=y&entrypoint[0]=x", json!(["x", "y"])),
    ] {
        let name = body.len();
        let (status, answer) = create(&emulator, &form, format!("name=n{name}&imageName=a:1&{body}").into()).await;
        assert_eq!((status, &answer["entrypoint"]), (200, &words), "{body}: {answer}");
    }
    let number = "cpu must not be less than 0, cpu must be a number conforming to the specified constraints";
    for (body, status, message) in [
        ("name=f&imageName=a:1&cpu=2".to_owned(), 400, number),
        (
            "name[a]=f&imageName=a:1".to_owned(),
            400,
            "name must not contain HTML tags, URLs, or control characters, name must be a string",
        ),
        (
            format!("name{}=f&imageName=a:1", "[a]".repeat(10_000)),
            400,
            "name must not contain HTML tags, URLs, or control characters, name must be a string",
        ),
        (
            format!("name=f&{}", "a=b&".repeat(2_000)),
            404,
            "Cannot POST /api/snapshots",
        ),
    ] {
        let (actual, answer) = create(&emulator, &form, body.into_bytes()).await;
        let shown = answer["message"].as_str().unwrap_or_default();
        assert_eq!((actual, shown), (status, message));
    }
    let latin = [("content-type", "application/x-www-form-urlencoded; charset=latin1")];
    assert_eq!(create(&emulator, &latin, b"name=l&imageName=a:1".to_vec()).await.0, 404);
}
