//! Our reading of the vectors' Dockerfiles against that of Docker's own parser, which was recorded with them.

use daytona_image::dockerfile::{Dockerfile, Instruction};
use serde_json::Value;

#[test]
fn dockerfiles_are_split_as_dockers_own_parser_splits_them() {
    let fixture: Value = serde_json::from_str(include_str!("../fixtures/image.json")).unwrap();
    let mut compared = 0;
    for vector in fixture["vectors"].as_array().unwrap() {
        let (Some(text), Some(moby)) = (vector["dockerfile"].as_str(), vector["moby_parse"].as_array()) else {
            continue;
        };
        // The recorded parser knows no heredocs, and takes instructions without arguments, which BuildKit refuses later.
        let has_bare = moby.iter().any(|one| one["value"].as_array().is_none_or(Vec::is_empty));
        if text.contains("<<") || moby.is_empty() || has_bare {
            continue;
        }
        let name = &vector["name"];
        // A line that begins with no instruction is split all the same there.
        let is_known = |one: &Value| text_of(&one["cmd"]).bytes().all(|byte| byte.is_ascii_alphabetic());
        if !moby.iter().all(is_known) {
            assert!(Dockerfile::parse(text).is_err(), "{name}");
            continue;
        }
        // What is checked afterwards, the recorded parser does not refuse.
        let (read, _) = Dockerfile::read(text);
        let keywords: Vec<&str> = read.instructions().iter().map(Instruction::keyword).collect();
        let wanted: Vec<String> = moby
            .iter()
            .map(|one| text_of(&one["cmd"]).to_ascii_uppercase())
            .collect();
        assert_eq!(keywords, wanted, "{name}");
        for (ours, theirs) in read.instructions().iter().zip(moby) {
            let values: Vec<&str> = theirs["value"].as_array().unwrap().iter().map(text_of).collect();
            let is_json = theirs["json"] == true;
            assert_eq!(ours.json().is_some(), is_json, "{name}: {ours:?}");
            // Names and values of ENV and LABEL come apart there.
            if matches!(ours.keyword(), "ENV" | "LABEL") {
                continue;
            }
            if is_json || matches!(ours.keyword(), "COPY" | "ADD" | "FROM") {
                assert_eq!(ours.words(), values, "{name}");
            } else {
                assert_eq!([ours.words().join(" ").as_str()], values.as_slice(), "{name}");
            }
            compared += 1;
        }
    }
    assert!(compared > 200, "only {compared}");
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
