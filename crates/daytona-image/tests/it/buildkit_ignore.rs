//! What BuildKit's walk sends of trees with ignore rules: recorded answers, of which this has to give every one.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::Path;

use daytona_image::ignore::IgnoreRules;
use daytona_image::walk::{Walk, Walked};
use flate2::read::GzDecoder;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    id: String,
    ignore: String,
    tree: Vec<String>,
    #[serde(default)]
    files: BTreeSet<String>,
    #[serde(default)]
    directories: BTreeSet<String>,
    #[serde(default)]
    refused: bool,
}

fn cases() -> Vec<Case> {
    let packed = include_bytes!("../fixtures/buildkit/ignore.json.gz");
    let mut text = String::new();
    GzDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn build(folder: &Path, tree: &[String]) {
    for name in tree {
        let path = folder.join(name);
        if name.ends_with('/') {
            fs::create_dir_all(path).unwrap();
        } else {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
    }
}

fn walk(folder: &Path, rules: &str) -> Result<Walked, String> {
    let rules = IgnoreRules::parse(rules, ".dockerignore").map_err(|error| error.to_string())?;
    Ok(Walk::new(folder).rules(rules).run())
}

/// The directories above these files.
fn parents<'a>(names: impl IntoIterator<Item = &'a String>) -> BTreeSet<String> {
    let mut parents = BTreeSet::new();
    for name in names {
        let mut name = name.as_str();
        while let Some((parent, _)) = name.rsplit_once('/') {
            parents.insert(parent.to_owned());
            name = parent;
        }
    }
    parents
}

/// What is wrong with the answer to a case, if anything is. `more` are rules that match nothing.
fn difference(case: &Case, folder: &Path, more: &str) -> Option<String> {
    let walked = match walk(folder, &format!("{}\n{more}", case.ignore)) {
        Ok(_) if case.refused => return Some("accepted".to_owned()),
        Err(_) if case.refused => return None,
        Err(error) => return Some(format!("refused: {error}")),
        Ok(walked) => walked,
    };
    assert!(walked.problems.is_empty() && walked.skipped.is_empty(), "{}", case.id);
    let files: BTreeSet<String> = walked.files.iter().map(|found| found.name.clone()).collect();
    if files != case.files {
        let (more, less) = (files.difference(&case.files), case.files.difference(&files));
        return Some(format!("sends {more:?}, lacks {less:?}"));
    }
    // What BuildKit makes besides what holds files, each with all that is in it.
    let with_files = parents(&files);
    let topmost = |names: BTreeSet<String>| -> BTreeSet<String> {
        let is_topmost = |name: &&String| parents([*name]).is_subset(&with_files);
        names.difference(&with_files).filter(is_topmost).cloned().collect()
    };
    let empty = topmost(case.directories.clone());
    let found = topmost(parents(&walked.empty).into_iter().chain(walked.empty).collect());
    (found != empty).then(|| format!("empty {found:?} instead of {empty:?}"))
}

#[test]
fn buildkit_sends_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    let (mut trees, mut differences) = (std::collections::HashMap::new(), Vec::new());
    let cases = cases();
    let more: Vec<String> = (0..100).map(|index| format!("none-{index}\n")).collect();
    let more = more.concat();
    // What Windows cannot have on its disk, or reads otherwise.
    let is_here = |case: &&Case| {
        let is_odd =
            |name: &String| name.contains(['*', '?', '"', '\\', '<', '>', '|', ':']) || name.ends_with(['.', ' ']);
        !cfg!(windows) || !(case.tree.iter().any(is_odd) || case.ignore.contains('\\'))
    };
    for case in cases.iter().filter(is_here) {
        let count = trees.len();
        let tree = trees.entry(&case.tree).or_insert_with(|| {
            let tree = folder.path().join(count.to_string());
            fs::create_dir(&tree).unwrap();
            build(&tree, &case.tree);
            tree
        });
        // Many rules are not compared one by one.
        let found = difference(case, tree, "").or_else(|| difference(case, tree, &more));
        if let Some(difference) = found {
            differences.push(format!("{} {:?}: {difference}", case.id, case.ignore));
        }
    }
    assert!(cases.len() > 2_500);
    assert!(
        differences.is_empty(),
        "{}: {}",
        differences.len(),
        differences.join("\n")
    );
}
