//! Status codes and messages, as they were measured on a real server.

use http::Request;
use serde_json::{Value, json};

use crate::support::Asked;

#[tokio::test]
async fn what_is_wrong_with_a_creation_is_said_in_the_servers_words() {
    let asked = Asked::new();
    asked.created("taken").await;
    let build = json!({"dockerfileContent": "FROM a"});
    for (body, status, message) in [
        (json!({}), 400, "name must be a string"),
        (json!([]), 400, "name must be a string"),
        (json!({"name": null, "imageName": "a:1"}), 400, "name must be a string"),
        (
            json!({"name": 5, "imageName": "a:1"}),
            400,
            "name must not contain HTML tags, URLs, or control characters, name must be a string",
        ),
        (
            json!({"name": "https://x", "imageName": "a:1"}),
            400,
            "name must not contain HTML tags, URLs, or control characters",
        ),
        (
            json!({"name": "a@b", "imageName": "a:1"}),
            400,
            "Invalid snapshot name format. May contain letters, digits, dots, colons, and dashes",
        ),
        (
            json!({"name": "x"}),
            400,
            "Must specify an image name when not using a build info entry",
        ),
        (
            json!({"name": "x", "imageName": "a:1", "buildInfo": build}),
            400,
            "Cannot specify an image name when using a build info entry",
        ),
        (
            json!({"name": "x", "entrypoint": [], "buildInfo": build}),
            400,
            "Cannot specify an entrypoint when using a build info entry",
        ),
        (
            json!({"name": "x", "buildInfo": []}),
            400,
            "buildInfo must be an object",
        ),
        (
            json!({"name": "x", "buildInfo": {}}),
            500,
            "An unexpected error occurred.",
        ),
        (
            json!({"name": "x", "buildInfo": {"dockerfileContent": "a", "contextHashes": null}}),
            500,
            "An unexpected error occurred.",
        ),
        (
            json!({"name": "x", "imageName": "ubuntu"}),
            400,
            "Image name must include a tag (e.g., ubuntu:22.04) or digest (@sha256:...)",
        ),
        (
            json!({"name": "x", "imageName": "x:1:latest"}),
            400,
            "Images with tag \":latest\" are not allowed",
        ),
        (
            json!({"name": "x", "imageName": "a@sha256:b"}),
            400,
            "Invalid digest format. Must be image@sha256:64_hex_characters",
        ),
        (
            json!({"name": "x", "imageName": "a:1", "entrypoint": [1]}),
            400,
            "each value in entrypoint must be a string",
        ),
        (
            json!({"name": "x", "imageName": "a:1", "cpu": "2"}),
            400,
            "cpu must not be less than 0, cpu must be a number conforming to the specified constraints",
        ),
        (
            json!({"name": "x", "imageName": "a:1", "cpu": null}),
            500,
            "An unexpected error occurred.",
        ),
        (
            json!({"name": "x", "imageName": "a:1", "gpu": 2}),
            400,
            "gpu must not be greater than 1",
        ),
        (
            json!({"name": "x", "imageName": "a:1", "gpuType": ["X"]}),
            400,
            "each value in gpuType must be one of the following values: H100, RTX-PRO-6000",
        ),
        (
            json!({"name": "x", "imageName": "a:1", "sandboxClass": "foo"}),
            400,
            "sandboxClass must be one of the following values: linux-vm, container, android, windows",
        ),
        (
            json!({"name": "x", "imageName": "a:1", "regionId": "nope"}),
            404,
            "Region not found",
        ),
        (
            json!({"name": "taken", "imageName": "a:1"}),
            409,
            "Snapshot with name \"taken\" already exists for this organization",
        ),
    ] {
        let (actual, answer) = asked.create(body.clone()).await;
        assert_eq!(
            (actual.as_u16(), answer["message"].as_str()),
            (status, Some(message)),
            "{body}"
        );
        assert_eq!(answer["statusCode"], status);
        assert_eq!(answer["path"], "/api/snapshots");
    }
}

#[tokio::test]
async fn what_is_accepted_is_accepted() {
    let asked = Asked::new();
    for (index, extra) in [
        json!({"imageName": "localhost:5000/x"}),
        json!({"imageName": "", "buildInfo": {"dockerfileContent": "FROM a"}}),
        json!({"imageName": "a:1", "cpu": 0, "regionId": "", "gpuType": [], "unknown": 1}),
        json!({"imageName": "x:LATEST", "gpuType": "H100"}),
    ]
    .into_iter()
    .enumerate()
    {
        let mut body = extra;
        body["name"] = json!(format!("org/x:{index}"));
        let (status, answer) = asked.create(body).await;
        assert_eq!(
            (status.as_u16(), &answer["state"]),
            (200, &json!("pending")),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_new_record_has_the_measured_fields() {
    let asked = Asked::new();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    let (_, from_image) = asked
        .create(json!({"name": "p", "imageName": "a:1", "entrypoint": ["", "a"]}))
        .await;
    let common = "cpu createdAt disk entrypoint errorReason general gpu id imageName lastUsedAt mem name organizationId regionIds";
    assert_eq!(keys(&from_image), format!("{common} sandboxClass size state updatedAt"));
    assert_eq!(from_image["entrypoint"], json!(["a"]));
    let build = json!({"dockerfileContent": "FROM a\nENTRYPOINT python3 -m \"x y\"\n"});
    let (_, built) = asked.create(json!({"name": "b", "buildInfo": build})).await;
    let more = ["buildInfo", "ref"].map(ToOwned::to_owned);
    let mut expected: Vec<String> = keys(&from_image)
        .split(' ')
        .map(ToOwned::to_owned)
        .chain(more)
        .collect();
    expected.sort();
    assert_eq!(keys(&built), expected.join(" "));
    assert_eq!(built["entrypoint"], json!(["python3 -m x y"]));
    assert_eq!(built["buildInfo"]["contextHashes"], Value::Null);
    assert_eq!(
        (&built["cpu"], &built["mem"], &built["disk"]),
        (&json!(1), &json!(1), &json!(3))
    );
    let (_, got) = asked.get("/snapshots/b").await;
    assert_eq!(got["initialRunnerId"], Value::Null);
}

#[tokio::test]
async fn a_list_says_what_is_wrong_with_its_parameters() {
    let asked = Asked::new();
    for (query, message) in [
        ("limit=0", "limit must not be less than 1"),
        ("limit=", "limit must not be less than 1"),
        ("limit=201", "limit must not be greater than 200"),
        ("limit=1.5", "limit must be an integer number"),
        (
            "limit=abc",
            "limit must be an integer number, limit must not be less than 1, limit must not be greater than 200",
        ),
        (
            "limit=1&limit=2",
            "limit must be an integer number, limit must not be less than 1, limit must not be greater than 200",
        ),
        (
            "page=abc",
            "page must be an integer number, page must not be less than 1",
        ),
        (
            "sort=foo",
            "sort must be one of the following values: name, state, lastUsedAt, createdAt",
        ),
        ("order=ASC", "order must be one of the following values: asc, desc"),
        ("name[]=a", "name must be a string"),
    ] {
        let (status, answer) = asked.get(&format!("/snapshots?{query}")).await;
        assert_eq!(
            (status.as_u16(), answer["message"].as_str()),
            (400, Some(message)),
            "{query}"
        );
        assert_eq!(answer["path"], format!("/api/snapshots?{query}"));
    }
    let (_, empty) = asked.get("/snapshots?name=zzz").await;
    assert_eq!(empty, json!({"items": [], "total": 0, "page": 1, "totalPages": 0}));
}

#[tokio::test]
async fn names_in_paths_behave_as_measured() {
    let asked = Asked::new();
    let id = asked.created("org/x:1.0").await;
    for (method, path, status, message) in [
        ("GET", "/snapshots/org%2fx:1.0", 200, None),
        (
            "GET",
            "/snapshots/org/x%3A1.0",
            404,
            Some("Cannot GET /api/snapshots/org/x%3A1.0"),
        ),
        (
            "GET",
            "/snapshots/org%252Fx:1.0",
            404,
            Some("Snapshot with name org%2Fx:1.0 not found"),
        ),
        (
            "GET",
            "/snapshots/ORG%2Fx%3A1.0",
            404,
            Some("Snapshot with name ORG/x:1.0 not found"),
        ),
        ("GET", "/snapshots/%zz", 404, Some("Cannot GET /api/snapshots/%zz")),
        ("GET", "/snapshots/%00", 500, Some("An unexpected error occurred.")),
        ("GET", "/snapshots/%2e%2e", 301, None),
        ("PUT", "/snapshots/x", 404, Some("Cannot PUT /api/snapshots/x")),
        ("GET", "/nope", 404, Some("Cannot GET /api/nope")),
        (
            "DELETE",
            "/snapshots/org%2Fx%3A1.0",
            400,
            Some("Validation failed (uuid is expected)"),
        ),
        (
            "DELETE",
            "/snapshots/nope",
            404,
            Some("Snapshot with name nope not found"),
        ),
        (
            "GET",
            "/snapshots/org%2Fx%3A1.0/build-logs-url",
            500,
            Some("An unexpected error occurred."),
        ),
        ("GET", "/regions/nope", 404, Some("Region not found")),
        // The list of regions has it, but only an organization's own are found.
        ("GET", "/regions/us", 404, Some("Region not found")),
    ] {
        let (actual, answer) = asked.ask(method, path, None).await;
        assert_eq!(actual.as_u16(), status, "{method} {path}: {answer}");
        assert_eq!(answer["message"].as_str(), message, "{method} {path}");
    }
    assert_eq!(asked.get(&format!("/snapshots/{}", id.to_uppercase())).await.0, 200);
}

#[tokio::test]
async fn only_the_right_key_is_let_in() {
    let asked = Asked::new();
    let key = asked.emulator.api_key().to_owned();
    for (header, status) in [
        (None, 401),
        (Some("Bearer ".to_owned()), 401),
        (Some(format!("Basic {key}")), 401),
        (Some(key.clone()), 401),
        (Some("Bearer wrong".to_owned()), 401),
        (Some(format!("bearer {key}")), 200),
    ] {
        let mut request = Request::get(format!("{}/snapshots", asked.emulator.api_url()));
        if let Some(header) = &header {
            request = request.header("authorization", header);
        }
        let response = asked.send(request.body(String::new()).unwrap()).await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{header:?}");
        assert_eq!(response.headers()["x-daytona-api-version"], "0.190.0");
    }
    for path in ["health", "shared-regions"] {
        let request = Request::get(format!("{}/{path}", asked.emulator.api_url()));
        assert_eq!(
            asked.send(request.body(String::new()).unwrap()).await.unwrap().status(),
            200
        );
    }
}

#[tokio::test]
async fn bodies_are_read_as_the_server_reads_them() {
    let asked = Asked::new();
    let send = async |content_type: Option<&str>, body: String| {
        let mut request = Request::post(format!("{}/snapshots", asked.emulator.api_url()));
        request = request.header("authorization", format!("Bearer {}", asked.emulator.api_key()));
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let response = asked.send(request.body(body).unwrap()).await.unwrap();
        let answer: Value = serde_json::from_slice(response.body()).unwrap();
        (
            response.status().as_u16(),
            answer["message"].as_str().unwrap_or_default().to_owned(),
        )
    };
    let json = Some("application/json");
    assert_eq!(
        send(json, "{\"a\":".to_owned()).await,
        (400, "Invalid JSON in request body".to_owned())
    );
    assert_eq!(
        send(Some("text/plain"), "{\"name\":\"x\"}".to_owned()).await.1,
        "name must be a string"
    );
    assert!(
        send(None, "{\"name\":\"x\"}".to_owned())
            .await
            .1
            .starts_with("Must specify an image")
    );
    assert_eq!(
        send(
            Some("application/x-www-form-urlencoded"),
            "name=f&imageName=a:1".to_owned()
        )
        .await
        .0,
        200
    );
    let large = |size: usize| {
        format!(
            "{{\"name\":\"l\",\"imageName\":\"a:1\",\"x\":\"{}\"}}",
            "y".repeat(size)
        )
    };
    assert_eq!(send(json, large(102_000)).await.0, 200);
    assert_eq!(
        send(json, large(102_400)).await,
        (404, "Cannot POST /api/snapshots".to_owned())
    );
}

#[tokio::test]
async fn what_lies_outside_of_the_api_is_not_the_api() {
    let asked = Asked::new();
    let host = asked.emulator.api_url().replace("/api", "");
    let response = asked
        .send(Request::get(format!("{host}/")).body(String::new()).unwrap())
        .await
        .unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["location"]),
        (302, &"/dashboard/".parse().unwrap())
    );
    let response = asked
        .send(Request::get(format!("{host}/nope")).body(String::new()).unwrap())
        .await
        .unwrap();
    assert_eq!(response.status(), 500);
    // The bucket without a signature.
    let response = asked
        .send(Request::get(format!("{host}/daytona/x")).body(String::new()).unwrap())
        .await
        .unwrap();
    assert_eq!(response.status(), 403);
}
