//! What is shown of what a server says: neither secrets nor what a terminal obeys.

use daytona_sdk::transport::TransportErrorKind;
use daytona_sdk::{CreateSnapshotParams, ErrorKind};
use serde_json::json;
use wiremock::matchers::{any, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{KEY, answering, away, client_of, shown};
use crate::support::{app_plan, folder};
use crate::traces::Traced;

#[tokio::test]
async fn a_transport_that_repeats_the_key_is_not_believed() {
    let (daytona, _) = away(usize::MAX, TransportErrorKind::Interrupted);
    let error = daytona.snapshots().list().await.unwrap_err();
    let text = shown(&error);
    assert!(text.contains("refused, Bearer [secret]"), "{text}");
    assert!(!text.contains(KEY) && !text.contains('\u{1b}'), "{text}");
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
