//! Object storage, asked by requests that are signed here.

use bytes::Bytes;
use daytona_emulator::{Emulator, Fault, Operation, StorageOptions};
use http::Response;
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tower_service::Service;

use crate::presigned::presign;
use crate::signature::sign;
use crate::support::Asked;

/// Temporary credentials, and requests that are signed with them.
pub(crate) struct Signed<'a> {
    asked: &'a Asked,
    access: Value,
    region: String,
}

impl<'a> Signed<'a> {
    pub(crate) async fn new(asked: &'a Asked) -> Self {
        let (status, access) = asked.get("/object-storage/push-access").await;
        assert_eq!(status, 200, "{access}");
        Self {
            asked,
            access,
            region: "us-east-1".to_owned(),
        }
    }

    fn field(&self, name: &str) -> &str {
        self.access[name].as_str().unwrap()
    }

    /// The path of an object of the own organization.
    pub(crate) fn path(&self, key: &str) -> String {
        format!("/{}/{}/{key}", self.field("bucket"), self.field("organizationId"))
    }

    /// Sends a request whose payload is said to have this hash.
    async fn send_as(&self, method: &str, path: &str, query: &str, hash: &str, body: &[u8]) -> Response<Bytes> {
        let request = sign(&self.access, &self.region, method, path, query, hash);
        self.send_signed(request, body).await
    }

    /// Sends a request with a further header.
    async fn send_with(&self, method: &str, path: &str, header: (&str, &str), body: &[u8]) -> Response<Bytes> {
        let hash = hex::encode(Sha256::digest(body));
        let request = sign(&self.access, &self.region, method, path, "", &hash);
        self.send_signed(request.header(header.0, header.1), body).await
    }

    async fn send_signed(&self, request: http::request::Builder, body: &[u8]) -> Response<Bytes> {
        let request = request
            .header("content-length", body.len())
            .body(Full::new(Bytes::copy_from_slice(body)))
            .unwrap();
        let response = self.asked.emulator.service().call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
    }

    pub(crate) async fn send(&self, method: &str, path: &str, query: &str, body: &[u8]) -> Response<Bytes> {
        self.send_as(method, path, query, &hex::encode(Sha256::digest(body)), body)
            .await
    }

    async fn code(&self, method: &str, path: &str, query: &str, body: &[u8]) -> (u16, String) {
        code(&self.send(method, path, query, body).await)
    }
}

/// The status of an answer, and the code of its error.
fn code(response: &Response<Bytes>) -> (u16, String) {
    let text = String::from_utf8_lossy(response.body()).into_owned();
    let code = text
        .split("<Code>")
        .nth(1)
        .and_then(|rest| rest.split("</Code>").next());
    (response.status().as_u16(), code.unwrap_or_default().to_owned())
}

fn answer(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

fn with(options: StorageOptions) -> Asked {
    Asked::with(Emulator::builder().storage(options).in_process().unwrap())
}

#[tokio::test]
async fn an_object_is_put_read_and_listed_below_the_own_prefix_only() {
    for options in [StorageOptions::new(), StorageOptions::new().in_memory()] {
        let asked = with(options);
        let s3 = Signed::new(&asked).await;
        let path = s3.path("abc/context.tar");
        assert_eq!(s3.code("PUT", &path, "", b"hello").await, answer(200, ""));
        assert_eq!(s3.send("GET", &path, "", b"").await.body().as_ref(), b"hello");
        let head = s3.send("HEAD", &path, "", b"").await;
        assert_eq!(
            (head.status().as_u16(), &head.headers()["content-length"]),
            (200, &"5".parse().unwrap())
        );
        // Such an answer has no body, and so no code.
        let none = s3.code("HEAD", &s3.path("none/context.tar"), "", b"").await;
        assert_eq!(none, answer(404, ""));
        let own = format!("list-type=2&prefix={}", asked.emulator.organization_id());
        let list = s3.send("GET", "/daytona", &own, b"").await;
        assert!(String::from_utf8_lossy(list.body()).contains("abc/context.tar"));
        let denied = answer(403, "AccessDenied");
        for (method, path, query) in [
            ("PUT", "/daytona/another-organization/abc/context.tar", ""),
            ("GET", "/daytona/another-organization/abc/context.tar", ""),
            ("GET", "/daytona", "list-type=2"),
            ("GET", "/daytona", "list-type=2&prefix=another"),
            ("GET", "/", ""),
            ("PUT", "/daytona", ""),
            ("DELETE", path.as_str(), ""),
            ("DELETE", path.as_str(), "uploadId=1"),
            ("GET", path.as_str(), "uploadId=1"),
        ] {
            assert_eq!(
                s3.code(method, path, query, b"").await,
                denied,
                "{method} {path}?{query}"
            );
        }
        assert_eq!(s3.code("HEAD", "/daytona", "", b"").await.0, 403);
        assert_eq!(asked.emulator.objects().len(), 1);
    }
}

#[tokio::test]
async fn credentials_are_what_they_were_given_out_as() {
    let asked = Asked::new();
    let mut s3 = Signed::new(&asked).await;
    let path = s3.path("abc/context.tar");
    let good = s3.access.clone();
    for (field, status, code) in [
        ("secret", 403, "SignatureDoesNotMatch"),
        ("sessionToken", 400, "InvalidToken"),
        ("accessKey", 403, "InvalidAccessKeyId"),
    ] {
        s3.access[field] = "wrong".into();
        assert_eq!(s3.code("PUT", &path, "", b"x").await, answer(status, code), "{field}");
        s3.access = good.clone();
    }
    // They end on the emulator's clock.
    asked.emulator.clock().advance(std::time::Duration::from_mins(61));
    assert_eq!(s3.code("PUT", &path, "", b"x").await, answer(400, "ExpiredToken"));
    assert!(asked.emulator.objects().is_empty());
}

#[tokio::test]
async fn a_payload_that_is_not_the_signed_one_is_refused_and_leaves_nothing() {
    let asked = Asked::new();
    let s3 = Signed::new(&asked).await;
    let other = hex::encode(Sha256::digest(b"other"));
    let refused = s3
        .send_as("PUT", &s3.path("abc/context.tar"), "", &other, b"hello")
        .await;
    assert_eq!(code(&refused), answer(400, "XAmzContentSHA256Mismatch"));
    assert!(asked.emulator.objects().is_empty());
}

#[tokio::test]
async fn parts_become_an_object_when_they_are_put_together() {
    let asked = Asked::new();
    let s3 = Signed::new(&asked).await;
    let path = s3.path("abc/context.tar");
    let begun = s3.send("POST", &path, "uploads=", b"").await;
    let text = String::from_utf8_lossy(begun.body()).into_owned();
    let id = text
        .split("<UploadId>")
        .nth(1)
        .unwrap()
        .split('<')
        .next()
        .unwrap()
        .to_owned();
    let large = vec![7; 5 * 1024 * 1024];
    let mut named = String::new();
    for (number, part) in [(1, large.as_slice()), (2, b"end")] {
        let put = s3
            .send("PUT", &path, &format!("partNumber={number}&uploadId={id}"), part)
            .await;
        assert_eq!(put.status(), 200);
        let tag = put.headers()["etag"].to_str().unwrap().to_owned();
        let part = format!("<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>");
        named.push_str(&part);
    }
    assert!(asked.emulator.objects().is_empty());
    let complete = format!("<CompleteMultipartUpload>{named}</CompleteMultipartUpload>");
    // What is asked wrongly can be asked again.
    let missing = complete.replace("<PartNumber>2<", "<PartNumber>3<");
    assert_eq!(
        s3.code("POST", &path, &format!("uploadId={id}"), missing.as_bytes())
            .await,
        answer(400, "InvalidPart")
    );
    let elsewhere = s3.path("other/context.tar");
    assert_eq!(
        s3.code("POST", &elsewhere, &format!("uploadId={id}"), complete.as_bytes())
            .await,
        answer(404, "NoSuchUpload")
    );
    let done = s3
        .code("POST", &path, &format!("uploadId={id}"), complete.as_bytes())
        .await;
    assert_eq!(done, answer(200, ""));
    assert_eq!(asked.emulator.objects()[0].size, 5 * 1024 * 1024 + 3);
    assert!(asked.emulator.objects()[0].read().unwrap().ends_with(b"\x07end"));
    // A small part that is not the last, and an upload that is over.
    assert_eq!(
        s3.code("POST", &path, &format!("uploadId={id}"), complete.as_bytes())
            .await,
        answer(404, "NoSuchUpload")
    );
    assert_eq!(
        s3.code("PUT", &path, &format!("partNumber=1&uploadId={id}"), b"x")
            .await,
        answer(404, "NoSuchUpload")
    );
}

#[tokio::test]
async fn each_peculiarity_of_real_stores_can_be_had() {
    let path = |s3: &Signed<'_>| s3.path("abc/context.tar");
    let asked = with(StorageOptions::new().forbidden_when_missing());
    let s3 = Signed::new(&asked).await;
    assert_eq!(s3.code("HEAD", &path(&s3), "", b"").await.0, 403);

    let asked = with(StorageOptions::new().region("eu-west-3").told_region("eu-west-3"));
    let mut s3 = Signed::new(&asked).await;
    assert_eq!(s3.field("region"), "eu-west-3");
    let refused = s3.send("PUT", &path(&s3), "", b"x").await;
    assert_eq!(code(&refused), answer(400, "AuthorizationHeaderMalformed"));
    assert!(String::from_utf8_lossy(refused.body()).contains("<Region>eu-west-3</Region>"));
    assert_eq!(refused.headers()["x-amz-bucket-region"], "eu-west-3");
    s3.region = "eu-west-3".to_owned();
    assert_eq!(s3.code("PUT", &path(&s3), "", b"x").await, answer(200, ""));

    let asked = with(StorageOptions::new().expire_after_parts(1));
    let s3 = Signed::new(&asked).await;
    assert_eq!(s3.code("PUT", &path(&s3), "", b"x").await, answer(200, ""));
    assert_eq!(s3.code("PUT", &path(&s3), "", b"x").await, answer(400, "ExpiredToken"));

    let asked = with(StorageOptions::new().slow_down_every(2));
    let s3 = Signed::new(&asked).await;
    assert_eq!(s3.code("PUT", &path(&s3), "", b"x").await, answer(200, ""));
    assert_eq!(s3.code("PUT", &path(&s3), "", b"x").await, answer(503, "SlowDown"));

    let asked = with(StorageOptions::new().limits(10, 15));
    let s3 = Signed::new(&asked).await;
    assert_eq!(
        s3.code("PUT", &path(&s3), "", &[0; 11]).await,
        answer(400, "EntityTooLarge")
    );
    assert_eq!(s3.code("PUT", &path(&s3), "", &[0; 10]).await, answer(200, ""));
    assert_eq!(
        s3.code("PUT", &s3.path("other/context.tar"), "", &[0; 10]).await,
        answer(400, "EntityTooLarge")
    );
    // What was refused takes no room.
    assert_eq!(
        s3.code("PUT", &s3.path("other/context.tar"), "", &[0; 5]).await,
        answer(200, "")
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_store_takes_its_time() {
    let asked = with(StorageOptions::new().bytes_per_second(1024));
    let s3 = Signed::new(&asked).await;
    let before = asked.emulator.clock().now();
    assert_eq!(
        s3.code("PUT", &s3.path("a/context.tar"), "", &[0; 10 * 1024]).await,
        answer(200, "")
    );
    assert_eq!(asked.emulator.clock().now().duration_since(before).as_secs(), 10);
}

#[tokio::test]
async fn a_fault_can_be_for_one_part() {
    let asked = Asked::new();
    let s3 = Signed::new(&asked).await;
    asked
        .emulator
        .inject(Fault::status(500).on(Operation::UploadPart).part(2));
    let path = s3.path("abc/context.tar");
    assert_eq!(s3.code("PUT", &path, "partNumber=1&uploadId=x", b"x").await.0, 404);
    assert_eq!(
        s3.code("PUT", &path, "partNumber=2&uploadId=x", b"x").await,
        answer(500, "InternalError")
    );
    assert_eq!(s3.code("PUT", &path, "partNumber=2&uploadId=x", b"x").await.0, 404);
}

#[tokio::test]
async fn a_part_of_an_object_is_read() {
    for options in [StorageOptions::new(), StorageOptions::new().in_memory()] {
        let asked = with(options);
        let s3 = Signed::new(&asked).await;
        let path = s3.path("abc/context.tar");
        let put = s3.send("PUT", &path, "", b"0123456789").await;
        let tag = put.headers()["etag"].to_str().unwrap().to_owned();
        for (range, part, place) in [
            ("bytes=2-4", "234", "bytes 2-4/10"),
            ("bytes=7-", "789", "bytes 7-9/10"),
            ("bytes=-3", "789", "bytes 7-9/10"),
            ("bytes=8-99", "89", "bytes 8-9/10"),
        ] {
            let answer = s3.send_with("GET", &path, ("range", range), b"").await;
            let text = String::from_utf8_lossy(answer.body()).into_owned();
            assert_eq!((answer.status().as_u16(), text.as_str()), (206, part), "{range}");
            assert_eq!(answer.headers()["content-range"], place);
            assert_eq!(answer.headers()["content-length"], part.len().to_string().as_str());
        }
        let beyond = s3.send_with("GET", &path, ("range", "bytes=10-"), b"").await;
        assert_eq!(code(&beyond), answer(416, "InvalidRange"));
        let whole = s3.send("GET", &path, "", b"").await;
        assert_eq!((whole.status().as_u16(), whole.body().len()), (200, 10));
        assert!(whole.headers().contains_key("last-modified") && whole.headers()["accept-ranges"] == "bytes");
        assert_eq!(
            s3.send_with("GET", &path, ("if-none-match", &tag), b"").await.status(),
            304
        );
        assert_eq!(
            s3.send_with("GET", &path, ("if-match", "\"other\""), b"")
                .await
                .status(),
            412
        );
        assert_eq!(s3.send_with("GET", &path, ("if-match", &tag), b"").await.status(), 200);
        assert_eq!(
            s3.send_with("PUT", &path, ("if-none-match", "*"), b"x").await.status(),
            412
        );
    }
}

#[tokio::test]
async fn a_list_has_dates_folders_and_further_parts() {
    let asked = Asked::new();
    let own = asked.emulator.organization_id().to_owned();
    for key in ["a/1", "a/2", "b c", "b/1", "z"] {
        asked.emulator.put_object(&format!("{own}/{key}"), b"x").unwrap();
    }
    let s3 = Signed::new(&asked).await;
    let text = async |query: &str| {
        let answer = s3.send("GET", "/daytona", query, b"").await;
        String::from_utf8(answer.body().to_vec()).unwrap()
    };
    let all = |text: &str, tag: &str| {
        let tag = format!("<{tag}>");
        let pieces = text.split(&tag).skip(1);
        pieces
            .filter_map(|piece| piece.split("</").next())
            .map(|piece| piece.replace(&format!("{own}/"), ""))
            .collect::<Vec<_>>()
    };
    let folded = text(&format!("delimiter=%2F&list-type=2&prefix={own}%2F")).await;
    assert_eq!(all(&folded, "Key"), ["b c", "z"]);
    assert_eq!(all(&folded, "Prefix"), ["", "a/", "b/"], "{folded}");
    assert_eq!(all(&folded, "LastModified").len(), 2);
    for (version, next, parameter) in [
        ("list-type=2&", "NextContinuationToken", "continuation-token"),
        ("", "NextMarker", "marker"),
    ] {
        let (mut seen, mut token, mut parts) = (Vec::new(), String::new(), 0);
        loop {
            // Parameters are signed in their order.
            let place = if token.is_empty() {
                String::new()
            } else {
                format!("{parameter}={token}&")
            };
            let query = if version.is_empty() {
                format!("delimiter=%2F&{place}max-keys=1&prefix={own}%2F")
            } else {
                format!("{place}delimiter=%2F&{version}max-keys=1&prefix={own}%2F")
            };
            let page = text(&query).await;
            parts += 1;
            seen.extend(all(&page, "Key"));
            seen.extend(all(&page, "Prefix").into_iter().skip(1));
            assert!(parts < 9, "{page}");
            let piece = page.split(&format!("<{next}>")).nth(1);
            let Some(piece) = piece else { break };
            token = piece
                .split("</")
                .next()
                .unwrap()
                .replace('/', "%2F")
                .replace(' ', "%20");
        }
        assert_eq!(
            (seen, parts),
            (["a/", "b c", "b/", "z"].map(ToOwned::to_owned).to_vec(), 4),
            "{version}"
        );
    }
    let encoded = text(&format!("encoding-type=url&list-type=2&prefix={own}%2Fb")).await;
    assert!(
        encoded.contains("/b%20c<") && encoded.contains("<EncodingType>url<"),
        "{encoded}"
    );
    let wrong = s3
        .send(
            "GET",
            "/daytona",
            &format!("continuation-token=nonsense&list-type=2&prefix={own}"),
            b"",
        )
        .await;
    assert_eq!(code(&wrong), answer(400, "InvalidArgument"));
}

#[tokio::test]
async fn what_a_client_says_of_its_bytes_is_checked() {
    let asked = Asked::new();
    let s3 = Signed::new(&asked).await;
    let path = s3.path("abc/context.tar");
    // Of "hello".
    for (name, good) in [
        ("x-amz-checksum-crc32", "NhCmhg=="),
        ("x-amz-checksum-sha256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="),
        ("content-md5", "XUFAKrxLKna5cZ2REBfFkg=="),
    ] {
        assert_eq!(
            s3.send_with("PUT", &path, (name, good), b"hello").await.status(),
            200,
            "{name}"
        );
        let other = s3.path("other/context.tar");
        let refused = s3.send_with("PUT", &other, (name, good), b"world").await;
        assert_eq!(code(&refused), answer(400, "BadDigest"), "{name}");
        assert_eq!(s3.code("HEAD", &other, "", b"").await.0, 404, "{name}");
    }
    let refused = s3
        .send_with("PUT", &path, ("content-md5", "bm9uc2Vuc2U="), b"hello")
        .await;
    assert_eq!(code(&refused), answer(400, "InvalidDigest"));
}

#[tokio::test]
async fn a_presigned_address_needs_its_token_and_nothing_else() {
    let asked = Asked::new();
    let s3 = Signed::new(&asked).await;
    let path = s3.path("abc/context.tar");
    let send = async |method: &str, address: &str, body: &str| {
        let request = http::Request::builder().method(method).uri(address);
        asked.send(request.body(body.to_owned()).unwrap()).await.unwrap()
    };
    let put = presign(&s3.access, "us-east-1", "PUT", &path);
    assert_eq!(send("PUT", &put, "hello").await.status(), 200);
    let get = presign(&s3.access, "us-east-1", "GET", &path);
    assert_eq!(send("GET", &get, "").await.body().as_ref(), b"hello");
    let other = send("GET", &presign(&s3.access, "us-east-1", "GET", "/daytona/other/x"), "").await;
    assert_eq!(code(&other), answer(403, "AccessDenied"));
    assert_ne!(
        send(
            "GET",
            &get.replace("X-Amz-Security-Token=", "X-Amz-Security-Token=0"),
            ""
        )
        .await
        .status(),
        200
    );
    let remembered = asked.emulator.requests();
    assert!(
        remembered
            .iter()
            .all(|request| !request.address.contains(s3.field("sessionToken")))
    );
}

/// An empty body that waits for a word is answered at once, and the connection ends with that: botocore takes the answer's status
/// for that of the next one too.
#[tokio::test]
async fn an_empty_body_that_waits_for_a_word_is_the_last_of_its_connection() {
    let asked = Asked::new();
    let signed = Signed::new(&asked).await;
    for (body, expected) in [(&b""[..], Some("close")), (b"x", None)] {
        let answer = signed
            .send_with("PUT", &signed.path("k"), ("expect", "100-continue"), body)
            .await;
        let connection = answer.headers().get("connection").map(|value| value.to_str().unwrap());
        assert_eq!((answer.status().as_u16(), connection), (200, expected));
    }
}
