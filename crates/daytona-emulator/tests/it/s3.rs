//! Object storage, asked by requests that are signed here.

use daytona_emulator::{Emulator, Fault, Operation, StorageOptions};
use sha2::{Digest, Sha256};

use crate::presigned::presign;
use crate::support::Asked;
use signed::code;

pub(crate) use signed::Signed;

mod reading;
mod signed;

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
