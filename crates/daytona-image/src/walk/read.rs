//! The one way to read a small local file: a Dockerfile, ignore rules, requirements, a `pyproject.toml`.
//!
//! Only a regular file inside its directory is read, and never more of it than [`LARGEST_TEXT`]. Links are followed
//! with the directory as the root of everything, so that none leads out; a FIFO or a device is not waited for.

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use super::directory::{Directory, Entry};
use super::within::{self, Free, Lost};

/// A larger text is refused.
pub const LARGEST_TEXT: u64 = 4 * 1024 * 1024;

/// Why a small file cannot be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// Nothing has this name.
    NotFound,
    /// It is a directory.
    Folder,
    /// It is a FIFO, socket or device.
    Special,
    /// It is a link that leads out of its directory, or to nothing in it.
    LinkOut,
    /// It is a link that leads back to itself.
    LinkLoop,
    /// It is larger than [`LARGEST_TEXT`].
    TooLarge,
    /// It is not UTF-8.
    NotUnicode,
    /// It holds a NUL.
    Nul {
        /// In which line, counted from 1.
        line: usize,
    },
    /// The system refuses.
    Io(io::Error),
}

impl fmt::Display for ReadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => formatter.write_str("does not exist: check the spelling"),
            Self::Folder => formatter.write_str("is a folder, not a file"),
            Self::Special => {
                formatter.write_str("is a FIFO, socket or device, which is not read: put a regular file there")
            }
            Self::LinkOut => formatter.write_str(
                "is a link that leads to nothing inside of its folder, and is not followed: put the file itself there",
            ),
            Self::LinkLoop => formatter.write_str("is a link that leads back to itself"),
            Self::TooLarge => write!(
                formatter,
                "is larger than {LARGEST_TEXT} bytes, which is the most that is read of such a file"
            ),
            Self::NotUnicode => formatter.write_str("is not UTF-8 text: save it as UTF-8"),
            Self::Nul { line } => write!(formatter, "holds a NUL in line {line}: it is no text"),
            Self::Io(error) if is_in_use(error) => {
                formatter.write_str("cannot be read, as another program has it open: close it there")
            }
            Self::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                write!(formatter, "cannot be read ({error}): check its permissions")
            }
            Self::Io(error) => write!(formatter, "cannot be read: {error}"),
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

/// Whether another program has the file open and shares it with nobody. Only Windows lets a program do that.
pub fn is_in_use(error: &io::Error) -> bool {
    const SHARING_VIOLATION: i32 = 32;
    const LOCK_VIOLATION: i32 = 33;

    cfg!(windows) && matches!(error.raw_os_error(), Some(SHARING_VIOLATION | LOCK_VIOLATION))
}

/// Reads the text at `name` below the directory `root`. The way to `root` may go through links, `name` only through
/// those that stay inside.
///
/// # Errors
///
/// [`ReadError`], which says why.
pub fn read_text(root: &Path, name: &Path) -> Result<String, ReadError> {
    let text = read_lines(root, name)?;
    match text.find('\0') {
        Some(nul) => Err(ReadError::Nul {
            line: text[..nul].matches('\n').count() + 1,
        }),
        None => Ok(text),
    }
}

/// Like [`read_text`], for a text that may hold a NUL: a `.dockerignore` may.
pub(super) fn read_lines(root: &Path, name: &Path) -> Result<String, ReadError> {
    let root = fs::canonicalize(root).map_err(missing)?;
    let root = Directory::open_root(&root).map_err(missing)?;
    let reached = within::resolve(&root, Path::new(""), name, &Free).map_err(|lost| match lost {
        Lost::Nothing { .. } if is_link(&root, name) => ReadError::LinkOut,
        Lost::Nothing { outside: Some(_) } => ReadError::LinkOut,
        Lost::Nothing { outside: None } => ReadError::NotFound,
        Lost::Loop => ReadError::LinkLoop,
        Lost::Failed(error) => ReadError::Io(error),
    })?;
    match reached.entry {
        Entry::File { .. } => {}
        Entry::Directory => return Err(ReadError::Folder),
        Entry::Link | Entry::Special => return Err(ReadError::Special),
    }
    let file = reached.parent.open_file(&reached.name).map_err(ReadError::Io)?;
    // Something may have been put in its place since.
    let metadata = file.metadata().map_err(ReadError::Io)?;
    if !metadata.is_file() {
        return Err(ReadError::Special);
    }
    if metadata.len() > LARGEST_TEXT {
        return Err(ReadError::TooLarge);
    }
    let mut bytes = Vec::new();
    file.take(LARGEST_TEXT + 1)
        .read_to_end(&mut bytes)
        .map_err(ReadError::Io)?;
    if bytes.len() as u64 > LARGEST_TEXT {
        return Err(ReadError::TooLarge);
    }
    String::from_utf8(bytes).map_err(|_| ReadError::NotUnicode)
}

fn missing(error: io::Error) -> ReadError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ReadError::NotFound,
        _ => ReadError::Io(error),
    }
}

/// Whether the last component is a link itself.
fn is_link(root: &Directory, name: &Path) -> bool {
    let (Some(parent), Some(last)) = (name.parent(), name.file_name()) else {
        return false;
    };
    let parent = within::resolve(root, Path::new(""), parent, &Free)
        .and_then(|reached| reached.parent.open(&reached.name).map_err(Lost::Failed));
    parent.is_ok_and(|parent| matches!(parent.look(last), Ok(Entry::Link)))
}
