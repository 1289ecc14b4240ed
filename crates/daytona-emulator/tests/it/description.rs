//! The OpenAPI file of the admin routes says what the routes do.

use std::collections::BTreeSet;

use daytona_emulator::Organization;
use http::Request;
use serde_json::{Map, Value};

use crate::image::archive;
use crate::support::Asked;

/// The id of the organization in the examples.
const EXAMPLE: &str = "6f9c0f0e-9a3c-4d3e-8f1d-1f2a3b4c5d6e";

async fn ask(asked: &Asked, method: &str, path: &str, key: &str, body: &str) -> (u16, Value) {
    let root = asked.emulator.api_url().replace("/api", "");
    let request = Request::builder().method(method).uri(format!("{root}{path}"));
    let request = request.header("authorization", format!("Bearer {key}"));
    let response = asked.send(request.body(body.to_owned()).unwrap()).await.unwrap();
    (
        response.status().as_u16(),
        serde_json::from_slice(response.body()).unwrap(),
    )
}

async fn description(asked: &Asked) -> Value {
    // It needs no key.
    let (status, body) = ask(asked, "GET", "/_emulator/openapi.json", "", "").await;
    assert_eq!(status, 200, "{body}");
    body
}

fn members<'a>(value: &'a Value, name: &str) -> &'a Map<String, Value> {
    value[name].as_object().unwrap()
}

/// A schema, or the one that it refers to.
fn resolved<'a>(description: &'a Value, schema: &'a Value) -> &'a Value {
    let reference = schema["$ref"].as_str();
    reference.map_or(schema, |reference| {
        description.pointer(reference.trim_start_matches('#')).unwrap()
    })
}

/// The example of each operation names every field that the operation knows, and is taken; a field more is not.
#[tokio::test]
async fn every_operation_takes_its_example() {
    let asked = Asked::new();
    asked.emulator.clock().hold();
    let info = serde_json::json!({"dockerfileContent": "FROM scratch\nCOPY x /x\n", "contextHashes": ["one"]});
    let described = description(&asked).await;
    for (path, operations) in members(&described, "paths") {
        for (method, operation) in operations.as_object().unwrap() {
            // The organization of the examples, which a reset takes away again.
            asked.emulator.put_organization(Organization::new("acme").id(EXAMPLE));
            if path.contains("/images/") {
                let key = format!("{}/one/context.tar", asked.emulator.organization_id());
                asked
                    .emulator
                    .put_object(&key, &archive(&[("x", 0o644, b"x")]))
                    .unwrap();
                let body = serde_json::json!({"name": "x", "buildInfo": info});
                assert_eq!(asked.create(body).await.0, 200);
                asked.emulator.clock().advance(std::time::Duration::from_mins(10));
                asked.get("/snapshots/x").await;
            }
            let content = &operation["requestBody"]["content"]["application/json"];
            let body = if content.is_null() {
                String::new()
            } else {
                content["example"].to_string()
            };
            let (method, path) = (method.to_uppercase(), path.replace("{snapshot}", "x"));
            let (status, answer) = ask(&asked, &method, &path, asked.emulator.admin_key(), &body).await;
            assert_eq!(status, 200, "{method} {path}: {answer}");
            if !operation["security"].is_array() {
                assert_eq!(
                    ask(&asked, &method, &path, "wrong", &body).await.0,
                    401,
                    "{method} {path}"
                );
            }
            let schema = resolved(&described, &content["schema"]);
            if let (Some(given), Some(known)) = (content["example"].as_object(), schema["properties"].as_object()) {
                let given: BTreeSet<&String> = given.keys().collect();
                let known: BTreeSet<&String> = known.keys().filter(|name| *name != "imageName").collect();
                assert_eq!(given, known, "{method} {path}");
                let mut more = content["example"].clone();
                more["more"] = Value::from(1);
                let (status, _) = ask(&asked, &method, &path, asked.emulator.admin_key(), &more.to_string()).await;
                assert_eq!(status, 400, "{method} {path}");
            }
            ask(&asked, "DELETE", "/_emulator/faults", asked.emulator.admin_key(), "").await;
            ask(&asked, "DELETE", "/_emulator/scripts", asked.emulator.admin_key(), "").await;
        }
    }
}

/// What is not described is not there, and what is there is described.
#[tokio::test]
async fn no_route_is_left_out() {
    let asked = Asked::new();
    let described = description(&asked).await;
    let mut known = BTreeSet::new();
    for (path, operations) in members(&described, "paths") {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            if operations[method.to_lowercase()].is_object() {
                known.insert(format!("{method} {path}"));
                continue;
            }
            let (status, _) = ask(&asked, method, path, asked.emulator.admin_key(), "").await;
            assert_eq!(status, 404, "{method} {path}");
        }
    }
    let mut there = BTreeSet::from(["GET /_emulator/openapi.json".to_owned()]);
    for line in include_str!("../../src/server/admin.rs").lines() {
        let Some((method, rest)) = line
            .trim()
            .strip_prefix("(&Method::")
            .and_then(|line| line.split_once(", ["))
        else {
            continue;
        };
        let segments = rest
            .split_once(']')
            .unwrap()
            .0
            .split(", ")
            .map(|segment| match segment.strip_prefix('"') {
                Some(segment) => segment.trim_end_matches('"').to_owned(),
                None => "{snapshot}".to_owned(),
            });
        let path = segments.fold("/_emulator".to_owned(), |path, segment| match segment.as_str() {
            "" => path,
            segment => format!("{path}/{segment}"),
        });
        there.insert(format!("{method} {path}"));
    }
    assert_eq!(known, there);
}

/// The names that an enumeration lists are all that there are: one more is refused with the list.
#[tokio::test]
async fn every_operation_and_permission_is_named() {
    let asked = Asked::new();
    let described = description(&asked).await;
    for (schema, route, body) in [
        ("Operation", "faults", r#"{"effect": "disconnect", "on": "?"}"#),
        ("Permission", "api-keys", r#"{"permissions": ["?"]}"#),
    ] {
        let path = format!("/_emulator/{route}");
        let (status, answer) = ask(&asked, "POST", &path, asked.emulator.admin_key(), body).await;
        assert_eq!(status, 400);
        let message = answer["error"].as_str().unwrap();
        let listed: BTreeSet<&str> = message.split('`').skip(3).step_by(2).collect();
        let named = described["components"]["schemas"][schema]["enum"].as_array().unwrap();
        let named: BTreeSet<&str> = named.iter().map(|name| name.as_str().unwrap()).collect();
        assert_eq!(named, listed, "{schema}");
    }
}
