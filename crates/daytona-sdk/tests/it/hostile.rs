//! Servers, gateways and proxies that do harm: by their answers, by what they say, or by not being there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use daytona_emulator::Emulator;
use daytona_sdk::transport::{BodyError, RequestBody, ResponseBody, Transport, TransportError, TransportErrorKind};
use daytona_sdk::{CreateSnapshotParams, Daytona, DaytonaBuilder, Error, ErrorKind};
use futures_util::stream;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use serde_json::json;
use wiremock::matchers::{any, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{Leaping, app_plan, folder, on_socket};
use crate::traces::Traced;

const KEY: &str = "dtn_0123456789abcdef";
const PAGE: &str = "<!DOCTYPE html><title>Web server is down</title>";

fn client_of(url: &str) -> DaytonaBuilder {
    Daytona::builder()
        .api_url(format!("{url}/api"))
        .api_key(KEY)
        .clock(Leaping::default())
}

/// Everything that an error shows.
fn shown(error: &Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |error| error.source());
    let chain: Vec<_> = causes.map(|cause| format!("{cause} {cause:?}")).collect();
    let said = error.server_message().unwrap_or_default();
    format!("{error} {error:?} {} {said} {chain:?}", error.report())
}

fn list() -> serde_json::Value {
    json!({"items": [], "total": 0, "page": 1, "totalPages": 0})
}

fn web_page(status: u16) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw(PAGE, "text/html; charset=utf-8")
}

/// A server that gives these answers in turn, and the last one from then on.
async fn answering(answers: Vec<ResponseTemplate>) -> MockServer {
    let server = MockServer::start().await;
    let next = AtomicUsize::new(0);
    Mock::given(any())
        .respond_with(move |_: &wiremock::Request| {
            let number = next.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1);
            answers[number].clone()
        })
        .mount(&server)
        .await;
    server
}

async fn asked(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().len()
}

/// Refuses this many connections, then answers with a body.
#[derive(Debug)]
struct Away {
    refusals: usize,
    sent: Arc<AtomicUsize>,
    kind: TransportErrorKind,
}

#[async_trait]
impl Transport for Away {
    async fn send(&self, _: Request<RequestBody>) -> Result<Response<ResponseBody>, TransportError> {
        if self.sent.fetch_add(1, Ordering::Relaxed) < self.refusals {
            return Err(TransportError::new(
                self.kind,
                format!("refused, Bearer {KEY}\u{1b}[0m"),
            ));
        }
        let body = Full::new(Bytes::from(list().to_string())).map_err(|never| match never {});
        Ok(Response::new(body.boxed_unsync()))
    }
}

fn away(refusals: usize, kind: TransportErrorKind) -> (Daytona, Arc<AtomicUsize>) {
    let sent = Arc::default();
    let transport = Away {
        refusals,
        sent: Arc::clone(&sent),
        kind,
    };
    (client_of("http://h").transport(transport).build().unwrap(), sent)
}

#[tokio::test]
async fn a_server_that_is_away_for_some_seconds_is_waited_for() {
    let (daytona, sent) = away(8, TransportErrorKind::Connect);
    daytona.snapshots().list().await.unwrap();
    assert_eq!(sent.load(Ordering::Relaxed), 9);

    let (daytona, sent) = away(usize::MAX, TransportErrorKind::Connect);
    let error = daytona.snapshots().list().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert_eq!(usize::try_from(error.attempts()).unwrap(), sent.load(Ordering::Relaxed));
    assert!((8..30).contains(&error.attempts()), "{error}");

    // Whether that changes soon is not known of other failures.
    for kind in [TransportErrorKind::Unresolved, TransportErrorKind::Interrupted] {
        let (daytona, _) = away(usize::MAX, kind);
        assert_eq!(daytona.snapshots().list().await.unwrap_err().attempts(), 4, "{kind:?}");
    }
}

#[tokio::test]
async fn a_transport_that_repeats_the_key_is_not_believed() {
    let (daytona, _) = away(usize::MAX, TransportErrorKind::Interrupted);
    let error = daytona.snapshots().list().await.unwrap_err();
    let text = shown(&error);
    assert!(text.contains("refused, Bearer [secret]"), "{text}");
    assert!(!text.contains(KEY) && !text.contains('\u{1b}'), "{text}");
}

#[tokio::test]
async fn gateway_pages_are_a_service_that_is_away() {
    for status in [502, 503, 504, 520, 521, 524, 530] {
        let ok = ResponseTemplate::new(200).set_body_json(list());
        let server = answering(vec![web_page(status), web_page(status), ok]).await;
        let daytona = client_of(&server.uri()).build().unwrap();
        daytona.snapshots().list().await.unwrap();
        assert_eq!(asked(&server).await, 3);

        let server = answering(vec![web_page(status)]).await;
        let daytona = client_of(&server.uri()).build().unwrap();
        let error = daytona.snapshots().list().await.unwrap_err();
        assert_eq!(
            (error.kind(), error.attempts()),
            (ErrorKind::Unavailable, 4),
            "{status}"
        );
        assert!(!error.to_string().contains("API URL"), "{error}");
    }
}

#[tokio::test]
async fn a_page_from_an_api_that_has_answered_is_not_a_wrong_address() {
    let ok = || ResponseTemplate::new(200).set_body_json(list());
    for (page, kind, times) in [
        (web_page(404), ErrorKind::Unavailable, 4),
        (web_page(200), ErrorKind::Unavailable, 4),
        (ResponseTemplate::new(302), ErrorKind::Unavailable, 4),
        (web_page(403), ErrorKind::Unavailable, 4),
        (web_page(500), ErrorKind::ServerError, 1),
    ] {
        let server = answering(vec![ok(), page.clone()]).await;
        let daytona = client_of(&server.uri()).build().unwrap();
        daytona.snapshots().list().await.unwrap();
        let error = daytona.clone().snapshots().list().await.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (kind, times), "{error}");
        assert!(!error.to_string().contains("API URL"), "{error}");

        let server = answering(vec![page]).await;
        let daytona = client_of(&server.uri()).build().unwrap();
        let error = daytona.snapshots().list().await.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::NotAnApi, 1), "{error}");
    }
    // A refusal of the API is an answer of the API.
    let denied = json!({"statusCode": 403, "error": "Forbidden", "message": "Access denied"});
    let server = answering(vec![ResponseTemplate::new(403).set_body_json(denied), web_page(404)]).await;
    let daytona = client_of(&server.uri()).build().unwrap();
    daytona.snapshots().list().await.unwrap_err();
    let error = daytona.snapshots().list().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_broken_answer_is_asked_for_again() {
    let json = |body: &str| ResponseTemplate::new(200).set_body_raw(body, "application/json");
    for (broken, kind) in [
        (r#"{"items":[{"id":"1","na"#, ErrorKind::Connection),
        ("", ErrorKind::Connection),
        (r#"{"items":[}"#, ErrorKind::Decode),
        ("\0\0\0", ErrorKind::Decode),
    ] {
        let server = answering(vec![json(broken), json(&list().to_string())]).await;
        let daytona = client_of(&server.uri()).build().unwrap();
        daytona.snapshots().list().await.unwrap();
        assert_eq!(asked(&server).await, 2, "{broken}");

        let server = answering(vec![json(broken)]).await;
        let daytona = client_of(&server.uri()).build().unwrap();
        let error = daytona.snapshots().list().await.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (kind, 4), "{error}");
        assert!(!error.to_string().contains("API URL"), "{error}");
        // What may have been done is not done again by itself.
        let snapshots = daytona.snapshots();
        snapshots
            .activate(daytona_sdk::SnapshotId::from("i"))
            .await
            .unwrap_err();
        let requests = server.received_requests().await.unwrap();
        let posts = requests.iter().filter(|request| request.method.as_str() == "POST");
        assert!(posts.count() <= 1, "{broken}");
    }
    // What lacks a field would lack it again.
    let server = answering(vec![json(r#"{"items":[{"id":"1","name":"x"}]}"#)]).await;
    let error = client_of(&server.uri())
        .build()
        .unwrap()
        .snapshots()
        .list()
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Decode, 1));
}

/// Answers without an end.
#[derive(Debug)]
struct Endless {
    sent: Arc<AtomicUsize>,
    status: u16,
}

#[async_trait]
impl Transport for Endless {
    async fn send(&self, _: Request<RequestBody>) -> Result<Response<ResponseBody>, TransportError> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        let chunk = Bytes::from(vec![b' '; 1024 * 1024]);
        let chunks = stream::repeat_with(move || Ok::<_, BodyError>(Frame::data(chunk.clone())));
        let mut response = Response::new(StreamBody::new(chunks).boxed_unsync());
        *response.status_mut() = self.status.try_into().unwrap();
        Ok(response)
    }
}

#[tokio::test]
async fn an_answer_without_end_is_fetched_once() {
    for (status, kind, times) in [(200, ErrorKind::Decode, 1), (502, ErrorKind::Unavailable, 4)] {
        let sent = Arc::default();
        let transport = Endless {
            sent: Arc::clone(&sent),
            status,
        };
        let daytona = client_of("http://h").transport(transport).build().unwrap();
        let error = daytona.snapshots().list().await.unwrap_err();
        assert_eq!((error.kind(), sent.load(Ordering::Relaxed)), (kind, times), "{error}");
        assert_eq!(error.to_string().contains("64 MiB"), status == 200, "{error}");
    }
}

#[tokio::test]
async fn nothing_that_a_terminal_obeys_comes_through() {
    let text = "no\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}\r\nfake: line";
    let envelope = json!({"statusCode": 400, "error": "Bad Request", "message": text});
    let failed = json!({"id": "i", "name": "x", "state": "build_failed", "errorReason": text});
    let mut errors = Vec::new();
    for answer in [
        ResponseTemplate::new(400).set_body_json(envelope),
        ResponseTemplate::new(400).set_body_string(text),
        ResponseTemplate::new(502).set_body_string(text),
        ResponseTemplate::new(200).set_body_json(json!({"items": text})),
    ] {
        let server = answering(vec![answer]).await;
        let daytona = client_of(&server.uri()).build().unwrap();
        errors.push(daytona.snapshots().list().await.unwrap_err());
    }
    let server = answering(vec![ResponseTemplate::new(200).set_body_json(failed)]).await;
    let daytona = client_of(&server.uri()).build().unwrap();
    let error = daytona.snapshots().wait("x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BuildFailed);
    assert!(error.reason().unwrap().contains("\\u{1b}[2J"), "{error}");
    errors.push(error);
    for error in errors {
        let text = format!("{error} {} {error:?} {:?}", error.report(), error.server_message());
        let is_obeyed = |character: char| character.is_control() && character != '\n' || character == '\u{202e}';
        assert!(!text.contains(is_obeyed), "{text:?}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_repeats_the_key_does_not_show_it() {
    let repeated = format!("not for Bearer {KEY} here");
    let envelope = json!({"statusCode": 403, "error": "Forbidden", "message": repeated});
    for answer in [
        ResponseTemplate::new(403).set_body_json(envelope),
        ResponseTemplate::new(400).set_body_string(&repeated),
        ResponseTemplate::new(200).set_body_json(json!({"items": repeated})),
        ResponseTemplate::new(404).insert_header("x-request-id", repeated.as_str()),
    ] {
        let server = answering(vec![answer]).await;
        let traced = Traced::begin();
        let error = client_of(&server.uri())
            .build()
            .unwrap()
            .snapshots()
            .list()
            .await
            .unwrap_err();
        let text = format!("{} {:?} {}", shown(&error), error.request_id(), traced.end());
        assert!(text.contains("[secret]") && !text.contains(KEY), "{text}");
    }
}

/// Push access to this storage, at an address with more in it than belongs there.
async fn api_with_storage(storage: &MockServer) -> MockServer {
    let api = MockServer::start().await;
    let url = storage.uri().replace("http://", "http://user:hidden@");
    let access = json!({
        "accessKey": "access", "secret": "storage-hidden-1", "sessionToken": "storage+hidden/2==",
        "storageUrl": format!("{url}/?token=hidden"), "organizationId": "org", "bucket": "b", "region": "us-east-1",
    });
    Mock::given(path("/api/object-storage/push-access"))
        .respond_with(ResponseTemplate::new(200).set_body_json(access))
        .mount(&api)
        .await;
    api
}

#[cfg(feature = "s3")]
#[tokio::test]
async fn a_storage_shows_neither_its_secrets_nor_what_its_address_holds() {
    let storage = MockServer::start().await;
    let refusal = "<Error><Code>AccessDenied</Code><Message>storage-hidden-1 and storage+hidden/2== are no good\
                   </Message></Error>";
    Mock::given(any())
        .respond_with(ResponseTemplate::new(403).set_body_raw(refusal, "application/xml"))
        .mount(&storage)
        .await;
    let api = api_with_storage(&storage).await;
    let folder = folder(&["app/x"]);
    let traced = Traced::begin();
    let daytona = client_of(&api.uri()).build().unwrap();
    let params = CreateSnapshotParams::new("x", app_plan(folder.path()));
    let error = daytona.snapshots().create(params).await.unwrap_err();
    let text = format!("{} {}", shown(&error), traced.end());
    assert_eq!(error.kind(), ErrorKind::ObjectStorage, "{text}");
    assert!(!text.contains("hidden"), "{text}");
    let requests = storage.received_requests().await.unwrap();
    assert!(!requests.is_empty());
    for request in requests {
        assert!(
            request.url.query().is_none_or(|query| !query.contains("hidden")),
            "{}",
            request.url
        );
        assert!(
            request.headers["authorization"]
                .to_str()
                .unwrap()
                .starts_with("AWS4-HMAC"),
            "{request:?}"
        );
    }
}

#[tokio::test]
async fn neither_user_nor_query_of_a_log_address_shows() {
    let log = MockServer::start().await;
    let api = MockServer::start().await;
    let snapshot = json!({"id": "i", "name": "x", "state": "active", "initialRunnerId": "r", "buildInfo": {"dockerfileContent": "FROM a:1"}});
    Mock::given(path("/api/snapshots/x"))
        .respond_with(ResponseTemplate::new(200).set_body_json(snapshot))
        .mount(&api)
        .await;
    let nobody = {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        format!("user:hidden@{}", listener.local_addr().unwrap())
    };
    let log_host = log.uri().replace("http://", "user:hidden@");
    for address in [
        format!("http://{nobody}/log?token=hidden"),
        format!("http://{log_host}/log?token=hidden"),
        "ftp://user:hidden@h/log?token=hidden".to_owned(),
        "http://user:hidden@h:port/log?token=hidden".to_owned(),
        "nothing?token=hidden".to_owned(),
    ] {
        let guard = Mock::given(path("/api/snapshots/i/build-logs-url"))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!({"url": address})))
            .mount_as_scoped(&api)
            .await;
        let traced = Traced::begin();
        let daytona = client_of(&api.uri()).build().unwrap();
        let error = daytona.snapshots().build_logs("x").await.unwrap_err();
        let text = format!("{} {}", shown(&error), traced.end());
        assert!(!text.contains("hidden"), "{address}: {text}");
        drop(guard);
    }
    // It is used unchanged, except for the user.
    let requests = log.received_requests().await.unwrap();
    assert!(!requests.is_empty());
    for request in requests {
        assert_eq!(request.url.query(), Some("token=hidden"));
        assert_eq!(request.headers["authorization"], format!("Bearer {KEY}").as_str());
    }
}

#[tokio::test]
async fn a_missing_permission_is_named_for_keys_and_users() {
    let denied = json!({"statusCode": 403, "error": "Forbidden", "message": "Access denied"});
    let server = MockServer::start().await;
    let snapshot = json!({"id": "i", "name": "x", "state": "active"});
    Mock::given(method("GET"))
        .and(path("/api/snapshots/x"))
        .respond_with(ResponseTemplate::new(200).set_body_json(snapshot))
        .mount(&server)
        .await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(403).set_body_json(denied))
        .mount(&server)
        .await;
    let key = client_of(&server.uri()).build().unwrap();
    let user = client_of(&server.uri())
        .jwt_token("a.b.c")
        .organization_id("org")
        .build()
        .unwrap();
    for (client, who) in [(key, "API key"), (user, "user")] {
        let snapshots = client.snapshots();
        let text = |error: Error| {
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            error.to_string()
        };
        let created = text(
            snapshots
                .create(CreateSnapshotParams::new("y", "a:1"))
                .await
                .unwrap_err(),
        );
        let deleted = text(snapshots.delete("x").await.unwrap_err());
        assert!(
            created.contains("`write:snapshots`") && created.contains(who),
            "{created}"
        );
        assert!(
            deleted.contains("`delete:snapshots`") && deleted.contains(who),
            "{deleted}"
        );
        assert_eq!(created.contains("API key"), who == "API key", "{created}");
    }
}

#[tokio::test]
async fn a_hint_is_given_once() {
    let (emulator, _) = on_socket(Emulator::builder()).await;
    let outside = Daytona::builder()
        .api_url(emulator.api_url().replace("/api", ""))
        .api_key(emulator.api_key())
        .clock(Leaping::default())
        .build()
        .unwrap();
    let create = outside
        .snapshots()
        .create(CreateSnapshotParams::new("x", "a:1"))
        .timeout(Duration::from_mins(1));
    let error = create.await.unwrap_err();
    for text in [error.to_string(), error.report(), format!("{error:?}")] {
        assert_eq!(text.matches("ends in /api").count(), 1, "{text}");
    }
}
