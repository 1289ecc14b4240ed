//! Contracts that differ, and such as are broken.

use serde_json::json;

use super::*;

fn contract() -> Value {
    json!({
        "paths": {"/things/{id}": {"get": {
            "parameters": [
                {"name": "id", "in": "path", "schema": {"type": "string"}},
                {"name": "sort", "in": "query", "schema": {"type": "string", "enum": ["a", "b"]}},
            ],
            "responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}}},
        }}},
        "components": {"schemas": {"Thing": {
            "type": "object", "required": ["id"],
            "properties": {"id": {"type": "string"}, "size": {"type": "number"}, "parts": {"type": "array", "items": {"type": "string"}}},
        }}},
    })
}

/// The differences after a change of the other contract.
fn changed(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let mut theirs = contract();
    change(&mut theirs);
    differences(&contract(), &theirs)
}

#[test]
fn what_is_the_same_in_other_words_is_no_difference() {
    let same = changed(|theirs| {
        let paths = theirs["paths"].as_object_mut().unwrap();
        let item = paths.remove("/things/{id}").unwrap();
        paths.insert("/api/things/{thingIdOrName}".into(), item);
        let thing = &mut theirs["components"]["schemas"]["Thing"];
        thing["properties"]["size"]["type"] = json!("integer");
        thing["required"] = json!(["id", "size"]);
    });
    assert_eq!(same, Vec::<String>::new());
}

#[test]
fn a_schema_that_refers_to_itself_ends_the_comparison_of_it() {
    let circle = |theirs: &mut Value| {
        theirs["components"]["schemas"]["Thing"] = json!({"allOf": [{"$ref": "#/components/schemas/Other"}]});
        theirs["components"]["schemas"]["Other"] = json!({"$ref": "#/components/schemas/Thing"});
    };
    assert_eq!(changed(circle), ["Thing refers to itself upstream"]);
    let mut ours = contract();
    circle(&mut ours);
    assert_eq!(differences(&ours, &contract()), ["Thing refers to itself in ours"]);
}

#[test]
fn no_document_ends_the_comparison_with_a_panic() {
    for pointer in [
        "",
        "/paths",
        "/paths/~1things~1{id}",
        "/paths/~1things~1{id}/get",
        "/paths/~1things~1{id}/get/parameters",
        "/paths/~1things~1{id}/get/parameters/1",
        "/paths/~1things~1{id}/get/responses",
        "/components",
        "/components/schemas",
        "/components/schemas/Thing",
        "/components/schemas/Thing/properties",
        "/components/schemas/Thing/properties/parts/items",
    ] {
        for bad in [
            json!(null),
            json!(5),
            json!("x"),
            json!([1]),
            json!({"$ref": 1}),
            json!({"allOf": [[]]}),
        ] {
            let mut broken = contract();
            *broken.pointer_mut(pointer).unwrap() = bad;
            differences(&broken, &contract());
            differences(&contract(), &broken);
            differences(&broken, &broken);
        }
    }
}

#[test]
fn every_sort_of_change_is_found() {
    let thing = |theirs: &mut Value| theirs["components"]["schemas"]["Thing"].take();
    for (found, expected) in [
        (
            changed(|theirs| theirs["paths"]["/x"] = json!({"post": {}})),
            "operation POST /x is not in ours",
        ),
        (
            changed(|theirs| theirs["paths"]["/api-x"] = json!({"post": {}})),
            "operation POST /api-x is not in ours",
        ),
        (
            changed(|theirs| theirs["paths"] = json!({})),
            "operation GET /things/{} is not upstream",
        ),
        (
            changed(|theirs| theirs["paths"]["/things/{id}"]["get"]["parameters"][1]["name"] = json!("order")),
            "GET /things/{}: parameter sort is not upstream",
        ),
        (
            changed(|theirs| {
                theirs["paths"]["/things/{id}"]["get"]["parameters"][1]["schema"]["enum"] = json!(["a", "b", "c"]);
            }),
            "GET /things/{}: parameter sort: value `c` is not in ours",
        ),
        (
            changed(|theirs| {
                let mut changed = thing(theirs);
                changed["properties"]["new"] = json!({"type": "string"});
                theirs["components"]["schemas"]["Thing"] = changed;
            }),
            "Thing.new is not in ours",
        ),
        (
            changed(|theirs| {
                theirs["components"]["schemas"]["Thing"]["properties"]["parts"]["items"]["type"] = json!("number");
            }),
            "Thing.parts[] is a text in ours, a number upstream",
        ),
        (
            changed(|theirs| theirs["components"]["schemas"]["Thing"]["required"] = json!([])),
            "Thing.id is required in ours, not upstream",
        ),
    ] {
        assert!(found.iter().any(|found| found == expected), "{expected}: {found:?}");
    }
}
