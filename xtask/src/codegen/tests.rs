//! What the generator makes of contracts, good and bad.

use serde_json::{Value, json};

use super::*;

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

/// The error that a change of the contract gives.
fn refused(change: impl FnOnce(&mut Value)) -> String {
    let mut contract = contract();
    change(&mut contract);
    match render(&contract.to_string()) {
        Err(Error::Contract(error)) => error.to_string(),
        other => panic!("not refused as a contract: {other:?}"),
    }
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
fn a_bad_contract_is_refused_with_the_place_and_the_reason() {
    let operation = |key: &str| format!("{OPERATION}/{key}");
    let schema = |key: &str| format!("{SCHEMAS}/{key}");
    for (found, parts) in [
        (refused(set(&schema("Kind/enum"), json!(["4090"]))), ["Kind", "`4090`"]),
        (
            refused(set(&schema("Kind/enum"), json!([""]))),
            ["Kind", "gives no name"],
        ),
        (
            refused(set(&schema("Kind/enum"), json!(["unknown"]))),
            ["Kind", "`unknown`"],
        ),
        (
            refused(set(&schema("Kind/enum"), json!(["a-b", "a_b"]))),
            ["`a_b`", "taken"],
        ),
        (refused(set(&schema("Kind/enum"), json!(["a", null]))), ["Kind", "null"]),
        (
            refused(set(
                &schema("Thing/properties"),
                json!({"a b": {"type": "string", "description": "d"}}),
            )),
            ["Thing.a b", "gives no name"],
        ),
        (
            refused(set(
                &schema("Thing/properties"),
                json!({"fooBar": {"type": "string", "description": "d"}, "foo_bar": {"type": "string", "description": "d"}}),
            )),
            ["Thing.foo_bar", "taken"],
        ),
        (
            refused(set(
                &schema("Thing/properties/parts"),
                json!({
                    "description": "d", "allOf": [{"$ref": "#/components/schemas/Thing"}],
                }),
            )),
            ["Thing", "contains itself"],
        ),
        (
            refused(set(&schema("Thing"), json!({"$ref": "#/components/schemas/Thing"}))),
            ["Thing", "a reference where none is expected"],
        ),
        (
            refused(set(
                &schema("Thing/properties/id"),
                json!({
                    "description": "d", "allOf": [{"$ref": "#/components/schemas/String"}],
                }),
            )),
            ["Thing.id", "`String`"],
        ),
        (
            refused(set(&schema("Thing/required"), json!(["gone"]))),
            ["Thing", "`gone`"],
        ),
        (
            refused(set(&schema("Thing/required"), json!(["count"]))),
            ["Thing.count", "required"],
        ),
        (
            refused(set(
                &schema("Thing/properties/key"),
                json!({
                    "type": "string", "format": "password", "description": "d",
                }),
            )),
            ["Thing.key", "secret"],
        ),
        (
            refused(set(
                &schema("Refusal/properties/when"),
                json!({
                    "type": "boolean", "description": "d",
                }),
            )),
            ["Refusal.when", "x-lenient"],
        ),
        (refused(set(&schema("Thing/x-other"), json!(1))), ["Thing", "`x-other`"]),
        (
            refused(set(&operation("x-other"), json!(1))),
            ["makeThing", "`x-other`"],
        ),
        (
            refused(set(&operation("x-idempotent"), json!("yes"))),
            ["makeThing", "x-idempotent"],
        ),
        (
            refused(set(&operation("x-answers-within-seconds"), json!(-1))),
            ["makeThing", "seconds"],
        ),
        (
            refused(set(&operation("x-permissions"), json!(["own:things"]))),
            ["makeThing", "`own:things`"],
        ),
        (
            refused(set(&operation("security"), json!([]))),
            ["makeThing", "permissions"],
        ),
        (
            refused(set(&operation("operationId"), json!("thing"))),
            ["thing", "`Thing`"],
        ),
        (
            refused(set(&operation("operationId"), json!("operation"))),
            ["operation", "`Operation`"],
        ),
        (
            refused(set(&operation("tags"), json!(["others"]))),
            ["makeThing", "`others`"],
        ),
        (
            refused(set(&operation("parameters/0/name"), json!("body"))),
            ["makeThing.body", "taken"],
        ),
        (
            refused(set(
                &operation("parameters/0/schema"),
                json!({"$ref": "#/components/schemas/Thing"}),
            )),
            ["makeThing.kind", "query"],
        ),
        (
            refused(set("/tags/0/name", json!("../things"))),
            ["../things", "no name"],
        ),
        (refused(set("/tags/0/name", json!("mod"))), ["mod", "file"]),
        (refused(set("/tags/0/x-schemas", json!("Kind"))), ["things", "list"]),
        (
            refused(set("/tags/0/x-schemas", json!(["Gone"]))),
            ["Gone", "no such schema"],
        ),
        (refused(set("/tags/1/name", json!("things"))), ["things", "taken"]),
        (
            refused(set("/tags/1/description", json!(" "))),
            ["hooks", "no description"],
        ),
        (refused(set("/x-webhooks", json!([1]))), ["x-webhooks", "map"]),
        (
            refused(set("/x-webhooks/thing.made/post/tags", json!([]))),
            ["thing.made", "tag"],
        ),
    ] {
        assert!(parts.iter().all(|part| found.contains(part)), "{parts:?}: {found}");
    }
}

#[test]
fn a_path_that_cannot_be_taken_apart_is_refused() {
    for path in [
        "/things/{id",
        "/things/id}",
        "/things/{{id}}",
        "/things/{}",
        "/things/{id}/{id}",
        "/things/{other}",
        "/things",
        "/things/x{id}",
        "/things//{id}",
        "/things/../{id}",
        "/things/{id}?x=1",
        "/th ings/{id}",
    ] {
        let found = refused(|contract| {
            let paths = contract["paths"].as_object_mut().unwrap();
            let item = paths.remove("/things/{id}/parts").unwrap();
            paths.insert(path.to_owned(), item);
        });
        assert!(found.contains("makeThing") && found.contains(path), "{path}: {found}");
    }
}

#[test]
fn a_secret_is_not_hidden_in_what_is_compared() {
    let found = refused(|contract| {
        let schemas = contract.pointer_mut(SCHEMAS).unwrap();
        schemas["Login"] = json!({"type": "object", "description": "d", "required": ["key"], "properties": {
            "key": {"type": "string", "format": "password", "description": "k"},
        }});
        schemas["Thing"]["properties"]["login"] =
            json!({"description": "l", "allOf": [{"$ref": "#/components/schemas/Login"}]});
    });
    assert!(found.contains("Thing.login"), "{found}");
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

/// Every place of a value, as a JSON pointer.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let key = key.replace('~', "~0").replace('/', "~1");
                pointers(value, &format!("{at}/{key}"), found);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                pointers(value, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// A contract that is broken in any one place is refused, or gives Rust; it never ends the generator.
#[test]
fn no_broken_contract_ends_the_generator() {
    let good = contract();
    let mut places = Vec::new();
    pointers(&good, "", &mut places);
    let texts = [
        "",
        "_",
        "4090",
        "self",
        "{",
        "/{id}",
        "a b",
        "\u{0}",
        "a\nb",
        "*/",
        "\"#",
        "#/components/schemas/Thing",
    ];
    let values = [
        json!(null),
        json!(-1),
        json!([]),
        json!({}),
        json!([null]),
        json!({"$ref": "#/components/schemas/Thing"}),
    ];
    let (mut refused, mut taken) = (0, 0);
    let mut judge = |contract: &Value, what: &str| match contract::read(&contract.to_string()) {
        Err(error) => {
            assert!(!error.to_string().is_empty());
            refused += 1;
        }
        Ok(modules) => {
            for tokens in modules.iter().map(render::module).chain([render::root(&modules)]) {
                let parsed = syn::parse2::<syn::File>(tokens);
                assert!(parsed.is_ok(), "{what}: {:?}", parsed.err());
            }
            taken += 1;
        }
    };
    for place in &places {
        for value in texts.iter().map(|text| json!(text)).chain(values.clone()) {
            let mut contract = good.clone();
            *contract.pointer_mut(place).unwrap() = value.clone();
            judge(&contract, &format!("{place} = {value}"));
        }
        let Some((parent, key)) = place.rsplit_once('/') else {
            continue;
        };
        let key = key.replace("~1", "/").replace("~0", "~");
        for name in texts.iter().copied().map(Some).chain([None]) {
            let mut contract = good.clone();
            if let Some(fields) = contract.pointer_mut(parent).unwrap().as_object_mut() {
                let value = fields.remove(&key).unwrap();
                if let Some(name) = name {
                    fields.insert(name.to_owned(), value);
                }
                judge(&contract, &format!("{place} renamed to {name:?}"));
            }
        }
    }
    assert!(refused > 500 && taken > 200, "{refused} refused, {taken} taken");
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

#[test]
fn a_construct_that_the_generator_does_not_know_is_named() {
    let found = refused(set(
        &format!("{OPERATION}/responses/200/content/application~1json"),
        json!({"schema": {"oneOf": [{"type": "string"}]}}),
    ));
    assert!(found.contains("makeThing"), "{found}");
}
