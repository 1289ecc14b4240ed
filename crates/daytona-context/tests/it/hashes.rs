//! The hash of a tree: the same however, whenever and wherever the tree was made, and another after every edit that counts.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use daytona_context::{Context, Digest};
use proptest::prelude::*;

/// Of each file its text, and whether its owner may execute it.
type Tree = BTreeMap<String, (String, bool)>;

fn trees() -> impl Strategy<Value = Tree> {
    let name = "([a-c]{1,2}/){0,2}[a-c]{1,3}\\.f";
    prop::collection::btree_map(name, ("[a-z]{0,12}", any::<bool>()), 1..8)
}

/// How a tree comes to be, none of which counts.
#[derive(Debug, Clone)]
struct Making {
    order: Vec<prop::sample::Index>,
    umask: &'static str,
    modified: u32,
    owner: u16,
    parent: String,
}

fn makings() -> impl Strategy<Value = Making> {
    (
        prop::collection::vec(any::<prop::sample::Index>(), 8),
        prop::sample::select(vec!["000", "002", "022", "027", "077"]),
        0..2_000_000_000_u32,
        1..60_000_u16,
        "[a-z]{1,8}(/[a-z]{1,8}){0,2}",
    )
        .prop_map(|(order, umask, modified, owner, parent)| Making {
            order,
            umask,
            modified,
            owner,
            parent,
        })
}

/// Makes one file. Another owner only where it may.
const SCRIPT: &str = r#"
set -e
umask "$1"; modified=$2; owner=$3; root=$4; shift 4
while [ $# -gt 0 ]; do
    path="$root/$1"
    mkdir -p "$(dirname "$path")"
    printf %s "$2" > "$path"
    if [ "$3" = true ]; then chmod u+x "$path"; fi
    touch -d "@$modified" "$path"
    if [ "$(id -u)" = 0 ]; then chown "$owner:$owner" "$path"; fi
    shift 3
done
"#;

/// Makes the tree in a process of its own, whose umask is its own.
fn make(tree: &Tree, making: &Making, base: &Path) -> Digest {
    let root = base.join(&making.parent);
    fs::create_dir_all(&root).unwrap();
    let mut left: Vec<_> = tree.iter().collect();
    let mut command = Command::new("sh");
    command.args(["-c", SCRIPT, "sh", making.umask]);
    command.arg(making.modified.to_string()).arg(making.owner.to_string());
    command.arg(&root);
    for index in &making.order {
        if left.is_empty() {
            break;
        }
        let (name, (text, is_executable)) = left.remove(index.index(left.len()));
        command.args([name, text, &is_executable.to_string()]);
    }
    assert!(command.status().unwrap().success());
    digest(&root)
}

fn digest(root: &Path) -> Digest {
    Context::scan(root).unwrap().archives()[0].digest().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn order_umask_time_owner_and_place_do_not_count(tree in trees(), one in makings(), other in makings()) {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        prop_assert_eq!(make(&tree, &one, first.path()), make(&tree, &other, second.path()));
    }

    #[test]
    fn every_edit_counts(tree in trees(), place in any::<prop::sample::Index>(), text in "[A-Z]{1,5}") {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for (name, (text, is_executable)) in &tree {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(if *is_executable { 0o755 } else { 0o644 })).unwrap();
        }
        let (name, (content, is_executable)) = tree.iter().nth(place.index(tree.len())).unwrap();
        let path = root.join(name);
        let before = digest(root);
        let set_mode = |is_executable: bool| {
            let mode = if is_executable { 0o700 } else { 0o600 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        };

        // Other bytes, more bytes, fewer bytes.
        let replaced: String = content.chars().map(|letter| letter.to_ascii_uppercase()).collect();
        for edited in [replaced, format!("{content}{text}"), String::new()] {
            fs::write(&path, &edited).unwrap();
            prop_assert_eq!(digest(root) == before, edited == *content);
        }
        fs::write(&path, content).unwrap();
        prop_assert_eq!(digest(root), before);

        set_mode(!is_executable);
        prop_assert_ne!(digest(root), before);
        set_mode(*is_executable);
        prop_assert_eq!(digest(root), before);

        let added = root.join(&text);
        fs::write(&added, "").unwrap();
        prop_assert_ne!(digest(root), before);
        fs::rename(&path, &added).unwrap();
        prop_assert_ne!(digest(root), before);
        fs::rename(&added, &path).unwrap();
        prop_assert_eq!(digest(root), before);

        // Where it was the only file there is no archive at all.
        fs::remove_file(&path).unwrap();
        let after = Context::scan(root).unwrap().archives().first().map(|archive| archive.digest().unwrap());
        prop_assert_ne!(after, Some(before));
    }
}
