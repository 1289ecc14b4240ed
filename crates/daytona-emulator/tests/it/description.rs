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
    let is_json = response.headers()["content-type"] == "application/json";
    let read = is_json.then(|| serde_json::from_slice(response.body()).unwrap());
    (response.status().as_u16(), read.unwrap_or_default())
}

/// A path with the snapshot and the file of the tests.
fn filled(path: &str) -> String {
    path.replace("{snapshot}", "x").replace("{path}", "x")
}

/// Checks that a value has the fields and kinds that a schema says.
fn assert_fits(description: &Value, schema: &Value, value: &Value, place: &str) {
    let schema = resolved(description, schema);
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().map(|kind| kind.as_str().unwrap()).collect(),
        // A choice of several.
        _ => return,
    };
    let is = |kind: &str| match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        _ => value.is_object(),
    };
    assert!(kinds.into_iter().any(is), "{place}: {value}");
    if let Some(values) = schema["enum"].as_array() {
        assert!(values.contains(value), "{place}: {value}");
    }
    for item in value.as_array().into_iter().flatten() {
        assert_fits(description, &schema["items"], item, &format!("{place}[]"));
    }
    let (Some(fields), Some(known)) = (value.as_object(), schema["properties"].as_object()) else {
        return;
    };
    for name in schema["required"].as_array().into_iter().flatten() {
        assert!(fields.contains_key(name.as_str().unwrap()), "{place}: {name}");
    }
    for (name, field) in fields {
        let schema = known
            .get(name)
            .unwrap_or_else(|| panic!("{place}.{name} is not described"));
        assert_fits(description, schema, field, &format!("{place}.{name}"));
    }
}

/// What the routes answer has the fields that are described, and so has the example of it.
#[tokio::test]
async fn every_answer_is_as_described() {
    let asked = Asked::new();
    asked.emulator.clock().hold();
    let key = format!("{}/one/context.tar", asked.emulator.organization_id());
    let bytes = archive(&[("x", 0o644, b"x")]);
    asked.emulator.put_object(&key, &bytes).unwrap();
    let dockerfile = "FROM debian\nENV A=b\nADD https://example.com/y.tar /y\nCOPY x /x\n";
    let info = serde_json::json!({"dockerfileContent": dockerfile, "contextHashes": ["one"]});
    let body = serde_json::json!({"name": "x", "buildInfo": info});
    assert_eq!(asked.create(body).await.0, 200);
    asked.emulator.clock().advance(std::time::Duration::from_mins(10));
    assert_eq!(asked.get("/snapshots/x").await.1["state"], "active");
    asked.emulator.add_sandbox("x", "box").unwrap();
    for (route, body) in [
        ("faults", r#"{"effect": "disconnect", "on": "health", "part": 1}"#),
        (
            "scripts",
            r#"{"name": "y", "states": [{"after": 1, "state": "active"}]}"#,
        ),
        ("sandbox-scripts", r#"{"name": "y", "takes": 5}"#),
    ] {
        let path = format!("/_emulator/{route}");
        assert_eq!(
            ask(&asked, "POST", &path, asked.emulator.admin_key(), body).await.0,
            200
        );
    }
    let described = description(&asked).await;
    for (path, operations) in members(&described, "paths") {
        let content = &operations["get"]["responses"]["200"]["content"]["application/json"];
        if content.is_null() || path.ends_with("openapi.json") {
            continue;
        }
        let (status, answer) = ask(&asked, "GET", &filled(path), asked.emulator.admin_key(), "").await;
        assert_eq!(status, 200, "{path}: {answer}");
        let schema = &content["schema"];
        assert!(
            schema["properties"].is_object() || schema["items"].is_object(),
            "{path}"
        );
        assert_fits(&described, schema, &answer, path);
        let empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
        assert!(!empty(&answer), "{path}");
        // Lists with nothing in them would not be compared.
        let lists = [
            "snapshots",
            "sandboxes",
            "faults",
            "scripts",
            "sandboxScripts",
            "files",
            "unknownPaths",
            "unknown",
        ];
        assert!(lists.iter().all(|list| !empty(&answer[*list])), "{path}: {answer}");
        if !content["example"].is_null() {
            assert_fits(&described, schema, &content["example"], path);
        }
    }
}

/// Everybody can look up what a field means.
#[tokio::test]
async fn every_field_is_described() {
    fn check(value: &Value) {
        for (name, field) in value["properties"].as_object().into_iter().flatten() {
            let is_said = field["description"].is_string() || field["$ref"].is_string();
            assert!(is_said, "{name}: {field}");
        }
        for below in value.as_object().into_iter().flat_map(|fields| fields.values()) {
            check(below);
        }
        value.as_array().into_iter().flatten().for_each(check);
    }
    check(&description(&Asked::new()).await);
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
            if path.contains("/images/") && asked.get("/snapshots/x").await.0 != 200 {
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
            let (method, path) = (method.to_uppercase(), filled(path));
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
            assert_eq!(status, 405, "{method} {path}");
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
                None if segment.ends_with("..") => "{path}".to_owned(),
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
        ("State", "scripts", r#"{"states": [{"after": 1, "state": "?"}]}"#),
        ("Operation", "faults", r#"{"effect": "disconnect", "on": "?"}"#),
        ("Permission", "api-keys", r#"{"permissions": ["?"]}"#),
    ] {
        let path = format!("/_emulator/{route}");
        let (status, answer) = ask(&asked, "POST", &path, asked.emulator.admin_key(), body).await;
        assert_eq!(status, 400);
        let message = answer["error"].as_str().unwrap();
        let listed: BTreeSet<&str> = message
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|name| *name != "?")
            .collect();
        let named = described["components"]["schemas"][schema]["enum"].as_array().unwrap();
        let named: BTreeSet<&str> = named.iter().map(|name| name.as_str().unwrap()).collect();
        assert_eq!(named, listed, "{schema}");
    }
}
