//! Stores that throttle, or that forget what an answer needs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use daytona_context::s3::{HttpClient, HttpError, RequestBody, S3Config, S3Storage};
use daytona_context::{
    Context, ContextError, Digest, ObjectStorage, Payload, Push, Pushed, StorageError, StorageErrorKind,
};
use http::request::Parts;
use http::{Request, Response};
use http_body_util::BodyExt;

use crate::script::{Script, answer, error, stored, tagged};

/// A file of this many bytes that do not repeat.
fn file(bytes: usize) -> (tempfile::TempDir, Context) {
    let folder = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0..bytes).map(|index| u8::try_from(index % 241).unwrap()).collect();
    std::fs::write(folder.path().join("model.bin"), content).unwrap();
    let context = Context::scan(folder.path()).unwrap();
    (folder, context)
}

fn in_parts(bytes: u64) -> Push {
    Push::new().multipart_threshold(0).part_size(bytes)
}

/// What the store said of a push that failed.
fn refused(pushed: Result<Pushed, ContextError>) -> StorageError {
    match pushed {
        Err(ContextError::Storage { source, .. }) => source,
        other => panic!("{other:?}"),
    }
}

/// What a store answers that takes everything.
fn taken(parts: &Parts) -> Response<Bytes> {
    match (parts.method.as_str(), parts.uri.query()) {
        ("HEAD", _) => answer(404, ""),
        ("PUT", _) => tagged(),
        ("POST", Some(query)) if query.contains("uploadId") => answer(200, "<CompleteMultipartUploadResult/>"),
        ("POST", _) => answer(
            200,
            "<InitiateMultipartUploadResult><UploadId>one</UploadId></InitiateMultipartUploadResult>",
        ),
        _ => answer(204, ""),
    }
}

/// A store that takes only this many uploads at once, each of which takes some time.
#[derive(Debug)]
struct Throttling {
    max: usize,
    at_once: AtomicUsize,
}

#[async_trait]
impl HttpClient for Throttling {
    async fn send(&self, request: Request<RequestBody>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        body.collect().await.map_err(HttpError::new)?;
        if parts.method != "PUT" {
            return Ok(taken(&parts));
        }
        let at_once = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        tokio::time::sleep(Duration::from_millis(500)).await;
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        Ok(if at_once > self.max {
            error(503, "SlowDown")
        } else {
            taken(&parts)
        })
    }
}

/// As long as the store takes some, the others wait for their turn.
#[tokio::test(start_paused = true)]
async fn a_store_that_takes_few_at_once_gets_everything() {
    let (_folder, context) = file(2_000_000);
    let config = S3Config::new("http://store.test", "bucket", "key", "secret");
    for max in [1, 2, 3] {
        let at_once = AtomicUsize::new(0);
        let storage = S3Storage::new(&config, Arc::new(Throttling { max, at_once })).unwrap();
        in_parts(16 * 1024).run(&context, &storage, "org").await.unwrap();
    }
}

/// One that takes none at all is given up: not at once, as this may be over in a moment.
#[tokio::test(start_paused = true)]
async fn a_store_that_takes_nothing_is_given_up() {
    let (_folder, context) = file(100_000);
    let script = Script::new(|_, parts, _| {
        Ok(if parts.method == "PUT" {
            error(503, "SlowDown")
        } else {
            taken(parts)
        })
    });
    let pushed = Push::new().run(&context, &script.storage(), "org").await;
    let refused = refused(pushed);
    assert_eq!(refused.kind(), StorageErrorKind::RateLimited);
    assert_eq!(refused.code(), Some("SlowDown"));
    assert!(refused.attempts() > 4, "{refused}");
}

/// What S3 tells with each success is missing: the page of a network that wants a password, perhaps.
#[tokio::test(start_paused = true)]
async fn a_success_without_what_s3_tells_with_it_is_none() {
    let (_folder, context) = file(100_000);
    let page = "<html>log in to the network</html>";
    let no_id = "<InitiateMultipartUploadResult></InitiateMultipartUploadResult>";
    let cases = [
        ("the object is not there", Push::new(), "PUT", "", page),
        ("has no tag", in_parts(30_000), "PUT", "partNumber", page),
        ("has no id", in_parts(30_000), "POST", "uploads", no_id),
    ];
    for (words, push, method, query, text) in cases {
        let script = Script::new(move |_, parts, _| {
            let is_foreign = parts.method == method && parts.uri.query().unwrap_or_default().contains(query);
            Ok(if is_foreign { answer(200, text) } else { taken(parts) })
        });
        let pushed = push.run(&context, &script.storage(), "org").await;
        let refused = refused(pushed);
        assert_eq!(refused.kind(), StorageErrorKind::Unavailable, "{words}: {refused}");
        assert!(refused.to_string().contains(words), "{words}: {refused}");
        assert_eq!(refused.attempts(), 4, "{words}");
    }
    // A store that tells no tag, but has the object, has it.
    let size = context.size();
    let puts = AtomicUsize::new(0);
    let script = Script::new(move |_, parts, _| {
        Ok(match parts.method.as_str() {
            "HEAD" if puts.load(Ordering::SeqCst) == 0 => answer(404, ""),
            "HEAD" => stored(size),
            _ => {
                puts.fetch_add(1, Ordering::SeqCst);
                answer(200, "")
            }
        })
    });
    let pushed = Push::new().run(&context, &script.storage(), "org").await.unwrap();
    assert_eq!((pushed.sent, script.count("PUT")), (size, 1));
}

/// An address loses these segments, so that the key of another organization would be left.
#[tokio::test]
async fn a_key_that_an_address_would_change_is_refused() {
    let script = Script::new(|_, parts, _| Ok(taken(parts)));
    for key in ["../org/key", "org/./key", "org/.."] {
        let payload = Payload::from_bytes("x", Digest::of(b"x"));
        let refused = script.storage().put(key, payload).await.unwrap_err();
        assert_eq!(refused.kind(), StorageErrorKind::Refused, "{refused}");
        assert!(refused.to_string().contains(key), "{refused}");
    }
    assert!(script.seen().is_empty());
}
