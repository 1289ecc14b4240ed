//! Files that survive a restart, and a process that is killed.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

/// What the names of files begin with that are not whole yet.
const UNFINISHED: &str = ".new-";

/// How often a file is tried to be replaced, and how long it takes between.
const PATIENCE: u32 = 40;
const PAUSE: Duration = Duration::from_millis(50);

/// A data directory that is this emulator's own until it is dropped, or its process ends.
#[derive(Debug)]
pub(crate) struct DataDir {
    _lock: File,
}

impl DataDir {
    /// Makes the folder where it is not there, for its owner alone, and takes it.
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
                    "{} is in use by another emulator: end that one, or give this one a folder of its own",
                    folder.display()
                );
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
            }
            Err(TryLockError::Error(error)) => return Err(named(&path)(error)),
        }
        sweep(folder)?;
        Ok(Self { _lock: lock })
    }
}

/// A folder that nobody but its owner can look into.
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

/// An error with the file or folder that it is about.
pub(crate) fn named(path: &Path) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Puts a file in the place of another: whoever reads finds the old one or the new one, never a part.
pub(crate) fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
    io::Write::write_all(&mut file, bytes)?;
    let mut tries = if cfg!(windows) { PATIENCE } else { 0 };
    // Windows replaces no file that somebody has open, as a virus scanner does for a moment.
    while let Err(failed) = file.persist(path) {
        if tries == 0 || !is_held(&failed.error) {
            return Err(named(path)(failed.error));
        }
        file = failed.file;
        tries -= 1;
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// Whether, on Windows, it may be for a program that has one of the files open: access denied, or a violation of a share or lock.
fn is_held(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(5 | 32 | 33))
}

#[cfg(all(test, windows))]
mod tests {
    use std::os::windows::fs::OpenOptionsExt;

    use super::*;

    /// As a virus scanner has it open: others may read and write, but not put another file in its place.
    #[test]
    fn a_file_that_somebody_reads_is_replaced_when_they_are_done() {
        const SHARE_READ_AND_WRITE: u32 = 3;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        std::fs::write(&path, "old").unwrap();
        let scanner = File::options()
            .read(true)
            .share_mode(SHARE_READ_AND_WRITE)
            .open(&path)
            .unwrap();
        let other = path.clone();
        let replacing = std::thread::spawn(move || replace_file(&other, b"new"));
        drop(scanner);
        replacing.join().unwrap().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        // Without end it is an error that names the file, and nothing is left beside it.
        let _scanner = File::options()
            .read(true)
            .share_mode(SHARE_READ_AND_WRITE)
            .open(&path)
            .unwrap();
        let error = replace_file(&path, b"newer").unwrap_err();
        assert!(error.to_string().contains("state.json"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
