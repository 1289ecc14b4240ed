//! The real BuildKit's answers: what it reads, and what it refuses.

use daytona_image::dockerfile::{Arguments, Dockerfile, Instruction};
use serde_json::{Value, json};

use crate::support::vectors;

/// An instruction in the form of the vectors.
fn shown(instruction: &Instruction) -> Value {
    let mut value = json!({"keyword": instruction.keyword()});
    if !instruction.flags().is_empty() {
        value["flags"] = json!(instruction.flags());
    }
    match instruction.arguments() {
        Arguments::Json(words) => {
            value["json"] = json!(true);
            value["args"] = json!(words);
        }
        Arguments::Words(words) => value["args"] = json!(words),
        Arguments::Text(text) => value["args"] = json!([text]),
        Arguments::Pairs(pairs) => {
            let pair = |pair: &daytona_image::dockerfile::Pair| {
                json!([pair.name, pair.value, if pair.is_old_form { "" } else { "=" }])
            };
            value["pairs"] = pairs.iter().map(pair).collect();
        }
        Arguments::Trigger(trigger) => value["trigger"] = shown(trigger),
        Arguments::Unknown => {}
        other => panic!("{other:?}"),
    }
    let heredocs: Vec<Value> = instruction
        .heredocs()
        .iter()
        .map(|one| {
            json!({"name": one.name(), "body": one.body(), "expand": one.is_expanded(), "chomp": one.strips_tabs()})
        })
        .collect();
    if !heredocs.is_empty() {
        value["heredocs"] = json!(heredocs);
    }
    value
}

fn shown_with_lines(instruction: &Instruction) -> Value {
    let mut value = shown(instruction);
    value["line"] = json!(instruction.line());
    value["end"] = json!(instruction.last_line());
    value
}

#[test]
fn every_text_is_read_and_refused_as_buildkit_does() {
    let cases = vectors(include_bytes!("../fixtures/buildkit/parse.json.gz"));
    let mut failures = Vec::new();
    for case in &cases {
        let text = case["text"].as_str().unwrap();
        let (read, errors) = Dockerfile::read(text);
        let refused = case.get("refused");
        let kind = refused.map(|refused| refused["kind"].as_str().unwrap());
        // BuildKit counts from 0 in what it says of directives.
        let line = refused
            .and_then(|refused| refused["line"].as_u64())
            .filter(|_| !matches!(kind, Some("escape-value" | "directive-twice")));
        let is_same_line = line.is_none_or(|line| errors.first().is_some_and(|error| error.line as u64 == line));
        let ours: Vec<Value> = read.instructions().iter().map(shown_with_lines).collect();
        let is_same = case.get("instructions").is_none_or(|theirs| {
            *theirs == Value::Array(ours.clone()) && case["escape"] == json!(read.escape().to_string())
        });
        if refused.is_some() == errors.is_empty() || !is_same_line || !is_same {
            failures.push(format!("{}: {text:?}\n{errors:?}\n{ours:?}", case["id"]));
        }
    }
    assert!(cases.len() > 3_900);
    assert!(
        failures.is_empty(),
        "{} differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
}
