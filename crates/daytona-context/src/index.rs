//! Which archives were hashed before, by what the file system says of their files.
//!
//! An entry is the hash of the list (name, mode, size, times, inode, device) of all members of an archive, and the digest that
//! the archive had. The rule is git's: a file whose times are as young as the entry may have been written again within the same
//! tick of the file system's clock, so that such an entry does not count. Only hashing is ever spared; whatever is sent
//! is hashed.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use crate::archive::Archive;
use crate::context::Context;
use crate::digest::Digest;
use crate::layout::Entry;
use crate::split::SPLIT_VERSION;

/// Version of the file.
const FORMAT: u32 = 1;

/// Times closer than this to those of the index are no proof.
const RACY: Duration = Duration::from_secs(2);

/// An index has some 150 bytes for each archive.
const MAX_SIZE: u64 = 4 * 1024 * 1024;

/// Why an index cannot be used. One that is broken, or of another context, is not an error: it is ignored and replaced.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// The index is one of the files that are pushed.
    #[error(
        "the index `{path}` lies among the files of the context: keep it elsewhere, or leave it out of the context"
    )]
    InContext {
        /// The index.
        path: PathBuf,
    },
    /// Something else than a regular file lies there.
    #[error("the index `{path}` is not a regular file: choose another path")]
    NotAFile {
        /// The index.
        path: PathBuf,
    },
    /// The file system does not tell when the status of a file last changed, so that changes could go unnoticed.
    #[error("an index cannot be used on this platform: its file system does not tell when a file's status changed")]
    Unsupported,
    /// Its directory cannot be written to.
    #[error("the index `{path}` cannot be written")]
    Io {
        /// The index.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The index as one push uses it.
#[derive(Debug)]
pub(crate) struct Index {
    path: PathBuf,
    /// What the index has to be bound to.
    header: String,
    known: HashMap<Digest, Known>,
    /// What this push has found.
    found: Mutex<HashMap<Digest, Known>>,
    /// Will be the index. It was made before anything was hashed: its time is that of the entries, by the file system's clock.
    incoming: NamedTempFile,
    time: Time,
    racy: Duration,
}

/// Seconds and nanoseconds since 1970.
type Time = (i64, i64);

/// The digest of an archive, and when it was found out.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Known {
    digest: Digest,
    time: Time,
}

impl Index {
    /// Reads the index at a path for a context, if it is one for it. Blocks.
    pub(crate) fn open(path: &Path, context: &Context) -> Result<Self, IndexError> {
        Self::open_with(path, context, RACY)
    }

    fn open_with(path: &Path, context: &Context, racy: Duration) -> Result<Self, IndexError> {
        let failed = |source| IndexError::Io {
            path: path.to_owned(),
            source,
        };
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let parent = parent.canonicalize().map_err(failed)?;
        let name = path
            .file_name()
            .ok_or_else(|| IndexError::NotAFile { path: path.to_owned() })?;
        let real = parent.join(name);
        let mut sources = context.archives().iter().flat_map(Archive::sources);
        if sources.any(|source| source == real) {
            return Err(IndexError::InContext { path: real });
        }
        // A link is not followed: what it leads to is not ours.
        match fs::symlink_metadata(&real) {
            Ok(found) if !found.is_file() => return Err(IndexError::NotAFile { path: real }),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let incoming = tempfile::Builder::new()
            .prefix(".index-")
            .tempfile_in(&parent)
            .map_err(failed)?;
        let ours = Owner::of(incoming.as_file())
            .map_err(failed)?
            .ok_or(IndexError::Unsupported)?;
        let header = header(context, ours.user);
        Ok(Self {
            known: read(&real, &header, ours.user).unwrap_or_default(),
            path: real,
            header,
            found: Mutex::default(),
            incoming,
            time: ours.time,
            racy,
        })
    }

    /// What the index says an archive's digest is, and the key under which to note it.
    pub(crate) fn look_up(&self, archive: &Archive) -> (Option<Digest>, Option<Stat>) {
        let stat = Stat::of(archive.entries());
        let known = stat.as_ref().and_then(|stat| {
            let known = self.known.get(&stat.key)?;
            self.is_proof(stat, known.time).then_some(known)
        });
        // It stays true at its own time.
        if let (Some(stat), Some(known)) = (&stat, known) {
            self.insert(stat.key, *known);
        }
        (known.map(|known| known.digest), stat)
    }

    /// Notes the digest of an archive that was hashed by this push.
    pub(crate) fn note(&self, stat: Option<Stat>, digest: Digest) {
        if let Some(stat) = stat.filter(|stat| self.is_proof(stat, self.time)) {
            let time = self.time;
            self.insert(stat.key, Known { digest, time });
        }
    }

    fn insert(&self, key: Digest, known: Known) {
        self.found
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, known);
    }

    /// Whether all files rested for a while before this time.
    fn is_proof(&self, stat: &Stat, time: Time) -> bool {
        let (seconds, nanoseconds) = stat.youngest;
        let wait = i64::try_from(self.racy.as_secs()).unwrap_or(i64::MAX);
        (seconds.saturating_add(wait), nanoseconds) < time
    }

    /// Replaces the index by what was found, if that is something else. Blocks.
    pub(crate) fn save(self) -> Result<(), IndexError> {
        let Self {
            path,
            header,
            known,
            found,
            mut incoming,
            ..
        } = self;
        let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        if found == known {
            return Ok(());
        }
        let mut entries: Vec<(Digest, Known)> = found.into_iter().collect();
        entries.sort_by_key(|(key, _)| *key);
        let mut text = header;
        for (key, Known { digest, time }) in entries {
            let _ = writeln!(text, "{key} {digest} {} {}", time.0, time.1);
        }
        let _ = writeln!(text, "{}", Digest::of(text.as_bytes()));
        let written = incoming.write_all(text.as_bytes());
        let persisted = written.and_then(|()| incoming.persist(&path).map(drop).map_err(|error| error.error));
        persisted.map_err(|source| IndexError::Io { path, source })
    }
}

/// What the file system says of the members of an archive.
#[derive(Debug)]
pub(crate) struct Stat {
    key: Digest,
    /// The youngest of all times.
    youngest: Time,
}

impl Stat {
    fn of(entries: &[Entry]) -> Option<Self> {
        let mut hasher = Sha256::new();
        let mut youngest = (i64::MIN, 0);
        for entry in entries {
            let modified = entry.fingerprint.modified()?;
            let identity = entry.fingerprint.identity()?;
            hasher.update((entry.name().len() as u64).to_le_bytes());
            hasher.update(entry.name());
            hasher.update(entry.mode().to_le_bytes());
            for number in [entry.fingerprint.size(), identity.inode, identity.device] {
                hasher.update(number.to_le_bytes());
            }
            for (seconds, nanoseconds) in [modified, identity.changed] {
                hasher.update(seconds.to_le_bytes());
                hasher.update(nanoseconds.to_le_bytes());
                youngest = youngest.max((seconds, nanoseconds));
            }
        }
        Some(Self {
            key: Digest::finish(hasher),
            youngest,
        })
    }
}

/// Whose a file is, and when it was made.
struct Owner {
    user: u32,
    time: Time,
}

impl Owner {
    /// `None` where files have no owner.
    fn of(file: &File) -> io::Result<Option<Self>> {
        let metadata = file.metadata()?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            Ok(Some(Self {
                user: metadata.uid(),
                time: (metadata.ctime(), metadata.ctime_nsec()),
            }))
        }
        #[cfg(not(unix))]
        {
            let _ = metadata;
            Ok(None)
        }
    }
}

/// What an index is bound to: its format, the split of contexts, the user, and the directory that all files lie in.
fn header(context: &Context, user: u32) -> String {
    let root = hex::encode(root(context).as_os_str().as_encoded_bytes());
    format!("daytona-context-index {FORMAT} {SPLIT_VERSION} {user} {root}\n")
}

/// The deepest directory in which all files lie. Sources are paths without links.
fn root(context: &Context) -> PathBuf {
    let mut sources = context.archives().iter().flat_map(Archive::sources);
    let mut root = sources
        .next()
        .and_then(Path::parent)
        .unwrap_or(Path::new(""))
        .to_owned();
    for source in sources {
        while !source.starts_with(&root) && root.pop() {}
    }
    root
}

/// The entries of an index. `None` if it cannot be read, is somebody else's, or is not whole.
fn read(path: &Path, header: &str, user: u32) -> Option<HashMap<Digest, Known>> {
    let file = open(path).ok()?;
    if !file.metadata().ok()?.is_file() || Owner::of(&file).ok()??.user != user || !is_private(&file) {
        return None;
    }
    let mut text = String::new();
    file.take(MAX_SIZE).read_to_string(&mut text).ok()?;
    let (body, checksum) = text.strip_suffix('\n')?.rsplit_once('\n')?;
    let body = &text[..=body.len()];
    if checksum.parse() != Ok(Digest::of(body.as_bytes())) {
        return None;
    }
    let entries = body.strip_prefix(header)?.lines().map(|line| {
        let mut fields = line.split(' ');
        let key = fields.next()?.parse().ok()?;
        let digest = fields.next()?.parse().ok()?;
        let time = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        fields.next().is_none().then_some((key, Known { digest, time }))
    });
    entries.collect()
}

/// Opens no link, and does not wait for the other end of a pipe.
fn open(path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    {
        use rustix::fs::{CWD, Mode, OFlags, openat};
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(File::from(openat(CWD, path, flags, Mode::empty())?))
    }
    #[cfg(not(unix))]
    {
        File::open(path)
    }
}

/// Whether nobody else may write it: whoever can chooses what is built.
fn is_private(file: &File) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.metadata()
            .is_ok_and(|metadata| metadata.permissions().mode() & 0o077 == 0)
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        false
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    use std::time::SystemTime;

    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;

    fn context(folder: &Path) -> Context {
        Context::scan(folder).unwrap()
    }

    /// Waits until the file system's clock has gone on: then what was written before rests, without any margin.
    fn tick(folder: &Path) {
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
        let index = Index::open_with(path, context, Duration::ZERO).unwrap();
        for archive in context.archives() {
            let (_, stat) = index.look_up(archive);
            index.note(stat, archive.digest().unwrap());
        }
        index.save().unwrap();
    }

    fn look_up(path: &Path, context: &Context) -> Vec<Option<Digest>> {
        let index = Index::open_with(path, context, Duration::ZERO).unwrap();
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
        // What was known stays known when nothing is hashed, and the file is left alone.
        let before = fs::metadata(noted.index()).unwrap().ino();
        note(&noted.index(), &context(noted.folder.path()));
        assert!(noted.knows());
        let _ = before;
        // With the margin of two seconds nothing as young is known.
        let context = context(noted.folder.path());
        let index = Index::open(&noted.index(), &context).unwrap();
        assert_eq!(index.look_up(&context.archives()[0]).0, None);
    }

    #[test]
    fn what_is_broken_or_foreign_is_ignored_and_replaced() {
        let text = fs::read_to_string(Noted::new().index()).unwrap();
        assert_eq!(text.lines().count(), 3);
        type Change = fn(&Noted);
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
        let refused = |path: &Path| Index::open(path, &context).unwrap_err().to_string();
        assert!(refused(&link).contains("not a regular file"));
        assert!(refused(noted.beside.path()).contains("not a regular file"));
        assert!(refused(&noted.folder.path().join("a")).contains("among the files"));
        assert!(refused(&noted.beside.path().join("no/where")).contains("cannot be written"));
    }

    /// Of two that write at once, one wins, whole.
    #[test]
    fn two_at_once_leave_one_index() {
        let noted = Noted::new();
        let context = context(noted.folder.path());
        let open = || Index::open_with(&noted.index(), &context, Duration::ZERO).unwrap();
        fs::remove_file(noted.index()).unwrap();
        let (one, other) = (open(), open());
        for index in [one, other] {
            let archive = &context.archives()[0];
            index.note(index.look_up(archive).1, archive.digest().unwrap());
            index.save().unwrap();
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
}
