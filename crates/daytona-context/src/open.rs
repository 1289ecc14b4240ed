//! Opens the files of an archive.

use std::fs::File;
use std::io;
use std::path::Path;

/// Opens files one after the other. Those of one folder are opened relative to it, which spares the way through its path.
#[derive(Debug, Default)]
pub(crate) struct Opener {
    #[cfg(unix)]
    folder: Option<(std::path::PathBuf, std::sync::Arc<std::os::fd::OwnedFd>)>,
}

#[cfg(unix)]
impl Opener {
    /// Opens a file, but no link. What is not a file any more does not block.
    pub(crate) fn open(&mut self, path: &Path) -> io::Result<File> {
        use std::sync::Arc;

        use rustix::fs::{CWD, Mode, OFlags, openat};
        use rustix::io::Errno;

        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let known = self.folder.as_ref().filter(|(folder, _)| folder == parent);
        let folder = match known {
            Some((_, folder)) => Arc::clone(folder),
            None => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
                let opened = Arc::new(openat(CWD, parent, flags, Mode::empty())?);
                self.folder = Some((parent.to_owned(), Arc::clone(&opened)));
                opened
            }
        };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match openat(&*folder, name, flags, Mode::empty()) {
            Ok(file) => Ok(File::from(file)),
            // A link lies there now: the file is gone.
            Err(Errno::LOOP) => Err(io::ErrorKind::NotFound.into()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(not(unix))]
impl Opener {
    #[expect(clippy::unused_self, reason = "the same on every system")]
    pub(crate) fn open(&mut self, path: &Path) -> io::Result<File> {
        #[cfg(windows)]
        {
            use std::os::windows::fs::OpenOptionsExt;

            /// To open the link itself, which is not the file that was planned.
            const OPEN_REPARSE_POINT: u32 = 0x0020_0000;
            File::options().read(true).custom_flags(OPEN_REPARSE_POINT).open(path)
        }
        #[cfg(not(windows))]
        {
            File::open(path)
        }
    }
}
