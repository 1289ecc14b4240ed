//! Whole builds: the files of the image, or where the build fails.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use base64::Engine as _;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Differences, read};
use crate::builder::content::Content;
use crate::builder::interpret::{Course, follow};
use crate::builder::tree::{Attributes, File, Node, Tree};

fn tree_of(case: &Value) -> Tree {
    let mut tree = Tree::default();
    let mut put = |path: &str, node: Node| {
        let path = path.trim_end_matches('/');
        for (end, _) in path.match_indices('/') {
            if tree.node(&path[..end]).is_none() {
                tree.insert(&path[..end], Node::Directory(Attributes::new(0o755, None)), 0);
            }
        }
        tree.insert(path, node, 0);
    };
    let file = |mode, bytes: Vec<u8>| {
        Node::File(File {
            attributes: Attributes::new(mode, None),
            doubt: None,
            content: Content::inline(bytes),
        })
    };
    let text = |value: &Value| value.as_str().map(|text| text.as_bytes().to_vec());
    let mut contents = BTreeMap::new();
    for member in case["tree"].as_array().unwrap() {
        let path = member["path"].as_str().unwrap();
        let mode = member["mode"]
            .as_str()
            .map(|mode| u32::from_str_radix(mode, 8).unwrap());
        let node = if path.ends_with('/') {
            Node::Directory(Attributes::new(mode.unwrap_or(0o755), None))
        } else if let Some(target) = member["link"].as_str() {
            Node::Link {
                target: target.into(),
                owner: None,
            }
        } else if member.get("fifo").is_some() {
            Node::Special(Attributes::new(mode.unwrap_or(0o644), None))
        } else {
            let bytes = text(&member["content"]).unwrap_or_else(|| match member["base64"].as_str() {
                Some(encoded) => base64::engine::general_purpose::STANDARD.decode(encoded).unwrap(),
                None => Vec::clone(&contents[member["hardlink"].as_str().unwrap()]),
            });
            contents.insert(path, bytes.clone());
            file(mode.unwrap_or(0o644), bytes)
        };
        put(path, node);
    }
    let name = case["dockerfile_name"].as_str().unwrap();
    put(name, file(0o644, text(&case["dockerfile"]).unwrap()));
    tree
}

fn shown(tree: &Tree, doubts: impl Fn(&File, usize) -> bool) -> (BTreeMap<String, Value>, BTreeSet<String>) {
    let mut known = BTreeMap::new();
    let mut doubtful = BTreeSet::new();
    for (path, entry) in tree.below("") {
        let described = |attributes: &Attributes| json!({"mode": format!("{:04o}", attributes.mode), "owner": attributes.owner.as_deref().unwrap_or("0:0")});
        match &entry.node {
            Node::File(file) if doubts(file, entry.runs) => drop(doubtful.insert(path)),
            Node::Unknown(_) => drop(doubtful.insert(path)),
            Node::File(file) => {
                let mut bytes = Vec::new();
                file.content.reader().unwrap().read_to_end(&mut bytes).unwrap();
                let mut described = described(&file.attributes);
                described["sha256"] = json!(hex::encode(Sha256::digest(&bytes)));
                known.insert(path, described);
            }
            Node::Directory(attributes) => drop(known.insert(path + "/", described(attributes))),
            Node::Special(attributes) => drop(known.insert(path, described(attributes))),
            Node::Link { target, owner } => {
                let owner = owner.as_deref().unwrap_or("0:0");
                known.insert(path, json!({"link": **target, "owner": owner}));
            }
        }
    }
    (known, doubtful)
}

fn expected(case: &Value) -> BTreeMap<String, Value> {
    let mut expected = BTreeMap::new();
    for entry in case["image"].as_array().unwrap() {
        let owner = entry["owner"].as_str().unwrap_or("0:0");
        let described = match entry["link"].as_str() {
            Some(link) => json!({"link": link, "owner": owner}),
            None => {
                let mut described = json!({"mode": entry["mode"], "owner": owner});
                if let Some(content) = entry["content"].as_str() {
                    described["sha256"] = json!(hex::encode(Sha256::digest(content)));
                } else if let Some(digest) = entry["sha256"].as_str() {
                    described["sha256"] = json!(digest.trim_start_matches("sha256:"));
                }
                described
            }
        };
        expected.insert(entry["path"].as_str().unwrap().to_owned(), described);
    }
    expected
}

/// What only a network or a running system can tell.
const OUT_OF_REACH: [&str; 3] = ["image", "remote", "run"];

fn compare_build(case: &Value) -> Result<(), String> {
    let mut course = Course::default();
    let name = case["dockerfile_name"].as_str().unwrap();
    let dockerfile = case["dockerfile"].as_str().unwrap();
    let tree = tree_of(case);
    let outcome = follow(dockerfile, name, &tree, &[], &mut course);
    let about = |what: String| Err(format!("{what} | {dockerfile:?} {}", case["tree"]));
    let failed = &case["failed"];
    match outcome {
        Ok((files, _)) if failed.is_object() => {
            let kind = failed["kind"].as_str().unwrap();
            let is_open = !files.is_closed() || !shown(files.tree(), |_, _| false).1.is_empty();
            if OUT_OF_REACH.contains(&kind) && is_open {
                return Ok(());
            }
            about(format!("builds, BuildKit fails: {failed}"))
        }
        Err(failure) if !failed.is_object() => about(format!("fails, BuildKit builds: {failure:?}")),
        Err(failure) => {
            let lines: Vec<u64> = failed["lines"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(Value::as_u64)
                .collect();
            let line = failure.line.map(|line| line as u64);
            if lines.is_empty() && line.is_none() || line.is_some_and(|line| lines.contains(&line)) {
                return Ok(());
            }
            about(format!("fails elsewhere: {failure:?}, BuildKit {failed}"))
        }
        Ok((files, _)) => {
            let (known, doubtful) = shown(files.tree(), |file, runs| {
                file.doubt.is_some() || files.doubt(runs).is_some()
            });
            let expected = expected(case);
            let wrong = known.iter().filter(|(path, what)| expected.get(*path) != Some(what));
            let wrong: Vec<String> = wrong.map(|(path, what)| format!("{path} {what}")).collect();
            let is_doubted = |path: &str| doubtful.contains(path.trim_end_matches('/'));
            let missing = expected
                .iter()
                .filter(|(path, _)| !known.contains_key(*path) && files.is_closed() && !is_doubted(path));
            let missing: Vec<String> = missing.map(|(path, what)| format!("{path} {what}")).collect();
            if wrong.is_empty() && missing.is_empty() {
                return Ok(());
            }
            about(format!("trees differ: ours {wrong:?} missing {missing:?}"))
        }
    }
}

#[test]
fn builds_are_those_of_buildkit() {
    let mut differences = Differences::new(vec![(
        "random-453052f7b6",
        "of two missing sources BuildKit names the one that it finds first: one step hashes a file, one waits for a stage",
    )]);
    for case in fixture!("build") {
        let result = compare_build(&case);
        differences.check(&case, result);
    }
    differences.end();
}
