//! Files that survive a restart, and a process that is killed.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

/// What the names of files begin with that are not whole yet.
const UNFINISHED: &str = ".new-";

/// A data directory that is this emulator's own until it is dropped, or its process ends.
#[derive(Debug)]
pub(crate) struct DataDir {
    lock: File,
}

/// A process that is just being started may hold a copy of the file for a moment, and with it the lock.
impl Drop for DataDir {
    fn drop(&mut self) {
        // What cannot be unlocked is unlocked when the last copy is closed.
        let _ = self.lock.unlock();
    }
}

impl DataDir {
    /// Makes the directory where it is not there, for its owner alone, and takes it.
    ///
    /// # Errors
    ///
    /// If another emulator has it, or it cannot be made or read.
    pub(crate) fn take(folder: &Path) -> io::Result<Self> {
        make_private_folder(folder)?;
        let path = folder.join("lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(named(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let message = format!(
                    "{} is in use by another emulator: stop that one, or use another directory",
                    folder.display()
                );
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
            }
            Err(TryLockError::Error(error)) => return Err(named(&path)(error)),
        }
        sweep(folder)?;
        Ok(Self { lock })
    }
}

/// A directory that nobody but its owner can look into.
pub(crate) fn make_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(named(folder))
}

/// A new file that nobody but its owner can read.
pub(crate) fn create_private_file(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Takes away what a killed process left unfinished.
pub(crate) fn sweep(folder: &Path) -> io::Result<()> {
    for file in std::fs::read_dir(folder).map_err(named(folder))? {
        let file = file.map_err(named(folder))?;
        if file.file_name().to_string_lossy().starts_with(UNFINISHED) {
            std::fs::remove_file(file.path()).map_err(named(&file.path()))?;
        }
    }
    Ok(())
}

/// An error with the file or directory that it is about.
pub(crate) fn named(path: &Path) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Puts a file in the place of another: whoever reads finds the old one or the new one, never a part.
pub(crate) fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    let mut file = builder.prefix(UNFINISHED).make_in(folder, create_private_file)?;
    io::Write::write_all(&mut file, bytes)?;
    // `NamedTempFile::persist` takes no long paths on Windows.
    std::fs::rename(file.path(), path)?;
    file.disable_cleanup(true);
    Ok(())
}

/// Whether a file could not be replaced for a program that may have it open. Windows lets a program do that: a virus scanner for
/// a moment, an editor for longer.
pub(crate) fn is_held(error: &io::Error) -> bool {
    const SHARING_VIOLATION: i32 = 32;
    const LOCK_VIOLATION: i32 = 33;

    let is_refused = error.kind() == io::ErrorKind::PermissionDenied
        || matches!(error.raw_os_error(), Some(SHARING_VIOLATION | LOCK_VIOLATION));
    cfg!(windows) && is_refused
}

#[cfg(test)]
mod tests {
    use super::DataDir;

    #[test]
    fn a_copy_of_the_file_in_a_child_process_does_not_keep_the_directory() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataDir::take(folder.path()).unwrap();
        // What a process has between its fork and its exec.
        let copy = first.lock.try_clone().unwrap();
        assert!(DataDir::take(folder.path()).is_err());
        drop(first);
        drop(DataDir::take(folder.path()).unwrap());
        drop(copy);
    }
}
