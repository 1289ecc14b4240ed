//! What tells whether a file is still the same.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

#[cfg(windows)]
use super::windows;

/// What tells whether a file is still the one that was planned, without reading it.
///
/// Size, time of the last modification, which file it is on its disk, and the time of its last status change. Windows tells
/// the time of its creation instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    pub(super) size: u64,
    /// Seconds and nanoseconds.
    pub(super) modified: Option<(i64, i64)>,
    pub(super) identity: Option<Identity>,
}

/// Which file it is, and when its status last changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// Number of the device that the file lies on.
    pub device: u64,
    /// Number of the file on its device.
    pub inode: u64,
    /// Time of the last status change, on Windows of the creation: seconds since 1970, and nanoseconds.
    pub changed: (i64, i64),
}

impl Fingerprint {
    /// The fingerprint of an open file.
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn of(file: &File) -> io::Result<Self> {
        #[cfg(windows)]
        {
            let found = winapi_util::file::information(file)?;
            Ok(Self {
                size: found.file_size(),
                modified: found.last_write_time().map(since_1970),
                identity: Some(Identity {
                    device: found.volume_serial_number(),
                    inode: found.file_index(),
                    changed: since_1970(found.creation_time().unwrap_or_default()),
                }),
            })
        }
        #[cfg(not(windows))]
        {
            file.metadata().map(|metadata| Self::from_metadata(&metadata))
        }
    }

    #[cfg(unix)]
    fn from_metadata(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self {
            size: metadata.len(),
            modified: Some((metadata.mtime(), metadata.mtime_nsec())),
            identity: Some(Identity {
                device: metadata.dev(),
                inode: metadata.ino(),
                changed: (metadata.ctime(), metadata.ctime_nsec()),
            }),
        }
    }

    #[cfg(not(any(unix, windows)))]
    fn from_metadata(metadata: &Metadata) -> Self {
        let modified = metadata
            .modified()
            .ok()
            .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        Self {
            size: metadata.len(),
            modified: modified
                .and_then(|since| Some((i64::try_from(since.as_secs()).ok()?, i64::from(since.subsec_nanos())))),
            identity: None,
        }
    }

    /// The fingerprint of what lies at a path without links. It is not opened where that is not needed.
    #[cfg_attr(not(windows), expect(clippy::unnecessary_wraps, reason = "the same on every system"))]
    pub(super) fn at(path: &Path, metadata: &Metadata) -> io::Result<Self> {
        #[cfg(windows)]
        {
            let _ = metadata;
            Self::of(&windows::look_at(path)?)
        }
        #[cfg(not(windows))]
        {
            let _ = path;
            Ok(Self::from_metadata(metadata))
        }
    }

    /// When the file was last modified: seconds since 1970, and nanoseconds.
    pub fn modified(&self) -> Option<(i64, i64)> {
        self.modified
    }

    /// Which file it is. `None` where the platform does not tell.
    pub fn identity(&self) -> Option<Identity> {
        self.identity
    }

    /// Size of the file in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

/// Seconds and nanoseconds of a time of Windows.
#[cfg(windows)]
fn since_1970(ticks: u64) -> (i64, i64) {
    /// From 1601, where times of Windows begin, to 1970.
    const SECONDS_TO_1970: i64 = 11_644_473_600;
    const TICKS_PER_SECOND: u64 = 10_000_000;

    let (seconds, rest) = (ticks / TICKS_PER_SECOND, ticks % TICKS_PER_SECOND);
    let nanoseconds = i64::try_from(rest * 100).unwrap_or_default();
    (
        i64::try_from(seconds).unwrap_or(i64::MAX) - SECONDS_TO_1970,
        nanoseconds,
    )
}

/// Whether the owner may execute a file. Where files have no such bit, all may be, as for Docker: they could not be run otherwise.
pub(super) fn is_executable(mode: Option<u32>) -> bool {
    mode.is_none_or(|mode| mode & 0o100 != 0)
}

/// The permissions of a file, where the system has any.
#[cfg_attr(unix, expect(clippy::unnecessary_wraps, reason = "not every system has them"))]
pub(super) fn mode(metadata: &Metadata) -> Option<u32> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        Some(metadata.permissions().mode() & 0o7777)
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        None
    }
}
