//! Opens the files of an archive.

use std::fs::File;
use std::io;
use std::path::Path;

/// Opens files one after the other. Those of one directory are opened relative to it, which spares the way through its
/// path.
#[derive(Debug, Default)]
pub(crate) struct Opener {
    #[cfg(unix)]
    folder: Option<(std::path::PathBuf, std::sync::Arc<std::os::fd::OwnedFd>)>,
}

#[cfg(unix)]
impl Opener {
    /// Opens a file by a path without links. No link is followed anywhere on the way, so that a directory that was
    /// replaced by one since the path was found is gone. What is not a file any more does not block.
    pub(crate) fn open(&mut self, path: &Path) -> io::Result<File> {
        use std::sync::Arc;

        use rustix::fs::{Mode, OFlags, openat};
        use rustix::io::Errno;

        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let known = self.folder.as_ref().filter(|(folder, _)| folder == parent);
        let folder = match known {
            Some((_, folder)) => Arc::clone(folder),
            None => {
                let opened = Arc::new(open_folder(parent)?);
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

/// Opens a directory component by component, none of which may be a link.
#[cfg(unix)]
fn open_folder(path: &Path) -> io::Result<std::os::fd::OwnedFd> {
    use std::path::Component;

    use rustix::fs::{CWD, Mode, OFlags, openat};
    use rustix::io::Errno;

    // Going through a directory takes the right to search it, not to list it, where the system can tell the two apart.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const ACCESS: OFlags = OFlags::PATH;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const ACCESS: OFlags = OFlags::RDONLY;
    let flags = ACCESS | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let start = if path.is_absolute() { "/" } else { "." };
    let mut folder = openat(CWD, start, flags, Mode::empty())?;
    for component in path.components() {
        let name = match component {
            Component::Normal(name) => name,
            Component::RootDir | Component::CurDir => continue,
            // A path without links has neither.
            Component::ParentDir | Component::Prefix(_) => return Err(io::ErrorKind::NotFound.into()),
        };
        folder = match openat(&folder, name, flags, Mode::empty()) {
            Ok(folder) => folder,
            Err(Errno::LOOP | Errno::NOTDIR) => return Err(io::ErrorKind::NotFound.into()),
            Err(error) => return Err(error.into()),
        };
    }
    Ok(folder)
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

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::symlink;

    use super::*;

    fn read(opener: &mut Opener, path: &Path) -> io::Result<String> {
        let mut text = String::new();
        opener.open(path)?.read_to_string(&mut text)?;
        Ok(text)
    }

    /// A directory that was replaced by a link since it was walked is gone, at whatever depth; nothing is read through it.
    #[test]
    fn no_link_is_followed_on_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("outside/b/c")).unwrap();
        fs::write(root.join("outside/b/c/file"), "foreign").unwrap();
        for swapped in ["a", "a/b", "a/b/c", "a/b/c/file"] {
            fs::create_dir_all(root.join("a/b/c")).unwrap();
            let file = root.join("a/b/c/file");
            fs::write(&file, "own").unwrap();
            assert_eq!(read(&mut Opener::default(), &file).unwrap(), "own");
            let other = root.join(swapped.replacen('a', "outside", 1));
            fs::rename(root.join(swapped), root.join("aside")).unwrap();
            symlink(other, root.join(swapped)).unwrap();
            let error = read(&mut Opener::default(), &file).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound, "{swapped}");
            fs::remove_file(root.join(swapped)).unwrap();
            fs::remove_dir_all(root.join("a")).unwrap_or_default();
            if root.join("aside").is_dir() {
                fs::remove_dir_all(root.join("aside")).unwrap();
            } else {
                fs::remove_file(root.join("aside")).unwrap();
            }
        }
    }

    #[test]
    fn files_of_one_folder_and_of_others() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let mut opener = Opener::default();
        for name in ["a/one", "a/two", "b/one"] {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, name).unwrap();
            assert_eq!(read(&mut opener, &path).unwrap(), name);
        }
        assert!(read(&mut opener, &root.join("b/none")).is_err());
    }
}
