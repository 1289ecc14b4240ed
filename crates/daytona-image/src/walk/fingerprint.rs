//! What tells whether a file is still the same.

use std::fs::Metadata;

/// What tells whether a file is still the one that was planned, without reading it.
///
/// Taken from the file's metadata: size, time of the last modification, and on Unix the inode and the time of the last status
/// change.
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
    /// Time of the last status change: seconds since 1970, and nanoseconds.
    pub changed: (i64, i64),
}

impl Fingerprint {
    /// The fingerprint of a file with this metadata.
    pub fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        {
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
        #[cfg(not(unix))]
        {
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

/// Whether the owner may execute it. Where files have no such bit, all may be.
pub(super) fn is_executable(metadata: &Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        metadata.permissions().mode() & 0o100 != 0
    }
    #[cfg(not(unix))]
    {
        // As for Docker: what has no such bit could not be run otherwise.
        let _ = metadata;
        true
    }
}
