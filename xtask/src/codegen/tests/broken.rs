//! Contracts that are broken: each is refused, with the place and the reason, and none ends the generator.

use serde_json::{Value, json};

use super::*;

/// The error that a change of the contract gives.
fn refused(change: impl FnOnce(&mut Value)) -> String {
    let mut contract = contract();
    change(&mut contract);
    match render(&contract.to_string()) {
        Err(Error::Contract(error)) => error.to_string(),
        other => panic!("not refused as a contract: {other:?}"),
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
fn a_construct_that_the_generator_does_not_know_is_named() {
    let found = refused(set(
        &format!("{OPERATION}/responses/200/content/application~1json"),
        json!({"schema": {"oneOf": [{"type": "string"}]}}),
    ));
    assert!(found.contains("makeThing"), "{found}");
}
