//! Files and directories of Windows, opened without following a link, and where its links lead.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf, Prefix};

/// To open the link itself, and directories at all.
const AS_IT_IS: u32 = 0x0020_0000 | 0x0200_0000;
const READ_ATTRIBUTES: u32 = 0x80;
const SHARE_READ: u32 = 1;
const SHARE_WRITE: u32 = 2;
const SHARE_DELETE: u32 = 4;

/// Opens what is there to look at it, whoever else has it open.
pub(super) fn look_at(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .access_mode(READ_ATTRIBUTES)
        .share_mode(SHARE_READ | SHARE_WRITE | SHARE_DELETE)
        .custom_flags(AS_IT_IS)
        .open(path)
}

/// Opens a directory, but no link. While it is open, nobody can rename it or one above it, so that its path stays its own.
pub(super) fn hold(path: &Path) -> io::Result<File> {
    let directory = OpenOptions::new()
        .read(true)
        .share_mode(SHARE_READ | SHARE_WRITE)
        .custom_flags(AS_IT_IS)
        .open(path)?;
    if directory.metadata()?.is_dir() {
        Ok(directory)
    } else {
        Err(io::ErrorKind::NotADirectory.into())
    }
}

/// Opens a file to read it, but no link.
pub(super) fn read(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(AS_IT_IS).open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::ErrorKind::InvalidInput.into())
    }
}

/// A link's target as a path that begins at the root of a walk, if it lies there. Junctions always tell their targets in full.
pub(super) fn from_root(root: &Path, target: &Path) -> Option<PathBuf> {
    let mut rest = target.components();
    for component in root.components() {
        let is_same = match (component, rest.next()?) {
            (Component::Prefix(one), Component::Prefix(other)) => is_same_drive(one.kind(), other.kind()),
            (one, other) => one == other,
        };
        if !is_same {
            return None;
        }
    }
    Some(Path::new(r"\").join(rest.as_path()))
}

/// Whether both are one drive or one share, in whatever form of path.
fn is_same_drive(one: Prefix<'_>, other: Prefix<'_>) -> bool {
    match (one, other) {
        (Prefix::Disk(one) | Prefix::VerbatimDisk(one), Prefix::Disk(other) | Prefix::VerbatimDisk(other)) => {
            one.eq_ignore_ascii_case(&other)
        }
        (
            Prefix::UNC(host, share) | Prefix::VerbatimUNC(host, share),
            Prefix::UNC(other_host, other_share) | Prefix::VerbatimUNC(other_host, other_share),
        ) => host.eq_ignore_ascii_case(other_host) && share.eq_ignore_ascii_case(other_share),
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_target_below_the_root_begins_there() {
        for (root, target, found) in [
            (r"\\?\C:\ctx", r"C:\ctx\a\b", Some(r"\a\b")),
            (r"\\?\C:\ctx", r"c:\ctx", Some(r"\")),
            (r"\\?\C:\ctx", r"\\?\C:\ctx\a", Some(r"\a")),
            (r"\\?\UNC\host\share\ctx", r"\\host\Share\ctx\a", Some(r"\a")),
            (r"\\?\C:\ctx", r"C:\ctx2\a", None),
            (r"\\?\C:\ctx", r"D:\ctx\a", None),
            (r"\\?\C:\ctx", r"C:\", None),
            (r"\\?\C:\ctx", r"\ctx\a", None),
            (r"\\?\C:\ctx", r"a\b", None),
        ] {
            let said = from_root(Path::new(root), Path::new(target));
            assert_eq!(said.as_deref(), found.map(Path::new), "{root} {target}");
        }
    }
}
