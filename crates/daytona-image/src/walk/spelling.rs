//! Whether a name is the one that is on the disk, letter for letter.
//!
//! Disks of Windows and macOS find a file by names that are not its own: with other case, by a short form, with a dot
//! behind it, in another normal form of Unicode. Ignore rules and the archive know the file's own name only. So a name
//! that was not read from the disk itself is looked for in the listing of its directory. That also keeps out what is no
//! name there but a path: on Windows `a\b`, `C:` and `file:stream`.

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
    /// Only this one, which differs in case or in its normal form.
    Other(OsString),
    Missing,
}

/// Looks for a name in a directory, and reads only a limited number of its entries. Where every file has one name only,
/// nothing is read.
pub(super) fn of(directory: &Directory, name: &OsStr, most: usize) -> io::Result<Spelling> {
    if !IS_LENIENT {
        return Ok(Spelling::Exact);
    }
    let names = directory.names(most)?;
    let spelling = among(&names, name);
    #[cfg(target_vendor = "apple")]
    if spelling == Spelling::Missing {
        return Ok(found_by(directory, names, name).map_or(Spelling::Missing, Spelling::Other));
    }
    Ok(spelling)
}

/// The entry that the disk finds by a name which none has: disks of macOS know a name in every normal form of Unicode.
#[cfg(any(target_vendor = "apple", all(unix, test)))]
fn found_by(directory: &Directory, names: Vec<OsString>, wanted: &OsStr) -> Option<OsString> {
    let wanted = directory.identity(wanted).ok()?;
    let is_it = |name: &OsString| directory.identity(name).is_ok_and(|found| found == wanted);
    names.into_iter().find(is_it)
}

/// Whether a name is written with combining characters where one character would do: an accent behind its letter, the
/// parts of a Korean syllable. So HFS+ of macOS wrote all names, and archives that were made there still have them.
pub(super) fn is_decomposed(name: &str) -> bool {
    name.chars().zip(name.chars().skip(1)).any(|pair| match pair {
        (letter, '\u{300}'..='\u{304}' | '\u{306}'..='\u{308}' | '\u{30a}'..='\u{30c}' | '\u{327}' | '\u{328}') => {
            letter.is_alphabetic()
        }
        (letter, '\u{3099}' | '\u{309a}') => matches!(letter, '\u{3041}'..='\u{30ff}'),
        (lead, vowel) => matches!(lead, '\u{1100}'..='\u{1112}') && matches!(vowel, '\u{1161}'..='\u{1175}'),
    })
}

fn among(names: &[OsString], wanted: &OsStr) -> Spelling {
    let folded = |name: &OsStr| name.to_string_lossy().to_lowercase();
    if names.iter().any(|name| name == wanted) {
        return Spelling::Exact;
    }
    let wanted = folded(wanted);
    let other = names.iter().find(|name| folded(name) == wanted);
    other.cloned().map_or(Spelling::Missing, Spelling::Other)
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
        let names = ["app", "É.txt", "PROGRAMS"].map(OsString::from);
        for (wanted, spelling) in [
            ("app", Spelling::Exact),
            ("App", Spelling::Other("app".into())),
            ("é.TXT", Spelling::Other("É.txt".into())),
            ("PROGRA~1", Spelling::Missing),
            ("app.", Spelling::Missing),
            ("C:", Spelling::Missing),
            ("app\\x", Spelling::Missing),
        ] {
            assert_eq!(among(&names, OsStr::new(wanted)), spelling, "{wanted}");
        }
    }

    /// A second name of a file stands for another normal form of its name.
    #[cfg(unix)]
    #[test]
    fn what_the_disk_finds_by_another_name_is_known_by_its_number() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        fs::create_dir(folder.path().join("c")).unwrap();
        fs::hard_link(folder.path().join("a"), folder.path().join("other")).unwrap();
        let directory = Directory::open_root(folder.path()).unwrap();
        let names = || ["c", "b", "a"].map(OsString::from).to_vec();
        let found = |name: &str| found_by(&directory, names(), OsStr::new(name));
        assert_eq!(found("other"), Some("a".into()));
        assert_eq!(found("c/."), Some("c".into()));
        assert_eq!(found("none"), None);
    }

    #[test]
    fn combining_characters_are_seen_where_one_would_do() {
        for name in [
            "caf\u{65}\u{301}",
            "A\u{30a}/x",
            "\u{1112}\u{1161}\u{11ab}",
            "\u{304b}\u{3099}",
        ] {
            assert!(is_decomposed(name), "{name}");
        }
        for name in ["café", "Å/x", "한", "が", "x", "", "\u{301}x", "1\u{301}", "👍\u{fe0f}"] {
            assert!(!is_decomposed(name), "{name}");
        }
    }
}
