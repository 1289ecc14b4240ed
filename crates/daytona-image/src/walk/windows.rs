//! Files and directories of Windows, opened without following a link.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::path::Path;

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
