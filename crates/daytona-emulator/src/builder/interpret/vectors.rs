//! The emulator's builder beside BuildKit: thousands of recorded answers.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::Read;

use serde_json::{Value, json};

use super::command;
use super::instruction::{Arguments, Instruction};
use super::lexer::{Lexer, Options};
use super::reader;
use super::rules::{Rules, ignore_patterns};
use super::{budget::Budget, context};
use crate::builder::tree::{Attributes, Node, Tree};

macro_rules! fixture {
    ($name:literal) => {
        read(include_bytes!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/buildkit/",
            $name,
            ".json.gz"
        )))
    };
}

mod build;

fn read(compressed: &[u8]) -> Vec<Value> {
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(compressed).read_to_end(&mut text).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// Where the emulator is another, and why. Anything that is not listed is a failure, and so is what is listed in vain.
struct Differences {
    known: Vec<(&'static str, &'static str)>,
    found: Vec<(String, String)>,
    count: usize,
}

impl Differences {
    fn new(known: Vec<(&'static str, &'static str)>) -> Self {
        Self {
            known,
            found: Vec::new(),
            count: 0,
        }
    }

    fn check(&mut self, case: &Value, result: Result<(), String>) {
        self.count += 1;
        if let Err(difference) = result {
            let id = case["id"].as_str().unwrap_or_default().to_owned();
            self.found.push((id, difference));
        }
    }

    fn end(self) {
        let is_known = |id: &str| self.known.iter().any(|(known, _)| *known == id);
        let new: Vec<String> = self
            .found
            .iter()
            .filter(|(id, _)| !is_known(id))
            .map(|(id, difference)| format!("{id}: {difference}"))
            .collect();
        assert!(
            new.is_empty(),
            "{} of {} differ:\n{}",
            new.len(),
            self.count,
            new.join("\n")
        );
        for (id, reason) in &self.known {
            assert!(
                self.found.iter().any(|(found, _)| found == id),
                "{id} is right by now: {reason}"
            );
        }
    }
}

fn shown_instruction(instruction: &Instruction, is_trigger: bool) -> Value {
    let mut shown = json!({"keyword": instruction.keyword});
    if !is_trigger {
        shown["line"] = json!(instruction.line);
        shown["end"] = json!(instruction.end);
    }
    if !instruction.flags.is_empty() {
        shown["flags"] = json!(instruction.flags);
    }
    match &instruction.arguments {
        Arguments::Words(words) => shown["args"] = json!(words),
        Arguments::Json(words) => {
            shown["args"] = json!(words);
            shown["json"] = json!(true);
        }
        Arguments::Pairs(pairs) => {
            let pairs = pairs.iter();
            let pairs = pairs.map(|pair| json!([pair.name, pair.value, if pair.is_old_form { "" } else { "=" }]));
            shown["pairs"] = pairs.collect();
        }
        Arguments::Trigger(trigger) => shown["trigger"] = shown_instruction(trigger, true),
        Arguments::Unknown => {}
    }
    if !instruction.heredocs.is_empty() {
        let heredocs = instruction.heredocs.iter().map(|heredoc| {
            json!({"name": heredoc.name, "body": heredoc.body, "expand": heredoc.expands, "chomp": heredoc.strips_tabs})
        });
        shown["heredocs"] = heredocs.collect();
    }
    shown
}

/// Without what is empty, as the fixture leaves out some of it.
fn tidy(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter(|(name, value)| {
                !(matches!(name.as_str(), "args" | "pairs" | "flags" | "heredocs")
                    && value.as_array().is_some_and(Vec::is_empty))
            });
            kept.map(|(name, value)| (name.clone(), tidy(value))).collect()
        }
        Value::Array(items) => items.iter().map(tidy).collect(),
        other => other.clone(),
    }
}

fn compare_parse(case: &Value) -> Result<(), String> {
    let text = case["text"].as_str().unwrap();
    let about = |what: String| Err(format!("{what} | {text:?} {case}"));
    let refused = &case["refused"];
    let line = refused["line"].as_u64();
    let dockerfile = match reader::read(text) {
        Ok(dockerfile) => dockerfile,
        Err(failure) => {
            if refused.is_object() && case.get("instructions").is_none() && failure.line.map(|line| line as u64) == line
            {
                return Ok(());
            }
            return about(format!("refused: {failure:?}"));
        }
    };
    if case.get("instructions").is_none() {
        return about("read, BuildKit refuses".to_owned());
    }
    let instructions: Value = dockerfile
        .instructions
        .iter()
        .map(|one| shown_instruction(one, false))
        .collect();
    if tidy(&instructions) != tidy(&case["instructions"]) {
        return about(format!("read differently: {instructions}"));
    }
    if case["escape"].as_str() != Some(&dockerfile.escape.to_string()) {
        return about(format!("escape {}", dockerfile.escape));
    }
    let checked = super::stages::divide(&dockerfile);
    let failure = match checked {
        Ok((_, stages)) if stages.is_empty() => Some(None),
        Ok(_) => None,
        Err(failure) => Some(failure.line.map(|line| line as u64)),
    };
    match (failure, refused.is_object()) {
        (None, false) => Ok(()),
        (Some(ours), true) if ours == line => Ok(()),
        (ours, _) => {
            let reasons: Vec<_> = dockerfile
                .instructions
                .iter()
                .map(|one| command::check(one).err())
                .collect();
            about(format!("check: ours {ours:?} {reasons:?}"))
        }
    }
}

#[test]
fn texts_are_read_as_by_buildkit() {
    let mut differences = Differences::new(Vec::new());
    for case in fixture!("parse") {
        let result = compare_parse(&case);
        differences.check(&case, result);
    }
    differences.end();
}

#[test]
fn words_are_expanded_as_by_buildkit() {
    let mut differences = Differences::new(Vec::new());
    for case in fixture!("expand") {
        let env = case["env"].as_object().unwrap();
        let work = Cell::new(usize::MAX);
        let lexer = Lexer {
            escape: case["escape"].as_str().unwrap().chars().next().unwrap(),
            variables: &|name| env.get(name).and_then(Value::as_str).map(ToOwned::to_owned),
            options: Options::default(),
            work: &work,
        };
        let word = case["word"].as_str().unwrap();
        let result = lexer.word(word);
        let words = lexer.words(word);
        let agrees = |ours: Result<Value, &String>, theirs: &Value| match ours {
            Ok(ours) => ours == *theirs,
            Err(_) => theirs.is_object(),
        };
        let same = agrees(result.as_ref().map(|text| json!(text)), &case["result"])
            && agrees(words.as_ref().map(|words| json!(words)), &case["split"]);
        let outcome = if same {
            Ok(())
        } else {
            Err(format!("{result:?} {words:?} | {case}"))
        };
        differences.check(&case, outcome);
    }
    differences.end();
}

fn compare_ignore(case: &Value) -> Result<(), String> {
    let mut tree = Tree::default();
    for path in case["tree"].as_array().unwrap() {
        let path = path.as_str().unwrap();
        let name = path.trim_end_matches('/');
        for (end, _) in name.match_indices('/') {
            if tree.node(&name[..end]).is_none() {
                tree.insert(&name[..end], Node::Directory(Attributes::new(0o755, None)), 0);
            }
        }
        let node = if path.ends_with('/') {
            Node::Directory(Attributes::new(0o755, None))
        } else {
            Node::Special(Attributes::new(0o644, None))
        };
        tree.insert(name, node, 0);
    }
    let rules = Rules::new(ignore_patterns(case["ignore"].as_str().unwrap()));
    let Ok(rules) = rules else {
        return if case["refused"] == true {
            Ok(())
        } else {
            Err(format!("refused | {case}"))
        };
    };
    if case["refused"] == true {
        return Err(format!("taken | {case}"));
    }
    let kept = context::filtered(&tree, None, &rules, &mut Budget::default()).unwrap();
    let names = |wanted: bool| -> BTreeSet<String> {
        let entries = kept.below("").filter(|(_, entry)| entry.node.is_directory() == wanted);
        entries.map(|(path, _)| path).collect()
    };
    let theirs = |key: &str| -> BTreeSet<String> {
        let names = case[key].as_array().into_iter().flatten();
        names
            .map(|name| name.as_str().unwrap().trim_end_matches('/').to_owned())
            .collect()
    };
    if names(false) == theirs("files") && names(true) == theirs("directories") {
        return Ok(());
    }
    Err(format!("{:?} {:?} | {case}", names(false), names(true)))
}

#[test]
fn contexts_are_walked_as_by_buildkit() {
    // BuildKit makes a regular expression of a pattern without regard to what is special in one.
    let class = "a class of POSIX in a class is one there";
    let mut differences = Differences::new(vec![
        ("odd-name-75fad30eed", class),
        ("odd-name-469b4cc5c4", class),
        ("random-exception-0def79c41d", "a bar divides alternatives there"),
    ]);
    for case in fixture!("ignore") {
        let result = compare_ignore(&case);
        differences.check(&case, result);
    }
    differences.end();
}
