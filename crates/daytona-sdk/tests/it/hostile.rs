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

use crate::support::{Leaping, on_socket};

mod words;

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
