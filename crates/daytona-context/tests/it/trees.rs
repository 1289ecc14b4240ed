//! The recorded trees: two share a key if they are the same to us, and only then.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use daytona_context::Context;
use daytona_image::{Image, PlanOptions};
use serde_json::Value;

/// What counts of a tree: of each file the name, the bytes, and whether it may be executed. Links count as what they lead to.
type Members = BTreeMap<String, (Vec<u8>, bool)>;

fn fields<'a>(tree: &'a Value, name: &str) -> impl Iterator<Item = (&'a String, &'a str)> {
    let object = tree[name].as_object().into_iter().flatten();
    object.map(|(key, value)| (key, value.as_str().unwrap_or_default()))
}

/// Makes the tree with its root under the name that it has in the archive. The name, and whether it is a folder.
fn make(tree: &Value, base: &Path) -> (String, bool) {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let path = tree["path"].as_str().unwrap();
    let name = tree["archive_base_path"]
        .as_str()
        .unwrap_or(path)
        .trim_matches('/')
        .to_owned();
    let place = |file: &str| {
        let below = file
            .strip_prefix(path.trim_end_matches('/'))
            .map(|rest| format!("{name}{rest}"));
        let full = base.join(below.unwrap_or_else(|| file.to_owned()));
        fs::create_dir_all(full.parent().unwrap()).unwrap();
        full
    };
    for (file, content) in tree["files"].as_object().unwrap() {
        let content = content.as_str().unwrap_or_default();
        fs::write(place(file), content).unwrap();
    }
    for folder in tree["dirs"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        fs::create_dir_all(place(folder)).unwrap();
    }
    for (link, target) in fields(tree, "symlinks") {
        symlink(target, place(link)).unwrap();
    }
    for (link, target) in fields(tree, "hardlinks") {
        fs::hard_link(place(target), place(link)).unwrap();
    }
    for (file, mode) in fields(tree, "modes") {
        let mode = u32::from_str_radix(mode.trim_start_matches("0o"), 8).unwrap();
        fs::set_permissions(place(file), fs::Permissions::from_mode(mode)).unwrap();
    }
    let is_folder = fs::metadata(base.join(&name)).is_ok_and(|found| found.is_dir());
    (name, is_folder)
}

/// The members, by looking at the folder with other means than ours.
fn look(base: &Path, name: &str, members: &mut Members) {
    use std::os::unix::fs::PermissionsExt;

    let path = base.join(name);
    let found = fs::metadata(&path).unwrap();
    if found.is_dir() {
        for entry in fs::read_dir(&path).unwrap() {
            let entry = entry.unwrap().file_name().into_string().unwrap();
            let below = if name == "." { entry } else { format!("{name}/{entry}") };
            look(base, &below, members);
        }
    } else {
        let is_executable = found.permissions().mode() & 0o100 != 0;
        members.insert(name.to_owned(), (fs::read(&path).unwrap(), is_executable));
    }
}

#[test]
fn trees_share_a_key_if_they_are_the_same() {
    let fixture: Value = serde_json::from_str(include_str!("../fixtures/context_trees.json")).unwrap();
    let mut keys: HashMap<String, (String, Members)> = HashMap::new();
    let mut compared = 0;
    for tree in fixture["trees"].as_array().unwrap() {
        let label = tree["name"].as_str().unwrap().to_owned();
        let folder = tempfile::tempdir().unwrap();
        let (name, is_folder) = make(tree, folder.path());
        let image = Image::base("a:1");
        let image = if is_folder {
            image.add_local_dir(name.as_str(), "/x")
        } else {
            image.add_local_file(&name, "/x")
        };
        let plan = match image.plan_with(&PlanOptions::default().base_dir(folder.path())) {
            Ok(plan) => plan,
            // What cannot be sent has no key.
            Err(error) => {
                assert!(error.to_string().contains(&name), "{label}: {error}");
                continue;
            }
        };
        let mut members = Members::new();
        look(folder.path(), &name, &mut members);
        let key = Context::from_plan(&plan).archives()[0].digest().unwrap().to_string();
        compared += 1;
        if let Some((other, same)) = keys.get(&key) {
            assert_eq!(&members, same, "{label} and {other} share a key");
        }
        let twin = keys.iter().find(|(_, (_, other))| *other == members);
        if let Some((other, (name, _))) = twin {
            assert_eq!(&key, other, "{label} and {name} are the same");
        }
        keys.insert(key, (label, members));
    }
    assert!(compared > 10, "{compared}");
}
