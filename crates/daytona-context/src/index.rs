//! Which archives were hashed before, by what the file system says of their files.
//!
//! An entry is the hash of the list (name, mode, size, times, inode, device) of all members of an archive, and the digest that
//! the archive had. The rule is git's: a file whose times are as young as the entry may have been written again within the same
//! tick of the file system's clock, so that such an entry does not count. Only hashing is ever spared; whatever is sent
//! is hashed.

use std::collections::HashMap;
use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use crate::archive::Archive;
use crate::digest::Digest;
use crate::error::{ContextError, IndexError};
use crate::layout::Entry;
use crate::reading::HASHING;
use crate::split::SPLIT_VERSION;

#[cfg(test)]
#[cfg(unix)]
pub(crate) mod tests;

/// Version of the file.
const FORMAT: u32 = 1;

/// Times closer than this to those of the index are no proof.
const RACY: Duration = Duration::from_secs(2);

/// An index has some 150 bytes for each archive.
const MAX_SIZE: u64 = 4 * 1024 * 1024;

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
    /// Reads the index at a path for these archives, if it is one for them.
    pub(crate) async fn open(path: &Path, archives: &[Archive]) -> Result<Self, ContextError> {
        let (path, archives) = (path.to_owned(), archives.to_vec());
        Ok(HASHING.run(move || Self::open_with(&path, &archives, RACY)).await??)
    }

    /// [`open`](Self::open), with another margin around the times of files. Blocks.
    pub(crate) fn open_with(path: &Path, archives: &[Archive], racy: Duration) -> Result<Self, IndexError> {
        let failed = |source| IndexError::Io {
            path: path.to_owned(),
            source,
        };
        let name = path
            .file_name()
            .ok_or_else(|| IndexError::NotAFile { path: path.to_owned() })?;
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(parent).map_err(failed)?;
        let parent = parent.canonicalize().map_err(failed)?;
        let real = parent.join(name);
        let mut sources = archives.iter().flat_map(Archive::sources);
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
        let header = header(archives, ours.user);
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

    /// Replaces the index by what was found, if that is something else. If that fails, the next push has more to hash: a warning.
    pub(crate) async fn save(self) {
        let saved = HASHING.run(move || self.write()).await;
        let error: &(dyn Error + 'static) = match &saved {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error,
            Err(error) => error,
        };
        tracing::warn!(error, "the stat index was not saved");
    }

    /// [`save`](Self::save). Blocks.
    fn write(self) -> Result<(), IndexError> {
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
fn header(archives: &[Archive], user: u32) -> String {
    let root = hex::encode(root(archives).as_os_str().as_encoded_bytes());
    format!("daytona-context-index {FORMAT} {SPLIT_VERSION} {user} {root}\n")
}

/// The deepest directory in which all files lie. Sources are paths without links.
fn root(archives: &[Archive]) -> PathBuf {
    let mut sources = archives.iter().flat_map(Archive::sources);
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
            .is_ok_and(|metadata| metadata.permissions().mode().trailing_zeros() >= 6)
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        false
    }
}
