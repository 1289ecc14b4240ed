//! Whether a name is the one that is on the disk, letter for letter.
//!
//! Disks of Windows and macOS find a file by names that are not its own: with other case, by a short form, with a dot behind it,
//! in another normal form of Unicode. Ignore rules and the archive know the file's own name only. So a name that was not read
//! from the disk itself is looked for in the listing of its directory. That also keeps out what is no name there but a path: on
//! Windows `a\b`, `C:` and `file:stream`.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::Path;

use super::directory::Directory;

/// Whether the disk may find a file by a name that is not its own.
const IS_LENIENT: bool = cfg!(any(windows, target_vendor = "apple"));

/// How a name stands in a directory.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    Exact,
    /// Only this one, which differs in case.
    Other(OsString),
    Missing,
}

/// Looks for a name in a directory, of whose entries no more than so many are read. Where every file has one name only, nothing is
/// read.
pub(super) fn of(directory: &Directory, name: &OsStr, most: usize) -> io::Result<Spelling> {
    if IS_LENIENT {
        Ok(among(directory.names(most)?, name))
    } else {
        Ok(Spelling::Exact)
    }
}

fn among(names: Vec<OsString>, wanted: &OsStr) -> Spelling {
    let folded = |name: &OsStr| name.to_string_lossy().to_lowercase();
    if names.iter().any(|name| name == wanted) {
        return Spelling::Exact;
    }
    let wanted = folded(wanted);
    let other = names.into_iter().find(|name| folded(name) == wanted);
    other.map_or(Spelling::Missing, Spelling::Other)
}

/// Whether a path below `root`, both without links, is spelled as on the disk.
pub(super) fn is_exact(root: &Path, path: &Path) -> bool {
    !IS_LENIENT || fs::canonicalize(root.join(path)).is_ok_and(|real| real.strip_prefix(root) == Ok(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_letter_for_letter() {
        let names = || ["app", "É.txt", "PROGRAMS"].map(OsString::from).to_vec();
        for (wanted, spelling) in [
            ("app", Spelling::Exact),
            ("App", Spelling::Other("app".into())),
            ("é.TXT", Spelling::Other("É.txt".into())),
            ("PROGRA~1", Spelling::Missing),
            ("app.", Spelling::Missing),
            ("C:", Spelling::Missing),
            ("app\\x", Spelling::Missing),
        ] {
            assert_eq!(among(names(), OsStr::new(wanted)), spelling, "{wanted}");
        }
    }
}
