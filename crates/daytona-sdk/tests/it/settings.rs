//! What settings come to: headers, tokens, proxies, certificates, connections. Over sockets where needed.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use daytona_emulator::{Emulator, Organization, UserToken};
use daytona_sdk::transport::ServiceTransport;
use daytona_sdk::{BoxError, Daytona, DaytonaBuilder, ErrorKind, TokenProvider};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wiremock::matchers::{any, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::Leaping;

mod processes;

const PAGE: &str = r#"{"items":[],"total":0,"page":1,"totalPages":0}"#;

fn builder(url: &str) -> DaytonaBuilder {
    Daytona::builder().api_url(url).api_key("dtn_key")
}

async fn server() -> MockServer {
    let server = MockServer::start().await;
    let snapshot =
        r#"{"id":"i","name":"x","state":"active","initialRunnerId":"r","buildInfo":{"dockerfileContent":"FROM a:1"}}"#;
    for (place, body) in [
        ("/api/snapshots/x", snapshot),
        (
            "/api/snapshots/i/build-logs-url",
            r#"{"url":"http://logs.example/log"}"#,
        ),
    ] {
        let answer = ResponseTemplate::new(200).set_body_raw(body, "application/json");
        Mock::given(path(place)).respond_with(answer).mount(&server).await;
    }
    let page = ResponseTemplate::new(200).set_body_raw(PAGE, "application/json");
    Mock::given(any()).respond_with(page).mount(&server).await;
    server
}

#[tokio::test]
async fn requests_carry_the_official_headers() {
    let server = server().await;
    let url = format!("{}/api///", server.uri());
    builder(&url)
        .organization_id("ignored")
        .build()
        .unwrap()
        .snapshots()
        .list()
        .await
        .unwrap();
    let user = Daytona::builder().api_url(&url).jwt_token("jwt").organization_id("org");
    user.build().unwrap().snapshots().list().await.unwrap();
    user_agent(&server).await;
    let requests = server.received_requests().await.unwrap();
    let header = |request: usize, name: &str| {
        let value = requests[request].headers.get(name);
        value.map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(requests[0].url.path(), "/api/snapshots");
    assert_eq!(header(0, "authorization").as_deref(), Some("Bearer dtn_key"));
    assert_eq!(header(0, "x-daytona-organization-id"), None);
    assert_eq!(header(1, "authorization").as_deref(), Some("Bearer jwt"));
    assert_eq!(header(1, "x-daytona-organization-id").as_deref(), Some("org"));
    assert_eq!(header(0, "x-daytona-source").as_deref(), Some("sdk-rust"));
    assert_eq!(
        header(0, "x-daytona-sdk-version").as_deref(),
        Some(env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(header(0, "accept").as_deref(), Some("application/json"));
}

async fn user_agent(server: &MockServer) {
    let requests = server.received_requests().await.unwrap();
    let expected = format!("sdk-rust/{}", env!("CARGO_PKG_VERSION"));
    assert!(
        requests
            .iter()
            .all(|request| request.headers["user-agent"] == expected.as_str())
    );
}

/// Tokens that are good for a request each.
#[derive(Debug)]
struct Tokens {
    emulator: Arc<Emulator>,
    organization: String,
    asked: AtomicUsize,
    is_empty: bool,
}

#[async_trait]
impl TokenProvider for Tokens {
    async fn token(&self) -> Result<SecretString, BoxError> {
        if self.is_empty {
            return Err("the login has ended".into());
        }
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let token = UserToken::new([self.organization.clone()]).value(format!("token-{number}"));
        Ok(self.emulator.add_user_token(token).into())
    }
}

#[tokio::test]
async fn a_token_is_asked_for_before_each_request() {
    let emulator = Arc::new(Emulator::builder().in_process().unwrap());
    let organization = emulator.put_organization(Organization::new("of a user"));
    let client = |is_empty| {
        let tokens = Tokens {
            emulator: Arc::clone(&emulator),
            organization: organization.clone(),
            asked: AtomicUsize::new(0),
            is_empty,
        };
        Daytona::builder()
            .api_url(emulator.api_url())
            .token_provider(tokens)
            .organization_id(&organization)
            .transport(ServiceTransport::new(emulator.service()))
            .build()
            .unwrap()
    };
    let daytona = client(false);
    daytona.snapshots().list().await.unwrap();
    daytona.snapshots().list().await.unwrap();
    let error = client(true).snapshots().list().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(error.to_string().contains("the login has ended"), "{error}");
}

#[tokio::test]
async fn settings_that_exclude_each_other_are_named() {
    let service = || ServiceTransport::new(Emulator::builder().in_process().unwrap().service());
    let url = "http://h/api";
    let jwt = || Daytona::builder().api_url(url).jwt_token("jwt");
    for (builder, part) in [
        (Daytona::builder(), "DAYTONA_API_KEY"),
        (jwt(), "DAYTONA_ORGANIZATION_ID"),
        (jwt().organization_id(" "), "DAYTONA_ORGANIZATION_ID"),
        (jwt().organization_id("a\nb"), "organization"),
        (builder(url).transport(service()).proxy("http://p"), "a proxy"),
        (builder(url).transport(service()).no_proxy("h"), "a proxy"),
        (
            builder(url).transport(service()).ca_certificate("x"),
            "a CA certificate",
        ),
        (
            builder(url)
                .transport(service())
                .connect_timeout(Duration::from_secs(1)),
            "a connect timeout",
        ),
        (builder(url).no_proxy("h"), "`no_proxy` is set without a proxy"),
        (builder(url).proxy("socks5://user:secret@h"), "`socks5`"),
        (builder(url).proxy("http://"), "the proxy"),
        (builder(url).ca_certificate("no certificate"), "CA certificate"),
        (builder(url).attempt_timeout(Duration::ZERO), "`attempt_timeout`"),
        (builder(url).operation_timeout(Duration::ZERO), "`operation_timeout`"),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(
            error.to_string().contains(part) && !error.to_string().contains("secret"),
            "{error}"
        );
    }
}

/// Takes one request and answers it; what it was asked for.
async fn answer(mut stream: TcpStream, asked: &Mutex<Vec<String>>, answer: &str) -> bool {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return false,
            Ok(count) => request.extend_from_slice(&buffer[..count]),
        }
    }
    asked.lock().unwrap().push(String::from_utf8(request).unwrap());
    stream.write_all(answer.as_bytes()).await.is_ok()
}

fn page() -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{PAGE}",
        PAGE.len()
    )
}

/// A server that promises to keep a connection and closes it after each answer.
#[tokio::test]
async fn connections_that_the_server_closes_never_surface() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let client = builder(&format!("http://{}/api", listener.local_addr().unwrap()))
        .build()
        .unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            answer(stream, &heard, &page()).await;
        }
    });
    for _ in 0..50 {
        client.snapshots().list().await.unwrap();
    }
    assert!(asked.lock().unwrap().len() >= 50);
}

#[tokio::test]
async fn one_proxy_serves_the_api_and_what_is_excluded_does_without() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let proxy = format!("http://user:p%40ss@{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            answer(stream, &heard, &page()).await;
        }
    });
    let client = builder("http://api.example/api").proxy(proxy.as_str()).build().unwrap();
    client.snapshots().list().await.unwrap();
    let request = asked.lock().unwrap()[0].clone();
    assert!(
        request.starts_with("GET http://api.example/api/snapshots HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(
        request
            .to_lowercase()
            .contains("proxy-authorization: basic dxnlcjpwqhnz"),
        "{request}"
    );
    assert!(!format!("{:?}", builder("http://h/api").proxy(proxy.as_str())).contains("p%40ss"));

    let direct = server().await;
    let with_port = direct.uri().replace("http://", "");
    let excluded = [
        "127.0.0.0/8",
        "*",
        "otherhost,*",
        "otherhost, 127.0.0.1",
        with_port.as_str(),
    ];
    for hosts in excluded {
        let client = builder(&format!("{}/api", direct.uri()))
            .proxy(proxy.as_str())
            .no_proxy(hosts);
        client.build().unwrap().snapshots().list().await.unwrap();
    }
    assert_eq!(direct.received_requests().await.unwrap().len(), excluded.len());
    assert_eq!(asked.lock().unwrap().len(), 1);
    let client = builder(&format!("{}/api", direct.uri()))
        .proxy(proxy.as_str())
        .no_proxy("127.0.0.1:1, otherhost");
    client.build().unwrap().snapshots().list().await.unwrap();
    assert_eq!(asked.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_proxy_that_fails_is_named_with_where_it_was_set() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let proxy = listener.local_addr().unwrap();
    drop(listener);
    let client = builder("http://api.example/api")
        .proxy(format!("http://user:secret@{proxy}"))
        .clock(Leaping::default())
        .build()
        .unwrap();
    let error = client.snapshots().list().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    let text = format!("{error} {error:?}");
    assert!(
        text.contains(&format!(
            "through the proxy `http://{proxy}` of `DaytonaBuilder::proxy`"
        )),
        "{text}"
    );
    assert!(!text.contains("secret"), "{text}");
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_a_timeout() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/api", listener.local_addr().unwrap());
    let client = builder(&url)
        .attempt_timeout(Duration::from_millis(20))
        .build()
        .unwrap();
    let error = client.snapshots().list().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains(&url) && error.is_retryable(), "{error}");
}
