//! What answers of a store mean, and what is learnt from them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use daytona_context::s3::{CredentialProvider, HttpClient, HttpError, RequestBody, RetryPolicy, S3Config, S3Storage};
use daytona_context::{Context, Digest, Head, ObjectStorage, Payload, Push, StorageError, StorageErrorKind};
use http::{Request, Response};

use crate::script::{Script, answer, dated, error, stored, tagged};

mod parts;

/// F16: a refusal keeps the words of whoever refuses, on one line, without what we sent.
#[tokio::test]
async fn a_refusal_keeps_its_words() {
    let payload = || Payload::from_bytes("x", Digest::of(b"x"));
    for (text, said) in [
        ("blocked by\r\n  policy 17", "blocked by policy 17"),
        ("{\"error\": \"no\"}", "{\"error\": \"no\"}"),
        ("<html><body>Forbidden", "<html><body>Forbidden"),
        ("you sent very-secret-key", "you sent …"),
        (
            "<Error><Code>AccessDenied</Code><Message>not yours</Message></Error>",
            "AccessDenied, not yours",
        ),
    ] {
        let script = Script::new(move |_, _, _| Ok(answer(403, text)));
        let refused = script.storage().put("org/key", payload()).await.unwrap_err();
        assert_eq!(refused.kind(), StorageErrorKind::AccessDenied);
        assert_eq!(
            refused.to_string(),
            format!("the object storage denies access (403, {said})")
        );
    }
}

/// Whatever repeats it, and however long it is: what is shown of an answer is cut after the secrets are.
#[tokio::test]
async fn a_refusal_never_holds_a_secret() {
    let token = format!("token-{}", "abcDEF0123".repeat(50));
    for refusal in [
        format!("blocked request with x-amz-security-token: {token}"),
        format!("<Error><Code>{token}</Code><Message>{token}</Message></Error>"),
    ] {
        let mut config = S3Config::new("http://store.test", "bucket", "access-key-id", "very-secret-key");
        config.session_token = Some(token.clone().into());
        let script = Script::new(move |_, _, _| Ok(answer(403, refusal.clone())));
        let storage = S3Storage::new(&config, Arc::new(script)).unwrap();
        let refused = storage.put("org/key", Payload::from_bytes("x", Digest::of(b"x"))).await;
        let refused = refused.unwrap_err();
        let shown = format!(
            "{refused} {refused:?} {:?} {:?}",
            refused.code(),
            std::error::Error::source(&refused)
        );
        assert!(!shown.contains("token-abc"), "{shown}");
    }
}

/// Answers at once, whatever it is sent.
#[derive(Debug)]
struct Hasty(AtomicUsize);

#[async_trait]
impl HttpClient for Hasty {
    async fn send(&self, _request: Request<RequestBody>) -> Result<Response<Bytes>, HttpError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(answer(200, "<html>log in to the network"))
    }
}

/// A success that comes before the body was taken is that of something else than a store.
#[tokio::test(start_paused = true)]
async fn what_was_not_taken_is_not_stored() {
    let client = Arc::new(Hasty(AtomicUsize::new(0)));
    let config = S3Config::new("http://store.test", "bucket", "access-key-id", "very-secret-key");
    let storage = S3Storage::new(&config, Arc::clone(&client) as Arc<dyn HttpClient>).unwrap();
    let put = storage.put("org/key", Payload::from_bytes("x", Digest::of(b"x"))).await;
    let refused = put.unwrap_err();
    assert_eq!(refused.kind(), StorageErrorKind::Unavailable, "{refused}");
    assert!(refused.to_string().contains("before it had all of it"), "{refused}");
    assert_eq!(client.0.load(Ordering::SeqCst), refused.attempts());
}

/// The region that a store has corrected is that of its bucket, and of no other.
#[tokio::test]
async fn another_bucket_is_in_the_region_that_comes_with_it() {
    let mut other = S3Config::new("http://store.test", "other", "access-key-id", "very-secret-key");
    other.region = Some("us-west-2".to_owned());
    let script = Script::new(|_, parts, _| {
        let is_old = parts.uri.path().starts_with("/bucket/");
        let region = if is_old { "eu-west-3" } else { "us-west-2" };
        let is_signed_for_it = parts.headers["authorization"].to_str().unwrap().contains(region);
        let mut response = match (is_signed_for_it, is_old) {
            (false, _) => error(400, "AuthorizationHeaderMalformed"),
            (true, true) => error(400, "ExpiredToken"),
            (true, false) => return Ok(answer(200, "")),
        };
        response
            .headers_mut()
            .insert("x-amz-bucket-region", region.parse().unwrap());
        Ok(response)
    });
    let storage = script
        .storage()
        .credential_provider(Arc::new(Provider::from(vec![Ok(other)])));
    let put = storage.put("org/key", Payload::from_bytes("x", Digest::of(b"x"))).await;
    put.unwrap_or_else(|error| panic!("{error} {:?}", script.seen()));
}

/// A store whose clock is this many minutes ahead, and which holds everything or nothing.
fn with_clock(minutes: i64, holds: Option<u64>) -> Script {
    Script::new(move |_, parts, _| {
        let signed = parts.headers["x-amz-date"].to_str().unwrap();
        let signed = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", signed).unwrap();
        let signed = jiff::tz::Offset::UTC.to_timestamp(signed).unwrap();
        let ours = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(minutes);
        let is_off = (ours.as_second() - signed.as_second()).abs() > 15 * 60;
        let response = match (is_off, parts.method.as_str(), holds) {
            (true, "HEAD", _) => answer(403, ""),
            (true, _, _) => error(403, "RequestTimeTooSkewed"),
            (false, "HEAD", Some(size)) => stored(size),
            (false, "HEAD", None) => answer(404, ""),
            _ => tagged(),
        };
        Ok(dated(response, minutes))
    })
}

/// F17: a clock that is off is corrected by the store's, and told once.
#[tokio::test(start_paused = true)]
async fn a_clock_that_is_off_is_corrected_and_told_once() {
    let folder = crate::s3::tree(30_000);
    let context = Context::scan(folder.path()).unwrap();
    for (minutes, words) in [(40, "40 min behind"), (-300, "5 h ahead of")] {
        for holds in [None, Some(context.size())] {
            let script = with_clock(minutes, holds);
            let told = Arc::new(Mutex::new(Vec::new()));
            let hears = Arc::clone(&told);
            let storage = script
                .storage()
                .on_retry(move |retry| hears.lock().unwrap().push(retry.error.to_string()));
            for _ in 0..2 {
                let pushed = Push::new().run(&context, &storage, "org").await.unwrap();
                assert_eq!(pushed.skipped, holds.unwrap_or(0), "{minutes}: {:?}", script.seen());
            }
            let told = told.lock().unwrap();
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(told[0].contains(words), "{told:?}");
        }
    }
    // A put alone learns it too.
    let script = with_clock(40, None);
    script
        .storage()
        .put("org/key", Payload::from_bytes("x", Digest::of(b"x")))
        .await
        .unwrap();
    assert_eq!(script.count("PUT"), 2);
    // One whose machines have other clocks is not followed forever.
    let script = Script::new(|number, _, _| {
        let minutes = if number % 2 == 0 { 60 } else { -60 };
        Ok(dated(error(403, "RequestTimeTooSkewed"), minutes))
    });
    let put = script
        .storage()
        .put("org/key", Payload::from_bytes("x", Digest::of(b"x")))
        .await;
    assert!(put.unwrap_err().to_string().contains("RequestTimeTooSkewed"));
    assert!(script.count("PUT") < 10, "{:?}", script.count("PUT"));
    // A store that is never content is believed in the end.
    let script = Script::new(|_, _, _| Ok(dated(error(403, "RequestTimeTooSkewed"), 40)));
    let refused = script
        .storage()
        .put("org/key", Payload::from_bytes("x", Digest::of(b"x")))
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("RequestTimeTooSkewed"), "{refused}");
    assert_eq!(script.count("PUT"), 3, "by our clock, by the store's date, and by ours");
}

/// H12: what cannot stand in a header is refused before anything is signed; a line feed at the end is not part of it.
#[tokio::test]
async fn what_cannot_be_signed_is_refused() {
    type Change = fn(&mut S3Config);
    let wrong: [(&str, Change); 13] = [
        ("region", |config| config.region = Some("eu\nwest".into())),
        ("region", |config| config.region = Some("eu-\u{1}".into())),
        ("region", |config| config.region = Some("é".into())),
        ("access key", |config| config.access_key = "a\nb".into()),
        ("secret key", |config| config.secret_key = "a\u{7f}b".into()),
        ("session token", |config| config.session_token = Some("a\0b".into())),
        ("bucket", |config| config.bucket = String::new()),
        ("bucket", |config| config.bucket = "a\nb".into()),
        ("bucket", |config| config.bucket = "x--use1-az4--x-s3".into()),
        ("bucket", |config| {
            config.bucket = "arn:aws:s3:us-east-1:1:accesspoint/x".into();
        }),
        ("address", |config| config.endpoint = "http://store.test/a#f".into()),
        ("address", |config| config.endpoint = "http://store.test?x=1".into()),
        ("address", |config| config.endpoint = "http://".into()),
    ];
    let good = S3Config::new("http://store.test", "bucket", "key\n", "secret\r\n");
    let script = Script::new(|_, parts, _| {
        assert!(!parts.headers.values().any(|value| value.as_bytes().contains(&b'\n')));
        Ok(answer(200, ""))
    });
    for (name, change) in wrong {
        let mut config = good.clone();
        change(&mut config);
        let refused = S3Storage::new(&config, Arc::new(script.clone())).unwrap_err();
        assert_eq!(refused.kind(), StorageErrorKind::Refused);
        let text = refused.to_string();
        assert!(
            text.contains(name) && !text.contains('\n') && !text.contains("secret\r"),
            "{text}"
        );
        // Nor when it comes later.
        let provider = Arc::new(Provider::from(vec![Ok(config)]));
        let expired = Script::new(|_, _, _| Ok(error(400, "ExpiredToken")));
        let storage = expired.storage().credential_provider(provider);
        let refused = storage
            .put("org/key", Payload::from_bytes("x", Digest::of(b"x")))
            .await
            .unwrap_err();
        assert!(refused.to_string().contains(name), "{refused}");
    }
    let storage = S3Storage::new(&good, Arc::new(script.clone())).unwrap();
    storage
        .put("org/key", Payload::from_bytes("x", Digest::of(b"x")))
        .await
        .unwrap();
    // A region of an answer that is none is not followed; a key of any characters is no panic.
    let script = Script::new(|_, _, _| {
        let text = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu\nwest</Region></Error>";
        Ok(answer(400, text))
    });
    for key in ["org/key", "", "a\nb", "\0", "é/\u{1}"] {
        script
            .storage()
            .put(key, Payload::from_bytes("x", Digest::of(b"x")))
            .await
            .unwrap_err();
    }
}

/// Gives out what it was given, one after the other.
#[derive(Debug)]
struct Provider(Mutex<Vec<Result<S3Config, StorageErrorKind>>>);

impl From<Vec<Result<S3Config, StorageErrorKind>>> for Provider {
    fn from(mut answers: Vec<Result<S3Config, StorageErrorKind>>) -> Self {
        answers.reverse();
        Self(Mutex::new(answers))
    }
}

#[async_trait]
impl CredentialProvider for Provider {
    async fn credentials(&self) -> Result<S3Config, StorageError> {
        let next = self.0.lock().unwrap().pop().unwrap_or(Err(StorageErrorKind::Refused));
        next.map_err(StorageError::new)
    }
}

/// B16: whoever gives out credentials may fail once.
#[tokio::test(start_paused = true)]
async fn new_credentials_are_asked_for_again() {
    let script = Script::new(|_, parts, _| {
        let is_new = parts.headers["authorization"].to_str().unwrap().contains("new-key");
        Ok(if is_new {
            answer(200, "")
        } else {
            error(400, "ExpiredToken")
        })
    });
    let new = || S3Config::new("http://store.test", "bucket", "new-key", "secret");
    let put = async |answers: Vec<Result<S3Config, StorageErrorKind>>| {
        let storage = script.storage().credential_provider(Arc::new(Provider::from(answers)));
        storage.put("org/key", Payload::from_bytes("x", Digest::of(b"x"))).await
    };
    put(vec![
        Err(StorageErrorKind::Unavailable),
        Err(StorageErrorKind::Connection),
        Ok(new()),
    ])
    .await
    .unwrap();
    let refused = put(vec![Err(StorageErrorKind::AccessDenied), Ok(new())])
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), StorageErrorKind::AccessDenied);
}

/// H14: what costs the store nothing is tried for long; what may have arrived is not.
#[tokio::test(start_paused = true)]
async fn a_store_that_is_started_anew_is_waited_for() {
    let put = async |script: &Script| {
        script
            .storage()
            .put("org/key", Payload::from_bytes("x", Digest::of(b"x")))
            .await
    };
    let begin = tokio::time::Instant::now();
    let script = Script::new(move |_, _, _| {
        if begin.elapsed() < Duration::from_secs(10) {
            return Err(HttpError::unsent("refused"));
        }
        Ok(answer(200, ""))
    });
    put(&script).await.unwrap();
    let script = Script::new(|_, _, _| Err(HttpError::unsent("refused")));
    let begin = tokio::time::Instant::now();
    let gone = put(&script).await.unwrap_err();
    assert_eq!(
        (gone.kind(), gone.attempts()),
        (StorageErrorKind::Connection, script.count("PUT"))
    );
    assert!((10..=30).contains(&begin.elapsed().as_secs()), "{:?}", begin.elapsed());
    let script = Script::new(|_, _, _| Err(HttpError::new("broken")));
    assert_eq!(put(&script).await.unwrap_err().attempts(), 4);
    assert_eq!(script.count("PUT"), 4);
}

/// B16: no limit is too long, and an empty payload has a digest as well.
#[tokio::test]
async fn no_public_value_panics() {
    let script = Script::new(|_, _, _| Ok(answer(200, "")));
    let storage = script
        .storage()
        .retry(RetryPolicy::default().stall(Duration::MAX).attempts(usize::MAX));
    storage
        .put("org/key", Payload::from_bytes("x", Digest::of(b"x")))
        .await
        .unwrap();
    storage
        .put("org/key", Payload::from_bytes("", Digest::of(b"")))
        .await
        .unwrap();
    let wrong = storage
        .put("org/key", Payload::from_bytes("", Digest::of(b"x")))
        .await
        .unwrap_err();
    assert_eq!(wrong.kind(), StorageErrorKind::Payload);
    assert_eq!(script.count("PUT"), 2, "nothing was sent of it");
    assert!(matches!(
        storage.head("org/key").await.unwrap(),
        Head::Stored { .. } | Head::Unknown
    ));
}
