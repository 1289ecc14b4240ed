//! Answers of the real server that were measured, class by class: where a token may be, how a path may be written, what a list
//! and a creation take.

use daytona_emulator::{BuildEngine, Emulator, Region, SeededSnapshot, UserToken};
use http::{Request, Response};
use serde_json::{Value, json};

use crate::support::Asked;

/// Sends a request with headers of its own, to a path of the emulator.
async fn send(asked: &Asked, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Response<bytes::Bytes> {
    let root = asked.emulator.api_url().replace("/api", "");
    let mut request = Request::builder().method(method).uri(format!("{root}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    asked.send(request.body(body.to_owned()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_token_is_taken_from_one_place() {
    let asked = Asked::new();
    let key = asked.emulator.api_key().to_owned();
    let (good, twice) = (format!("Bearer {key}"), format!("Bearer  {key}"));
    let query = format!("/api/snapshots?access_token={key}");
    let body = format!("access_token={key}");
    let form = ("content-type", "application/x-www-form-urlencoded");
    for (path, headers, body, status) in [
        ("/api/snapshots", vec![("authorization", good.as_str())], "", 200),
        ("/api/snapshots", vec![("authorization", twice.as_str())], "", 401),
        (query.as_str(), vec![], "", 200),
        (query.as_str(), vec![("authorization", good.as_str())], "", 401),
        ("/api/snapshots", vec![form], body.as_str(), 200),
        (
            "/api/snapshots",
            vec![form, ("authorization", good.as_str())],
            body.as_str(),
            401,
        ),
    ] {
        let answer = send(&asked, "GET", path, &headers, body).await;
        assert_eq!(answer.status(), status, "{path} {headers:?}");
    }
    let own = asked.emulator.organization_id().to_owned();
    let token = asked.emulator.add_user_token(UserToken::new([&own]));
    let (user, upper) = (format!("Bearer {token}"), own.to_uppercase());
    let name = "x-daytona-organization-id";
    let user = ("authorization", user.as_str());
    for (headers, status) in [
        (vec![user, (name, upper.as_str())], 200),
        (vec![user, (name, own.as_str()), (name, own.as_str())], 403),
    ] {
        assert_eq!(
            send(&asked, "GET", "/api/snapshots", &headers, "").await.status(),
            status
        );
    }
}

#[tokio::test]
async fn paths_are_taken_in_any_case_but_ids_and_names_as_they_are() {
    let asked = Asked::new();
    let build = json!({"name": "Built", "buildInfo": {"dockerfileContent": "FROM a:1\n"}});
    let id = asked.create(build).await.1["id"].as_str().unwrap().to_owned();
    asked.emulator.clock().advance(std::time::Duration::from_secs(5));
    let good = format!("Bearer {}", asked.emulator.api_key());
    for (path, status) in [
        ("/API/snapshots".to_owned(), 200),
        ("/api/Snapshots/Built".to_owned(), 200),
        ("/api/snapshots/built".to_owned(), 404),
        ("/Api/SNAPSHOTS/Built/BUILD-LOGS".to_owned(), 500),
        (format!("/api/snapshots/{id}/Build-Logs-URL"), 200),
        (format!("/api/snapshots/{}/build-logs-url", id.to_uppercase()), 404),
        ("/api/snapshots/Built/build-logs-url".to_owned(), 500),
        ("/api/object-storage/PUSH-ACCESS".to_owned(), 200),
        ("/api/regions/us".to_owned(), 404),
    ] {
        let answer = send(&asked, "GET", &path, &[("authorization", &good)], "").await;
        assert_eq!(answer.status(), status, "{path}");
    }
    // Somebody else's general snapshot can be seen, but is not found where it would be changed.
    asked.emulator.add_snapshot(
        SeededSnapshot::from_image("shared", "a:1")
            .organization("other")
            .general(),
    );
    let (status, body) = asked.ask("DELETE", "/snapshots/shared", None).await;
    assert_eq!(
        (status.as_u16(), &body["message"]),
        (404, &json!("Snapshot with ID or name shared not found"))
    );
}

#[tokio::test]
async fn other_origins_are_answered_by_the_api_alone() {
    let asked = Asked::new();
    let good = format!("Bearer {}", asked.emulator.api_key());
    let origin = ("origin", "https://page.example");
    let allowed = |answer: &Response<bytes::Bytes>| answer.headers().get("access-control-allow-origin").cloned();
    let asked_first = send(&asked, "OPTIONS", "/api/anything", &[origin], "").await;
    assert_eq!(asked_first.status(), 204);
    assert_eq!(allowed(&asked_first).unwrap(), origin.1);
    let answer = send(&asked, "GET", "/api/snapshots", &[origin, ("authorization", &good)], "").await;
    assert_eq!(allowed(&answer).unwrap(), origin.1);
    for path in ["/_emulator", "/dashboard/", "/daytona/o/k"] {
        assert_eq!(allowed(&send(&asked, "GET", path, &[origin], "").await), None, "{path}");
    }
    // What is known already is not sent again, in each of the forms that a client may ask in.
    let tag = answer.headers()["etag"].to_str().unwrap().to_owned();
    let list = format!("\"other\", {tag}");
    for (headers, status) in [
        (vec![("if-none-match", tag.as_str())], 304),
        (vec![("if-none-match", list.as_str())], 304),
        (vec![("if-none-match", "*")], 304),
        (
            vec![("if-none-match", tag.as_str()), ("cache-control", "no-cache")],
            200,
        ),
        (vec![("if-none-match", "\"other\"")], 200),
    ] {
        let mut headers = headers;
        headers.push(("authorization", &good));
        assert_eq!(
            send(&asked, "GET", "/api/snapshots", &headers, "").await.status(),
            status,
            "{headers:?}"
        );
    }
}

/// Where what is sent is run, no page of another origin may read an answer, and nobody can guess a key.
#[tokio::test]
async fn with_a_real_engine_no_page_reads_anything() {
    let start = || Asked::with(Emulator::builder().engine(BuildEngine::Podman).in_process().unwrap());
    let (asked, other) = (start(), start());
    let good = format!("Bearer {}", asked.emulator.api_key());
    let headers = [("origin", "https://page.example"), ("authorization", good.as_str())];
    for method in ["GET", "OPTIONS"] {
        for path in ["/api/health", "/api/snapshots", "/api/snapshots/none"] {
            let answer = send(&asked, method, path, &headers, "").await;
            let allowed = answer.headers().get("access-control-allow-origin");
            assert_eq!(allowed, None, "{method} {path}");
        }
    }
    let keys = [asked.emulator.api_key(), asked.emulator.admin_key()];
    assert!(keys.iter().all(|key| key.len() >= 32), "{keys:?}");
    assert_ne!(keys, [other.emulator.api_key(), other.emulator.admin_key()]);
}

#[tokio::test]
async fn the_parameters_of_a_list_are_read_as_the_server_reads_them() {
    let asked = Asked::new();
    for (query, status) in [
        ("limit=0x10", 200),
        ("limit=1e2", 200),
        ("limit=0xFFF", 400),
        ("limit=inf", 400),
        ("limit[]=5", 400),
        ("page[]=1", 400),
        ("sort[]=name", 400),
        ("order[]=asc", 400),
        ("name=%00", 500),
    ] {
        assert_eq!(asked.get(&format!("/snapshots?{query}")).await.0, status, "{query}");
    }
}

#[tokio::test]
async fn a_creation_is_checked_as_the_server_checks_it() {
    let asked = Asked::new();
    asked
        .emulator
        .put_region(Region::shared("eu").gpu_types(["RTX-PRO-6000"]));
    let other = Region::custom("dc-1", "dc", "another");
    asked.emulator.put_region(other);
    let digest = "0123456789abcdef".repeat(4);
    let image = |name: &str| json!({"name": name, "imageName": format!("{name}:1").to_lowercase()});
    let with = |name: &str, field: &str, value: Value| {
        let mut body = image(name);
        body[field] = value;
        body
    };
    let text = "name must not contain HTML tags, URLs, or control characters";
    let format = "Invalid snapshot name format. May contain letters, digits, dots, colons, and dashes";
    for (body, status, message) in [
        (with("a", "name", json!("www.x")), 400, text),
        (with("a", "name", json!("javascript:x")), 400, text),
        (with("a", "name", json!("a<b")), 400, text),
        (with("a", "name", json!("a\tb")), 400, format),
        (with("b", "imageName", json!(format!("a@b@sha256:{digest}"))), 200, ""),
        (
            with("c", "imageName", json!("a@sha256:12")),
            400,
            "Invalid digest format. Must be image@sha256:64_hex_characters",
        ),
        (
            with("d", "cpu", json!(4.0001)),
            400,
            "CPU request 4.0001 exceeds maximum allowed per sandbox (4).",
        ),
        (with("e", "cpu", json!(1.5)), 500, "An unexpected error occurred."),
        (with("f", "cpu", json!(null)), 500, "An unexpected error occurred."),
        (
            with("g", "gpuType", json!(["H100", "RTX-PRO-6000"])),
            400,
            "gpuType must contain no more than 1 elements",
        ),
        (with("h", "sandboxClass", json!("android")), 200, ""),
        (with("i", "regionId", json!(" ")), 200, ""),
        (with("j", "regionId", json!("eu")), 200, ""),
        (with("k", "regionId", json!("nowhere")), 404, "Region not found"),
        (with("l", "regionId", json!("dc-1")), 404, "Region dc-1 not found"),
        (with("m", "gpu", json!(1)), 400, "No available runners"),
    ] {
        let (actual, answer) = asked.create(body.clone()).await;
        assert_eq!(actual, status, "{body}: {answer}");
        let shown = answer["message"].as_str().unwrap_or_default();
        assert!(shown.starts_with(message), "{body}: {answer}");
        if status == 200 {
            let region = if body["regionId"] == "eu" { "eu" } else { "us" };
            assert_eq!(answer["regionIds"], json!([region]), "{body}");
        }
    }
    let gpu = json!({"name": "gpu", "imageName": "gpu:1", "gpu": 1, "regionId": "eu"});
    assert_eq!(asked.create(gpu).await.1["gpuType"], "RTX-PRO-6000");
    for (number, (line, status, entrypoint)) in [
        ("ENTRYPOINT []", 200, Value::Null),
        ("ENTRYPOINT [\"\", \"a\"]", 200, json!(["a"])),
        ("ENTRYPOINT [\" \"]", 200, Value::Null),
        ("ENTRYPOINT [1]", 500, Value::Null),
        ("CMD x", 200, json!(["sleep", "infinity"])),
    ]
    .into_iter()
    .enumerate()
    {
        let info = json!({"dockerfileContent": format!("FROM a:1\n{line}\n")});
        let (actual, answer) = asked
            .create(json!({"name": format!("e{number}"), "buildInfo": info}))
            .await;
        assert_eq!(
            (actual.as_u16(), &answer["entrypoint"]),
            (status, &entrypoint),
            "{line}"
        );
    }
    // What only the server should set is stored.
    let stored = json!({
        "name": "stored", "imageName": "stored:1", "errorReason": "mine", "size": 2.5,
        "lastUsedAt": "2020-01-01T00:00:00.000Z", "createdAt": "2020-01-02T00:00:00.000Z",
    });
    let (_, answer) = asked.create(stored.clone()).await;
    for field in ["errorReason", "size", "lastUsedAt", "createdAt"] {
        assert_eq!(answer[field], stored[field], "{field}");
    }
}

#[tokio::test]
async fn answers_before_routing_tell_no_version() {
    let asked = Asked::new();
    let json = ("content-type", "application/json");
    let large = " ".repeat(102_401);
    for (method, path, body, has_version) in [
        ("POST", "/api/snapshots", "{", false),
        ("POST", "/api/snapshots", large.as_str(), false),
        ("GET", "/api/snapshots/%zz", "", false),
        ("POST", "/api/snapshots", "{}", true),
        ("GET", "/api/nope", "", true),
    ] {
        let answer = send(&asked, method, path, &[json], body).await;
        assert_eq!(
            answer.headers().contains_key("x-daytona-api-version"),
            has_version,
            "{method} {path}"
        );
    }
}
