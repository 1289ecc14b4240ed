//! Stores that refuse to let one look, and do not say why: the answer to HEAD has no body.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use daytona_context::s3::{CredentialProvider, HttpClient, HttpError, RequestBody, S3Config, S3Storage};
use daytona_context::{Context, Digest, Head, ObjectStorage, Payload, Push, StorageError};
use futures_util::future::join_all;
use http::request::Parts;
use http::{Request, Response};

use crate::script::{Answer, Script, answer, error, stored, tagged};

/// Gives out credentials that are good.
#[derive(Debug, Default)]
struct Renewing(AtomicUsize);

#[async_trait]
impl CredentialProvider for Renewing {
    async fn credentials(&self) -> Result<S3Config, StorageError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(S3Config::new("http://store.test", "bucket", "new-key", "new-secret"))
    }
}

fn is_renewed(parts: &Parts) -> bool {
    parts.headers["authorization"].to_str().unwrap().contains("new-key")
}

/// A store that has everything, and whose first credentials have expired. What it answers to the request for a reason that is
/// made with them is for the test to say: it is told how many there were before.
fn expired(reason: impl Fn(usize) -> Answer + Send + Sync + 'static) -> Script {
    let questions = AtomicUsize::new(0);
    Script::new(move |_, parts, _| match (parts.method.as_str(), is_renewed(parts)) {
        ("HEAD", false) => Ok(answer(403, "")),
        ("HEAD", true) => Ok(stored(1)),
        ("GET", false) => reason(questions.fetch_add(1, Ordering::SeqCst)),
        ("GET", true) => Ok(answer(206, "x")),
        _ => panic!("{parts:?}"),
    })
}

fn renewing(script: &Script) -> S3Storage {
    script.storage().credential_provider(Arc::new(Renewing::default()))
}

async fn put(storage: &S3Storage, key: &str) {
    let payload = Payload::from_bytes("x", Digest::of(b"x"));
    storage.put(key, payload).await.unwrap();
}

/// The store is asked for its reason, and what it has is not sent.
#[tokio::test]
async fn what_is_stored_is_not_sent_because_credentials_have_expired() {
    let folder = crate::s3::tree(100_000);
    let context = Context::scan(folder.path()).unwrap();
    let size = context.size();
    for status in [400, 403] {
        let script = Script::new(move |_, parts, _| {
            Ok(match (parts.method.as_str(), is_renewed(parts)) {
                ("HEAD", false) => answer(status, ""),
                ("HEAD", true) => stored(size),
                (_, false) => error(status, "ExpiredToken"),
                (_, true) => tagged(),
            })
        });
        let pushed = Push::new().run(&context, &renewing(&script), "org").await.unwrap();
        assert_eq!((pushed.sent, pushed.skipped), (0, size), "{:?}", script.seen());
        assert_eq!(script.count("PUT"), 0);
    }
}

/// A store that lets nobody look for what it does not have is asked for its reason once, and not for each object.
#[tokio::test]
async fn a_refusal_to_let_one_look_is_explained_once() {
    let script = Script::new(|_, parts, _| {
        Ok(match parts.method.as_str() {
            "HEAD" => answer(403, ""),
            "GET" => error(403, "AccessDenied"),
            _ => tagged(),
        })
    });
    let storage = renewing(&script);
    for key in ["org/a", "org/b"] {
        assert_eq!(storage.head(key).await.unwrap(), Head::Unknown);
        put(&storage, key).await;
    }
    assert_eq!(
        (script.count("HEAD"), script.count("GET"), script.count("PUT")),
        (2, 1, 2)
    );
}

/// Later the same refusal has another reason: the credentials have expired meanwhile.
#[tokio::test(start_paused = true)]
async fn a_later_refusal_is_explained_anew() {
    let is_expired = Arc::new(AtomicBool::new(false));
    let expires = Arc::clone(&is_expired);
    let script = Script::new(move |_, parts, _| {
        let is_refused = expires.load(Ordering::SeqCst) && !is_renewed(parts);
        Ok(match (parts.method.as_str(), parts.uri.path().ends_with("stored")) {
            ("HEAD", true) if !is_refused => stored(1),
            ("HEAD", _) => answer(403, ""),
            _ if is_refused => error(403, "ExpiredToken"),
            ("GET", _) => error(403, "AccessDenied"),
            _ => tagged(),
        })
    });
    let storage = renewing(&script);
    assert_eq!(storage.head("org/missing").await.unwrap(), Head::Unknown);
    put(&storage, "org/missing").await;
    tokio::time::sleep(Duration::from_mins(10)).await;
    is_expired.store(true, Ordering::SeqCst);
    let looked = storage.head("org/stored").await.unwrap();
    assert_eq!(looked, Head::Stored { size: 1 }, "{:?}", script.seen());
}

/// A store whose answers take a second.
#[derive(Debug)]
struct Slow(Script);

#[async_trait]
impl HttpClient for Slow {
    async fn send(&self, request: Request<RequestBody>) -> Result<Response<Bytes>, HttpError> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.0.send(request).await
    }
}

/// All that are refused meanwhile wait for the one answer, and each knows it.
#[tokio::test(start_paused = true)]
async fn those_that_are_refused_at_once_share_the_answer() {
    let config = S3Config::new("http://store.test", "bucket", "key", "secret");
    let keys: Vec<String> = (0..40).map(|number| format!("org/{number}")).collect();
    for (code, expected, questions) in [
        // The second is made with the new credentials.
        ("ExpiredToken", Head::Stored { size: 1 }, 2),
        ("AccessDenied", Head::Unknown, 1),
    ] {
        let script = expired(move |_| Ok(error(403, code)));
        let provider = Arc::new(Renewing::default());
        let storage = S3Storage::new(&config, Arc::new(Slow(script.clone()))).unwrap();
        let storage = storage.credential_provider(Arc::clone(&provider) as Arc<dyn CredentialProvider>);
        let looked = join_all(keys.iter().map(|key| storage.head(key))).await;
        for looked in looked {
            assert_eq!(looked.unwrap(), expected, "{code}: {:?}", script.seen());
        }
        assert_eq!(script.count("GET"), questions, "{code}");
        assert_eq!(provider.0.load(Ordering::SeqCst), questions - 1, "{code}");
    }
}

/// Whoever asks may be dropped: then another one asks.
#[tokio::test(start_paused = true)]
async fn a_question_that_is_dropped_is_asked_by_another() {
    let script = expired(|_| Ok(error(403, "ExpiredToken")));
    let config = S3Config::new("http://store.test", "bucket", "key", "secret");
    let storage = S3Storage::new(&config, Arc::new(Slow(script))).unwrap();
    let storage = storage.credential_provider(Arc::new(Renewing::default()));
    let first = tokio::time::timeout(Duration::from_millis(1500), storage.head("org/a"));
    let (first, second) = tokio::join!(first, storage.head("org/b"));
    first.unwrap_err();
    assert_eq!(second.unwrap(), Head::Stored { size: 1 });
}

/// The question is sent again, as any request. If it is not answered at all, nothing is known, and the next one asks.
#[tokio::test(start_paused = true)]
async fn a_question_without_an_answer_is_asked_again() {
    for failure in [500, 503] {
        let script = expired(move |number| match number {
            0 => Err(HttpError::new("the line broke")),
            1 => Ok(answer(failure, "")),
            _ => Ok(error(400, "ExpiredToken")),
        });
        let looked = renewing(&script).head("org/a").await.unwrap();
        assert_eq!(looked, Head::Stored { size: 1 }, "{:?}", script.seen());
    }
    let script = expired(|number| match number {
        0..4 => Err(HttpError::new("the line broke")),
        _ => Ok(error(403, "ExpiredToken")),
    });
    let storage = renewing(&script);
    let both = join_all(["org/a", "org/b"].map(|key| storage.head(key))).await;
    for looked in both {
        assert_eq!(looked.unwrap(), Head::Unknown);
    }
    assert_eq!(script.count("GET"), 4);
    let looked = storage.head("org/c").await.unwrap();
    assert_eq!(looked, Head::Stored { size: 1 }, "{:?}", script.seen());
}

/// Credentials that are refused as soon as they are given out are not asked for again with each object.
#[tokio::test(start_paused = true)]
async fn a_store_that_takes_no_credentials_for_a_look_is_left_alone() {
    let script = Script::new(|_, parts, _| {
        Ok(match parts.method.as_str() {
            "HEAD" => answer(403, ""),
            "GET" => error(403, "InvalidAccessKeyId"),
            _ => tagged(),
        })
    });
    let provider = Arc::new(Renewing::default());
    let storage = script
        .storage()
        .credential_provider(Arc::clone(&provider) as Arc<dyn CredentialProvider>);
    for number in 0..10 {
        let key = format!("org/{number}");
        assert_eq!(storage.head(&key).await.unwrap(), Head::Unknown);
        put(&storage, &key).await;
    }
    assert!(script.count("GET") <= 4, "{:?}", script.seen());
    assert_eq!(provider.0.load(Ordering::SeqCst), 3);
}

/// Answers without a tag, to requests that nobody may look after: no credentials are renewed for a look, however often.
#[tokio::test(start_paused = true)]
async fn a_look_for_what_was_stored_renews_nothing() {
    let script = Script::new(|_, parts, _| {
        Ok(match parts.method.as_str() {
            "PUT" => answer(200, ""),
            "HEAD" => answer(403, ""),
            _ => error(403, "InvalidAccessKeyId"),
        })
    });
    put(&renewing(&script), "org/key").await;
    assert_eq!(
        (script.count("PUT"), script.count("HEAD"), script.count("GET")),
        (1, 1, 0)
    );
}
