//! The bytes of an archive.

use std::collections::BTreeMap;
use std::io::Read;

use daytona_context::{Context, Digest, ReadError};
use daytona_image::Image;

use crate::support::{archive, bytes, folder, write};

/// If this changes, every hash changes, and with it what is stored: a breaking release. Python's tarfile makes the same
/// bytes in its USTAR format, except for the zeros after the end.
#[test]
fn the_bytes_are_pinned() {
    let folder = folder(&[("a.txt", b"alpha"), ("sub/b", b""), ("sub-c", &[9; 600])]);
    let archive = archive(folder.path());
    assert_eq!(archive.size(), 512 * (2 + 1 + 3 + 2));
    assert_eq!(
        archive.digest().unwrap().to_string(),
        "5fcb6e8a188c7f86dd0b63198e30ca4d4d84f9ae45a01dcf6ab98d693b82431a"
    );
    let bytes = bytes(&archive);
    let mut first = [0; 512];
    first[..7].copy_from_slice(b"d/a.txt");
    first[100..108].copy_from_slice(b"0000644\0");
    first[108..116].copy_from_slice(b"0000000\0");
    first[116..124].copy_from_slice(b"0000000\0");
    first[124..136].copy_from_slice(b"00000000005\0");
    first[136..148].copy_from_slice(b"00000000000\0");
    first[156] = b'0';
    first[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = first.iter().map(|byte| u32::from(*byte)).sum::<u32>() + 8 * u32::from(b' ');
    first[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    assert_eq!(
        bytes[..512].escape_ascii().to_string(),
        first.escape_ascii().to_string()
    );
    assert_eq!(bytes[512..517], *b"alpha");
    assert!(bytes[517..1024].iter().all(|byte| *byte == 0));
    assert!(bytes[bytes.len() - 1024..].iter().all(|byte| *byte == 0));
}

#[test]
fn the_size_is_known_and_the_hash_is_that_of_the_bytes() {
    let sizes = [0, 1, 511, 512, 513, 262_143, 262_144, 262_145, 1_000_000];
    let names: Vec<String> = sizes.iter().map(|size| format!("file-{size}")).collect();
    let contents: Vec<Vec<u8>> = sizes.iter().map(|size| vec![7; *size]).collect();
    let files: Vec<(&str, &[u8])> = names
        .iter()
        .map(String::as_str)
        .zip(contents.iter().map(Vec::as_slice))
        .collect();
    let folder = folder(&files);
    let archive = archive(folder.path());
    let bytes = bytes(&archive);
    assert_eq!(bytes.len() as u64, archive.size());
    assert_eq!(archive.digest().unwrap(), Digest::of(&bytes));
    let mut reader = tar::Archive::new(bytes.as_slice());
    let mut read = BTreeMap::new();
    for entry in reader.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        read.insert(name, content);
    }
    let expected: BTreeMap<_, _> = names.iter().map(|name| format!("d/{name}")).zip(contents).collect();
    assert_eq!(read, expected);
}

#[test]
fn long_names_survive() {
    let part = "n".repeat(60);
    let fits = format!("{part}/{part}/{}", "x".repeat(90));
    let long = format!("{part}/{}/{part}", "é".repeat(100));
    let folder = folder(&[(&fits, b"1"), (&long, b"2")]);
    let bytes = bytes(&archive(folder.path()));
    let mut reader = tar::Archive::new(bytes.as_slice());
    let names = reader
        .entries()
        .unwrap()
        .map(|entry| String::from_utf8(entry.unwrap().path_bytes().into_owned()).unwrap());
    let mut expected = vec![format!("d/{fits}"), format!("d/{long}")];
    expected.sort();
    assert_eq!(names.collect::<Vec<_>>(), expected);
    // Only the one that does not fit has a record.
    assert_eq!(bytes.windows(13).filter(|window| window == b"././@PaxHeade").count(), 1);
}

#[test]
fn another_time_owner_or_order_is_the_same_archive() {
    let one = folder(&[("a", b"1"), ("b", b"2")]);
    let other = folder(&[("b", b"2"), ("a", b"1")]);
    let digest = archive(one.path()).digest().unwrap();
    assert_eq!(archive(other.path()).digest().unwrap(), digest);
    let past = std::time::SystemTime::UNIX_EPOCH;
    let file = std::fs::File::options()
        .write(true)
        .open(other.path().join("d/a"))
        .unwrap();
    file.set_modified(past).unwrap();
    assert_eq!(archive(other.path()).digest().unwrap(), digest);
}

#[test]
fn another_name_content_or_mode_is_another_archive() {
    let digest = |files: &[(&str, &[u8])]| archive(folder(files).path()).digest().unwrap();
    let all = [
        digest(&[("a", b"bc")]),
        digest(&[("ab", b"c")]),
        digest(&[("a", b"bd")]),
        digest(&[("a", b"bc"), ("e", b"")]),
        digest(&[("a/b", b"c")]),
    ];
    for (index, one) in all.iter().enumerate() {
        assert!(!all[..index].contains(one), "{index}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let folder = folder(&[("a", b"bc")]);
        std::fs::set_permissions(folder.path().join("d/a"), std::fs::Permissions::from_mode(0o744)).unwrap();
        assert_ne!(archive(folder.path()).digest().unwrap(), all[0]);
    }
}

#[test]
fn a_file_that_is_no_longer_the_planned_one_is_named() {
    for change in ["content", "size", "gone"] {
        let folder = folder(&[("a", b"1"), ("b", b"22")]);
        let archive = archive(folder.path());
        match change {
            "content" => write(folder.path(), "b", b"33"),
            "size" => write(folder.path(), "b", b"3"),
            _ => std::fs::remove_file(folder.path().join("d/b")).unwrap(),
        }
        let error = archive.digest().unwrap_err();
        assert!(
            matches!(&error, ReadError::Changed { path } if path.ends_with("d/b")),
            "{change}: {error}"
        );
    }
}

#[test]
fn no_files_are_no_archive() {
    let context = Context::from_plan(&Image::base("x:1").plan().unwrap());
    assert!(context.archives().is_empty());
    assert_eq!(context.size(), 0);
}
