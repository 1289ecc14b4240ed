//! The index under every kind of change.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::time::SystemTime;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::context::Context;

fn context(folder: &Path) -> Context {
    Context::scan(folder).unwrap()
}

/// Waits until the file system's clock has gone on: then what was written before rests, without any margin.
pub(crate) fn tick(folder: &Path) {
    let now = || {
        Owner::of(&tempfile::tempfile_in(folder).unwrap())
            .unwrap()
            .unwrap()
            .time
    };
    let before = now();
    while now() <= before {}
}

/// Notes all archives as they are.
fn note(path: &Path, context: &Context) {
    let index = Index::open_with(path, context.archives(), Duration::ZERO).unwrap();
    for archive in context.archives() {
        let (_, stat) = index.look_up(archive);
        index.note(stat, archive.digest().unwrap());
    }
    index.write().unwrap();
}

fn look_up(path: &Path, context: &Context) -> Vec<Option<Digest>> {
    let index = Index::open_with(path, context.archives(), Duration::ZERO).unwrap();
    context
        .archives()
        .iter()
        .map(|archive| index.look_up(archive).0)
        .collect()
}

fn digests(context: &Context) -> Vec<Option<Digest>> {
    context
        .archives()
        .iter()
        .map(|archive| Some(archive.digest().unwrap()))
        .collect()
}

struct Noted {
    beside: TempDir,
    folder: TempDir,
}

impl Noted {
    fn new() -> Self {
        let noted = Self {
            beside: tempfile::tempdir().unwrap(),
            folder: tempfile::tempdir().unwrap(),
        };
        for (name, text) in [("a", "alpha"), ("b", "beta"), ("c", "gamma")] {
            fs::write(noted.folder.path().join(name), text).unwrap();
        }
        tick(noted.folder.path());
        note(&noted.index(), &context(noted.folder.path()));
        noted
    }

    fn index(&self) -> PathBuf {
        self.beside.path().join("index")
    }

    fn knows(&self) -> bool {
        let context = context(self.folder.path());
        look_up(&self.index(), &context) == digests(&context)
    }
}

#[test]
fn what_rests_is_known() {
    let noted = Noted::new();
    assert!(noted.knows());
    let mode = fs::metadata(noted.index()).unwrap().mode();
    assert_eq!(mode & 0o7777, 0o600);
    // What was known stays known.
    note(&noted.index(), &context(noted.folder.path()));
    assert!(noted.knows());
    // With the margin of two seconds nothing as young is known.
    let context = context(noted.folder.path());
    let index = Index::open_with(&noted.index(), context.archives(), RACY).unwrap();
    assert_eq!(index.look_up(&context.archives()[0]).0, None);
}

type Change = fn(&Noted);

#[test]
fn what_is_broken_or_foreign_is_ignored_and_replaced() {
    let text = fs::read_to_string(Noted::new().index()).unwrap();
    assert_eq!(text.lines().count(), 3);
    let changes: [(&str, Change); 7] = [
        ("empty", |noted| fs::write(noted.index(), "").unwrap()),
        ("binary", |noted| fs::write(noted.index(), [0xff; 1000]).unwrap()),
        ("cut", |noted| {
            let text = fs::read(noted.index()).unwrap();
            fs::write(noted.index(), &text[..text.len() - 70]).unwrap();
        }),
        ("changed", |noted| {
            let text = fs::read_to_string(noted.index()).unwrap();
            fs::write(noted.index(), text.replace(' ', "  ")).unwrap();
        }),
        ("for all to read", |noted| {
            fs::set_permissions(noted.index(), fs::Permissions::from_mode(0o644)).unwrap();
        }),
        ("of another split", |noted| {
            let text = fs::read_to_string(noted.index()).unwrap();
            let (body, _) = text.trim_end().rsplit_once('\n').unwrap();
            let body = body.replacen(&format!(" {SPLIT_VERSION} "), " 0 ", 1) + "\n";
            let sum = Digest::of(body.as_bytes());
            fs::write(noted.index(), format!("{body}{sum}\n")).unwrap();
        }),
        ("of another directory", |noted| {
            let other = Noted::new();
            fs::copy(other.index(), noted.index()).unwrap();
        }),
    ];
    for (name, change) in changes {
        let noted = Noted::new();
        change(&noted);
        assert!(!noted.knows(), "{name}");
        note(&noted.index(), &context(noted.folder.path()));
        assert!(noted.knows(), "{name}");
    }
}

#[test]
fn links_directories_and_members_are_refused() {
    let noted = Noted::new();
    let context = context(noted.folder.path());
    let link = noted.beside.path().join("link");
    symlink(noted.index(), &link).unwrap();
    let refused = |path: &Path| {
        Index::open_with(path, context.archives(), RACY)
            .unwrap_err()
            .to_string()
    };
    assert!(refused(&link).contains("not a regular file"));
    assert!(refused(noted.beside.path()).contains("not a regular file"));
    assert!(refused(&noted.folder.path().join("a")).contains("among the files"));
    assert!(refused(&noted.index().join("no/where")).contains("cannot be written"));
}

/// Of two that write at once, one wins, whole.
#[test]
fn two_at_once_leave_one_index() {
    let noted = Noted::new();
    let context = context(noted.folder.path());
    let open = || Index::open_with(&noted.index(), context.archives(), Duration::ZERO).unwrap();
    fs::remove_file(noted.index()).unwrap();
    let (one, other) = (open(), open());
    for index in [one, other] {
        let archive = &context.archives()[0];
        index.note(index.look_up(archive).1, archive.digest().unwrap());
        index.write().unwrap();
    }
    assert!(noted.knows());
    assert_eq!(
        fs::read_dir(noted.beside.path()).unwrap().count(),
        1,
        "nothing is left over"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is done to the files, what the index says is never wrong; and what changed is not known.
    #[test]
    fn every_change_is_noticed(steps in prop::collection::vec((0_usize..8, 0_usize..3), 1..5)) {
        let noted = Noted::new();
        let root = noted.folder.path();
        let mut before = digests(&context(root));
        for (kind, file) in steps {
            let path = root.join(["a", "b", "c"][file]);
            let old = fs::read(&path).unwrap();
            let metadata = fs::metadata(&path).unwrap();
            let times = fs::FileTimes::new().set_modified(metadata.modified().unwrap());
            let restore = |path: &Path| File::options().write(true).open(path).unwrap().set_times(times).unwrap();
            let changed: Vec<u8> = old.iter().map(|byte| byte ^ 1).collect();
            match kind {
                // The same size, and the time set back.
                0 => { fs::write(&path, &changed).unwrap(); restore(&path); }
                1 => { fs::write(&path, &old[..old.len() / 2]).unwrap(); restore(&path); }
                // Another file under the name, with the time of the old one.
                2 => {
                    let other = noted.beside.path().join("other");
                    fs::write(&other, &changed).unwrap();
                    restore(&other);
                    fs::rename(&other, &path).unwrap();
                }
                3 => {
                    let mode = metadata.mode() ^ 0o100;
                    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
                }
                4 => {
                    let file = File::options().write(true).open(&path).unwrap();
                    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
                }
                // Two files change their names.
                5 => {
                    let (other, between) = (root.join(["b", "c", "a"][file]), noted.beside.path().join("x"));
                    fs::rename(&path, &between).unwrap();
                    fs::rename(&other, &path).unwrap();
                    fs::rename(&between, &other).unwrap();
                }
                6 => { fs::write(&path, [old.as_slice(), b"more"].concat()).unwrap(); }
                _ => { fs::write(root.join("d"), "another").unwrap(); fs::remove_file(root.join("d")).unwrap(); }
            }
            let context = context(root);
            let (said, true_ones) = (look_up(&noted.index(), &context), digests(&context));
            for (said, truth) in said.iter().zip(&true_ones) {
                prop_assert!(said.is_none() || said == truth, "{kind}");
            }
            if true_ones != before {
                prop_assert_eq!(&said, &vec![None; said.len()], "{}", kind);
            }
            tick(root);
            note(&noted.index(), &context);
            prop_assert_eq!(look_up(&noted.index(), &context), digests(&context));
            before = true_ones;
        }
    }
}
