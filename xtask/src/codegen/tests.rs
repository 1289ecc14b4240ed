//! What the generator makes of contracts, good and bad.

use serde_json::{Value, json};

use super::*;

mod broken;

/// A small contract that has one of everything.
fn contract() -> Value {
    json!({
        "openapi": "3.0.3",
        "info": {"title": "t", "version": "1"},
        "tags": [{"name": "things", "description": "Things.", "x-schemas": ["Permission"]}, {"name": "hooks", "description": "Hooks."}],
        "paths": {"/things/{id}/parts": {
            "parameters": [{"name": "id", "in": "path", "required": true, "description": "Id.", "schema": {"type": "string"}}],
            "post": {
                "operationId": "makeThing",
                "tags": ["things"],
                "summary": "Makes it.",
                "x-idempotent": false,
                "x-answers-within-seconds": 30,
                "x-permissions": ["write:things"],
                "x-example": "assert!(true);",
                "parameters": [
                    {"name": "kind", "in": "query", "description": "Kind.", "schema": {"$ref": "#/components/schemas/Kind"}},
                ],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
                "responses": {
                    "200": {"description": "d", "content": {"application/json": {"schema": {
                        "type": "array", "items": {"$ref": "#/components/schemas/Thing"},
                    }}}},
                    "default": {"$ref": "#/components/responses/Failure"},
                },
            },
        }},
        "x-webhooks": {"thing.made": {"post": {
            "tags": ["hooks"],
            "summary": "Made.",
            "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
            "responses": {},
        }}},
        "components": {
            "responses": {"Failure": {
                "description": "d",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}},
            }},
            "schemas": {
                "Permission": {"type": "string", "description": "p", "enum": ["write:things", "read:things"]},
                "Kind": {"type": "string", "description": "k", "enum": ["small", "RTX-4090"]},
                "ThingId": {"type": "string", "description": "i"},
                "Thing": {"type": "object", "description": "t", "required": ["id"], "properties": {
                    "id": {"description": "i", "allOf": [{"$ref": "#/components/schemas/ThingId"}]},
                    "madeAt": {"type": "string", "format": "date-time", "description": "m"},
                    "count": {"type": "integer", "format": "uint64", "description": "c"},
                    "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}, "description": "p"},
                }},
                "Refusal": {"type": "object", "description": "r", "x-lenient": true, "properties": {
                    "message": {"type": "string", "description": "m"},
                    "status": {"type": "integer", "format": "uint64", "description": "s"},
                }},
            },
        },
    })
}

const OPERATION: &str = "/paths/~1things~1{id}~1parts/post";
const SCHEMAS: &str = "/components/schemas";

fn set(pointer: &str, value: Value) -> impl FnOnce(&mut Value) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let (parent, key) = (parent.to_owned(), key.replace("~1", "/"));
    move |contract| contract.pointer_mut(&parent).unwrap()[key] = value
}

#[test]
fn the_small_contract_is_a_good_one() {
    let files = render(&contract().to_string()).unwrap();
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["hooks.rs", "mod.rs", "things.rs"]);
    for (_, text) in &files {
        syn::parse_file(text).unwrap();
    }
}

#[test]
fn an_operation_with_secrets_in_its_body_is_not_compared() {
    let mut contract = contract();
    let schemas = contract.pointer_mut(SCHEMAS).unwrap();
    schemas["Login"] = json!({"type": "object", "description": "d", "required": ["key"], "properties": {
        "key": {"type": "string", "format": "password", "description": "k"},
    }});
    let body = json!({"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Login"}}}});
    contract.pointer_mut(OPERATION).unwrap()["requestBody"] = body;
    let files = render(&contract.to_string()).unwrap();
    let (_, text) = files.iter().find(|(name, _)| name == "things.rs").unwrap();
    let derived = text.split("pub struct MakeThing").next().unwrap();
    let derived = derived.rsplit("derive").next().unwrap();
    assert!(derived.contains("Clone") && !derived.contains("PartialEq"), "{derived}");
}

#[test]
fn texts_by_names_and_lists_in_a_query_are_written_down() {
    let mut contract = contract();
    contract.pointer_mut(SCHEMAS).unwrap()["Thing"]["properties"]["labels"] =
        json!({"type": "object", "additionalProperties": {"type": "string"}, "description": "l"});
    contract.pointer_mut(OPERATION).unwrap()["parameters"] = json!([
        {"name": "kinds", "in": "query", "description": "k", "schema": {
            "type": "array", "items": {"$ref": "#/components/schemas/Kind"},
        }},
    ]);
    let files = render(&contract.to_string()).unwrap();
    let (_, text) = files.iter().find(|(name, _)| name == "things.rs").unwrap();
    let flat: String = text.split_whitespace().collect();
    assert!(
        flat.contains("publabels:Option<std::collections::BTreeMap<String,String>>"),
        "{text}"
    );
    assert!(
        flat.contains("forvalueinself.kinds.iter().flatten(){query.set(\"kinds\",Some(value));}"),
        "{text}"
    );
}

#[test]
fn a_chain_of_schemas_may_be_long() {
    let mut contract = contract();
    let schemas = contract.pointer_mut(SCHEMAS).unwrap();
    let length = 3_000;
    for number in 0..length {
        let next = if number + 1 == length {
            "ThingId".to_owned()
        } else {
            format!("Link{}", number + 1)
        };
        let next = json!({"description": "n", "allOf": [{"$ref": format!("#/components/schemas/{next}")}]});
        schemas[format!("Link{number}")] = json!({"type": "object", "description": "d", "properties": {"next": next}});
    }
    schemas["Thing"]["properties"]["first"] =
        json!({"description": "f", "allOf": [{"$ref": "#/components/schemas/Link0"}]});
    assert_eq!(
        contract::read(&contract.to_string()).unwrap()[0].types.len(),
        length + 5
    );
}

#[test]
fn items_stand_apart() {
    for (name, text) in render(&contract().to_string()).unwrap() {
        for (line, next) in text.lines().zip(text.lines().skip(1)) {
            let glued = line == "}" && !next.is_empty() || line == "    }" && next.trim_start().starts_with("fn ");
            assert!(!glued, "{name}: {line}\n{next}");
        }
        assert!(!text.contains("\n\n\n"), "{name}: {text}");
    }
}

#[test]
fn a_changed_file_is_reported_as_a_diff() {
    let present = vec![("a.rs".to_owned(), "one\ntwo\n".to_owned())];
    let wanted = vec![("a.rs".to_owned(), "one\nthree\n".to_owned())];
    let diff = difference(&present, &wanted);
    assert!(diff.contains("-two") && diff.contains("+three"), "{diff}");
    assert_eq!(difference(&wanted, &wanted), "");
}

#[test]
fn a_file_that_should_not_be_there_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let stale = vec![("old.rs".to_owned(), "x".to_owned())];
    let wanted = vec![("new.rs".to_owned(), "y".to_owned())];
    write_folder(folder.path(), &[], &stale).unwrap();
    write_folder(folder.path(), &stale, &wanted).unwrap();
    assert_eq!(read_folder(folder.path()).unwrap(), wanted);
}

#[test]
fn the_contract_gives_the_same_bytes_each_time() {
    let text = fs::read_to_string(crate::workspace().join(CONTRACT)).unwrap();
    assert_eq!(generate(&text).unwrap(), generate(&text).unwrap());
}
