//! An open directory, whose entries are looked at without going through its path again.

use super::fingerprint::Fingerprint;

#[cfg(not(unix))]
pub(super) use portable::{Directory, check_length};
#[cfg(unix)]
pub(super) use unix::{Directory, check_length};

/// What an entry is, without following it.
#[derive(Debug)]
pub(super) enum Entry {
    Directory,
    File {
        /// Its permissions, where the system has any.
        mode: Option<u32>,
        fingerprint: Fingerprint,
    },
    Link,
    Special,
}

#[cfg(unix)]
mod unix {
    use std::ffi::{OsStr, OsString};
    use std::fs::File;
    use std::io;
    use std::os::fd::OwnedFd;
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    use std::path::{Path, PathBuf};

    use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, openat, readlinkat, statat};
    use rustix::io::Errno;

    use super::{Entry, Fingerprint};
    use crate::walk::Identity;

    /// The system's limit of a path, with the zero at its end.
    const LONGEST_PATH: usize = if cfg!(any(target_os = "linux", target_os = "android")) {
        4096
    } else {
        1024
    };

    /// Whether a directory can be opened by a path of this length later, to read its files. It also bounds the depth of
    /// the walk.
    pub(crate) fn check_length(length: usize) -> io::Result<()> {
        if length < LONGEST_PATH {
            Ok(())
        } else {
            Err(Errno::NAMETOOLONG.into())
        }
    }

    #[derive(Debug)]
    pub(crate) struct Directory(OwnedFd);

    const FLAGS: OFlags = OFlags::RDONLY
        .union(OFlags::DIRECTORY)
        .union(OFlags::NOFOLLOW)
        .union(OFlags::CLOEXEC);

    impl Directory {
        /// Opens a directory by a path without links.
        pub(crate) fn open_root(path: &Path) -> io::Result<Self> {
            Ok(Self(openat(CWD, path, FLAGS, Mode::empty())?))
        }

        /// Opens a directory in this one; fails if it is a link.
        pub(crate) fn open(&self, name: &OsStr) -> io::Result<Self> {
            Ok(Self(openat(&self.0, name, FLAGS, Mode::empty())?))
        }

        /// Opens a file in this one, but no link. What is no regular file does not block.
        pub(crate) fn open_file(&self, name: &OsStr) -> io::Result<File> {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
            Ok(File::from(openat(&self.0, name, flags, Mode::empty())?))
        }

        /// The target of a link.
        pub(crate) fn read_link(&self, name: &OsStr) -> io::Result<PathBuf> {
            let target = readlinkat(&self.0, name, Vec::new())?;
            Ok(PathBuf::from(OsString::from_vec(target.into_bytes())))
        }

        /// The names of its entries, at most this many.
        pub(crate) fn names(&self, most: usize) -> io::Result<Vec<OsString>> {
            let mut names = Vec::new();
            for entry in Dir::read_from(&self.0)? {
                if names.len() == most {
                    break;
                }
                let entry = entry?;
                let name = OsStr::from_bytes(entry.file_name().to_bytes());
                if name != "." && name != ".." {
                    names.push(name.to_owned());
                }
            }
            Ok(names)
        }

        /// Which file or directory it is, by the numbers of its device and on it.
        #[cfg(any(target_vendor = "apple", test))]
        pub(crate) fn identity(&self, name: &OsStr) -> io::Result<(u64, u64)> {
            let stat = statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?;
            let identity = fingerprint(&stat).identity;
            Ok(identity.map_or_else(Default::default, |identity| (identity.device, identity.inode)))
        }

        pub(crate) fn look(&self, name: &OsStr) -> io::Result<Entry> {
            let stat = statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?;
            Ok(match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => Entry::Directory,
                FileType::Symlink => Entry::Link,
                FileType::RegularFile => Entry::File {
                    mode: Some(permissions(&stat)),
                    fingerprint: fingerprint(&stat),
                },
                _ => Entry::Special,
            })
        }
    }

    #[cfg_attr(
        any(target_os = "linux", target_os = "android"),
        expect(clippy::useless_conversion, reason = "its type differs between systems")
    )]
    fn permissions(stat: &Stat) -> u32 {
        u32::from(stat.st_mode) & 0o7777
    }

    #[expect(
        clippy::unnecessary_cast,
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss,
        reason = "the fields' types differ between systems; a size and an inode are never negative, a fraction of a second is small"
    )]
    fn fingerprint(stat: &Stat) -> Fingerprint {
        Fingerprint {
            size: stat.st_size as u64,
            modified: Some((stat.st_mtime as i64, stat.st_mtime_nsec as i64)),
            identity: Some(Identity {
                device: stat.st_dev as u64,
                inode: stat.st_ino as u64,
                changed: (stat.st_ctime as i64, stat.st_ctime_nsec as i64),
            }),
        }
    }
}

#[cfg(not(unix))]
mod portable {
    use std::ffi::{OsStr, OsString};
    use std::fs;
    use std::io;
    use std::path::{Path, PathBuf};

    use super::{Entry, Fingerprint};
    #[cfg(windows)]
    use crate::walk::windows;

    /// Whether a directory can be opened by its path: it was, by that path.
    #[expect(clippy::unnecessary_wraps, reason = "the same on every system")]
    pub(crate) fn check_length(_length: usize) -> io::Result<()> {
        Ok(())
    }

    #[derive(Debug)]
    pub(crate) struct Directory {
        path: PathBuf,
        #[cfg(windows)]
        _held: fs::File,
    }

    impl Directory {
        #[cfg(windows)]
        pub(crate) fn open_root(path: &Path) -> io::Result<Self> {
            Ok(Self {
                _held: windows::hold(path)?,
                path: path.to_owned(),
            })
        }

        #[cfg(not(windows))]
        pub(crate) fn open_root(path: &Path) -> io::Result<Self> {
            if fs::symlink_metadata(path)?.is_dir() {
                Ok(Self { path: path.to_owned() })
            } else {
                Err(io::ErrorKind::NotADirectory.into())
            }
        }

        /// Where it lies.
        #[cfg(windows)]
        pub(crate) fn path(&self) -> &Path {
            &self.path
        }

        pub(crate) fn open(&self, name: &OsStr) -> io::Result<Self> {
            // With `.` at its end a path that Windows takes to the letter names nothing.
            if name == "." {
                Self::open_root(&self.path)
            } else {
                Self::open_root(&self.path.join(name))
            }
        }

        pub(crate) fn open_file(&self, name: &OsStr) -> io::Result<fs::File> {
            let path = self.path.join(name);
            #[cfg(windows)]
            {
                windows::read(&path)
            }
            #[cfg(not(windows))]
            {
                if fs::symlink_metadata(&path)?.is_file() {
                    fs::File::open(path)
                } else {
                    Err(io::ErrorKind::InvalidInput.into())
                }
            }
        }

        pub(crate) fn read_link(&self, name: &OsStr) -> io::Result<PathBuf> {
            fs::read_link(self.path.join(name))
        }

        pub(crate) fn names(&self, most: usize) -> io::Result<Vec<OsString>> {
            fs::read_dir(&self.path)?
                .take(most)
                .map(|entry| entry.map(|entry| entry.file_name()))
                .collect()
        }

        pub(crate) fn look(&self, name: &OsStr) -> io::Result<Entry> {
            let path = self.path.join(name);
            let metadata = fs::symlink_metadata(&path)?;
            Ok(if metadata.is_dir() {
                Entry::Directory
            } else if metadata.is_symlink() {
                Entry::Link
            } else if metadata.is_file() {
                Entry::File {
                    mode: None,
                    fingerprint: Fingerprint::at(&path, &metadata)?,
                }
            } else {
                Entry::Special
            })
        }
    }
}
