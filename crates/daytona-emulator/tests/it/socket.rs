//! What only shows on a socket, and the admin routes as another language would use them.

use daytona_emulator::{Emulator, Fault, StorageOptions};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::http::{Answer, address, ask};

fn bearer(key: &str) -> String {
    format!("authorization: Bearer {key}\r\ncontent-type: application/json\r\n")
}

/// A connection lives on between requests, and is closed without a word once it was idle for five seconds.
#[tokio::test]
async fn an_idle_connection_is_closed() {
    let emulator = Emulator::start().await.unwrap();
    let mut stream = TcpStream::connect(address(&emulator.api_url())).await.unwrap();
    let request = b"GET /api/health HTTP/1.1\r\nhost: x\r\n\r\n";
    for _ in 0..2 {
        stream.write_all(request).await.unwrap();
        let mut start = [0; 15];
        stream.read_exact(&mut start).await.unwrap();
        assert_eq!(&start, b"HTTP/1.1 200 OK");
        let mut rest = vec![0; 4096];
        let count = stream.read(&mut rest).await.unwrap();
        assert!(String::from_utf8_lossy(&rest[..count]).contains("keep-alive: timeout=5"));
    }
    let mut rest = Vec::new();
    assert_eq!(stream.read_to_end(&mut rest).await.unwrap(), 0);
}

async fn admin(emulator: &Emulator, method: &str, path: &str, body: &Value) -> Answer {
    let path = format!("/_emulator{path}");
    let has_body = matches!(method, "POST" | "PUT");
    let body = if has_body { body.to_string() } else { String::new() };
    ask(
        address(&emulator.api_url()),
        method,
        &path,
        &bearer(emulator.admin_key()),
        &body,
    )
    .await
}

async fn api(emulator: &Emulator, method: &str, path: &str, body: &str) -> Answer {
    let path = format!("/api{path}");
    ask(
        address(&emulator.api_url()),
        method,
        &path,
        &bearer(emulator.api_key()),
        body,
    )
    .await
}

#[tokio::test]
async fn another_language_sets_faults_scripts_and_the_clock() {
    let emulator = Emulator::start().await.unwrap();
    let fault = json!({"effect": {"status": {"status": 503, "headers": {"Retry-After": "1"}}}, "on": "getAllSnapshots", "times": 1});
    assert_eq!(admin(&emulator, "POST", "/faults", &fault).await.status, 200);
    assert_eq!(
        admin(&emulator, "GET", "/faults", &Value::Null).await.json()[0]["on"],
        "getAllSnapshots"
    );
    let refused = api(&emulator, "GET", "/snapshots", "").await;
    assert_eq!(refused.status, 503);
    assert!(refused.head.contains("retry-after: 1"));
    assert_eq!(api(&emulator, "GET", "/snapshots", "").await.status, 200);
    for effect in [
        json!("disconnect"),
        json!({"truncate": 1}),
        json!({"delay": 1}),
        json!("malformed"),
        json!({"throttleUpload": 9}),
    ] {
        let answer = admin(&emulator, "POST", "/faults", &json!({"effect": effect})).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    assert_eq!(admin(&emulator, "DELETE", "/faults", &Value::Null).await.status, 200);

    let script =
        json!({"name": "x", "states": [{"after": 1000, "state": "pulling"}, {"after": 60000, "state": "active"}]});
    assert_eq!(admin(&emulator, "POST", "/scripts", &script).await.status, 200);
    assert_eq!(
        admin(&emulator, "POST", "/clock", &json!({"hold": true})).await.status,
        200
    );
    api(
        &emulator,
        "POST",
        "/snapshots",
        "{\"name\":\"x\",\"imageName\":\"a:1\"}",
    )
    .await;
    admin(&emulator, "POST", "/clock", &json!({"advance": 1500})).await;
    assert_eq!(
        api(&emulator, "GET", "/snapshots/x", "").await.json()["state"],
        "pulling"
    );
    admin(&emulator, "POST", "/clock", &json!({"advance": 60000, "hold": false})).await;
    assert_eq!(
        admin(&emulator, "GET", "", &Value::Null).await.json()["snapshots"][0]["state"],
        "active"
    );

    admin(&emulator, "PUT", "/maintenance", &json!(true)).await;
    assert_eq!(api(&emulator, "GET", "/snapshots", "").await.status, 503);
    admin(&emulator, "PUT", "/maintenance", &json!(false)).await;
    admin(
        &emulator,
        "PUT",
        "/rate-limits",
        &json!({"requests": 1, "failedLogins": 3, "window": 60000}),
    )
    .await;
    assert_eq!(api(&emulator, "GET", "/snapshots", "").await.status, 200);
    assert_eq!(api(&emulator, "GET", "/snapshots", "").await.status, 429);
    admin(&emulator, "PUT", "/rate-limits", &Value::Null).await;
    assert_eq!(admin(&emulator, "PUT", "/runner", &json!(false)).await.status, 200);
    let key = admin(&emulator, "POST", "/api-keys", &json!({"permissions": []}))
        .await
        .json()["value"]
        .clone();
    let headers = bearer(key.as_str().unwrap());
    let denied = ask(address(&emulator.api_url()), "POST", "/api/snapshots", &headers, "{}").await;
    assert_eq!(denied.status, 403);
    let requests = admin(&emulator, "GET", "/requests", &Value::Null).await.json();
    assert_eq!(requests.as_array().unwrap().last().unwrap()["status"], 403);
}

#[tokio::test]
async fn the_admin_routes_need_the_admin_key_and_say_what_is_wrong() {
    let emulator = Emulator::builder().admin_key("secret").start().await.unwrap();
    let address = address(&emulator.api_url());
    for key in [emulator.api_key(), "wrong", ""] {
        let refused = ask(address, "DELETE", "/_emulator/faults", &bearer(key), "").await;
        assert_eq!(refused.status, 401);
    }
    assert_eq!(ask(address, "GET", "/_emulator", "", "").await.status, 401);
    for (method, path, body, status, text) in [
        (
            "POST",
            "/faults",
            json!({"effect": "explode"}),
            400,
            "unknown variant `explode`",
        ),
        (
            "POST",
            "/faults",
            json!({"effect": "disconnect", "onn": 1}),
            400,
            "unknown field `onn`",
        ),
        ("POST", "/scripts", json!({"takes": "long"}), 400, "invalid type"),
        (
            "GET",
            "/nothing",
            Value::Null,
            404,
            "no admin route GET /_emulator/nothing",
        ),
        ("GET", "/images/none", Value::Null, 404, "no image was built"),
    ] {
        let answer = admin(&emulator, method, path, &body).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(answer.body.contains(text), "{}", answer.body);
    }
    let large = format!("\"{}\"", "x".repeat(2 * 1024 * 1024));
    assert_eq!(
        ask(address, "POST", "/_emulator/faults", &bearer("secret"), &large)
            .await
            .status,
        413
    );
}

/// Paths of requests never become paths of files: the data directory holds names of the emulator's own.
#[tokio::test]
async fn no_path_of_a_request_reaches_the_file_system() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let emulator = Emulator::builder()
        .data_dir(&data)
        .storage(StorageOptions::new())
        .start()
        .await
        .unwrap();
    std::fs::write(folder.path().join("secret.txt"), "secret").unwrap();
    let address = address(&emulator.api_url());
    for path in [
        "/daytona/../secret.txt",
        "/daytona/%2e%2e/%2e%2e/secret.txt",
        "/dashboard/../../secret.txt",
        "/dashboard/snapshots/..%2f..%2fsecret.txt",
        "/snapshots/..%2fsecret/build-logs",
    ] {
        let answer = ask(address, "GET", path, &bearer(emulator.api_key()), "").await;
        assert!(
            !answer.body.contains("secret\n") && answer.status >= 300,
            "{path}: {answer:?}"
        );
    }
    emulator.put_object("../../escape", b"x").unwrap();
    let mut names: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["data", "secret.txt"]);
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_a_place() {
    let emulator = Emulator::builder().connections(2).start().await.unwrap();
    let to = address(&emulator.api_url());
    let connect = async || {
        let mut stream = TcpStream::connect(to).await.unwrap();
        let request = b"GET /api/health HTTP/1.1\r\nhost: x\r\n\r\n";
        stream.write_all(request).await.unwrap();
        stream
    };
    let served = async |stream: &mut TcpStream| {
        let mut start = [0; 15];
        stream.read_exact(&mut start).await.unwrap();
        assert_eq!(&start, b"HTTP/1.1 200 OK");
    };
    let (mut one, mut two) = (connect().await, connect().await);
    served(&mut one).await;
    served(&mut two).await;
    let mut three = connect().await;
    // The third is in the queue of the system; its turn comes when one of the others ends.
    let mut byte = [0];
    let early = std::future::poll_fn(|context| {
        let mut buffer = tokio::io::ReadBuf::new(&mut byte);
        let is_there = tokio::io::AsyncRead::poll_read(std::pin::Pin::new(&mut three), context, &mut buffer).is_ready();
        std::task::Poll::Ready(is_there)
    });
    assert!(!early.await);
    drop(one);
    served(&mut three).await;
}

#[tokio::test]
async fn a_request_with_two_hosts_is_refused_and_a_fault_does_not_frame_the_answer() {
    let emulator = Emulator::start().await.unwrap();
    let to = address(&emulator.api_url());
    let answer = ask(to, "GET", "/api/health", "host: other\r\n", "").await;
    assert_eq!(answer.status, 400);
    let fault = Fault::status(503)
        .body("abc")
        .header("Content-Length", "99")
        .header("x-own", "1");
    emulator.inject(fault);
    let answer = ask(to, "GET", "/api/health", "", "").await;
    assert_eq!((answer.status, answer.body.as_str()), (503, "abc"));
    assert!(answer.head.contains("x-own: 1"), "{}", answer.head);
}

#[tokio::test]
async fn the_time_on_the_socket_is_the_emulators() {
    let emulator = Emulator::start().await.unwrap();
    emulator.clock().hold();
    emulator.clock().advance(std::time::Duration::from_hours(24 * 365));
    let shown = emulator.clock().now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    for path in ["/api/health", "/daytona/x", "/nope", "/_emulator", "/"] {
        let answer = ask(address(&emulator.api_url()), "GET", path, "", "").await;
        let date = format!("date: {}", shown.to_ascii_lowercase());
        assert_eq!(answer.head.matches("date: ").count(), 1, "{path}");
        assert!(answer.head.contains(&date), "{path}: {}", answer.head);
    }
    emulator.inject(Fault::without_header("date"));
    let answer = ask(address(&emulator.api_url()), "GET", "/api/health", "", "").await;
    assert!(!answer.head.contains("date: "), "{}", answer.head);
}

/// A request as it is, and the first line of the answer.
async fn first_line(emulator: &Emulator, request: &str) -> String {
    let mut stream = TcpStream::connect(address(&emulator.api_url())).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let count = stream.read(&mut answer).await.unwrap();
    let text = String::from_utf8_lossy(&answer[..count]).into_owned();
    text.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_head_is_refused_as_the_server_refuses_it() {
    let emulator = Emulator::start().await.unwrap();
    let long = "x".repeat(16_500);
    for (request, status) in [
        ("GET /api/health HTTP/1.1\r\n\r\n".to_owned(), "400"),
        ("GET /api/health HTTP/1.0\r\n\r\n".to_owned(), "200"),
        (
            "GET /api/health HTTP/1.1\r\nhost: x\r\nexpect: nonsense\r\n\r\n".to_owned(),
            "417",
        ),
        (format!("GET /api/snapshots/{long} HTTP/1.1\r\nhost: x\r\n\r\n"), "431"),
    ] {
        let line = first_line(&emulator, &request).await;
        assert_eq!(line.split(' ').nth(1), Some(status), "{line}");
    }
}

#[tokio::test]
async fn pages_of_other_sites_do_not_reach_the_admin_routes() {
    let emulator = Emulator::start().await.unwrap();
    let to = address(&emulator.api_url());
    let key = bearer(emulator.admin_key());
    let with = |head: &str| format!("{key}{head}\r\n");
    assert_eq!(ask(to, "GET", "/_emulator", &key, "").await.status, 200);
    let own = with(&format!("origin: http://{to}"));
    assert_eq!(ask(to, "GET", "/_emulator", &own, "").await.status, 200);
    for path in ["/_emulator", "/dashboard/"] {
        let answer = ask(to, "GET", path, "origin: https://page.example\r\n", "").await;
        assert_eq!(answer.status, 403, "{path}");
        assert!(!answer.head.contains("access-control"), "{path}");
    }
    let request = format!("GET /_emulator HTTP/1.1\r\nhost: page.example\r\n{key}\r\n");
    assert!(first_line(&emulator, &request).await.contains(" 403 "));
    let request = "GET /dashboard/ HTTP/1.1\r\nhost: 10.0.0.5\r\n\r\n";
    assert!(first_line(&emulator, request).await.contains(" 403 "));
}

#[tokio::test]
async fn another_language_seeds_snapshots_and_changes_the_organization() {
    let emulator = Emulator::start().await.unwrap();
    let seed = json!({"name": "old", "dockerfile": "FROM a:1\n", "state": "error", "errorReason": "no", "log": "one\n", "createdAt": "2020-01-01T00:00:00Z"});
    let made = admin(&emulator, "POST", "/snapshots", &seed).await;
    assert_eq!(made.status, 200, "{}", made.body);
    let shown = api(&emulator, "GET", "/snapshots/old", "").await.json();
    assert_eq!(
        (&shown["errorReason"], &shown["createdAt"]),
        (&json!("no"), &json!("2020-01-01T00:00:00.000Z"))
    );
    assert_eq!(shown["id"], made.json()["id"]);
    for body in [
        json!({"name": "x"}),
        json!({"name": "x", "imageName": "a:1", "dockerfile": "FROM a:1"}),
        json!({"name": "x", "imageName": "a:1", "size": -1}),
    ] {
        assert_eq!(
            admin(&emulator, "POST", "/snapshots", &body).await.status,
            400,
            "{body}"
        );
    }
    let change = json!({"snapshotQuota": 1, "maxCpuPerSandbox": 2});
    assert_eq!(admin(&emulator, "PUT", "/organization", &change).await.status, 200);
    let own = admin(&emulator, "GET", "/organization", &Value::Null).await.json();
    assert_eq!(
        (
            &own["snapshotQuota"],
            &own["maxCpuPerSandbox"],
            &own["maxDiskPerSandbox"]
        ),
        (&json!(1), &json!(2.0), &json!(10.0))
    );
    let refused = api(
        &emulator,
        "POST",
        "/snapshots",
        "{\"name\":\"x\",\"imageName\":\"a:1\"}",
    )
    .await;
    assert_eq!(refused.json()["message"], "Snapshot quota exceeded. Maximum allowed: 1");
    let refused = admin(&emulator, "PUT", "/organization", &json!({"maxCpuPerSandbox": -1})).await;
    assert_eq!(
        refused.json()["error"],
        "maxCpuPerSandbox must be from 0 to 1000000, but is -1"
    );
    admin(&emulator, "PUT", "/organization", &json!({"suspended": "unpaid"})).await;
    let refused = api(
        &emulator,
        "POST",
        "/snapshots",
        "{\"name\":\"x\",\"imageName\":\"a:1\"}",
    )
    .await;
    assert_eq!(refused.json()["message"], "Organization is suspended: unpaid");
    let requests = admin(&emulator, "GET", "/requests", &Value::Null).await.json();
    assert!(requests[0]["took"].is_u64(), "{requests}");
}

#[tokio::test]
async fn a_head_that_does_not_end_is_given_up() {
    let emulator = Emulator::start().await.unwrap();
    let mut stream = TcpStream::connect(address(&emulator.api_url())).await.unwrap();
    stream
        .write_all(b"GET /api/health HTTP/1.1\r\nhost: x\r\n")
        .await
        .unwrap();
    let mut rest = Vec::new();
    // Closed without an answer, or with one that says why.
    drop(stream.read_to_end(&mut rest).await);
    assert!(!rest.starts_with(b"HTTP/1.1 200"));
}
